internal import TributaryCore
public import TributaryLineage

/// The receiving end of a node behind a table: what its parent calls with each change of a row.
///
/// A change has the row's new value, nil if the row is deleted, and the old one: nil if there was none, or if no node behind
/// asked for it. A null of the value's own type is a delete, so that it comes as nil. The metadata is that of the write that
/// made the change, with the bytes of the row's key.
///
/// ``update`` is always there. ``keyless`` and ``bytes`` say what the node can do without, so that nobody decodes it: a parent
/// uses `bytes` where it has them, then `keyless`, then `update` (`TableForwarder` does).
///
/// ## A new operator on tables
///
/// Its method on ``KTable`` is `@inlinable`, adds a node to the graph and attaches how to make its receiving end:
///
/// ```swift
/// let output = TableOutput<Key, NewValue>()
/// self.output.attach(id, name) { context in
///     let next = try output.sink(in: context)
///     return TableInput(
///         update: { key, new, old, meta in try next.update(key, try change(new), try change(old), meta) })
/// }
/// ```
///
/// - What looks at the values alone gives `keyless` if what is behind it has one; what looks at neither gives `bytes`.
/// - What needs old values calls `store.requireOldValues(graph)` of the tables before it while the topology is built, and
///   passes old values on, as above: its own table may be asked for them.
/// - What reads rows of a table by key calls `store.require(graph)`.
/// - What has a store of its own writes it, and gives what changed to a `TableForwarder`, which forwards at a flush or at once.
/// - What ends rows by other events than a record of their key (a session that was merged, a window that closed) calls `next`
///   with their keys' bytes in the metadata, and nil for the new value.
public final class TableInput<Key, Value> {
    /// Takes a change: key, new value, old value.
    public let update: (Key, Value?, Value?, borrowing RecordMeta) throws -> Void
    /// Takes a change without its decoded key; the key's bytes are in the metadata.
    ///
    /// Nil if the node asks for the key.
    public let keyless: ((Value?, Value?, borrowing RecordMeta) throws -> Void)?
    /// Takes a change whose values are bytes.
    ///
    /// Nil if the node asks for key or values.
    public let bytes: ((RawSpan?, RawSpan?, borrowing RecordMeta) throws -> Void)?

    /// Makes a receiving end.
    @inlinable
    public init(
        update: @escaping (Key, Value?, Value?, borrowing RecordMeta) throws -> Void,
        keyless: ((Value?, Value?, borrowing RecordMeta) throws -> Void)? = nil,
        bytes: ((RawSpan?, RawSpan?, borrowing RecordMeta) throws -> Void)? = nil
    ) {
        self.update = update
        self.keyless = keyless
        self.bytes = bytes
    }
}

extension TableInput: NodeReceiver {
    /// One receiving end that passes everything to several, in order.
    public static func all(_ receivers: [TableInput]) -> TableInput {
        if receivers.count == 1, let only = receivers.first { return only }
        let updates = receivers.map(\.update)
        let keyless = receivers.compactMap(\.keyless)
        let bytes = receivers.compactMap(\.bytes)
        let keylessAll: (Value?, Value?, borrowing RecordMeta) throws -> Void = { new, old, meta in
            for update in keyless { try update(new, old, meta) }
        }
        let bytesAll: (RawSpan?, RawSpan?, borrowing RecordMeta) throws -> Void = { new, old, meta in
            for update in bytes { try update(new, old, meta) }
        }
        return TableInput(
            update: { key, new, old, meta in for update in updates { try update(key, new, old, meta) } },
            keyless: keyless.count == receivers.count ? keylessAll : nil,
            bytes: bytes.count == receivers.count ? bytesAll : nil)
    }

    /// The same receiving end, run within something else.
    public func within(_ around: @escaping Around) -> TableInput {
        TableInput(update: { key, new, old, meta in try around(meta) { try self.update(key, new, old, $0) } })
    }
}
