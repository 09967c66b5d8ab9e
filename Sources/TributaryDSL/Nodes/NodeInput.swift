internal import TributaryCore
public import TributaryLineage

/// The receiving end of a node: what a parent calls with each record.
///
/// Closures that `@inlinable` DSL functions make, so that they are specialised in the module of the user; key and value are
/// parameters of their own, because forming a type of them per record in unspecialised code would cost 25-140 ns a node.
/// The first two are always there; the others say what a node can do without, so that the source need not decode it.
public final class NodeInput<Key, Value> {
    /// Takes a record.
    public let call: (Key, Value, borrowing RecordMeta) throws -> Void
    /// Takes a tombstone of a type that has no null of its own.
    public let delete: (Key, borrowing RecordMeta) throws -> Void
    /// Takes a record without its decoded key; the key's bytes are in the metadata.
    ///
    /// Nil if the node asks for the key.
    public let keyless: ((Value, borrowing RecordMeta) throws -> Void)?
    /// Takes a tombstone without its decoded key.
    ///
    /// There if ``keyless`` is.
    public let keylessDelete: ((borrowing RecordMeta) throws -> Void)?
    /// Takes a record as bytes (nil: null).
    ///
    /// Nil if the node asks for key or value.
    public let bytes: ((RawSpan?, borrowing RecordMeta) throws -> Void)?

    /// Makes a receiving end.
    @inlinable
    public init(
        call: @escaping (Key, Value, borrowing RecordMeta) throws -> Void,
        delete: @escaping (Key, borrowing RecordMeta) throws -> Void,
        keyless: ((Value, borrowing RecordMeta) throws -> Void)? = nil,
        keylessDelete: ((borrowing RecordMeta) throws -> Void)? = nil,
        bytes: ((RawSpan?, borrowing RecordMeta) throws -> Void)? = nil
    ) {
        self.call = call
        self.delete = delete
        self.keyless = keyless
        self.keylessDelete = keylessDelete
        self.bytes = bytes
    }

}

extension NodeInput: NodeReceiver {
    /// One receiving end that passes everything to several, in order.
    public static func all(_ sinks: [NodeInput]) -> NodeInput {
        if sinks.count == 1, let only = sinks.first { return only }
        let calls = sinks.map(\.call)
        let deletes = sinks.map(\.delete)
        let keyless = sinks.compactMap(\.keyless)
        let keylessDeletes = sinks.compactMap(\.keylessDelete)
        let bytes = sinks.compactMap(\.bytes)
        let canSkipKey = keyless.count == sinks.count && keylessDeletes.count == sinks.count
        let keylessAll: (Value, borrowing RecordMeta) throws -> Void = { value, meta in
            for call in keyless { try call(value, meta) }
        }
        let keylessDeleteAll: (borrowing RecordMeta) throws -> Void = { meta in
            for delete in keylessDeletes { try delete(meta) }
        }
        let bytesAll: (RawSpan?, borrowing RecordMeta) throws -> Void = { value, meta in
            for call in bytes { try call(value, meta) }
        }
        return NodeInput(
            call: { key, value, meta in for call in calls { try call(key, value, meta) } },
            delete: { key, meta in for delete in deletes { try delete(key, meta) } },
            keyless: canSkipKey ? keylessAll : nil, keylessDelete: canSkipKey ? keylessDeleteAll : nil,
            bytes: bytes.count == sinks.count ? bytesAll : nil)
    }

    /// The same receiving end, run within something else.
    public func within(_ around: @escaping Around) -> NodeInput {
        NodeInput(
            call: { key, value, meta in try around(meta) { try self.call(key, value, $0) } },
            delete: { key, meta in try around(meta) { try self.delete(key, $0) } })
    }
}
