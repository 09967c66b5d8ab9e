// Cards that pay more than a limit within one minute: `payments` (card: amount) in, `alerts` out.
//
// A minute is judged when it is over, by a punctuation in the time of the payments: an alert has the whole sum.
//
//     tributary topics create payments alerts --set retention.ms=-1 --log ./cards
//     for second in 1 2 61; do echo "{\"key\":\"card\",\"value\":{\"cents\":60000},\"timestamp\":${second}000}"; done |
//         tributary topics produce payments --log ./cards
//     FraudAlerts ./cards &
//     tributary topics consume alerts --follow --max 1 --log ./cards
//     kill $!
import Tributary

@main struct FraudAlerts: TributaryApp {
    let configuration = StreamsConfiguration(
        applicationID: "fraud-alerts", log: .embedded(at: CommandLine.arguments.dropFirst().first ?? "./data"))

    func build(_ builder: StreamsBuilder) throws {
        let sums = builder.store(.keyValue("sums"), of: Int64.self)
        builder.stream("payments", of: Payment.self)
            .process(stores: [sums]) { Watch(sums) }
            .to("alerts")
    }
}

struct Payment: JSONRecordable {
    var cents: Int64
}

struct Alert: JSONRecordable {
    /// When the minute began, ms.
    var minute: Int64
    var cents: Int64
}

final class Watch: Processor {
    static let limit: Int64 = 100_000
    static let minute: Int64 = 60_000

    private let handle: StoreHandle<KeyValueStore<String, Int64>>
    private var context: ProcessorContext<String, Alert>?
    /// Cents by minute and card: `0000001769864400000 card`, so that what is over comes first.
    private var sums: KeyValueStore<String, Int64>?

    init(_ handle: StoreHandle<KeyValueStore<String, Int64>>) { self.handle = handle }

    func initialize(_ context: ProcessorContext<String, Alert>) throws {
        self.context = context
        sums = try context.store(handle)
        context.schedule(every: .milliseconds(Self.minute), .streamTime) { [unowned self] time in try judge(time) }
    }

    func process(_ record: Record<String, Payment>) throws {
        guard let sums else { return }
        let digits = String(record.timestamp / Self.minute * Self.minute)
        let key = String(repeating: "0", count: max(19 - digits.count, 0)) + digits + " " + record.key
        try sums.put(key, (try sums.get(key)?.value ?? 0) + record.value.cents)
    }

    private func judge(_ time: Int64) throws {
        guard let sums, let context else { return }
        for entry in try sums.all() {
            let parts = entry.key.split(separator: " ", maxSplits: 1)
            guard parts.count == 2, let minute = Int64(parts[0]), minute + Self.minute <= time else { break }
            if entry.value > Self.limit {
                let alert = Alert(minute: minute, cents: entry.value)
                try context.forward(
                    Record(key: String(parts[1]), value: alert, timestamp: minute + Self.minute), from: entry)
            }
            try sums.delete(entry.key)
        }
    }
}
