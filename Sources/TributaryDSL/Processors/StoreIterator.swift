public import TributaryCore
public import TributaryLineage
internal import TributaryState

/// Something that was read from a store, to be given as `from:` of what it was used for.
public protocol StoredLineage {
    /// The context and cell of the write that made it.
    var lineage: Lineage { get }
    /// The callback of the processor that read it.
    var callback: Int { get }
}

extension StoredLineage {
    var entryLineage: EntryLineage { EntryLineage(lineage: lineage, callback: callback) }
}

/// A row of a store: the value and where it came from.
public struct StoreEntry<Key, Value>: StoredLineage {
    /// The key.
    public let key: Key
    /// The value.
    public let value: Value
    /// The value's timestamp, ms; in a store without timestamps, that of the record that wrote it.
    public let timestamp: Int64
    /// The context and cell of the write that made it.
    public let lineage: Lineage
    /// The value's headers, in a store that keeps them; without lineage's own, as those of records.
    public var headers = Headers()
    /// The callback of the processor that read it.
    public let callback: Int
}

/// Walks over entries of a store as they were when the walk began.
public final class StoreIterator<Key, Value>: IteratorProtocol, Sequence {
    private let scan: StoreScan
    private let core: ProcessorCore
    private let decode: (StoreRow) throws -> StoreEntry<Key, Value>
    /// What ended the walk early, if something did.
    public private(set) var error: (any Error)?

    init(
        _ scan: StoreScan, _ core: ProcessorCore, _ decode: @escaping (StoreRow) throws -> StoreEntry<Key, Value>
    ) {
        self.scan = scan
        self.core = core
        self.decode = decode
    }

    /// The next entry; nil at the end, or after an error, which ``error`` then holds.
    ///
    /// After an error of the state itself the task ends, whether the error is looked at or not: a walk that ended early must not
    /// pass for a whole one.
    public func next() -> StoreEntry<Key, Value>? {
        do { return try nextEntry() } catch {
            self.error = error
            core.noteFailure(error)
            return nil
        }
    }

    /// The next entry; nil at the end.
    public func nextEntry() throws -> StoreEntry<Key, Value>? {
        try scan.next().map { try decode($0) }
    }

    /// Ends the walk; needed where it is not walked to the end.
    public func close() { scan.close() }
}

extension StoreIterator {
    static func prefixed(_ scan: StoreScan, _ prefix: [UInt8]) throws -> StoreScan {
        var rows: [StoreRow] = []
        while let row = try scan.next(), row.key.span.bytes.hasPrefix(prefix.span.bytes) { rows.append(row) }
        scan.close()
        return scan.replaced(by: rows)
    }
}
