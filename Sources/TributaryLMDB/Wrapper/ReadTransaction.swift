internal import CLMDB
internal import TributaryCore

/// A view of the file as of one commit.
///
/// Views out of it end with it.
///
/// The file grows as long as an old reader is there: keep it short, or ``reset()`` it between uses. May be ended on another
/// thread than it began on, and several may be open on one thread.
@safe package struct ReadTransaction: ~Copyable {
    let environment: LMDBEnvironment
    private let handle: OpaquePointer

    init(_ environment: LMDBEnvironment) throws(LMDBError) {
        var begun: OpaquePointer?
        let status = unsafe mdb_txn_begin(environment.handle, nil, UInt32(MDB_RDONLY), &begun)
        guard status == 0, let begun = unsafe begun else { throw environment.failure("mdb_txn_begin", status) }
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
    }

    /// Opens a database that is there.
    ///
    /// Only while no other thread of the process opens one: the handle is good inside this transaction only.
    package func openDatabase(_ name: String) throws(LMDBError) -> LMDBDatabase {
        var index: UInt32 = 0
        try environment.check("mdb_dbi_open", unsafe mdb_dbi_open(handle, name, 0, &index))
        return LMDBDatabase(index: index)
    }

    /// The names of all databases.
    package func databaseNames() throws(LMDBError) -> [String] {
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

    /// The value of a key; nil if it isn't there.
    @_lifetime(borrow self)
    package func value(_ database: LMDBDatabase, _ key: RawSpan) throws(LMDBError) -> RawSpan? {
        let (status, found) = unsafe rawGet(handle, database.index, key)
        if status == MDB_NOTFOUND { return nil }
        try environment.check("mdb_get", status)
        return unsafe _overrideLifetime(view(found), borrowing: self)
    }

    /// The number of keys.
    package func count(_ database: LMDBDatabase) throws(LMDBError) -> Int {
        var stat = MDB_stat()
        try environment.check("mdb_stat", unsafe mdb_stat(handle, database.index, &stat))
        return stat.ms_entries
    }

    /// Begins to walk.
    @_lifetime(borrow self)
    package func cursor(_ database: LMDBDatabase) throws(LMDBError) -> LMDBCursor {
        let cursor = try unsafe LMDBCursor(handle, environment, database)
        return unsafe _overrideLifetime(cursor, borrowing: self)
    }
}
