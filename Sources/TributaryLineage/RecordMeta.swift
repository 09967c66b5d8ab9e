public import TributaryCore

/// Where the record being processed was read: topic by number, partition, offset.
public struct RecordOrigin: BitwiseCopyable, Sendable, Equatable {
    /// The topic's number in the application's list of topics; -1 if there is no record (punctuation).
    public var topic: Int32
    /// The partition; -1 if there is no record.
    public var partition: Int32
    /// The offset; -1 if there is no record.
    public var offset: Int64

    /// Makes an origin.
    @inlinable
    public init(topic: Int32, partition: Int32, offset: Int64) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
    }

    /// The origin of what no record caused.
    @inlinable public static var none: RecordOrigin { RecordOrigin(topic: -1, partition: -1, offset: -1) }
}

/// What travels with a key and a value from node to node, whatever their types are.
///
/// One value that is not generic and is passed `borrowing`, that is as a pointer: forming a type from K and V for every record
/// would cost 25-140 ns a node. Its views end with the record.
public struct RecordMeta: ~Escapable {
    /// The key's bytes, as the topic or store holds them; empty if ``hasKey`` is false or ``keyIsStale`` is true.
    public let key: RawSpan
    /// Whether there is a key; false for a null key.
    public let hasKey: Bool
    /// Whether an operator changed the key, so that ``key`` doesn't hold its bytes and a serde must make them.
    public let keyIsStale: Bool
    /// Of a change of a table that keeps versions: whether the row has a newer one already.
    public let isOutdated: Bool
    /// Of a change of a table's row: whether the value was begun anew since the row's change before, so that nothing of what the row was is in it.
    public let isAnew: Bool
    /// Milliseconds since the epoch, never negative.
    public let timestamp: Int64
    /// The input record being processed; in a cache flush, the one that wrote the entry.
    public let origin: RecordOrigin
    /// The user's headers as an encoded list (`Headers`); empty for none.
    public let headers: RawSpan
    /// Where the lineage lies: one copy serves all nodes that pass it on.
    @usableFromInline let held: Borrowed<Lineage>
    /// Which operation made the value, and what it came from.
    @inlinable public var lineage: Lineage {
        // A getter would copy 144 bytes, a coroutine would allocate where it isn't inlined.
        @inline(__always) unsafeAddress { unsafe held.pointer }
    }

    /// Of a change of a table's row that says what the row was before: what that came from.
    ///
    /// Nil where nobody asked for it.
    @inlinable public var oldLineage: Lineage? { held.second }

    /// Makes a record's metadata.
    ///
    /// - Parameters:
    ///   - key: the key's bytes.
    ///   - hasKey: false for a null key.
    ///   - keyIsStale: whether an operator changed the key, so that the bytes are of no use. Has no default: what passes a
    ///     record on has to pass that on, too, or the key is lost.
    ///   - timestamp: ms since the epoch.
    ///   - origin: where the source record was read.
    ///   - headers: the user's, as an encoded list.
    ///   - lineage: a span of one, for example of a `CollectionOfOne`: 144 bytes that aren't copied from node to node. A second one is that of the
    ///     row that was replaced.
    ///   - isOutdated: of a change of a table that keeps versions: whether the row has a newer one already.
    ///   - isAnew: of a change of a table's row: whether nothing of what the row was is in it.
    @inlinable
    @inline(__always)
    @_lifetime(copy key, copy headers, copy lineage)
    public init(
        key: RawSpan, hasKey: Bool, keyIsStale: Bool, timestamp: Int64, origin: RecordOrigin, headers: RawSpan,
        lineage: Span<Lineage>, isOutdated: Bool = false, isAnew: Bool = false
    ) {
        self.init(
            key: key, hasKey: hasKey, keyIsStale: keyIsStale, timestamp: timestamp, origin: origin, headers: headers,
            held: Borrowed(lineage), isOutdated: isOutdated, isAnew: isAnew)
    }

    @inlinable
    @inline(__always)
    @_lifetime(copy key, copy headers, copy held)
    init(
        key: RawSpan, hasKey: Bool, keyIsStale: Bool, timestamp: Int64, origin: RecordOrigin, headers: RawSpan,
        held: Borrowed<Lineage>, isOutdated: Bool, isAnew: Bool
    ) {
        self.key = key
        self.hasKey = hasKey
        self.keyIsStale = keyIsStale
        self.timestamp = timestamp
        self.origin = origin
        self.headers = headers
        self.held = held
        self.isOutdated = isOutdated
        self.isAnew = isAnew
    }

    /// The same with another lineage.
    @inlinable
    @inline(__always)
    @_lifetime(copy self, copy lineage)
    public func with(_ lineage: Span<Lineage>) -> RecordMeta {
        RecordMeta(
            key: key, hasKey: hasKey, keyIsStale: keyIsStale, timestamp: timestamp, origin: origin, headers: headers,
            lineage: lineage, isOutdated: isOutdated, isAnew: isAnew)
    }

    /// The same with another timestamp and lineage.
    @inlinable
    @inline(__always)
    @_lifetime(copy self, copy lineage)
    public func with(timestamp: Int64, _ lineage: Span<Lineage>) -> RecordMeta {
        RecordMeta(
            key: key, hasKey: hasKey, keyIsStale: keyIsStale, timestamp: timestamp, origin: origin, headers: headers,
            lineage: lineage, isOutdated: isOutdated, isAnew: isAnew)
    }

    /// The same without the lineage of the row that was replaced.
    @inlinable
    @inline(__always)
    @_lifetime(copy self)
    public func withoutOldLineage() -> RecordMeta {
        RecordMeta(
            key: key, hasKey: hasKey, keyIsStale: keyIsStale, timestamp: timestamp, origin: origin, headers: headers,
            held: Borrowed(firstOf: held), isOutdated: isOutdated, isAnew: isAnew)
    }

    /// The same after an operator changed the key: the bytes are no longer the key's.
    @inlinable
    @inline(__always)
    @_lifetime(copy self)
    public func withChangedKey(isNull: Bool) -> RecordMeta {
        RecordMeta(
            key: RawSpan.empty, hasKey: !isNull, keyIsStale: true, timestamp: timestamp, origin: origin,
            headers: headers, held: held, isOutdated: isOutdated, isAnew: isAnew)
    }

    /// The same with other key bytes, for example those of a key that an operator changed.
    @inlinable
    @inline(__always)
    @_lifetime(copy self, copy key)
    public func with(key: RawSpan) -> RecordMeta {
        RecordMeta(
            key: key, hasKey: true, keyIsStale: false, timestamp: timestamp, origin: origin, headers: headers,
            held: held, isOutdated: isOutdated, isAnew: isAnew)
    }

    /// The same with other key bytes and timestamp.
    @inlinable
    @inline(__always)
    @_lifetime(copy self, copy key)
    public func with(key: RawSpan, timestamp: Int64) -> RecordMeta {
        RecordMeta(
            key: key, hasKey: true, keyIsStale: false, timestamp: timestamp, origin: origin, headers: headers,
            held: held, isOutdated: isOutdated, isAnew: isAnew)
    }

    /// The same with other key bytes, timestamp and lineage.
    @inlinable
    @inline(__always)
    @_lifetime(copy self, copy key, copy lineage)
    public func with(key: RawSpan, timestamp: Int64, _ lineage: Span<Lineage>) -> RecordMeta {
        RecordMeta(
            key: key, hasKey: true, keyIsStale: false, timestamp: timestamp, origin: origin, headers: headers,
            lineage: lineage, isOutdated: isOutdated, isAnew: isAnew)
    }

    /// The same with other headers.
    @inlinable
    @inline(__always)
    @_lifetime(copy self, copy headers)
    public func with(headers: RawSpan) -> RecordMeta {
        RecordMeta(
            key: key, hasKey: hasKey, keyIsStale: keyIsStale, timestamp: timestamp, origin: origin, headers: headers,
            held: held, isOutdated: isOutdated, isAnew: isAnew)
    }

    /// The same, of a version that the row has a newer one than, or of the newest.
    @inlinable
    @inline(__always)
    @_lifetime(copy self)
    public func with(isOutdated: Bool) -> RecordMeta {
        RecordMeta(
            key: key, hasKey: hasKey, keyIsStale: keyIsStale, timestamp: timestamp, origin: origin, headers: headers,
            held: held, isOutdated: isOutdated, isAnew: isAnew)
    }

    /// The same, of a value that was begun anew or not.
    @inlinable
    @inline(__always)
    @_lifetime(copy self)
    public func with(isAnew: Bool) -> RecordMeta {
        RecordMeta(
            key: key, hasKey: hasKey, keyIsStale: keyIsStale, timestamp: timestamp, origin: origin, headers: headers,
            held: held, isOutdated: isOutdated, isAnew: isAnew)
    }
}
