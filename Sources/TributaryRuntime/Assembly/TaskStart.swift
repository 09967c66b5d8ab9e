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
    }

    /// Where each source partition begins.
    public var positions: [TopicPartition: Position] = [:]
    /// The source topics as they were when the positions were asked for: offsets are committed for these, not for others that have
    /// their names by then, and cells name them.
    public var descriptions: [String: TopicDescription] = [:]

    /// Begins partitions at their first possible offset, whatever a group has committed.
    public init(beginning partitions: [TopicPartition] = []) {
        for partition in partitions { positions[partition] = Position(offset: 0, partitionTime: -1) }
    }

    /// Begins where the group left off, or at a partition's first record.
    ///
    /// - Parameters:
    ///   - sources: the source partitions.
    ///   - log: says what they hold, and which topics have their names.
    ///   - group: has the committed offsets.
    ///   - lines: told of records that were deleted before they were processed.
    public init(_ sources: [TopicPartition], log: any Log, group: any LogGroup, _ lines: LogSink) throws(LogError) {
        // Before the offsets: should a topic be deleted and made again in between, they are refused at the commit.
        for source in sources { descriptions[source.topic] = try log.topic(source.topic) }
        let committed = try group.committed(sources)
        for source in sources {
            var position = Position(offset: 0, partitionTime: -1)
            if let found = committed[source] {
                position = Position(
                    offset: found.offset, partitionTime: OffsetMetadata.partitionTime(found.metadata))
            }
            let low = try log.watermarks(source, committed: false).low
            if position.offset < low {
                // Retention has overtaken an application that was stopped: go on at the first record that is left.
                if committed[source] != nil {
                    lines(
                        .warning, "records were deleted before they were processed",
                        [("partition", "\(source)"), ("from", "\(position.offset)"), ("to", "\(low)")],
                        source: "TributaryRuntime")
                }
                position.offset = low
            }
            positions[source] = position
        }
    }
}
