public import TributaryCore
public import TributaryLineage

/// What a closure that chooses a topic knows of the record.
public struct RecordMetadata: Sendable {
    /// The topic of the input record being processed; nil in a punctuation.
    public let topic: String?
    /// The partition of the input record; -1 in a punctuation.
    public let partition: Int32
    /// The offset of the input record; -1 in a punctuation.
    public let offset: Int64
    /// The record's timestamp, ms.
    public let timestamp: Int64
    /// The record's headers.
    public let headers: Headers

    @usableFromInline
    init(_ services: any TaskServices, _ meta: borrowing RecordMeta) {
        let coordinate = services.coordinate(of: meta.origin)
        topic = coordinate.topic
        partition = coordinate.partition
        offset = coordinate.offset
        timestamp = meta.timestamp
        headers = Headers(checked: meta.headers)
    }
}

extension KStream {
    /// Sends every record to a topic, which must exist.
    ///
    /// - Parameters:
    ///   - topic: its name.
    ///   - named: the node's name.
    ///   - key: replaces the key's serde; needed if the stream lost it.
    ///   - value: replaces the value's serde; needed if the stream lost it.
    ///   - partitioner: chooses the partition of each record; by the key's bytes without.
    ///   - multicast: chooses the partitions of each record, instead: several, or none.
    @inlinable
    public func to(
        _ topic: String, named: String? = nil, key: Serde<Key>? = nil, value: Serde<Value>? = nil,
        partitioner: Partitioner<Key, Value>? = nil, multicast: MulticastPartitioner<Key, Value>? = nil
    ) {
        let name = graph.name("KSTREAM-SINK-", named)
        let id = graph.add(name, .sink(topic: topic), parents: [node])
        guard let key = key ?? keySerde, let value = value ?? valueSerde else {
            return graph.failWithoutSerde("the sink to '\(topic)'", key ?? keySerde, value ?? valueSerde)
        }
        attachSink(
            encoded(key: key, value: value).output, id, name, topic: topic, key: key, value: value,
            partitionKeySuffix: key.keys.suffixSize, graph.partitions(name, partitioner, multicast))
    }

    /// Sends every record to the topic that `choose` names for it.
    ///
    /// Such topics must exist.
    ///
    /// - Parameters:
    ///   - named: the node's name.
    ///   - key: replaces the key's serde; needed if the stream lost it.
    ///   - value: replaces the value's serde; needed if the stream lost it.
    ///   - partitioner: chooses the partition of each record, of those that its topic has; by the key's bytes without.
    ///   - multicast: chooses the partitions of each record, instead: several, or none.
    ///   - choose: the name of a record's topic.
    @inlinable
    public func to(
        named: String? = nil, key: Serde<Key>? = nil, value: Serde<Value>? = nil,
        partitioner: Partitioner<Key, Value>? = nil, multicast: MulticastPartitioner<Key, Value>? = nil,
        @Returning<String> topic choose: @escaping @Sendable (Key, Value, RecordMetadata) throws -> String
    ) {
        let name = graph.name("KSTREAM-SINK-", named)
        let id = graph.add(name, .sink(topic: nil), parents: [node])
        guard let key = key ?? keySerde, let value = value ?? valueSerde else {
            return graph.failWithoutSerde("the sink '\(name)'", key ?? keySerde, value ?? valueSerde)
        }
        let nulls = Nullability<Value>.of()
        let partitions = graph.partitions(name, partitioner, multicast)
        encoded(key: key, value: value).output.attach(id, name) { context in
            let services = context.services
            let user = UserCode(name, services)
            let encoder = RecordEncoder(name, key, value)
            let topics = TopicNumbers(services)
            return NodeInput(
                call: { record, content, meta in
                    let choice = try user.run(meta) { try choose(record, content, RecordMetadata(services, meta)) }
                    guard let topic = choice else { return }
                    guard let number = try topics.number(topic, name, meta) else { return }
                    if let partitions {
                        return try encoder.send(record, content, to: number, topic, by: partitions, user, meta)
                    }
                    try encoder.send(record, content, to: number, topic, services, meta)
                },
                delete: { record, meta in
                    guard let nulls else { return user.dropped(.nullValue, meta) }
                    let choice = try user.run(meta) { try choose(record, nulls.null(), RecordMetadata(services, meta)) }
                    guard let topic = choice else { return }
                    guard let number = try topics.number(topic, name, meta) else { return }
                    if let partitions {
                        return try encoder.send(record, nil, to: number, topic, by: partitions, user, meta)
                    }
                    try encoder.sendTombstone(record, to: number, topic, services, meta)
                })
        }
    }
}

/// Attaches a node that sends records to one topic.
@inlinable
func attachSink<Key, Value>(
    _ output: Output<Key, Value>, _ id: Int, _ name: String, topic: String, key: Serde<Key>, value: Serde<Value>,
    partitionKeySuffix: Int, _ partitions: MulticastPartitioner<Key, Value>?
) {
    output.attach(id, name) { context in
        let services = context.services
        let encoder = RecordEncoder(name, key, value, partitionKeySuffix: partitionKeySuffix)
        let number = try services.outputTopic(topic)
        if let partitions {
            let user = UserCode(name, services)
            return NodeInput(
                call: { key, value, meta in try encoder.send(key, value, to: number, topic, by: partitions, user, meta)
                },
                delete: { key, meta in try encoder.send(key, nil, to: number, topic, by: partitions, user, meta) })
        }
        return NodeInput(
            call: { key, value, meta in try encoder.send(key, value, to: number, topic, services, meta) },
            delete: { key, meta in try encoder.sendTombstone(key, to: number, topic, services, meta) },
            keyless: { value, meta in try encoder.send(value, to: number, topic, services, meta) },
            keylessDelete: { meta in
                try services.send(
                    topic: number, key: meta.hasKey ? meta.key : nil,
                    partitionKeyCount: meta.key.byteCount - partitionKeySuffix, value: nil, meta)
            },
            bytes: { value, meta in
                try services.send(
                    topic: number, key: meta.hasKey ? meta.key : nil,
                    partitionKeyCount: meta.key.byteCount - partitionKeySuffix, value: value, meta)
            })
    }
}

/// Writes records for a sink into buffers of its own.
@usableFromInline
final class RecordEncoder<Key, Value> {
    @usableFromInline let name: String
    @usableFromInline let key: Serde<Key>
    @usableFromInline let value: Serde<Value>
    @usableFromInline let suffix: Int
    @usableFromInline let keyBuffer = ByteBuffer()
    @usableFromInline let valueBuffer = ByteBuffer()

    @usableFromInline
    init(_ name: String, _ key: Serde<Key>, _ value: Serde<Value>, partitionKeySuffix: Int = 0) {
        self.name = name
        self.key = key
        self.value = value
        suffix = partitionKeySuffix
    }

    @inlinable
    func send(
        _ record: Key, _ content: Value, to number: Int, _ topic: String, _ services: any TaskServices,
        _ meta: borrowing RecordMeta
    ) throws {
        guard meta.keyIsStale && meta.hasKey else { return try send(content, to: number, topic, services, meta) }
        keyBuffer.writer.removeAll()
        do { try key.encode(record, &keyBuffer.writer) } catch {
            return try services.serializationFailed(node: name, topic: topic, error, meta)
        }
        let fresh = meta.with(key: keyBuffer.bytes)
        try send(content, to: number, topic, services, fresh)
    }

    @inlinable
    func send(
        _ content: Value, to number: Int, _ topic: String, _ services: any TaskServices, _ meta: borrowing RecordMeta
    ) throws {
        if let nulls = value.nullability, nulls.isNull(content) {
            return try services.send(
                topic: number, key: meta.hasKey ? meta.key : nil, partitionKeyCount: meta.key.byteCount - suffix,
                value: nil, meta)
        }
        valueBuffer.writer.removeAll()
        do { try value.encode(content, &valueBuffer.writer) } catch {
            return try services.serializationFailed(node: name, topic: topic, error, meta)
        }
        try services.send(
            topic: number, key: meta.hasKey ? meta.key : nil, partitionKeyCount: meta.key.byteCount - suffix,
            value: valueBuffer.bytes, meta)
    }

    @inlinable
    func sendTombstone(
        _ record: Key, to number: Int, _ topic: String, _ services: any TaskServices, _ meta: borrowing RecordMeta
    ) throws {
        guard meta.keyIsStale && meta.hasKey else {
            return try services.send(
                topic: number, key: meta.hasKey ? meta.key : nil, partitionKeyCount: meta.key.byteCount - suffix,
                value: nil, meta)
        }
        keyBuffer.writer.removeAll()
        do { try key.encode(record, &keyBuffer.writer) } catch {
            return try services.serializationFailed(node: name, topic: topic, error, meta)
        }
        try services.send(
            topic: number, key: keyBuffer.bytes, partitionKeyCount: keyBuffer.bytes.byteCount - suffix, value: nil, meta
        )
    }
}

/// The numbers of topics that a closure chooses, asked once each.
@usableFromInline
final class TopicNumbers {
    private let services: any TaskServices
    private var numbers: [String: Int] = [:]

    @usableFromInline
    init(_ services: any TaskServices) { self.services = services }

    /// The number of the topic; nil if the log has no such topic and the handler lets the record pass.
    @usableFromInline
    func number(_ topic: String, _ node: String, _ meta: borrowing RecordMeta) throws -> Int? {
        if let number = numbers[topic] { return number }
        let number: Int
        do { number = try services.outputTopic(topic) } catch {
            try services.serializationFailed(node: node, topic: topic, error, meta)
            return nil
        }
        numbers[topic] = number
        return number
    }
}
