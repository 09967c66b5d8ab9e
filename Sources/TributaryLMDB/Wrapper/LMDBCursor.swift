internal import CLMDB
internal import TributaryCore

/// A walk over a database of a read transaction, which it can't outlive.
///
/// A damaged page is an error before anything in it is followed.
@safe package struct LMDBReadCursor: ~Copyable, ~Escapable {
    private let walk: Owned<TreeWalk>
    private let database: LMDBDatabase
    private let environment: LMDBEnvironment

    @_lifetime(immortal)
    init(_ walk: TreeWalk, _ database: LMDBDatabase, _ environment: LMDBEnvironment) {
        self.database = database
        self.walk = Owned(walk)
        self.environment = environment
    }

    /// The error for something that the caller found wrong.
    func failure(_ call: StaticString, _ status: Int32) -> LMDBError { environment.failure(call, status) }

    /// Moves and returns the entry there; nil if there is none.
    @_lifetime(copy self)
    package borrowing func move(_ move: LMDBMove) throws(LMDBError) -> LMDBEntry? {
        do throws(PageFault) {
            switch move {
            case .first: _ = try walk.value.first()
            case .last: _ = try walk.value.last()
            case .next: _ = try walk.value.next()
            case .previous: _ = try walk.value.previous()
            case .current: break
            }
        } catch { throw environment.failure(error) }
        return try entry()
    }

    /// Moves to the first key that is not below `key` and returns the entry there; nil if there is none.
    @_lifetime(copy self)
    package borrowing func seek(_ key: RawSpan) throws(LMDBError) -> LMDBEntry? {
        do throws(PageFault) { _ = try walk.value.seek(key) } catch { throw environment.failure(error) }
        return try entry()
    }

    @_lifetime(copy self)
    private borrowing func entry() throws(LMDBError) -> LMDBEntry? {
        guard walk.value.isAtEntry else { return nil }
        let value: FileBytes
        do throws(PageFault) { value = try walk.value.value() } catch { throw environment.failure(error) }
        let size = try database.size(walk.value.key.bytes, value.bytes, environment)
        let entry = LMDBEntry(key: walk.value.key.bytes, value: value.bytes.prefix(size))
        return unsafe _overrideLifetime(entry, copying: self)
    }
}

/// A walk over a database of a write transaction that ends before its transaction does.
///
/// Nothing can be written while one of these lives; ``LMDBWriteCursor`` is for that.
@safe package struct LMDBCursor: ~Copyable, ~Escapable {
    private let handle: OpaquePointer
    private let database: LMDBDatabase
    private let environment: LMDBEnvironment

    @_lifetime(immortal)
    @unsafe init(
        _ transaction: OpaquePointer?, _ environment: LMDBEnvironment, _ database: LMDBDatabase
    ) throws(LMDBError) {
        var opened: OpaquePointer?
        let status = unsafe mdb_cursor_open(transaction, database.index, &opened)
        guard status == 0, let opened = unsafe opened else { throw environment.failure("mdb_cursor_open", status) }
        unsafe handle = opened
        self.database = database
        self.environment = environment
    }

    deinit { unsafe mdb_cursor_close(handle) }

    /// Moves and returns the entry there; nil if there is none.
    @_lifetime(copy self)
    package borrowing func move(_ move: LMDBMove) throws(LMDBError) -> LMDBEntry? {
        let (status, key, value) = unsafe rawMove(handle, move.operation)
        if status == MDB_NOTFOUND || (status != 0 && move == .current) { return nil }
        try environment.check("mdb_cursor_get", status)
        return try unsafe entry(key, value)
    }

    @_lifetime(copy self)
    @unsafe private borrowing func entry(_ key: MDB_val, _ value: MDB_val) throws(LMDBError) -> LMDBEntry {
        let (key, value) = unsafe (try environment.checkedView(key), try environment.checkedView(value))
        let size = try database.size(key, value, environment)
        return unsafe _overrideLifetime(LMDBEntry(key: key, value: value.prefix(size)), copying: self)
    }

    /// Moves to the first key that is not below `key` and returns the entry there; nil if there is none.
    @_lifetime(copy self)
    package borrowing func seek(_ key: RawSpan) throws(LMDBError) -> LMDBEntry? {
        let (status, found, value) = unsafe rawSeekOrFirst(handle, key)
        if status == MDB_NOTFOUND { return nil }
        try environment.check("mdb_cursor_get", status)
        return unsafe _overrideLifetime(
            LMDBEntry(key: try environment.checkedView(found), value: try environment.checkedView(value)), copying: self
        )
    }
}

/// A cursor of a write transaction that can be kept: a number that only its transaction turns into a place.
///
/// LMDB frees it when the transaction ends. Used with another transaction it throws.
@safe package struct LMDBWriteCursor: Sendable, BitwiseCopyable {
    nonisolated(unsafe) let handle: OpaquePointer
    let transaction: UInt64
}
