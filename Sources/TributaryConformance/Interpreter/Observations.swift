internal import TributaryCore

/// How the records of output topics are read back, noted by the sinks.
final class OutputFormats {
    private var formats: [String: RecordFormat] = [:]
    /// The format of topics that closures name.
    var chosen = RecordFormat()

    /// Notes a sink.
    func note(_ topic: String, _ format: RecordFormat) { formats[topic] = format }

    /// The format of a topic.
    subscript(topic: String) -> RecordFormat {
        if let format = formats[topic] { return format }
        return topic.hasPrefix("out-") ? chosen : RecordFormat()
    }
}

/// What `peek` and `foreach` saw since it was last asked.
final class SeenRecords: Sendable {
    private let records = Guarded<[String: [CaseResult.Record]]>([:])

    /// Notes a record under `peek:ID`.
    func add(_ id: String, _ key: CaseKey, _ value: CaseValue) {
        records.withLock { $0["peek:\(id)", default: []].append(CaseResult.Record(key, value, timestamp: nil)) }
    }

    /// Takes what was seen.
    func take() -> [String: [CaseResult.Record]] {
        records.withLock { records in
            let taken = records
            records = [:]
            return taken
        }
    }
}
