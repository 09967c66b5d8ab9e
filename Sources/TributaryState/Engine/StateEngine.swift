public import TributaryCore

/// Where the stores of one task keep their bytes: named ordered tables and small metadata, committed as one.
///
/// Everything between two commits is one transaction: it is all there after ``commit()``, or, after ``abort()`` or a crash,
/// none of it. Used by one thread, the one that made it.
public protocol StateEngine: AnyObject {
    /// Whether the content survives the process.
    var isPersistent: Bool { get }

    /// Opens a table, creating it if it isn't there. The same name gives the same table until it is dropped; a handle stays
    /// usable across commits and aborts.
    func table(_ name: String) throws(StoreError) -> any StateTable

    /// The names of all tables.
    func tableNames() throws(StoreError) -> [String]

    /// Deletes a table with its content.
    func dropTable(_ name: String) throws(StoreError)

    /// A small value kept beside the tables.
    func metadata(_ key: String) throws(StoreError) -> [UInt8]?

    /// Keeps a small value beside the tables, in the same transaction; nil deletes.
    func setMetadata(_ key: String, _ value: [UInt8]?) throws(StoreError)

    /// All keys of metadata that begin with `prefix`.
    func metadataKeys(prefix: String) throws(StoreError) -> [String]

    /// Bytes that memory holds of what was written since the last commit, roughly: of whole pages, where an engine has them.
    var dirtyBytes: Int { get }

    /// Makes everything since the last commit durable. Open cursors end.
    func commit() throws(StoreError)

    /// Takes back everything since the last commit. Open cursors end.
    func abort()

    /// Gives up what isn't committed and closes.
    func close()

    /// Makes a reader of what is committed, for other threads; nil for an engine that has none.
    func makeCommittedReader() -> (any CommittedReader)?

    /// Notes that something stored is not what was written, so that the next start builds it anew.
    func noteDamage(_ what: String)

    /// Notes that the task has processed and committed since the engine was opened, or was idle for a while: a death from now on
    /// says nothing against what is stored.
    func noteProgress()

    /// Where temporary files of a restore go; nil for an engine that has no folder.
    var temporaryFolder: String? { get }

    /// Makes the content anew: `fill` writes into an empty engine beside this one, which then takes this one's place as one step.
    ///
    /// What isn't committed is given up, and handles stay usable. If `fill` throws, everything is as it was at the last commit.
    ///
    /// - Parameters:
    ///   - tables: tables that are copied.
    ///   - keys: whole keys of metadata that is copied.
    ///   - fill: writes the rest; may commit the new engine as often as it likes.
    func rebuild(
        keeping tables: [String], metadata keys: [String], filling fill: (any StateEngine) throws -> Void
    ) throws
}

extension StateEngine {
    /// Nothing is kept that could be told at the next start.
    public func noteDamage(_ what: String) {}

    /// Nothing is kept that could be told at the next start.
    public func noteProgress() {}

    /// None.
    public func makeCommittedReader() -> (any CommittedReader)? { nil }

    /// None.
    public var temporaryFolder: String? { nil }

    /// Empties this engine in one transaction and fills it.
    public func rebuild(
        keeping tables: [String], metadata keys: [String], filling fill: (any StateEngine) throws -> Void
    ) throws {
        abort()
        do {
            for name in try tableNames() where !tables.contains(name) { try dropTable(name) }
            for key in try metadataKeys(prefix: "") where !keys.contains(key) {
                try setMetadata(key, nil)
            }
            try fill(self)
            try commit()
        } catch {
            abort()
            throw error
        }
    }
}

/// An ordered map of byte strings: keys in unsigned lexicographic order, any length, empty ones included.
///
/// A cursor sees the table as it was when the cursor was made; reads by key see every write at once.
public protocol StateTable: AnyObject {
    /// Replaces the content of `value` by the value of a key; returns false, with `value` emptied, if there is none.
    func get(_ key: RawSpan, into value: inout ByteWriter) throws(StoreError) -> Bool

    /// Writes a value. Fastest when keys come in ascending order.
    func put(_ key: RawSpan, _ value: RawSpan) throws(StoreError)

    /// Deletes a key; returns whether it was there.
    @discardableResult
    func delete(_ key: RawSpan) throws(StoreError) -> Bool

    /// Writes a value whose key is greater than all keys in the table: the way to fill an empty one.
    /// Throws ``StoreError/Code/invalidRequest`` if it is not greater.
    func append(_ key: RawSpan, _ value: RawSpan) throws(StoreError)

    /// The number of entries.
    func count() throws(StoreError) -> Int

    /// The bytes that the table takes, roughly, in time that doesn't grow with it.
    func byteCount() throws(StoreError) -> Int

    /// Begins to walk over the keys from `lower` to `upper`, both included; nil is open-ended. `reverse` begins at the upper end.
    func cursor(from lower: RawSpan?, through upper: RawSpan?, reverse: Bool) throws(StoreError) -> any StateCursor

    /// Adds the first `limit` entries of the keys from `lower` through `upper`, both included, to `rows`, in order; nil is open-ended.
    ///
    /// What cursors do; an engine that can does it without making one.
    func copyRows(
        from lower: RawSpan, through upper: RawSpan?, limit: Int, into rows: CopiedRows
    ) throws(StoreError)

    /// Replaces the content of `found` by the table's key that comes next to `key`: the least that is not below it, or with `before` the
    /// greatest that is not above it; without `orEqual` the key itself doesn't count. Returns false if there is none.
    ///
    /// The default opens a cursor each time.
    func neighbour(
        of key: RawSpan, before: Bool, orEqual: Bool, into found: inout ByteWriter
    ) throws(StoreError) -> Bool
}

extension StateTable {
    /// The key next to another, by a cursor.
    public func neighbour(
        of key: RawSpan, before: Bool, orEqual: Bool, into found: inout ByteWriter
    ) throws(StoreError) -> Bool {
        try neighbourByCursor(of: key, before: before, orEqual: orEqual, into: &found)
    }

    /// What `neighbour(of:before:orEqual:into:)` answers, found by a cursor.
    public func neighbourByCursor(
        of key: RawSpan, before: Bool, orEqual: Bool, into found: inout ByteWriter
    ) throws(StoreError) -> Bool {
        let cursor = try cursor(from: before ? nil : key, through: before ? key : nil, reverse: before)
        defer { cursor.close() }
        var value = ByteWriter(capacity: 64)
        guard try cursor.next(key: &found, value: &value) else { return false }
        if orEqual || !found.bytes.isEqual(to: key) { return true }
        return try cursor.next(key: &found, value: &value)
    }

    /// Walks with a cursor.
    public func copyRows(
        from lower: RawSpan, through upper: RawSpan?, limit: Int, into rows: CopiedRows
    ) throws(StoreError) {
        try copyRowsByCursor(from: lower, through: upper, limit: limit, into: rows)
    }

    /// The same for a table with a way of its own, which doesn't always do.
    package func copyRowsByCursor(
        from lower: RawSpan, through upper: RawSpan?, limit: Int, into rows: CopiedRows
    ) throws(StoreError) {
        var key = ByteWriter()
        var value = ByteWriter()
        var left = limit
        let cursor = try cursor(from: lower, through: upper, reverse: false)
        defer { cursor.close() }
        while left > 0, try cursor.next(key: &key, value: &value) {
            rows.add(key.bytes, value.bytes)
            left -= 1
        }
    }
}

/// A walk over a table.
///
/// Ends at ``close()`` or with the engine's next commit or abort, after which ``next(key:value:)`` throws.
public protocol StateCursor: AnyObject {
    /// Replaces `key` and `value` by the next entry; returns false at the end.
    func next(key: inout ByteWriter, value: inout ByteWriter) throws(StoreError) -> Bool

    /// Ends the walk. Calling it again does nothing.
    func close()
}
