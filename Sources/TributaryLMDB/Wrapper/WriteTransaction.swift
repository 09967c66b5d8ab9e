internal import CLMDB
internal import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The one write transaction of an environment: all of it at ``commit()``, or nothing.
///
/// Must end on the thread that began it. A view ends at the next write, which the compiler enforces. May be kept in a field
/// (`var transaction: WriteTransaction?`, committed by `transaction.take()?.commit()`).
@safe package struct WriteTransaction: ~Copyable {
    let environment: LMDBEnvironment
    private var handle: OpaquePointer?  // optional: so that commit and abort can take it away from deinit
    private let number: UInt64
    private let thread: pthread_t
    private var failed = false
    private var steps = DirtyPages()
    /// Checks pages before they are written to, where the environment wants that.
    private let pages: WriteGuard?

    init(_ environment: LMDBEnvironment) throws(LMDBError) {
        var begun: OpaquePointer?
        let status = unsafe mdb_txn_begin(environment.handle, nil, 0, &begun)
        guard status == 0, unsafe begun != nil else { throw environment.failure("mdb_txn_begin", status) }
        do throws(LMDBError) { pages = try unsafe Self.guarding(begun, environment) } catch {
            unsafe mdb_txn_abort(begun)
            throw error
        }
        self.environment = environment
        unsafe handle = begun
        number = environment.nextTransactionNumber()
        thread = pthread_self()
        environment.findMap()
    }

    /// Nobody else commits as long as the transaction lives: the newest meta page stays what it is.
    @unsafe private static func guarding(
        _ transaction: OpaquePointer?, _ environment: LMDBEnvironment
    ) throws(LMDBError) -> WriteGuard? {
        guard environment.checksWrites else { return nil }
        do throws(PageFault) {
            let number = UInt64(unsafe mdb_txn_id(transaction))
            guard let file = try environment.pages.snapshot(transaction: number &- 1) else {
                throw PageFault(page: 0, what: "no meta page is that of the newest commit")
            }
            return WriteGuard(file, environment)
        } catch { throw environment.failure(error) }
    }

    deinit {
        guard let handle = unsafe handle else { return }
        assert(pthread_equal(thread, pthread_self()) != 0, "a write transaction ended on another thread")
        unsafe mdb_txn_abort(handle)
    }

    /// Makes everything written durable, as far as the environment's sync option says.
    ///
    /// A commit that throws did not happen, unless the error says that its outcome is unknown.
    package consuming func commit() throws(LMDBError) {
        assert(pthread_equal(thread, pthread_self()) != 0, "a write transaction ended on another thread")
        let environment = environment
        if failed { throw environment.failure("mdb_txn_commit", MDB_BAD_TXN) }
        if let faults = environment.faults {
            let code = faults.nextCommit()
            if code != 0 {
                unsafe mdb_txn_abort(self.handle.take())
                faults.failed()
                throw environment.failure("mdb_txn_commit", code)
            }
        }
        let handle = unsafe self.handle.take()
        // Frees the transaction even when it fails.
        let status = unsafe mdb_txn_commit(handle)
        if status != 0 { throw environment.commitFailure(status) }
        guard let faults = environment.faults else { return }
        faults.note(.commit(environment.path, isSynced: environment.isSynced))
        if faults.losesAnswer() {
            throw LMDBError(code: EIO, call: "mdb_txn_commit", path: environment.path, isOutcomeUnknown: true)
        }
    }

    /// Gives up everything written.
    package consuming func abort() {}

    // MARK: Databases

    /// Opens a database, creating it if told to.
    ///
    /// After an abort of this transaction the handle is void. Values of one opened as `sealed` are kept with a checksum; only
    /// cursors that are kept don't know of it.
    package mutating func openDatabase(
        _ name: String, create: Bool = true, sealed: Bool = false
    ) throws(LMDBError) -> LMDBDatabase {
        var index: UInt32 = 0
        let flags = create ? UInt32(MDB_CREATE) : 0
        try pages?.check(name: name)
        try environment.check("mdb_dbi_open", unsafe mdb_dbi_open(handle, name, flags, &index))
        environment.name(LMDBDatabase(index: index), name)
        return LMDBDatabase(index: index, isSealed: sealed)
    }

    /// The names of all databases.
    package mutating func databaseNames() throws(LMDBError) -> [String] {
        var index: UInt32 = 0
        try environment.check("mdb_dbi_open", unsafe mdb_dbi_open(handle, nil, 0, &index))
        let cursor = try cursor(LMDBDatabase(index: index))
        var names: [String] = []
        var entry = try cursor.move(.first)
        while let found = entry {
            names.append(String(decoding: [UInt8](copying: found.key), as: UTF8.self))
            entry = try cursor.move(.next)
        }
        return names
    }

    /// Deletes a database with its content, or its content only.
    package mutating func drop(_ database: LMDBDatabase, contentOnly: Bool = false) throws(LMDBError) {
        try checkWritable()
        try wrote("mdb_drop", unsafe mdb_drop(handle, database.index, contentOnly ? 0 : 1))
    }

    /// The number of keys.
    package func count(_ database: LMDBDatabase) throws(LMDBError) -> Int {
        var stat = MDB_stat()
        try environment.check("mdb_stat", unsafe mdb_stat(handle, database.index, &stat))
        return stat.ms_entries
    }

    /// The bytes of the pages that a database takes.
    package func byteCount(_ database: LMDBDatabase) throws(LMDBError) -> Int {
        var stat = MDB_stat()
        try environment.check("mdb_stat", unsafe mdb_stat(handle, database.index, &stat))
        return (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages) * Int(stat.ms_psize)
    }

    /// About how many pages were written to since the transaction began; LMDB keeps them in memory until it is committed.
    package var dirtyPages: Int { steps.count }

    /// Bytes of a page.
    package var pageSize: Int { steps.size }

    // MARK: By key

    /// The value of a key; nil if it isn't there.
    @_lifetime(borrow self)
    package func value(_ database: LMDBDatabase, _ key: RawSpan) throws(LMDBError) -> RawSpan? {
        try checkPages(database, key)
        let (status, found) = unsafe rawGet(handle, database.index, key)
        if status == MDB_NOTFOUND { return nil }
        try environment.check("mdb_get", status)
        let stored = try unsafe environment.checkedView(found)
        let size = try database.size(key, stored, environment)
        return unsafe _overrideLifetime(stored.prefix(size), borrowing: self)
    }

    /// Writes a value.
    ///
    /// With `append` the key must be greater than all keys of the database (an error of kind `badKey` if it is not).
    package mutating func put(
        _ database: LMDBDatabase, _ key: RawSpan, _ value: RawSpan, append: Bool = false
    ) throws(LMDBError) {
        guard !database.isSealed else {
            var sealed = ByteWriter(capacity: value.byteCount + 8)
            sealed.append(value)
            sealed.append(bigEndian: LMDBDatabase.seal(key, value))
            let plain = LMDBDatabase(index: database.index)
            return try put(plain, key, sealed.bytes, append: append)
        }
        try checkWritable()
        try checkPages(database, key)
        let index = database.index
        let flags = append ? UInt32(MDB_APPEND) : 0
        let transaction = unsafe handle
        let status = unsafe key.withUnsafeBytes { keyBytes in
            unsafe value.withUnsafeBytes { valueBytes in
                var name = unsafe argument(keyBytes)
                var content = unsafe argument(valueBytes)
                return unsafe mdb_put(transaction, index, &name, &content, flags)
            }
        }
        try wrote("mdb_put", status)
    }

    /// Deletes a key; returns whether it was there.
    @discardableResult
    package mutating func delete(_ database: LMDBDatabase, _ key: RawSpan) throws(LMDBError) -> Bool {
        try checkWritable()
        try checkPages(database, key, deletes: true)
        let index = database.index
        let transaction = unsafe handle
        let status = unsafe key.withUnsafeBytes { bytes in
            var name = unsafe argument(bytes)
            return unsafe mdb_del(transaction, index, &name, nil)
        }
        if status == MDB_NOTFOUND { return false }
        try wrote("mdb_del", status)
        steps.deleted()
        return true
    }

    // MARK: By cursor

    /// Begins to walk; nothing can be written while the walk lives.
    @_lifetime(borrow self)
    package func cursor(_ database: LMDBDatabase) throws(LMDBError) -> LMDBCursor {
        if let pages { try pages.check(database, from: RawSpan.empty, entries: Int.max) }
        let cursor = try unsafe LMDBCursor(handle, environment, database)
        return unsafe _overrideLifetime(cursor, borrowing: self)
    }

    /// Checks the pages of so many entries from a key on, before a cursor goes over them and deletes them.
    package func checkPages(_ database: LMDBDatabase, from key: RawSpan, entries: Int) throws(LMDBError) {
        try pages?.check(database, from: key, entries: entries)
    }

    /// Opens a cursor that can be kept; it ends with this transaction.
    package mutating func openCursor(_ database: LMDBDatabase) throws(LMDBError) -> LMDBWriteCursor {
        var opened: OpaquePointer?
        let status = unsafe mdb_cursor_open(handle, database.index, &opened)
        guard status == 0, let opened = unsafe opened else { throw environment.failure("mdb_cursor_open", status) }
        return unsafe LMDBWriteCursor(handle: opened, transaction: number)
    }

    /// Closes a cursor before the transaction ends.
    ///
    /// Must not be used again, nor may copies of it.
    package mutating func close(_ cursor: LMDBWriteCursor) {
        if cursor.transaction == number { unsafe mdb_cursor_close(cursor.handle) }
    }

    /// Moves a cursor and returns the entry there; nil if there is none.
    @_lifetime(borrow self)
    package func move(_ cursor: LMDBWriteCursor, _ move: LMDBMove) throws(LMDBError) -> LMDBEntry? {
        try check(cursor)
        let (status, key, value) = unsafe rawMove(cursor.handle, move.operation)
        if status == MDB_NOTFOUND || (status != 0 && move == .current) { return nil }
        try environment.check("mdb_cursor_get", status)
        return unsafe _overrideLifetime(
            LMDBEntry(key: try environment.checkedView(key), value: try environment.checkedView(value)), borrowing: self
        )
    }

    /// Moves a cursor to the first key that is not below `key` and returns the entry there; nil if there is none.
    @_lifetime(borrow self)
    package func seek(_ cursor: LMDBWriteCursor, _ key: RawSpan) throws(LMDBError) -> LMDBEntry? {
        try check(cursor)
        let (status, found, value) = unsafe rawSeekOrFirst(cursor.handle, key)
        if status == MDB_NOTFOUND { return nil }
        try environment.check("mdb_cursor_get", status)
        return unsafe _overrideLifetime(
            LMDBEntry(key: try environment.checkedView(found), value: try environment.checkedView(value)),
            borrowing: self)
    }

    /// Moves a cursor to a key and returns its value; nil if it isn't there.
    ///
    /// A write of the same key by the same cursor then finds its page at once.
    @_lifetime(borrow self)
    package func value(_ cursor: LMDBWriteCursor, _ key: RawSpan) throws(LMDBError) -> RawSpan? {
        try check(cursor)
        let (status, found) = unsafe rawGet(cursor.handle, key)
        if status == MDB_NOTFOUND { return nil }
        try environment.check("mdb_cursor_get", status)
        return unsafe _overrideLifetime(try environment.checkedView(found), borrowing: self)
    }

    /// Writes a value through a cursor: several times cheaper than by key if keys come sorted.
    package mutating func put(
        _ cursor: LMDBWriteCursor, _ key: RawSpan, _ value: RawSpan, append: Bool = false
    ) throws(LMDBError) {
        try check(cursor)
        try checkWritable()
        let flags = append ? UInt32(MDB_APPEND) : 0
        let status = unsafe key.withUnsafeBytes { keyBytes in
            unsafe value.withUnsafeBytes { valueBytes in
                var name = unsafe argument(keyBytes)
                var content = unsafe argument(valueBytes)
                return unsafe mdb_cursor_put(cursor.handle, &name, &content, flags)
            }
        }
        try wrote("mdb_cursor_put", status)
    }

    /// Writes a value and, behind it, its checksum in big-endian order, into the page itself.
    package mutating func put(
        _ cursor: LMDBWriteCursor, _ key: RawSpan, _ value: RawSpan, checksum: UInt32, append: Bool
    ) throws(LMDBError) {
        try check(cursor)
        try checkWritable()
        let flags = UInt32(MDB_RESERVE) | (append ? UInt32(MDB_APPEND) : 0)
        var address: UInt = 0
        let status = unsafe key.withUnsafeBytes { keyBytes in
            var name = unsafe argument(keyBytes)
            var content = unsafe MDB_val(mv_size: value.byteCount + 4, mv_data: nil)
            let status = unsafe mdb_cursor_put(cursor.handle, &name, &content, flags)
            guard status == 0, let room = unsafe content.mv_data else { return status }
            address = UInt(bitPattern: room)
            unsafe value.withUnsafeBytes { bytes in
                let target = unsafe UnsafeMutableRawBufferPointer(start: room, count: bytes.count + 4)
                unsafe target.copyMemory(from: bytes)
                unsafe target.storeBytes(of: checksum.bigEndian, toByteOffset: bytes.count, as: UInt32.self)
            }
            return status
        }
        try wrote("mdb_cursor_put", status)
        steps.wrote(at: address, count: value.byteCount)
    }

    /// Deletes the entry where a cursor is; `.next` then leads to the one after it.
    package mutating func delete(_ cursor: LMDBWriteCursor) throws(LMDBError) {
        try check(cursor)
        try checkWritable()
        try wrote("mdb_cursor_del", unsafe mdb_cursor_del(cursor.handle, 0))
        steps.deleted()
    }

    // MARK: Checks

    @inline(__always)
    private func check(_ cursor: LMDBWriteCursor) throws(LMDBError) {
        if cursor.transaction != number { throw environment.failure("cursor of another transaction", MDB_BAD_TXN) }
    }

    @inline(__always)
    private func checkPages(_ database: LMDBDatabase, _ key: RawSpan, deletes: Bool = false) throws(LMDBError) {
        if let pages { try pages.check(database, key, deletes: deletes) }
    }

    @inline(__always)
    private mutating func checkWritable() throws(LMDBError) {
        if failed { throw environment.failure("write after a failure", MDB_BAD_TXN) }
        guard let faults = environment.faults else { return }
        let code = faults.nextWrite()
        if code != 0 {
            failed = true
            throw environment.failure("write", code)
        }
    }

    @inline(__always)
    private func wrote(_ call: StaticString, _ status: Int32) throws(LMDBError) {
        if status != 0 { throw environment.failure(call, status) }
    }
}
