public import TributaryCore
public import TributaryLineage

/// Chooses the partition of a record that is sent: from 0 to below `partitions`, or nil to let the key's bytes decide.
///
/// The value is nil for a tombstone of a type that has no null. What reads such a topic by key finds records of one key in several
/// partitions unless the key alone decides.
public typealias Partitioner<Key, Value> =
    @Sendable (_ key: Key, _ value: Value?, _ partitions: Int32) throws -> Int32?

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

/// Attaches a node that sends records to the partitions of one topic that a closure chooses.
@inlinable
func attachSink<Key, Value>(
    _ output: Output<Key, Value>, _ id: Int, _ name: String, topic: String, key: Serde<Key>, value: Serde<Value>,
    partitionKeySuffix: Int, _ partitioner: @escaping Partitioner<Key, Value>
) {
    output.attach(id, name) { context in
        let services = context.services
        let user = UserCode(name, services)
        let encoder = RecordEncoder(name, key, value, partitionKeySuffix: partitionKeySuffix)
        let number = try services.outputTopic(topic)
        let count = services.partitions(ofTopic: number)
        func chosen(_ key: Key, _ value: Value?) throws -> Int32? {
            guard let partition = try partitioner(key, value, count) else { return nil }
            guard partition >= 0, partition < count else { throw PartitionerError(partition, of: count, in: topic) }
            return partition
        }
        return NodeInput(
            call: { record, content, meta in
                guard let choice = try user.run(meta, { try chosen(record, content) }) else { return }
                guard let choice else { return try encoder.send(record, content, to: number, topic, services, meta) }
                try encoder.send(record, content, to: number, partition: choice, topic, services, meta)
            },
            delete: { record, meta in
                guard let choice = try user.run(meta, { try chosen(record, nil) }) else { return }
                guard let choice else { return try encoder.sendTombstone(record, to: number, topic, services, meta) }
                try encoder.send(record, nil, to: number, partition: choice, topic, services, meta)
            })
    }
}

extension RecordEncoder {
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
