public import TributaryCore
internal import TributaryLineage

/// Writes typed records to a topic.
///
/// ```swift
/// let orders = try log.producer("orders", of: Order.self)
/// try orders.send("k", order)
/// try orders.close()
/// ```
///
/// Used by one thread or task at a time. Records are written when ``flush()`` or ``close()`` returns, and soon after they are sent
/// otherwise.
public final class RecordProducer<Key, Value> {
    private let producer: any LogProducer
    private let topic: Int
    private let partitions: Int32
    private let key: Serde<Key>
    private let value: Serde<Value>
    private let time: (@Sendable (Value) throws -> any RecordTime)?
    private let keyBuffer = ByteBuffer()
    private let valueBuffer = ByteBuffer()
    private var next: Int32 = 0
    private var isClosed = false

    init(
        _ producer: any LogProducer, topic name: String, key: Serde<Key>, value: Serde<Value>,
        time: (@Sendable (Value) throws -> any RecordTime)?
    ) throws {
        self.producer = producer
        self.key = key
        self.value = value
        self.time = time
        topic = try producer.number(ofTopic: name)
        partitions = producer.partitions(ofTopic: topic)
    }

    deinit { if !isClosed { producer.close() } }

    /// Hands over a record; a value that is null is a tombstone.
    ///
    /// - Parameters:
    ///   - key: the record's key; its bytes decide the partition, as in Kafka.
    ///   - value: the record's value.
    ///   - timestamp: ms since the epoch; without, what the producer's `timestamp:` says, or now.
    ///   - headers: the record's headers.
    /// - Throws: what the serdes throw, and ``/TributaryCore/LogError``.
    public func send(_ key: Key, _ value: Value, timestamp: Int64? = nil, headers: Headers = Headers()) throws {
        let timestamp = try timestamp ?? time?(value).millisecondsSinceEpoch
        if let nulls = self.value.nullability, nulls.isNull(value) { return try delete(key, timestamp: timestamp) }
        valueBuffer.writer.removeAll()
        try self.value.encode(value, &valueBuffer.writer)
        try send(key, valueBuffer.bytes, timestamp, headers)
    }

    /// Hands over a tombstone.
    public func delete(_ key: Key, timestamp: Int64? = nil, headers: Headers = Headers()) throws {
        try send(key, nil, timestamp, headers)
    }

    private func send(_ key: Key, _ value: RawSpan?, _ timestamp: Int64?, _ headers: Headers) throws {
        let isNull = self.key.nullability?.isNull(key) ?? false
        keyBuffer.writer.removeAll()
        if !isNull { try self.key.encode(key, &keyBuffer.writer) }
        let bytes = keyBuffer.bytes
        var partition: Int32 = 0
        if isNull {
            next = (next + 1) % partitions
            partition = next
        } else if partitions > 1 {
            partition = TributaryCore.partition(
                forKey: bytes.prefix(bytes.byteCount - self.key.keys.suffixSize), count: partitions)
        }
        try producer.send(
            OutgoingRecord(
                timestamp: timestamp ?? TimeSource.system.wall.milliseconds, key: isNull ? nil : bytes, value: value,
                headers: headers.encoded.span.bytes), topic: topic, partition: partition)
    }

    /// Waits until everything that was sent is written.
    public func flush() throws { try producer.flush() }

    /// Waits until everything that was sent is written, and ends the producer.
    public func close() throws {
        guard !isClosed else { return }
        isClosed = true
        defer { producer.close() }
        try producer.flush()
    }
}

extension Log {
    /// A producer of typed records.
    ///
    /// - Parameters:
    ///   - topic: where the records go; it must exist.
    ///   - key: the keys' serde.
    ///   - value: the values' serde.
    ///   - timestamp: the time that a value has, as `\.time`; a record's timestamp is when it is sent without.
    public func producer<Key, Value>(
        _ topic: String, key: Serde<Key>, value: Serde<Value>,
        timestamp: (@Sendable (Value) throws -> any RecordTime)? = nil
    ) throws -> RecordProducer<Key, Value> {
        try RecordProducer(
            makeProducer(ProducerConfiguration(clientID: "\(topic)-producer")), topic: topic, key: key, value: value,
            time: timestamp)
    }

    /// A producer of records whose types name their serdes.
    public func producer<Key: Recordable, Value: Recordable>(
        _ topic: String, keyedBy key: Key.Type = String.self, of value: Value.Type,
        timestamp: (@Sendable (Value) throws -> any RecordTime)? = nil
    ) throws -> RecordProducer<Key, Value> {
        try producer(topic, key: Key.serde, value: Value.serde, timestamp: timestamp)
    }
}
