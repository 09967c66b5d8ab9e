/// The settings of a case, with their defaults.
public struct CaseConfig: Sendable, Hashable {
    /// What happens to timestamps below 0.
    public enum TimestampExtractor: String, Sendable { case failOnInvalid, logAndSkip, usePartitionTime }

    /// The cache of one thread, in bytes; 0 removes the caches.
    public var cacheBytes: Int64 = 0
    /// The throttle of emit-on-window-close and of unmatched outer join results.
    public var emitInterval: Int64 = 0
    /// `none`, `all` or one optimization.
    public var optimization = "none"
    /// Whether the case runs under exactly-once.
    public var exactlyOnce = false
    /// Whether stores of the DSL are in memory unless they say otherwise.
    public var inMemoryStores = false
    /// Whether stores of the DSL keep headers.
    public var headersFormat = false
    /// What happens to timestamps below 0.
    public var timestampExtractor = TimestampExtractor.failOnInvalid
    /// Whether processing errors are logged and the record skipped.
    public var continueOnError = false
    /// Where records go whose processing failed.
    public var deadLetterTopic: String?
    /// Whether internal names must be given.
    public var explicitNames = false
    /// An internal setting of Kafka Streams.
    public var processValuesFix = false

    /// All defaults.
    public init() {}

    init(_ fields: CaseFields) throws(CaseError) {
        try fields.allowOnly([
            "cacheBytes", "emitIntervalMs", "optimization", "processingGuarantee", "dslStore", "storeFormat",
            "timestampExtractor", "processingExceptions", "deadLetterTopic", "explicitNames", "processValuesFix",
        ])
        cacheBytes = try fields.integer("cacheBytes") ?? 0
        emitInterval = try fields.integer("emitIntervalMs") ?? 0
        optimization = try fields.text("optimization") ?? "none"
        exactlyOnce =
            try fields.choice("processingGuarantee", ["at_least_once": false, "exactly_once_v2": true]) ?? false
        inMemoryStores = try fields.choice("dslStore", ["rocksDB": false, "in_memory": true]) ?? false
        headersFormat = try fields.choice("storeFormat", ["DEFAULT": false, "HEADERS": true]) ?? false
        continueOnError = try fields.choice("processingExceptions", ["fail": false, "continue": true]) ?? false
        let extractors: [TimestampExtractor] = [.failOnInvalid, .logAndSkip, .usePartitionTime]
        timestampExtractor =
            try fields.choice(
                "timestampExtractor", Dictionary(uniqueKeysWithValues: extractors.map { ($0.rawValue, $0) }))
            ?? .failOnInvalid
        deadLetterTopic = try fields.text("deadLetterTopic")
        explicitNames = try fields.bool("explicitNames") ?? false
        processValuesFix = try fields.bool("processValuesFix") ?? false
    }
}

extension CaseFields {
    /// One of a few words, or nil if there is none.
    func choice<Value>(_ name: String, _ values: [String: Value]) throws(CaseError) -> Value? {
        guard let text = try text(name) else { return nil }
        guard let value = values[text] else {
            throw CaseError("'\(text)' is none of \(values.keys.sorted().joined(separator: ", "))").inside(name)
        }
        return value
    }
}
