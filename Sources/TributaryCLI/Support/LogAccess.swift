internal import TributaryCore
internal import TributaryLMDB
internal import TributaryLineage

/// The embedded log that a command names.
enum LogAccess {
    static let option = OptionSpec.text("log", "DIR", "the folder of the embedded log", required: true)

    /// Opens a log that is there: a mistyped name must not make a new one.
    static func open(_ path: String) throws -> EmbeddedLog {
        guard Files.exists("\(path)/log.mdb") else {
            throw CommandError(
                "there is no embedded log in '\(path)'; 'tributary topics create NAME --log \(path)' makes one")
        }
        return try EmbeddedLog.open(at: path)
    }

    static func topic(_ name: String, of log: EmbeddedLog) throws -> TopicDescription {
        if let topic = try log.topic(name) { return topic }
        let names = try log.topics().map(\.name)
        if let near = names.min(by: { distance($0, name) < distance($1, name) }), distance(near, name) <= 3 {
            throw CommandError("there is no topic '\(name)'; did you mean '\(near)'?")
        }
        throw CommandError("there is no topic '\(name)'; 'tributary topics list' shows those that are there")
    }

    /// The names by which cells of this log's records can be told.
    static func sourceNames(_ log: EmbeddedLog) throws -> SourceNames {
        SourceNames(cluster: log.clusterID, topics: try log.topics().map(\.name))
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
