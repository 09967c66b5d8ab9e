internal import TributaryCore
public import TributaryLineage

/// A row that a cache is writing out: what its changelog has of it.
public struct FlushedRow: Sendable {
    /// The store.
    public var store: String
    /// The key in the store's layout.
    public var key: [UInt8]
    /// The value's bytes; nil for a delete.
    public var value: [UInt8]?
    /// The record that wrote it last.
    public var origin: RecordOrigin
}

/// The stores of one task that are writing out their caches, the innermost last: a row that is forwarded may be written to
/// another store, which then makes room.
///
/// Says what failed, where it isn't the record being processed. Used by the task's thread.
public final class FlushStack {
    private var stores: [StateStore] = []

    /// Makes a stack for a task's stores.
    public init() {}

    /// Whether a cache is being written out.
    public var isEmpty: Bool { stores.isEmpty }

    /// The store that is being written out; nil if none is.
    public var store: String? { stores.last?.name }

    /// The row at hand; nil if none is.
    public var row: FlushedRow? { stores.last?.rowInFlush }

    func begin(_ store: StateStore) { stores.append(store) }
    func end() { stores.removeLast() }
}
