public import TributaryCore

// Overloads of their own: a default for the keys' type can't stand beside a closure that sees the key.
extension StreamsBuilder {
    /// A stream of a topic's records, each at the time that a closure finds from the whole record.
    ///
    /// Keys are of the type that is given. For the rest see ``stream(_:keyedBy:of:named:timestamps:timestamp:startingAt:)``.
    /// The closure gives ms since the epoch or a `Date`, below 0 to drop the record (``TimestampExtractor/record(named:_:_:_:)``).
    @inlinable
    public func stream<Key: Recordable, Value: Recordable>(
        _ topic: String, keyedBy key: Key.Type, of value: Value.Type, named: String? = nil,
        recordTimestamp time: @escaping @Sendable (SourceRecord<Key, Value>) throws -> any RecordTime,
        startingAt start: OffsetReset? = nil
    ) -> KStream<Key, Value> {
        stream(
            [topic], key: Key.serde, value: Value.serde, named: named, recordTimestamp: time, startingAt: start)
    }

    /// A stream of a topic's records, each at the time that a closure finds from the whole record.
    ///
    /// Keys are `String`. For the rest see ``stream(_:keyedBy:of:named:timestamps:timestamp:startingAt:)``.
    /// The closure gives ms since the epoch or a `Date`, below 0 to drop the record (``TimestampExtractor/record(named:_:_:_:)``).
    @inlinable
    public func stream<Value: Recordable>(
        _ topic: String, of value: Value.Type, named: String? = nil,
        recordTimestamp time: @escaping @Sendable (SourceRecord<String, Value>) throws -> any RecordTime,
        startingAt start: OffsetReset? = nil
    ) -> KStream<String, Value> {
        stream(
            [topic], key: String.serde, value: Value.serde, named: named, recordTimestamp: time, startingAt: start)
    }

    /// A table of a topic, each row at the time that a closure finds from the whole record.
    ///
    /// Keys are of the type that is given. For the rest see ``table(_:keyedBy:of:as:named:timestamps:timestamp:startingAt:)``.
    /// The closure gives ms since the epoch or a `Date`, below 0 to drop the record (``TimestampExtractor/record(named:_:_:_:)``).
    @inlinable
    public func table<Key: Recordable, Value: Recordable>(
        _ topic: String, keyedBy key: Key.Type, of value: Value.Type, as name: String? = nil, named: String? = nil,
        recordTimestamp time: @escaping @Sendable (SourceRecord<Key, Value>) throws -> any RecordTime,
        startingAt start: OffsetReset? = nil
    ) -> KTable<Key, Value> {
        table(
            topic, key: Key.serde, value: Value.serde, as: name, named: named, recordTimestamp: time, startingAt: start)
    }

    /// A table of a topic, each row at the time that a closure finds from the whole record.
    ///
    /// Keys are `String`. For the rest see ``table(_:keyedBy:of:as:named:timestamps:timestamp:startingAt:)``.
    /// The closure gives ms since the epoch or a `Date`, below 0 to drop the record (``TimestampExtractor/record(named:_:_:_:)``).
    @inlinable
    public func table<Value: Recordable>(
        _ topic: String, of value: Value.Type, as name: String? = nil, named: String? = nil,
        recordTimestamp time: @escaping @Sendable (SourceRecord<String, Value>) throws -> any RecordTime,
        startingAt start: OffsetReset? = nil
    ) -> KTable<String, Value> {
        table(
            topic, key: String.serde, value: Value.serde, as: name, named: named, recordTimestamp: time,
            startingAt: start)
    }

    /// A stream of the records of all topics that fit a pattern, each at the time that a closure finds from the whole record.
    ///
    /// Keys are of the type that is given. For the rest see ``stream(matching:keyedBy:of:named:timestamps:timestamp:startingAt:)``.
    /// The closure gives ms since the epoch or a `Date`, below 0 to drop the record (``TimestampExtractor/record(named:_:_:_:)``).
    @inlinable
    public func stream<Key: Recordable, Value: Recordable>(
        matching pattern: TopicPattern, keyedBy key: Key.Type, of value: Value.Type, named: String? = nil,
        recordTimestamp time: @escaping @Sendable (SourceRecord<Key, Value>) throws -> any RecordTime,
        startingAt start: OffsetReset? = nil
    ) -> KStream<Key, Value> {
        stream(
            matching: pattern, key: Key.serde, value: Value.serde, named: named, recordTimestamp: time,
            startingAt: start)
    }

    /// A stream of the records of all topics that fit a pattern, each at the time that a closure finds from the whole record.
    ///
    /// Keys are `String`. For the rest see ``stream(matching:keyedBy:of:named:timestamps:timestamp:startingAt:)``.
    /// The closure gives ms since the epoch or a `Date`, below 0 to drop the record (``TimestampExtractor/record(named:_:_:_:)``).
    @inlinable
    public func stream<Value: Recordable>(
        matching pattern: TopicPattern, of value: Value.Type, named: String? = nil,
        recordTimestamp time: @escaping @Sendable (SourceRecord<String, Value>) throws -> any RecordTime,
        startingAt start: OffsetReset? = nil
    ) -> KStream<String, Value> {
        stream(
            matching: pattern, key: String.serde, value: Value.serde, named: named, recordTimestamp: time,
            startingAt: start)
    }
}
