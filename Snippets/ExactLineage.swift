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
    private var context: ProcessorContext<String, Double>?
    private var store: KeyValueStore<String, Double>?

    func initialize(_ context: ProcessorContext<String, Double>) throws {
        self.context = context
        store = try context.keyValueStore("best", key: .string, value: .double)
    }

    func process(_ record: Record<String, Double>) throws {
        guard let store, let context else { return }
        let best = try store.get(record.key)
        if let best, best.value >= record.value {
            // Made from the row, and from nothing else that was read here.
            return try context.forward(
                Record(key: record.key, value: best.value, timestamp: record.timestamp), from: best)
        }
        try store.put(record.key, record.value, from: [])  // from the record alone: the old row is history
        try context.forward(record, from: [])
    }
}
// snippet.end

let builder = StreamsBuilder()
builder.addStateStore(StoreDescription(name: "best", kind: .timestampedKeyValue))
builder.stream("texts", of: String.self)
    .mapValues { text in try score(text) }
    .process(stores: ["best"]) { Best() }
    .to("scores")
print(try builder.build().describe())
