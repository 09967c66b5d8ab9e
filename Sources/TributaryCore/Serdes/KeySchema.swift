/// How the bytes of a key are made of a record's key and of the window that it belongs to.
///
/// The layouts are Kafka Streams': `WindowKeySchema`, `SessionKeySchema`, `TimeWindowedSerializer` (`Docs/Formats.md`, State).
public enum KeySchema: Sendable, Hashable {
    /// The record's key, and nothing else.
    case plain
    /// The record's key and the window's start: keys of records that leave a windowed operator.
    case windowed
    /// The record's key, the window's start and a sequence number: rows of window stores and their changelogs.
    case window
    /// The record's key, the session's end and its start: rows of session stores, and records that leave a session operator.
    case session

    /// How many bytes come behind the record's key; they don't decide a record's partition.
    @inlinable
    public var suffixSize: Int {
        switch self {
        case .plain: 0
        case .windowed: 8
        case .window: 12
        case .session: 16
        }
    }

    /// The record's key within a key; empty if that is shorter than what comes behind.
    @inlinable
    @_lifetime(copy key)
    public func recordKey(of key: RawSpan) -> RawSpan { key.prefix(max(key.byteCount &- suffixSize, 0)) }

    /// The time by which a row is kept, ms: a window's start, a session's end; 0 where there is none.
    @inlinable
    public func time(of key: RawSpan) -> Int64 {
        self == .plain ? 0 : key.integer(at: key.byteCount &- suffixSize, as: Int64.self) ?? 0
    }

    /// The key of the record that goes with a row: the row's without its sequence number.
    @inlinable
    @_lifetime(copy key)
    public func recordBytes(of key: RawSpan) -> RawSpan {
        self == .window ? key.prefix(max(key.byteCount &- 4, 0)) : key
    }

    /// The least and the greatest key that a record's key can have with times of a range.
    ///
    /// Keys of other records may lie between them.
    public func bounds(of key: [UInt8], from first: Int64, through last: Int64) -> (low: [UInt8], high: [UInt8]) {
        guard self != .plain else { return (key, key) }
        func bound(_ time: Int64, _ filler: UInt8) -> [UInt8] {
            var writer = ByteWriter(capacity: key.count + suffixSize)
            writer.append(key)
            writer.append(bigEndian: time)
            for _ in 8..<suffixSize { writer.append(filler) }
            return writer.copy()
        }
        return (bound(first, 0), bound(last, 0xff))
    }
}
