public import TributaryCore

/// Takes what a store writes, to be appended to its changelog.
public protocol ChangelogWriter: AnyObject {
    /// Appends one record; everything is copied before the call returns.
    ///
    /// - Parameters:
    ///   - key: the key in the changelog's layout.
    ///   - value: nil for a delete.
    ///   - timestamp: ms since the epoch.
    ///   - context: of the write; becomes a header.
    ///   - cell: the value of the header `tributary-cell`; empty for none.
    ///   - headers: those of the user's that are kept with the row; empty for none.
    func append(
        key: RawSpan, value: RawSpan?, timestamp: Int64, context: TraceContext, cell: RawSpan, headers: RawSpan
    ) throws
}

/// The engine side of a store: logical keys to envelopes.
///
/// Key-value stores are one table, window stores one per segment.
protocol InnerStore: AnyObject {
    func get(_ key: RawSpan, into envelope: inout ByteWriter) throws(StoreError) -> Bool
    /// Returns false if the entry is too old for the store and was refused.
    func put(_ key: RawSpan, _ envelope: RawSpan) throws(StoreError) -> Bool
    func delete(_ key: RawSpan) throws(StoreError) -> Bool
    /// Whether an entry isn't too old for the store.
    func accepts(_ key: RawSpan) -> Bool
    /// Whether a flush may write entries in key order.
    var takesSortedWrites: Bool { get }
}

/// One table of the engine.
final class TableStore: InnerStore {
    let table: any StateTable
    let takesSortedWrites = true

    init(_ table: any StateTable) { self.table = table }

    func get(_ key: RawSpan, into envelope: inout ByteWriter) throws(StoreError) -> Bool {
        try table.get(key, into: &envelope)
    }
    func put(_ key: RawSpan, _ envelope: RawSpan) throws(StoreError) -> Bool {
        try table.put(key, envelope)
        return true
    }
    func delete(_ key: RawSpan) throws(StoreError) -> Bool { try table.delete(key) }
    func accepts(_ key: RawSpan) -> Bool { true }

    func clear() throws(StoreError) {
        var key = ByteWriter()
        var value = ByteWriter()
        var keys: [[UInt8]] = []
        repeat {
            keys = []
            let cursor = try table.cursor(from: nil, through: nil, reverse: false)
            while keys.count < 10_000, try cursor.next(key: &key, value: &value) { keys.append(key.copy()) }
            cursor.close()
            for key in keys { try table.delete(key.span.bytes) }
        } while !keys.isEmpty
    }
}
