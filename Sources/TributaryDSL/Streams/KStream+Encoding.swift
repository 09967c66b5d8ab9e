public import TributaryCore
public import TributaryLineage

// A record's metadata has its key's bytes, and what keeps or sends records takes them as they are. That is right as long as
// they are what the serde at hand writes: where an operator is given another, they are made anew.
extension KStream {
    /// The stream with its keys and values in the layouts of other serdes (nil: as they are).
    ///
    /// A stream without a serde for its keys changed them: their bytes are made where they are needed. Serdes of one name write
    /// the same bytes.
    @inlinable
    func encoded(key: Serde<Key>?, value: Serde<Value>?) -> KStream<Key, Value> {
        let newKey = key ?? keySerde
        let newValue = value ?? valueSerde
        var output = self.output
        if let newKey, let keySerde, keySerde.name != newKey.name {
            output = Output(output) { next, name, context in
                let encoder = KeyEncoder(newKey, UserCode(name, context.services))
                return NodeInput(
                    call: { key, value, meta in
                        try encoder.encode(key, meta) { try next.call(key, value, $0) }
                    },
                    delete: { key, meta in try encoder.encode(key, meta) { try next.delete(key, $0) } })
            }
        } else if let newValue, let valueSerde, valueSerde.name != newValue.name {
            output = Output(output) { next, _, _ in
                NodeInput(
                    call: next.call, delete: next.delete, keyless: next.keyless, keylessDelete: next.keylessDelete)
            }
        }
        return KStream(
            graph: graph, node: node, output: output, keySerde: newKey, valueSerde: newValue,
            needsRepartition: needsRepartition, sources: sources)
    }
}

/// Writes keys as another serde than the one that their bytes are of.
@usableFromInline
final class KeyEncoder<Key> {
    @usableFromInline let serde: Serde<Key>
    @usableFromInline let user: UserCode
    @usableFromInline let scratch = ScratchBuffer()

    @usableFromInline
    init(_ serde: Serde<Key>, _ user: UserCode) {
        self.serde = serde
        self.user = user
    }

    /// An encoder, if the bytes of one serde aren't those of the other.
    @usableFromInline
    init?(from old: Serde<Key>?, to new: Serde<Key>?, _ user: UserCode) {
        guard let old, let new, old.name != new.name else { return nil }
        serde = new
        self.user = user
    }

    /// Calls the body with metadata that has the key's bytes in the new layout.
    ///
    /// A key that an operator changed stays as it is: whoever needs its bytes makes them. One that the serde refuses goes to the
    /// application's handler.
    @inlinable
    func encode(_ key: Key, _ meta: borrowing RecordMeta, _ body: (borrowing RecordMeta) throws -> Void) throws {
        guard meta.hasKey, !meta.keyIsStale else { return try body(meta) }
        try encodeAnew(key, meta, body)
    }

    /// The same for a key that an operator changed.
    @inlinable
    func encodeAnew(_ key: Key, _ meta: borrowing RecordMeta, _ body: (borrowing RecordMeta) throws -> Void) throws {
        guard meta.hasKey else { return try body(meta) }
        let buffer = scratch.take()
        defer { scratch.give(buffer) }
        guard try user.run(meta, { try serde.encode(key, &buffer.writer) }) != nil else { return }
        try body(meta.with(key: buffer.bytes))
    }
}
