public import TributaryCore
internal import TributaryDSL

/// Where the source partitions of a task begin.
public struct TaskStart: Sendable {
    /// Where one source partition begins.
    public struct Position: Sendable, Hashable {
        /// The offset of the first record.
        public var offset: Int64
        /// The greatest timestamp of the records before it, ms; -1 if it isn't known.
        public var partitionTime: Int64
        /// Whether the group has committed it.
        var isCommitted = false
    }

    /// Where each source partition begins.
    public var positions: [TopicPartition: Position] = [:]
    /// How far nodes had come at the last commit, by the names of their stores, ms of stream time.
    public var progress: [String: Int64] = [:]
    /// The source topics as they were when the positions were asked for: offsets are committed for these, not for others that have
    /// their names by then, and cells name them.
    public var descriptions: [String: TopicDescription] = [:]
    /// Whether a place was chosen that is another at the next start: it is to be committed, even if no record comes.
    var isToBeCommitted = false

    /// Begins partitions at their first possible offset, whatever a group has committed.
    public init(beginning partitions: [TopicPartition] = []) {
        for partition in partitions { positions[partition] = Position(offset: 0, partitionTime: -1) }
    }

    /// Begins where the group left off, or where each source is to begin.
    ///
    /// - Parameters:
    ///   - sources: the source partitions.
    ///   - log: says what they hold, and which topics have their names.
    ///   - group: has the committed offsets.
    ///   - names: the topology, whose sources say where they begin.
    ///   - configuration: says it of the others; its log lines tell of records that were deleted before they were processed.
    /// - Throws: `LogError.Code.noOffset` for a source that is to begin nowhere; what the log throws.
    public init(
        _ sources: [TopicPartition], log: any Log, group: any LogGroup, names: ResolvedTopology,
        configuration: RuntimeConfiguration
    ) throws(LogError) {
        // Before the offsets: should a topic be deleted and made again in between, they are refused at the commit.
        for source in sources { descriptions[source.topic] = try log.topic(source.topic) }
        let committed = try group.committed(sources)
        for source in sources {
            let found = committed[source]
            let low = try log.watermarks(source, committed: false).low
            var position = Position(
                offset: found?.offset ?? -1,
                partitionTime: found.map { OffsetMetadata.partitionTime($0.metadata) } ?? -1,
                isCommitted: found != nil)
            if let found { progress.merge(OffsetMetadata.progress(found.metadata)) { max($0, $1) } }
            if position.offset < low {
                let reset = names.reset(of: source.topic, default: configuration.offsetReset)
                position.offset = try Self.offset(source, reset, low: low, lost: found, log, configuration.time)
                if reset.place != .earliest { isToBeCommitted = true }
                // Retention has overtaken an application that was stopped.
                if let found {
                    configuration.log(
                        .warning, "records were deleted before they were processed",
                        [("partition", "\(source)"), ("from", "\(found.offset)"), ("to", "\(position.offset)")],
                        source: "TributaryRuntime")
                }
            }
            positions[source] = position
        }
    }

    private static func offset(
        _ source: TopicPartition, _ reset: OffsetReset, low: Int64, lost: CommittedOffset?, _ log: any Log,
        _ clocks: TimeSource
    ) throws(LogError) -> Int64 {
        let time: Int64
        switch reset.place {
        case .earliest: return low
        case .latest: return try log.watermarks(source, committed: true).high
        case .time(let moment): time = moment
        case .last(let duration): time = clocks.wall.milliseconds.subtractingSaturated(duration.milliseconds)
        case .fail:
            let what =
                lost.map { "the committed offset \($0.offset) is below the first record \(low) that is left" }
                ?? "nothing is committed"
            throw LogError(
                .noOffset, "\(what), and the source is to begin nowhere else (`startingAt: .fail`)",
                topic: source.topic,
                partition: source.partition)
        }
        // No record has a time below 0.
        if let found = try log.offsets(atOrAfter: [source: max(time, 0)])[source] { return max(found, low) }
        return try log.watermarks(source, committed: true).high
    }
}
