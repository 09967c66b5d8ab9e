internal import TributaryCore
internal import TributaryKafka
internal import TributaryLMDB
internal import TributaryLineage
internal import TributaryTelemetry

/// The log that a command names: an embedded one, or Kafka.
enum LogAccess {
    /// For commands on any log.
    static let options: [OptionSpec] = {
        var log = embedded
        log.alternative = kafka.name
        return [log, kafka, property]
    }()
    /// For commands on the files of an embedded log.
    static let embedded = OptionSpec.text("log", "DIR", "the folder of the embedded log", required: true)
    static let kafka = OptionSpec.text("kafka", "HOST:PORT", "brokers of Apache Kafka, instead of --log")
    static let property = OptionSpec.text(
        "property", "NAME=VALUE",
        "with --kafka: a property of librdkafka, such as security.protocol; may be given several "
            + "times", repeated: true)

    /// What a log is opened for.
    enum Purpose {
        /// Nothing is written: a folder that is for reading only will do.
        case reading
        case writing
        /// A log that isn't there is made.
        case creating
    }

    /// Opens the log that the arguments name.
    static func open(_ arguments: Arguments, for purpose: Purpose = .writing) throws -> any Log {
        guard let brokers = arguments["kafka"] else { return try open(arguments.required("log"), for: purpose) }
        let configuration = KafkaConfiguration(bootstrap: brokers, properties: try pairs(arguments, "property"))
        return try KafkaLog.connect(to: configuration)
    }

    /// The values of an option that is given as NAME=VALUE.
    static func pairs(_ arguments: Arguments, _ option: String) throws(UsageError) -> [String: String] {
        var pairs: [String: String] = [:]
        for text in arguments.all(option) {
            let parts = text.split(separator: "=", maxSplits: 1).map { String($0) }
            guard parts.count == 2 else { throw UsageError("--\(option) needs NAME=VALUE, not '\(text)'") }
            pairs[parts[0]] = parts[1]
        }
        return pairs
    }

    /// Opens an embedded log, which must be there unless it is to be made: a mistyped name must not make a new one.
    static func open(_ path: String, for purpose: Purpose = .writing) throws -> EmbeddedLog {
        guard purpose == .creating || Files.exists("\(path)/log.mdb") else {
            throw CommandError(
                "there is no embedded log in '\(path)'; 'tributary topics create NAME --log \(path)' makes one")
        }
        var configuration = embeddedConfiguration
        configuration.isReadOnly = purpose == .reading && !Files.isWritable(path, "\(path)/log.mdb")
        return try EmbeddedLog.open(at: path, configuration: configuration)
    }

    /// The defaults, with warnings on the standard error: who keeps a lock, records that are too old to be kept.
    private static var embeddedConfiguration: EmbeddedLogConfiguration {
        var configuration = EmbeddedLogConfiguration()
        configuration.logs = .text(level: .warning)
        return configuration
    }

    static func topic(_ name: String, of log: any Log) throws -> TopicDescription {
        if let topic = try log.topic(name) { return topic }
        guard TopicName.isValid(name) else {
            throw CommandError("there is no topic '\(Printable.line(name))': \(TopicName.rule)")
        }
        let names = try log.topics().map(\.name)
        if let near = names.min(by: { distance($0, name) < distance($1, name) }), distance(near, name) <= 3 {
            throw CommandError("there is no topic '\(name)'; did you mean '\(near)'?")
        }
        throw CommandError("there is no topic '\(name)'; 'tributary topics list' shows those that are there")
    }

    /// The names by which cells of this log's records can be told.
    static func sourceNames(_ log: any Log) throws -> SourceNames {
        var names = SourceNames()
        for topic in try log.topics() { names.add(cluster: log.clusterID, topic: topic.name, lives: topic.life) }
        return names
    }

    /// The partitions that a command reads: one, or all.
    static func partitions(_ arguments: Arguments, of topic: TopicDescription) throws -> [TopicPartition] {
        guard let asked = arguments.integer("partition") else {
            return (0..<topic.partitions).map { TopicPartition(topic.name, $0) }
        }
        guard asked >= 0, asked < Int64(topic.partitions) else {
            throw CommandError("'\(topic.name)' has \(topic.partitions) partitions, 0 to \(topic.partitions - 1)")
        }
        return [TopicPartition(topic.name, Int32(asked))]
    }
}

extension SourceNames {
    /// The report of the value of a `tributary-cell` header; nil if it holds no cell.
    func report(header bytes: RawSpan) throws(MalformedBytes) -> CellReport? {
        bytes.byteCount > 1 ? try CellReport(bytes.extracting(1..<bytes.byteCount), names: self) : nil
    }
}
