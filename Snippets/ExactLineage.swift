// Spans of one's own, and a processor that says what its writes were made from.
import Tributary

// snippet.span
func score(_ text: String) throws -> Double {
    try Lineage.withSpan("score", attributes: ["text.length": .int(Int64(text.utf8.count))]) { span in
        guard !text.isEmpty else { throw EmptyText() }  // the span then says so
        let score = Double(text.utf8.reduce(0) { $0 + Int($1) }) / Double(text.utf8.count)
        if score > 100 { span.addEvent("high score") }
        span["score"] = .double(score)
        return score
    }
}

struct EmptyText: Error {}
// snippet.end

// snippet.processor
/// Keeps the highest score of each key, and says what it was made from.
final class Best: Processor {
    private let handle: StoreHandle<KeyValueStore<String, Double>>
    private var context: ProcessorContext<String, Double>?
    private var store: KeyValueStore<String, Double>?

    init(_ handle: StoreHandle<KeyValueStore<String, Double>>) { self.handle = handle }

    func initialize(_ context: ProcessorContext<String, Double>) throws {
        self.context = context
        store = try context.store(handle)
    }

    func process(_ record: Record<String, Double>) throws {
        guard let store, let context else { return }
        let best = try store.get(record.key)
        if let best, best.value >= record.value {
            // Made from the row, and from nothing else that was read here.
            return try context.forward(record.with(value: best.value), from: best)
        }
        try store.put(record.key, record.value, from: [])  // from the record alone: the old row is history
        try context.forward(record, from: [])
    }
}
// snippet.end

let builder = StreamsBuilder()
let best = builder.store(.keyValue("best", timestamped: true), of: Double.self)
builder.stream("texts", of: String.self)
    .mapValues { text in try score(text) }
    .process(stores: [best]) { Best(best) }
    .to("scores")
print(try builder.build().describe())
