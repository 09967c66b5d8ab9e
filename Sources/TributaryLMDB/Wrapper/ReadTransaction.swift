internal import CLMDB
internal import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A view of the file as of one commit.
///
/// Views out of it end with it.
///
/// The file grows as long as an old reader is there: keep it short, or ``reset()`` it between uses. May be ended on another
/// thread than it began on, and several may be open on one thread.
@safe package struct ReadTransaction: ~Copyable {
    let environment: LMDBEnvironment
    private let handle: OpaquePointer
    private var file: PageSnapshot

    init(_ environment: LMDBEnvironment) throws(LMDBError) {
        var begun: OpaquePointer?
        let status = unsafe mdb_txn_begin(environment.handle, nil, UInt32(MDB_RDONLY), &begun)
        guard status == 0, let begun = unsafe begun else { throw environment.failure("mdb_txn_begin", status) }
        do throws(LMDBError) { file = try unsafe snapshot(begun, environment) } catch {
            unsafe mdb_txn_abort(begun)
            throw error
        }
        self.environment = environment
        unsafe handle = begun
    }

    deinit { unsafe mdb_txn_abort(handle) }

    /// Lets go of the commit that is read, and keeps the reader's slot.
    ///
    /// Only ``renew()`` may follow.
    package mutating func reset() { unsafe mdb_txn_reset(handle) }

    /// Reads the newest commit from now on; only after ``reset()``.
    package mutating func renew() throws(LMDBError) {
        try environment.check("mdb_txn_renew", unsafe mdb_txn_renew(handle))
        do throws(LMDBError) { file = try unsafe snapshot(handle, environment) } catch {
            reset()
            throw error
        }
    }

    /// Opens a database that is there.
    package func openDatabase(_ name: String) throws(LMDBError) -> LMDBDatabase {
        guard try root(Array(name.utf8)) != nil else { throw environment.failure("open a database", MDB_NOTFOUND) }
        return environment.readDatabase(name)
    }

    /// The names of all databases.
    package func databaseNames() throws(LMDBError) -> [String] {
        do throws(PageFault) {
            var walk = TreeWalk(file.main, in: file)
            var names: [String] = []
            while try walk.next() {
                if walk.tree != nil { names.append(String(decoding: [UInt8](copying: walk.key.bytes), as: UTF8.self)) }
            }
            return names
        } catch { throw environment.failure(error) }
    }

    /// The value of a key; nil if it isn't there.
    @_lifetime(borrow self)
    package func value(_ database: LMDBDatabase, _ key: RawSpan) throws(LMDBError) -> RawSpan? {
        guard let root = try root(database) else { return nil }
        let stored: FileBytes
        do throws(PageFault) {
            var walk = TreeWalk(root, in: file)
            guard try walk.seek(key), walk.key.bytes.isEqual(to: key) else { return nil }
            stored = try walk.value()
        } catch { throw environment.failure(error) }
        let size = try database.size(key, stored.bytes, environment)
        return unsafe _overrideLifetime(stored.bytes.prefix(size), borrowing: self)
    }

    /// The number of keys.
    package func count(_ database: LMDBDatabase) throws(LMDBError) -> Int {
        Int(clamping: try root(database)?.entries ?? 0)
    }

    /// Begins to walk.
    @_lifetime(borrow self)
    package func cursor(_ database: LMDBDatabase) throws(LMDBError) -> LMDBReadCursor {
        let cursor = LMDBReadCursor(TreeWalk(try root(database) ?? TreeRoot(), in: file), database, environment)
        return unsafe _overrideLifetime(cursor, borrowing: self)
    }

    private func root(_ database: LMDBDatabase) throws(LMDBError) -> TreeRoot? {
        guard let name = environment.name(database) else { throw environment.failure("an unknown database", EINVAL) }
        return try root(name)
    }

    private func root(_ name: [UInt8]) throws(LMDBError) -> TreeRoot? {
        do throws(PageFault) { return try file.tree(name) } catch { throw environment.failure(error) }
    }

    /// Where LMDB has the file's first byte in memory; nil as long as there is no database, or if its page is damaged.
    var mapBase: UInt? {
        var walk = TreeWalk(file.main, in: file)
        guard (try? walk.first()) == true, let place = file.offset(of: walk.key) else { return nil }
        var cursor: OpaquePointer?
        guard unsafe mdb_cursor_open(handle, 1, &cursor) == 0 else { return nil }  // 1 is the tree of names
        defer { unsafe mdb_cursor_close(cursor) }
        let (status, key, _) = unsafe rawMove(cursor, MDB_FIRST)
        return status == 0 ? UInt(bitPattern: unsafe key.mv_data) &- UInt(place) : nil
    }

    /// Checks all values of a sealed database: what isn't found may be there under a damaged key.
    package func checkRows(_ database: LMDBDatabase) throws(LMDBError) {
        guard database.isSealed else { return }
        let cursor = try cursor(database)
        var entry = try cursor.move(.first)
        while entry != nil { entry = try cursor.move(.next) }
    }

    /// Checks the list of free pages, which writing goes by without a look.
    package func checkFreePages() throws(LMDBError) { try PageCheck.freeList(file, environment) }

    /// The number of the commit that is read; 0 before the first.
    package var commitNumber: UInt64 { UInt64(unsafe mdb_txn_id(handle)) }

    /// The trees of this commit, to be checked as a whole.
    package func checkPages(_ check: inout PageCheck) throws(LMDBError) {
        try check.run(file, environment)
    }
}

extension PageSnapshot {
    /// Where a named tree begins; nil if there is none.
    func tree(_ name: [UInt8]) throws(PageFault) -> TreeRoot? {
        var walk = TreeWalk(main, in: self)
        guard try walk.seek(unsafe name.span.bytes), unsafe walk.key.bytes.isEqual(to: name.span.bytes) else {
            return nil
        }
        guard let root = walk.tree else { throw PageFault(page: walk.path.last ?? 0, what: "a tree's row is none") }
        return root
    }
}

/// The pages of the commit that a read transaction has.
@unsafe private func snapshot(
    _ transaction: OpaquePointer, _ environment: LMDBEnvironment
) throws(LMDBError) -> PageSnapshot {
    // Again if commits went over this one's meta page in between.
    for _ in 0..<10_000 {
        let number = UInt64(unsafe mdb_txn_id(transaction))
        let early: PageSnapshot?
        do throws(PageFault) {
            if let file = try environment.pages.snapshot(transaction: number) { return file }
            early = try environment.pages.snapshot(transaction: number, hasNext: true)
        } catch { throw environment.failure(error) }
        unsafe mdb_txn_reset(transaction)
        try environment.check("mdb_txn_renew", unsafe mdb_txn_renew(transaction))
        // A commit's meta page is there before LMDB says so, which may take long: its writer waits for the disk, is stopped, or was
        // killed. As long as LMDB doesn't say so the writer after it can't have begun, and what was read is good.
        if let early, UInt64(unsafe mdb_txn_id(transaction)) == number { return early }
    }
    throw environment.failure(PageFault(page: 0, what: "no meta page is that of the newest commit"))
}
