public import TributaryCore
public import TributaryLineage
public import TributaryState

/// Gives the changes of a table to the nodes behind it, in the form that asks for the least: bytes, values without keys, both.
///
/// The only place where a table chooses among the forms of a ``TableInput``.
@usableFromInline
final class TableForwarder<Key, Value> {
    @usableFromInline let next: TableInput<Key, Value>
    @usableFromInline let key: Serde<Key>?
    @usableFromInline let value: Serde<Value>
    @usableFromInline let store: StateStore
    @usableFromInline let user: UserCode
    /// Whether a node behind asked for old values.
    @usableFromInline let sendsOld: Bool

    @inlinable
    init(
        _ next: TableInput<Key, Value>, _ key: Serde<Key>?, _ value: Serde<Value>, _ store: StateStore,
        _ user: UserCode,
        sendsOld: Bool
    ) {
        self.next = next
        self.key = key
        self.value = value
        self.store = store
        self.user = user
        self.sendsOld = sendsOld
        store.flushesOldValues = sendsOld
    }

    /// Takes changes whose values are bytes, as a store's flush gives them: a closure that looks at nothing but what it needs.
    @inlinable
    func ofBytes() -> (RawSpan?, RawSpan?, borrowing RecordMeta) throws -> Void {
        if let bytes = next.bytes { return bytes }
        let decode = value.decode
        if let keyless = next.keyless {
            return { new, old, meta in
                var newValue: Value?
                var oldValue: Value?
                do {
                    if let new { newValue = try decode(new) }
                    if let old { oldValue = try decode(old) }
                } catch {
                    return try self.refused(error, meta)
                }
                try keyless(newValue, oldValue, meta)
            }
        }
        guard let decodeKey = key?.decode else { return { [self] _, _, _ in throw withoutSerde } }
        let update = next.update
        return { new, old, meta in
            let record: Key
            var newValue: Value?
            var oldValue: Value?
            do {
                record = try decodeKey(meta.key)
                if let new { newValue = try decode(new) }
                if let old { oldValue = try decode(old) }
            } catch {
                return try self.refused(error, meta)
            }
            try update(record, newValue, oldValue, meta)
        }
    }

    /// Sends a change whose values are at hand, and the new one's bytes.
    ///
    /// - Parameters:
    ///   - key: the row's key; nil if nobody has decoded it.
    ///   - new: the new value.
    ///   - bytes: the same as the store has it.
    ///   - old: the old value, where ``sendsOld``.
    ///   - meta: with the key's bytes.
    @inlinable
    @inline(__always)
    func send(
        _ key: () -> Key?, _ new: Value?, bytes: RawSpan?, old: Value?, _ meta: borrowing RecordMeta
    ) throws {
        // The old one's bytes nobody has.
        if let send = next.bytes, !sendsOld { return try send(bytes, nil, meta) }
        if let send = next.keyless { return try send(new, old, meta) }
        if let key = key() { return try next.update(key, new, old, meta) }
        guard let serde = self.key else { throw withoutSerde }
        let record: Key
        do { record = try serde.decode(meta.key) } catch { return try refused(error, meta) }
        try next.update(record, new, old, meta)
    }

    @usableFromInline var withoutSerde: TopologyError {
        TopologyError(
            .missingSerde,
            "a node below the table of '\(user.node)' needs the key's serde: give key: where the table is made or its stream grouped"
        )
    }

    // What the store holds was written by a serde that this one doesn't understand: the row stays, and isn't forwarded.
    @inline(never)
    @usableFromInline
    func refused(_ error: any Error, _ meta: borrowing RecordMeta) throws {
        try user.services.deserializationFailed(
            node: user.node, store.malformed(ErrorText.of(error), key: meta.key), meta)
    }
}
