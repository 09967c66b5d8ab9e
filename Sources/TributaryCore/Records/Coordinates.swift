/// One partition of a topic.
public struct TopicPartition: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The topic's name.
    public var topic: String
    /// The partition, from 0.
    public var partition: Int32

    /// Names partition `partition` of `topic`.
    public init(_ topic: String, _ partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    /// By topic, then by partition.
    public static func < (left: TopicPartition, right: TopicPartition) -> Bool {
        (left.topic, left.partition) < (right.topic, right.partition)
    }

    /// `topic-partition`, as Kafka writes it.
    public var description: String { "\(topic)-\(partition)" }
}

/// Where a record is: its topic, partition and offset.
///
/// With a log's cluster id this names one record of the world.
public struct RecordCoordinate: Hashable, Sendable, CustomStringConvertible {
    /// The topic's name.
    public var topic: String
    /// The partition, from 0.
    public var partition: Int32
    /// The offset, from 0.
    public var offset: Int64

    /// Names the record at `offset` of a partition.
    public init(topic: String, partition: Int32, offset: Int64) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
    }

    /// `topic-partition@offset`.
    public var description: String { "\(topic)-\(partition)@\(offset)" }
}
