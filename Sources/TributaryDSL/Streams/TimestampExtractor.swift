public import TributaryCore
internal import TributaryLineage

/// Says when a record happened, if not at its own timestamp.
public struct TimestampExtractor: Sendable {
    /// The name, for messages.
    public let name: String
    /// Gives ms since the epoch; below 0 drops the record.
    public let extract: @Sendable (_ record: borrowing UndecodedRecord) throws -> Int64
    /// Whether it gives each timestamp that isn't below 0 as it is, so that it need not be asked for those.
    package let keepsValid: Bool

    /// Makes an extractor.
    ///
    /// - Parameters:
    ///   - name: for messages; streams of one topic must have extractors of one name.
    ///   - extract: gives ms since the epoch; below 0 drops the record, which is counted. What it throws asks the deserialization handler.
    public init(name: String, _ extract: @escaping @Sendable (_ record: borrowing UndecodedRecord) throws -> Int64) {
        self.init(name: name, keepsValid: false, extract)
    }

    private init(
        name: String, keepsValid: Bool,
        _ extract: @escaping @Sendable (_ record: borrowing UndecodedRecord) throws -> Int64
    ) {
        self.name = name
        self.keepsValid = keepsValid
        self.extract = extract
    }

    /// A time that the decoded value has; the record's own timestamp where the value is null.
    ///
    /// The value is decoded once more for it. A value that the serde refuses, and an error of the closure, ask the deserialization
    /// handler.
    ///
    /// - Parameters:
    ///   - name: for messages; streams of one topic must have extractors of one name.
    ///   - serde: the values' serde.
    ///   - time: gives the time, ms since the epoch or a `Date`; below 0 drops the record.
    public static func value<Value>(
        named name: String, _ serde: Serde<Value>, _ time: @escaping @Sendable (Value) throws -> any RecordTime
    ) -> TimestampExtractor {
        TimestampExtractor(name: name) { record in
            guard let value = record.value else { return record.timestamp }
            return try time(serde.decode(value)).millisecondsSinceEpoch
        }
    }

    /// A time that is found from all that is known of the decoded record.
    ///
    /// Key and value are decoded once more for it. Bytes that a serde refuses, and an error of the closure, ask the deserialization
    /// handler.
    ///
    /// - Parameters:
    ///   - name: for messages; streams of one topic must have extractors of one name.
    ///   - key: the keys' serde.
    ///   - value: the values' serde.
    ///   - time: gives the time, ms since the epoch or a `Date`; below 0 drops the record.
    public static func record<Key, Value>(
        named name: String, _ key: Serde<Key>, _ value: Serde<Value>,
        _ time: @escaping @Sendable (SourceRecord<Key, Value>) throws -> any RecordTime
    ) -> TimestampExtractor {
        TimestampExtractor(name: name) { record in
            try time(SourceRecord(record, key, value)).millisecondsSinceEpoch
        }
    }

    /// The record's own timestamp; one below 0 fails the task (Kafka Streams' default).
    public static var failOnInvalid: TimestampExtractor {
        TimestampExtractor(name: "failOnInvalid", keepsValid: true) { record in
            guard record.timestamp >= 0 else { throw InvalidTimestamp(timestamp: record.timestamp) }
            return record.timestamp
        }
    }

    /// The record's own timestamp; records with one below 0 are dropped and counted.
    public static var logAndSkip: TimestampExtractor {
        TimestampExtractor(name: "logAndSkip", keepsValid: true) { record in record.timestamp }
    }

    /// The record's own timestamp, or the partition's greatest so far if that is below 0; fails if none is known.
    public static var usePartitionTime: TimestampExtractor {
        TimestampExtractor(name: "usePartitionTime", keepsValid: true) { record in
            if record.timestamp >= 0 { return record.timestamp }
            guard record.partitionTime >= 0 else { throw InvalidTimestamp(timestamp: record.timestamp) }
            return record.partitionTime
        }
    }
}

/// A record that a ``TimestampExtractor`` is asked about, in bytes, which end with the call.
public struct UndecodedRecord: ~Escapable {
    /// The record's own timestamp, ms since the epoch; may be below 0.
    public let timestamp: Int64
    /// The greatest time that the partition has had so far, ms since the epoch; -1 if none is known.
    public let partitionTime: Int64
    /// The key's bytes; nil for null.
    public let key: RawSpan?
    /// The value's bytes; nil for null.
    public let value: RawSpan?
    /// Where it was read.
    public let coordinate: RecordCoordinate
    private let encodedHeaders: RawSpan

    /// Makes a record.
    ///
    /// - Parameters:
    ///   - timestamp: the record's own, ms since the epoch.
    ///   - partitionTime: the partition's greatest so far, ms since the epoch; -1 if none is known.
    ///   - key: nil for null.
    ///   - value: nil for null.
    ///   - headers: an encoded list (`Headers`); empty for none.
    ///   - coordinate: where it was read.
    @_lifetime(copy key, copy value, copy headers)
    public init(
        timestamp: Int64, partitionTime: Int64, key: RawSpan?, value: RawSpan?, headers: RawSpan,
        coordinate: RecordCoordinate
    ) {
        self.timestamp = timestamp
        self.partitionTime = partitionTime
        self.key = key
        self.value = value
        self.coordinate = coordinate
        encodedHeaders = headers
    }

    /// The user's headers.
    public var headers: Headers {
        if encodedHeaders.byteCount == 0 { return Headers() }
        return Headers(Headers(checked: encodedHeaders).list.filter { !HeaderNames.isReserved($0.name) })
    }
}

/// A record as its source reads it, for closures that say when it happened.
public struct SourceRecord<Key, Value> {
    /// The key; nil for null.
    public let key: Key?
    /// The value; nil for null.
    public let value: Value?
    /// The record's own timestamp, ms since the epoch; may be below 0.
    public let timestamp: Int64
    /// The greatest time that the partition has had so far, ms since the epoch; -1 if none is known.
    public let partitionTime: Int64
    /// The user's headers.
    public let headers: Headers
    /// Where it was read.
    public let coordinate: RecordCoordinate

    init(_ record: borrowing UndecodedRecord, _ key: Serde<Key>, _ value: Serde<Value>) throws {
        self.key = if let bytes = record.key { try key.decode(bytes) } else { nil }
        self.value = if let bytes = record.value { try value.decode(bytes) } else { nil }
        timestamp = record.timestamp
        partitionTime = record.partitionTime
        headers = record.headers
        coordinate = record.coordinate
    }
}

extension SourceRecord: Sendable where Key: Sendable, Value: Sendable {}

/// A record's timestamp is below 0, and no handler lets it pass.
public struct InvalidTimestamp: Error, CustomStringConvertible {
    /// The timestamp, ms.
    public let timestamp: Int64

    /// Makes the error.
    public init(timestamp: Int64) { self.timestamp = timestamp }

    /// One sentence.
    public var description: String {
        "the timestamp \(timestamp) is below 0: use another timestamp extractor, or correct the producer"
    }
}
