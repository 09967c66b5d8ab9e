internal import CLMDB
internal import TributaryCore

/// A walk over a database that ends before its transaction does.
///
/// In a write transaction nothing can be written while one of these lives; ``LMDBWriteCursor`` is for that.
@safe package struct LMDBCursor: ~Copyable, ~Escapable {
    private let handle: OpaquePointer
    private let environment: LMDBEnvironment

    @_lifetime(immortal)
    @unsafe init(
        _ transaction: OpaquePointer?, _ environment: LMDBEnvironment, _ database: LMDBDatabase
    ) throws(LMDBError) {
        var opened: OpaquePointer?
        let status = unsafe mdb_cursor_open(transaction, database.index, &opened)
        guard status == 0, let opened = unsafe opened else { throw environment.failure("mdb_cursor_open", status) }
        unsafe handle = opened
        self.environment = environment
    }

    deinit { unsafe mdb_cursor_close(handle) }

    /// Moves and returns the entry there; nil if there is none.
    @_lifetime(copy self)
    package borrowing func move(_ move: LMDBMove) throws(LMDBError) -> LMDBEntry? {
        let (status, key, value) = unsafe rawMove(handle, move.operation)
        if status == MDB_NOTFOUND || (status != 0 && move == .current) { return nil }
        try environment.check("mdb_cursor_get", status)
        return unsafe _overrideLifetime(LMDBEntry(key: view(key), value: view(value)), copying: self)
    }

    /// Moves to the first key that is not below `key` and returns the entry there; nil if there is none.
    @_lifetime(copy self)
    package borrowing func seek(_ key: RawSpan) throws(LMDBError) -> LMDBEntry? {
        let (status, found, value) = unsafe rawSeekOrFirst(handle, key)
        if status == MDB_NOTFOUND { return nil }
        try environment.check("mdb_cursor_get", status)
        return unsafe _overrideLifetime(LMDBEntry(key: view(found), value: view(value)), copying: self)
    }
}

/// A cursor of a write transaction that can be kept: a number that only its transaction turns into a place.
///
/// LMDB frees it when the transaction ends. Used with another transaction it throws.
@safe package struct LMDBWriteCursor: Sendable, BitwiseCopyable {
    nonisolated(unsafe) let handle: OpaquePointer
    let transaction: UInt64
}
