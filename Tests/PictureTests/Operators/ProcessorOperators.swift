import Tributary

/// The code of the page *Processors*.
enum ProcessorOperators {
    static func reports(_ builder: StreamsBuilder) {
        // snippet.use
        let sums = builder.store(.keyValue("sums"), of: Int64.self)
        builder.stream("sales", of: Int64.self)
            .process(stores: [sums]) { Report(sums) }
            .to("reports")
        // snippet.end
    }
}

// snippet.processor
/// Adds up, and reports and forgets each ten seconds of the records' time.
final class Report: Processor {
    private let handle: StoreHandle<KeyValueStore<String, Int64>>
    private var sums: KeyValueStore<String, Int64>?

    init(_ handle: StoreHandle<KeyValueStore<String, Int64>>) { self.handle = handle }

    func initialize(_ context: ProcessorContext<String, Int64>) throws {
        let sums = try context.store(handle)
        self.sums = sums
        context.schedule(every: .seconds(10), .streamTime) { time in
            for sum in try sums.all() {
                try context.forward(Record(key: sum.key, value: sum.value, timestamp: time), from: sum)
                try sums.delete(sum.key)
            }
        }
    }

    func process(_ record: Record<String, Int64>) throws {
        guard let sums else { return }
        let before = try sums.get(record.key)
        try sums.put(record.key, (before?.value ?? 0) + record.value)
    }
}
// snippet.end
