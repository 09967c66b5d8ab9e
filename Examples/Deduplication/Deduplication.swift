// Each event once: `events` in, `unique-events` out, without those whose id was seen in the ten minutes before.
//
//     tributary topics create events unique-events --log ./events
//     for id in a a b; do echo "{\"key\":\"$id\",\"value\":\"event $id\"}"; done | tributary topics produce events --log ./events
//     Deduplication ./events &
//     tributary topics consume unique-events --follow --max 2 --log ./events
//     kill $!
import Tributary

@main struct Deduplication: TributaryApp {
    let configuration = StreamsConfiguration(
        applicationID: "deduplication", log: .embedded(at: CommandLine.arguments.dropFirst().first ?? "./data"))

    func build(_ builder: StreamsBuilder) throws {
        let seen = builder.store(.window("seen", retention: Seen.span * 2, size: Seen.span), of: Int64.self)
        builder.stream("events", of: String.self)
            .processValues(stores: [seen]) { Seen(seen) }
            .to("unique-events")
    }
}

/// Forwards an event whose id, the key, was not forwarded in the time before.
final class Seen: FixedKeyProcessor {
    static let span = Duration.seconds(600)

    private let handle: StoreHandle<WindowStore<String, Int64>>
    private var context: FixedKeyProcessorContext<String, String>?
    private var seen: WindowStore<String, Int64>?

    init(_ handle: StoreHandle<WindowStore<String, Int64>>) { self.handle = handle }

    func initialize(_ context: FixedKeyProcessorContext<String, String>) throws {
        self.context = context
        seen = try context.store(handle)
    }

    func process(_ record: Record<String, String>) throws {
        guard let seen, let context else { return }
        let earlier = try seen.fetch(
            record.key, from: record.timestamp - Self.span.milliseconds, through: record.timestamp)
        defer { earlier.close() }
        guard earlier.next() == nil else { return }
        try seen.put(record.key, record.timestamp, windowStart: record.timestamp)
        try context.forward(record)
    }
}
