internal import TributaryCore
internal import TributaryDSL
internal import TributaryRuntime
internal import TributaryState
internal import TributaryTesting

extension CaseConfig {
    /// Puts a case's settings into those of an application.
    func apply(to runtime: inout RuntimeConfiguration) {
        runtime.cacheBytes = Int(cacheBytes)
        runtime.emitInterval = .milliseconds(emitInterval)
        runtime.guarantee = exactlyOnce ? .exactlyOnce : .atLeastOnce
        runtime.timestamps =
            switch timestampExtractor {
            case .failOnInvalid: .failOnInvalid
            case .logAndSkip: .logAndSkip
            case .usePartitionTime: .usePartitionTime
            }
        let response: ErrorResponse = continueOnError ? .continue : .fail
        runtime.processingHandler = { _ in response }
        runtime.deadLetterTopic = deadLetterTopic
    }
}

extension RecordFormat {
    /// How the rows of a store are read, by the names of its serdes.
    init(_ store: StoreDescription) {
        hasIntegers = store.serdes.hasSuffix(" int64")
        if let size = store.windowSize {
            key = .timeWindowed(size: size, sequence: true)
            return
        }
        if store.keys == .session {
            key = .session
            return
        }
        // A table of windowed keys.
        let name = store.serdes.split(separator: " ").first ?? ""
        if let windowed = TimeWindowedName(String(name)) { key = .timeWindowed(size: windowed.size, sequence: false) }
        if SessionWindowedName(String(name)) != nil { key = .session }
    }

    /// A record of an output topic.
    func record(_ record: LoggedRecord) throws -> CaseResult.Record {
        CaseResult.Record(
            try key.key(record.key), try value(record.value), timestamp: record.timestamp,
            headers: record.headers.list.map { header in
                CaseHeader(header.name, header.value.map { String(decoding: $0, as: UTF8.self) })
            })
    }
}

extension CaseResult.RawRecord {
    /// A record of an internal topic, whose store has its own timestamps or takes the producer's clock.
    init(_ record: LoggedRecord, of store: StoreDescription? = nil) {
        self.init(
            record.key.map(hexadecimal), record.value.map(hexadecimal),
            timestamp: store?.isBuffer == true ? nil : record.timestamp,
            headers: record.headers.list.map { CaseHeader($0.name, $0.value.map(hexadecimal)) })
    }
}

extension CaseResult.Row {
    /// A row of a store, which has what stores of its kind have in Kafka Streams.
    init(_ key: CaseKey, _ value: CaseValue, _ timestamp: Int64, _ headers: Headers, of store: StoreDescription) {
        // Kafka Streams has no stores that keep headers without timestamps, but for sessions.
        let hasTimestamp = store.isTimestamped || store.keepsHeaders && store.keys != .session
        let texts = headers.list.map { header in
            "\(header.name)=\(header.value.map { String(decoding: $0, as: UTF8.self) } ?? "")"
        }
        self.init(
            key, value, timestamp: hasTimestamp ? timestamp : nil,
            headers: store.keepsHeaders ? texts.joined(separator: ",") : nil)
    }
}

extension CaseResult.InternalTopic {
    /// An internal topic with the settings that it was seen to have.
    init(_ topic: InternalTopic, settings: [String: String]) {
        self.init(type: topic.kind.rawValue, config: settings, partitions: topic.partitions.map { Int64($0) })
    }
}

extension Topology {
    /// The groups of topics that must have equally many partitions, by their names in a log.
    func copartition(applicationID: String) -> [[String]] {
        let repartitions = Set(internalTopics.filter { $0.kind == .repartition }.map(\.name))
        return copartitionGroupsOfKafkaStreams.map { group in
            group.map { repartitions.contains($0) ? "\(applicationID)-\($0)" : $0 }.sorted()
        }
    }
}

/// Lower-case hexadecimal digits.
func hexadecimal(_ bytes: [UInt8]) -> String {
    var text = ""
    for byte in bytes { text += (byte < 16 ? "0" : "") + String(byte, radix: 16) }
    return text
}
