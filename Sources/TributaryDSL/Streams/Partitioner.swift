public import TributaryCore
public import TributaryLineage

/// Chooses the partition of a record that is sent: from 0 to below `partitions`, or nil to let the key's bytes decide.
///
/// The value is nil for a tombstone of a type that has no null. What reads such a topic by key finds records of one key in several
/// partitions unless the key alone decides.
public typealias Partitioner<Key, Value> =
    @Sendable (_ key: Key, _ value: Value?, _ partitions: Int32) throws -> Int32?

/// Where a record is sent: what a ``MulticastPartitioner`` says of it.
public enum PartitionChoice: Sendable, Hashable {
    /// Where its key's bytes say; to any partition if it has none.
    case byKey
    /// To this partition alone.
    case only(Int32)
    /// To each of these, in ascending order; to none if the set is empty, which is counted as a dropped record (``DropReason/noPartition``).
    case each(Set<Int32>)
    /// To all partitions of the topic.
    case all
}

/// Chooses the partitions of a record that is sent, from 0 to below `partitions`: Kafka Streams' `StreamPartitioner`, which may choose several
/// or none.
///
/// The value is nil for a tombstone of a type that has no null. Each copy is a record of its own, with the lineage of the one that it is a copy of.
public typealias MulticastPartitioner<Key, Value> =
    @Sendable (_ key: Key, _ value: Value?, _ partitions: Int32) throws -> PartitionChoice

/// A partitioner named a partition that its topic hasn't.
public struct PartitionerError: Error, CustomStringConvertible {
    /// What it chose.
    public let partition: Int32
    /// How many partitions there are.
    public let partitions: Int32
    /// The topic.
    public let topic: String

    @usableFromInline
    init(_ partition: Int32, of partitions: Int32, in topic: String) {
        self.partition = partition
        self.partitions = partitions
        self.topic = topic
    }

    /// One sentence.
    public var description: String {
        "a partitioner chose partition \(partition) of '\(topic)', which has \(partitions)"
    }
}

extension PartitionChoice {
    /// The choice itself, if the topic has all its partitions.
    @usableFromInline
    func checked(_ count: Int32, _ topic: String) throws -> PartitionChoice {
        switch self {
        case .byKey, .all: break
        case .only(let partition): try Self.check(partition, count, topic)
        case .each(let partitions): for partition in partitions { try Self.check(partition, count, topic) }
        }
        return self
    }

    private static func check(_ partition: Int32, _ count: Int32, _ topic: String) throws {
        guard partition >= 0, partition < count else { throw PartitionerError(partition, of: count, in: topic) }
    }
}

extension TopologyGraph {
    /// The one way in which a sink chooses partitions; nil: by the keys' bytes.
    @inlinable
    func partitions<Key, Value>(
        _ sink: String, _ partitioner: Partitioner<Key, Value>?, _ multicast: MulticastPartitioner<Key, Value>?
    ) -> MulticastPartitioner<Key, Value>? {
        guard let partitioner else { return multicast }
        if multicast != nil {
            fail(
                .invalidSetting,
                "'\(sink)' has both a partitioner and one for several partitions: leave one of them out")
        }
        return { key, value, count in try partitioner(key, value, count).map { .only($0) } ?? .byKey }
    }
}

extension RecordEncoder {
    /// Sends a record (a nil value: a tombstone) to the partitions that are chosen for it.
    @inlinable
    func send(
        _ record: Key, _ content: Value?, to number: Int, _ topic: String,
        by choose: MulticastPartitioner<Key, Value>, _ user: UserCode, _ meta: borrowing RecordMeta
    ) throws {
        let services = user.services
        let count = services.partitions(ofTopic: number)
        guard let choice = try user.run(meta, { try choose(record, content, count).checked(count, topic) }) else {
            return
        }
        switch choice {
        case .byKey:
            guard let content else { return try sendTombstone(record, to: number, topic, services, meta) }
            try send(record, content, to: number, topic, services, meta)
        case .only(let partition):
            try send(record, content, to: number, partition: partition, topic, services, meta)
        case .all:
            for partition in 0..<count {
                try send(record, content, to: number, partition: partition, topic, services, meta)
            }
        case .each(let partitions):
            if partitions.isEmpty { return user.dropped(.noPartition, meta) }
            for partition in partitions.sorted() {
                try send(record, content, to: number, partition: partition, topic, services, meta)
            }
        }
    }

    /// Sends a record to a partition of its own (a nil value: a tombstone).
    @inlinable
    func send(
        _ record: Key, _ content: Value?, to number: Int, partition: Int32, _ topic: String,
        _ services: any TaskServices, _ meta: borrowing RecordMeta
    ) throws {
        guard meta.keyIsStale && meta.hasKey else {
            return try send(content, to: number, partition: partition, topic, services, meta)
        }
        keyBuffer.writer.removeAll()
        do { try key.encode(record, &keyBuffer.writer) } catch {
            return try services.serializationFailed(node: name, topic: topic, error, meta)
        }
        let fresh = meta.with(key: keyBuffer.bytes)
        try send(content, to: number, partition: partition, topic, services, fresh)
    }

    @inlinable
    func send(
        _ content: Value?, to number: Int, partition: Int32, _ topic: String, _ services: any TaskServices,
        _ meta: borrowing RecordMeta
    ) throws {
        guard let content, !(value.nullability?.isNull(content) ?? false) else {
            return try services.send(
                topic: number, partition: partition, key: meta.hasKey ? meta.key : nil, value: nil, meta)
        }
        valueBuffer.writer.removeAll()
        do { try value.encode(content, &valueBuffer.writer) } catch {
            return try services.serializationFailed(node: name, topic: topic, error, meta)
        }
        try services.send(
            topic: number, partition: partition, key: meta.hasKey ? meta.key : nil, value: valueBuffer.bytes, meta)
    }
}
