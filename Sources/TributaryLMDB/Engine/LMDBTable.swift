internal import CLMDB
internal import TributaryCore
internal import TributaryState

/// A table of an ``LMDBStateEngine``: one database of LMDB.
final class LMDBTable: StateTable {
    let name: String
    let core: LMDBStateCore
    let state: Owned<LMDBTableState>
    /// A value on the way to another key.
    let passed = ByteBuffer(capacity: 16)
    /// Where the surplus of long keys is kept; nil for that table itself.
    private let records: LMDBTable?

    init(name: String, core: LMDBStateCore, records: LMDBTable?) {
        self.name = name
        self.core = core
        self.records = records
        let database = records == nil ? name : Self.databaseName(for: name)
        state = Owned(LMDBTableState(name: name, seal: RowSeal(database)))
    }

    /// Keys of the engine's own in the metadata's database begin with this byte, and others with ``KeyBucket/tag``.
    static let recordTag: UInt8 = 1

    /// The name of LMDB's database: the table's own but for the one that metadata has.
    var databaseName: String { records == nil ? name : Self.databaseName(for: name) }

    static func databaseName(for table: String) -> String {
        table == LMDBStateEngine.metadataName || table.hasPrefix("=") ? "=" + table : table
    }

    static func tableName(for database: String) -> String {
        database.hasPrefix("=") ? String(database.dropFirst()) : database
    }

    // MARK: StateTable

    func get(_ key: RawSpan, into value: inout ByteWriter) throws(StoreError) -> Bool {
        value.removeAll()
        try prepare()
        return try state.value.get(key, core, appendTo: &value)
    }

    func put(_ key: RawSpan, _ value: RawSpan) throws(StoreError) {
        try prepare()
        try checkLength(key, value)
        try state.value.put(key, value, core)
        core.state.value.dirtyBytes &+= key.byteCount &+ value.byteCount
    }

    func delete(_ key: RawSpan) throws(StoreError) -> Bool {
        try prepare()
        core.state.value.dirtyBytes &+= key.byteCount
        return try state.value.delete(key, core)
    }

    func append(_ key: RawSpan, _ value: RawSpan) throws(StoreError) {
        try prepare()
        try checkLength(key, value)
        if state.value.openCursors > 0 { try checkAboveLast(key) }
        try state.value.put(key, value, core, append: true)
        core.state.value.dirtyBytes &+= key.byteCount &+ value.byteCount
    }

    /// While cursors are open the last entry may be in the overlay, or hidden by it.
    @inline(never)
    private func checkAboveLast(_ key: RawSpan) throws(StoreError) {
        let cursor = try cursor(from: nil, through: nil, reverse: true)
        defer { cursor.close() }
        var last = ByteWriter()
        var value = ByteWriter()
        guard try cursor.next(key: &last, value: &value) else { return }
        if last.bytes.compare(to: key) >= 0 { throw state.value.notAscending(key) }
    }

    func count() throws(StoreError) -> Int {
        try prepare()
        return try state.value.count(core)
    }

    /// What is written while cursors are open comes later.
    func byteCount() throws(StoreError) -> Int {
        try prepare()
        let database = try state.value.requireDatabase()
        do throws(LMDBError) {
            return try core.state.value.transaction?.byteCount(database) ?? 0
        } catch {
            throw StoreError(error, store: name)
        }
    }

    func cursor(from lower: RawSpan?, through upper: RawSpan?, reverse: Bool) throws(StoreError) -> any StateCursor {
        try prepare()
        let handle = try openCursor()
        state.value.openCursors += 1
        return LMDBTableCursor(
            self,
            LMDBTableWalk(handle, core, state.value.seal, name: name, from: lower, through: upper, reverse: reverse),
            overlay: state.value.overlay, from: lower, through: upper, reverse: reverse)
    }

    func copyRows(
        from lower: RawSpan, through upper: RawSpan?, limit: Int, into rows: CopiedRows
    ) throws(StoreError) {
        try prepare()
        let count = rows.count
        if try state.value.copyRows(from: lower, through: upper, limit: limit, core, into: rows) { return }
        rows.truncate(to: count)
        try copyRowsByCursor(from: lower, through: upper, limit: limit, into: rows)
    }

    @inline(__always)
    private func checkLength(_ key: RawSpan, _ value: RawSpan) throws(StoreError) {
        guard key.byteCount <= ByteTree.maximumLength && value.byteCount <= ByteTree.maximumLength else {
            throw StoreError(.invalidRequest, "a key or value of more than 1 GiB", store: name)
        }
    }

    // MARK: Life

    @inline(__always)
    func prepare() throws(StoreError) {
        if !state.value.isPrepared || !core.state.value.isReady { try open() }
    }

    @inline(never)
    private func open() throws(StoreError) {
        try core.ready()
        if state.value.isDropped { throw StoreError(.unknownStore, "the table was dropped", store: name) }
        guard !state.value.isPrepared else { return }
        do throws(LMDBError) {
            if state.value.database == nil {
                state.value.database = try core.state.value.transaction?.openDatabase(databaseName)
                state.value.surplusChanged = false
                state.value.writeCursor = nil
            }
            if let database = state.value.database, state.value.writeCursor == nil {
                state.value.writeCursor = try core.state.value.transaction?.openCursor(database)
            }
        } catch {
            throw StoreError(error, store: name)
        }
        if let records, !state.value.surplusChanged { state.value.surplus = try records.surplus(of: name) }
        state.value.isPrepared = true
    }

    /// Makes a dropped table usable again, empty.
    func create() throws(StoreError) {
        try core.ready()
        state.value.isDropped = false
        try prepare()
    }

    func drop() throws(StoreError) {
        guard !state.value.isDropped else { return }
        try prepare()
        state.value.isDropped = true
        if state.value.openCursors > 0 {
            state.value.clearOver()
        } else {
            try dropDatabase()
        }
        state.value.isPrepared = false
    }

    private func dropDatabase() throws(StoreError) {
        let database = try state.value.requireDatabase()
        // LMDB closes the database for everyone at once, whether or not the transaction is committed.
        core.shared.publish([databaseName: nil])
        do throws(LMDBError) {
            if let cursor = state.value.writeCursor.take() { core.state.value.transaction?.close(cursor) }
            try core.state.value.transaction?.drop(database)
        } catch {
            throw core.failed(error, store: name)
        }
        state.value.overlay = nil
        state.value.database = nil
        state.value.isPrepared = false
        state.value.surplusChanged = false
        try records?.setSurplus(of: name, 0)
    }

    func openCursor() throws(StoreError) -> LMDBWriteCursor {
        let database = try state.value.requireDatabase()
        do throws(LMDBError) {
            if let handle = try core.state.value.transaction?.openCursor(database) { return handle }
        } catch {
            throw StoreError(error, store: name)
        }
        throw StoreError(.closed, "the table is closed", store: name)
    }

    /// A cursor of this table has ended; the last one lets the overlay into the table.
    func cursorClosed(_ handle: LMDBWriteCursor) {
        core.state.value.transaction?.close(handle)
        state.value.openCursors -= 1
        guard state.value.openCursors == 0 && core.state.value.isReady else { return }
        // What fails here has spoiled the transaction, and the next call says so.
        do throws(StoreError) { try settle() } catch { core.failed(error) }
    }

    /// Ends the state of being read by cursors.
    private func settle() throws(StoreError) {
        state.value.openCursors = 0
        if state.value.isDropped {
            if state.value.database != nil { try dropDatabase() }
        } else {
            try state.value.applyOverlay(core)
        }
    }

    /// Writes what is still beside the table, before a commit.
    func prepareCommit() throws(StoreError) {
        try settle()
        if state.value.surplusChanged {
            try records?.setSurplus(of: name, state.value.surplus)
            state.value.surplusChanged = false
        }
    }

    func committed() {
        state.value.wasDropped = state.value.isDropped
        ended()
    }

    func aborted() {
        state.value.isDropped = state.value.wasDropped
        state.value.overlay = nil
        state.value.database = nil
        state.value.surplusChanged = false
        ended()
    }

    private func ended() {
        // LMDB has freed the cursors with the transaction.
        state.value.writeCursor = nil
        state.value.openCursors = 0
        state.value.isPrepared = false
    }

    // MARK: Records of the engine's own, in the metadata's database

    private func surplus(of table: String) throws(StoreError) -> Int {
        guard let value = try record("surplus/" + table),
            let count: UInt64 = unsafe value.span.bytes.integer(at: 0, as: UInt64.self)
        else { return 0 }
        return Int(clamping: count)
    }

    private func setSurplus(of table: String, _ count: Int) throws(StoreError) {
        var value = ByteWriter()
        value.append(bigEndian: UInt64(max(count, 0)))
        try setRecord("surplus/" + table, count == 0 ? nil : value.copy())
    }

    func record(_ name: String) throws(StoreError) -> [UInt8]? {
        try prepare()
        let database = try state.value.requireDatabase()
        var key = ByteWriter()
        key.append(Self.recordTag)
        key.append(utf8: name)
        var value = ByteWriter()
        do throws(LMDBError) {
            return try core.state.value.get(database, key.bytes, state.value.seal, appendTo: &value)
                ? value.copy() : nil
        } catch {
            throw StoreError(error)
        }
    }

    func setRecord(_ name: String, _ value: [UInt8]?) throws(StoreError) {
        try prepare()
        let database = try state.value.requireDatabase()
        var key = ByteWriter()
        key.append(Self.recordTag)
        key.append(utf8: name)
        let cursor = try state.value.requireCursor()
        do throws(LMDBError) {
            if let value {
                try core.state.value.put(
                    cursor, key.bytes, unsafe value.span.bytes, state.value.seal, append: false)
            } else {
                _ = try core.state.value.transaction?.delete(database, key.bytes)
            }
        } catch {
            throw core.failed(error, store: nil)
        }
    }
}
