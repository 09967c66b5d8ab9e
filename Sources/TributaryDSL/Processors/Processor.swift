public import TributaryCore

/// A record as processors see and make it.
public struct Record<Key, Value> {
    /// The key.
    public var key: Key
    /// The value.
    public var value: Value
    /// Milliseconds since the epoch; below 0 is refused when forwarded.
    public var timestamp: Int64
    /// The user's headers; lineage headers are not among them.
    public var headers: Headers

    /// Makes a record.
    @inlinable
    public init(key: Key, value: Value, timestamp: Int64, headers: Headers = Headers()) {
        self.key = key
        self.value = value
        self.timestamp = timestamp
        self.headers = headers
    }

    /// The same record with another value, and another timestamp where one is given.
    @inlinable
    public func with<Other>(value: Other, timestamp: Int64? = nil) -> Record<Key, Other> {
        Record<Key, Other>(key: key, value: value, timestamp: timestamp ?? self.timestamp, headers: headers)
    }

    /// The same record with another key, and another timestamp where one is given.
    @inlinable
    public func with<NewKey>(key: NewKey, timestamp: Int64? = nil) -> Record<NewKey, Value> {
        Record<NewKey, Value>(key: key, value: value, timestamp: timestamp ?? self.timestamp, headers: headers)
    }

    /// The same record with another key and value, and another timestamp where one is given.
    @inlinable
    public func with<NewKey, Other>(key: NewKey, value: Other, timestamp: Int64? = nil) -> Record<NewKey, Other> {
        Record<NewKey, Other>(key: key, value: value, timestamp: timestamp ?? self.timestamp, headers: headers)
    }

    /// The same record with another timestamp, ms.
    @inlinable
    public func with(timestamp: Int64) -> Record<Key, Value> {
        Record(key: key, value: value, timestamp: timestamp, headers: headers)
    }
}

extension Record: Sendable where Key: Sendable, Value: Sendable {}

/// Code of the user's own that sees every record, with stores and punctuations, as Kafka Streams' `Processor`.
///
/// A new instance per task; its methods are called on the task's thread, one at a time.
public protocol Processor<KeyIn, ValueIn, KeyOut, ValueOut>: AnyObject, SendableMetatype {
    /// The key's type.
    associatedtype KeyIn
    /// The value's type.
    associatedtype ValueIn
    /// The type of keys that it forwards.
    associatedtype KeyOut
    /// The type of values that it forwards.
    associatedtype ValueOut

    /// Called once before the first record: take stores and schedule punctuations here.
    func initialize(_ context: ProcessorContext<KeyOut, ValueOut>) throws

    /// Called with each record.
    func process(_ record: Record<KeyIn, ValueIn>) throws

    /// Called with each tombstone, if `ValueIn` has no null of its own. Does nothing by default.
    func processTombstone(_ record: Record<KeyIn, Void>) throws

    /// Called when the task ends.
    func close()
}

extension Processor {
    /// Takes nothing.
    public func initialize(_ context: ProcessorContext<KeyOut, ValueOut>) throws {}
    /// Leaves the tombstone out.
    public func processTombstone(_ record: Record<KeyIn, Void>) throws {}
    /// Does nothing.
    public func close() {}
}

/// A processor that cannot change keys, so that what follows needs no repartitioning: Kafka Streams' `FixedKeyProcessor`.
public protocol FixedKeyProcessor<Key, ValueIn, ValueOut>: AnyObject, SendableMetatype {
    /// The key's type.
    associatedtype Key
    /// The value's type.
    associatedtype ValueIn
    /// The type of values that it forwards.
    associatedtype ValueOut

    /// Called once before the first record.
    func initialize(_ context: FixedKeyProcessorContext<Key, ValueOut>) throws

    /// Called with each record.
    func process(_ record: Record<Key, ValueIn>) throws

    /// Called when the task ends.
    func close()
}

extension FixedKeyProcessor {
    /// Takes nothing.
    public func initialize(_ context: FixedKeyProcessorContext<Key, ValueOut>) throws {}
    /// Does nothing.
    public func close() {}
}

/// What a processor did that the topology doesn't allow.
public struct ProcessorError: Error, CustomStringConvertible {
    /// What is wrong, and what to change.
    public let message: String

    /// Makes an error.
    public init(_ message: String) { self.message = message }

    /// The message.
    public var description: String { message }
}
