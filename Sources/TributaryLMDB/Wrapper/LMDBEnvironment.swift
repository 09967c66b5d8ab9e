internal import CLMDB
internal import Synchronization
package import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// How an environment is opened.
package struct LMDBOptions: Sendable {
    /// The most bytes the file can grow to: a reservation of addresses, not of memory or disk.
    package var mapSize: Int
    /// The most named databases.
    package var maximumDatabases: Int
    /// The most read transactions of all processes at once.
    package var maximumReaders: Int
    /// Opens for reading only; takes the map size from the file.
    package var readOnly: Bool
    /// What a commit waits for.
    package var sync: Sync
    /// Fails chosen writes, in tests.
    package var faults: LMDBFaults?
    /// Checks the pages that a write goes through before LMDB follows them; reads are always checked.
    package var checksWrites = false
    /// Called once when the environment has been closed.
    package var onClose: (@Sendable () -> Void)?
    /// Called with each error of a call, on the thread that met it.
    package var onFailure: (@Sendable (LMDBError) -> Void)?
    /// Where is said who keeps a write transaction waiting.
    package var logs = LogSink.none
    /// How long a write transaction waits before that is said, in milliseconds.
    package var lockPatience: Int64 = 3000

    /// What a commit waits for.
    package enum Sync: Sendable {
        /// Data and meta page are on disk.
        case full
        /// Data is on disk; the last commit may be undone by a crash of the system, never torn.
        case data
        /// Nothing: a crash of the *system* may leave an unreadable file; a crash of the process loses nothing.
        case none
    }

    /// Makes options; the defaults are those of a small environment that syncs.
    package init(
        mapSize: Int = 1 << 30, maximumDatabases: Int = 64, maximumReaders: Int = 126, readOnly: Bool = false,
        sync: Sync = .full, faults: LMDBFaults? = nil
    ) {
        self.mapSize = mapSize
        self.maximumDatabases = maximumDatabases
        self.maximumReaders = maximumReaders
        self.readOnly = readOnly
        self.sync = sync
        self.faults = faults
    }
}

/// One open LMDB file; transactions hold it, so it closes after the last of them.
///
/// LMDB's manual: an environment may be used by several threads at once; a *write* transaction belongs to the thread that
/// began it; the same file must not be open twice in one process, which the users of this type see to. Flags are always
/// NOSUBDIR (the path is a file, the lock lies in `<path>-lock`) and NOTLS (readers belong to transactions, not to threads).
@safe package final class LMDBEnvironment: Sendable {
    // MDB_env is thread-safe by LMDB's manual, and this pointer is set once.
    nonisolated(unsafe) let handle: OpaquePointer
    /// The file.
    package let path: String
    /// Fails chosen writes, in tests.
    let faults: LMDBFaults?
    /// The file, for reads.
    let pages: PageFile
    /// Whether pages are checked before they are written to.
    let checksWrites: Bool
    /// Where LMDB has mapped the file, for values that it hands out; 0 until it is known.
    let mapped = Atomic<UInt>(0)
    let mapLength: UInt
    let pageSize: Int
    private let names = Guarded(DatabaseNames())
    private let transactions = Atomic<UInt64>(0)
    private let onClose: (@Sendable () -> Void)?
    private let onFailure: (@Sendable (LMDBError) -> Void)?
    private let logs: LogSink
    private let lockPatience: Int64
    // Open as long as LMDB has the file open: closing it would drop LMDB's own locks on it.
    private let lockFile: Int32

    /// Opens or creates the file; the folder must be there.
    ///
    /// Clears reader slots that dead processes left.
    package init(path: String, options: LMDBOptions = LMDBOptions()) throws(LMDBError) {
        var created: OpaquePointer?
        var status = unsafe mdb_env_create(&created)
        guard status == 0, let created = unsafe created else {
            throw LMDBError(code: status, call: "mdb_env_create", path: path)
        }
        var flags = UInt32(MDB_NOSUBDIR | MDB_NOTLS)
        switch options.sync {
        case .full: break
        case .data: flags |= UInt32(MDB_NOMETASYNC)
        case .none: flags |= UInt32(MDB_NOSYNC | MDB_NOMETASYNC)
        }
        var call: StaticString = "mdb_env_set"
        if options.readOnly {
            flags |= UInt32(MDB_RDONLY)
        } else {
            status = unsafe mdb_env_set_mapsize(created, options.mapSize)
        }
        if status == 0 { status = unsafe mdb_env_set_maxdbs(created, UInt32(clamping: options.maximumDatabases)) }
        if status == 0 { status = unsafe mdb_env_set_maxreaders(created, UInt32(clamping: options.maximumReaders)) }
        if status == 0 {
            call = "mdb_env_open"
            status = unsafe mdb_env_open(created, path, flags, 0o644)
        }
        guard status == 0 else {
            unsafe mdb_env_close(created)  // LMDB wants this after a failed open, too
            throw LMDBError(code: status, call: call, path: path)
        }
        var descriptor: Int32 = -1
        _ = unsafe mdb_env_get_fd(created, &descriptor)
        pages = PageFile(descriptor: descriptor)
        checksWrites = options.checksWrites
        var info = unsafe MDB_envinfo()
        var stat = MDB_stat()
        _ = unsafe mdb_env_info(created, &info)
        _ = unsafe mdb_env_stat(created, &stat)
        mapLength = UInt(unsafe info.me_mapsize)
        pageSize = max(Int(stat.ms_psize), 1)
        unsafe handle = created
        self.path = path
        faults = options.faults
        onClose = options.onClose
        onFailure = options.onFailure
        logs = options.logs
        lockPatience = options.lockPatience
        lockFile = options.readOnly ? -1 : unsafe open(path + "-lock", O_RDONLY | O_CLOEXEC)
        clearDeadReaders()
    }

    deinit {
        unsafe mdb_env_close(handle)
        if lockFile >= 0 { close(lockFile) }
        onClose?()
    }

    /// Frees the reader slots of processes that died; returns how many.
    @discardableResult
    package func clearDeadReaders() -> Int {
        var dead: Int32 = 0
        _ = unsafe mdb_reader_check(handle, &dead)
        return Int(dead)
    }

    /// What commits wait for, by LMDB's own word.
    package var commitSync: LMDBOptions.Sync {
        var flags: UInt32 = 0
        unsafe mdb_env_get_flags(handle, &flags)
        if flags & UInt32(MDB_NOSYNC) != 0 { return .none }
        return flags & UInt32(MDB_NOMETASYNC) != 0 ? .data : .full
    }

    /// Writes everything committed to disk, whatever the sync option.
    package func sync() throws(LMDBError) {
        let planned = faults?.nextSync() ?? 0
        try check("mdb_env_sync", planned != 0 ? planned : unsafe mdb_env_sync(handle, 1))
        faults?.note(.sync(path))
    }

    /// Begins a read transaction.
    package func read() throws(LMDBError) -> ReadTransaction { try ReadTransaction(self) }

    /// Begins the one write transaction; waits while another thread or process has one, and says who in a log line if that
    /// takes long.
    ///
    /// Must end on this thread.
    package func write() throws(LMDBError) -> WriteTransaction {
        guard writer() != 0 else { return try WriteTransaction(self) }
        let watch = LockWatch.shared.begin("the writer's lock of \(path)", patience: lockPatience, logs: logs) {
            [self] in
            writerHolder
        }
        defer { LockWatch.shared.end(watch) }
        return try WriteTransaction(self)
    }

    /// Who has the write transaction, in this or another process; nil if nobody has, or it can't be told.
    package var writerHolder: LockHolder? { LockHolder(thread: writer()) }

    /// The thread that has the writer's lock, 0 if none has.
    private func writer() -> Int32 {
        #if os(Linux)
            // LMDB 0.9: a page line with magic, format, the readers' mutex and counters, then the writer's mutex, a robust one
            // of glibc, whose first word is the number of the thread that has it, and two flags.
            var word: UInt32 = 0
            guard lockFile >= 0, unsafe pread(lockFile, &word, 4, 64) == 4 else { return 0 }
            return Int32(word & 0x3fff_ffff)
        #else
            return 0
        #endif
    }

    /// Bytes that the file's pages take, free ones included.
    package var usedBytes: Int {
        var info = unsafe MDB_envinfo()
        var stat = MDB_stat()
        guard unsafe mdb_env_info(handle, &info) == 0, unsafe mdb_env_stat(handle, &stat) == 0 else { return 0 }
        return unsafe (info.me_last_pgno + 1) * Int(stat.ms_psize)
    }

    /// The map's size.
    package var mapSize: Int {
        var info = unsafe MDB_envinfo()
        return unsafe mdb_env_info(handle, &info) == 0 ? unsafe info.me_mapsize : 0
    }

    /// The longest key that the file takes.
    package var maximumKeySize: Int { Int(unsafe mdb_env_get_maxkeysize(handle)) }

    // MARK: Names of databases

    /// Remembers the name of a database that LMDB opened.
    func name(_ database: LMDBDatabase, _ name: String) {
        names.withLock { $0.names[database.index] = Array(name.utf8) }
    }

    /// The name of a database; nil if no transaction opened it.
    func name(_ database: LMDBDatabase) -> [UInt8]? { names.withLock { $0.names[database.index] } }

    /// A number for a database that only reads go to, which LMDB isn't told of.
    func readDatabase(_ name: String) -> LMDBDatabase { names.withLock { $0.forReading(name) } }

    /// The error of a failed commit.
    ///
    /// LMDB writes a commit's pages, syncs them, and then writes the meta page that makes them count. If the last step fails
    /// it tries to put the old page back and refuses every transaction from then on; what other processes saw in between, and
    /// what a crash would leave, can't be told from here. A failure before that leaves the file as it was: asking the file
    /// would be wrong, since another process may have committed meanwhile.
    func commitFailure(_ status: Int32) -> LMDBError {
        let error = failure("mdb_txn_commit", status)
        var begun: OpaquePointer?
        let probe = unsafe mdb_txn_begin(handle, nil, UInt32(MDB_RDONLY), &begun)
        if probe == 0 { unsafe mdb_txn_abort(begun) }
        // Without a free slot for the question nothing is known, either.
        let isUnknown = probe == MDB_PANIC || probe == MDB_READERS_FULL
        return LMDBError(code: error.code, call: error.call, path: path, isOutcomeUnknown: isUnknown)
    }

    /// Whether a commit waits for the disk, by what LMDB itself has been told.
    var isSynced: Bool {
        var flags: UInt32 = 0
        return unsafe mdb_env_get_flags(handle, &flags) == 0 && flags & UInt32(MDB_NOSYNC) == 0
    }

    func nextTransactionNumber() -> UInt64 { transactions.add(1, ordering: .relaxed).newValue }

    @inline(__always)
    func check(_ call: StaticString, _ status: Int32) throws(LMDBError) {
        if status != 0 { throw failure(call, status) }
    }

    @inline(never)
    func failure(_ fault: PageFault) -> LMDBError {
        let error = LMDBError(code: MDB_CORRUPTED, call: fault.what, path: path, page: fault.page)
        onFailure?(error)
        return error
    }

    @inline(never)
    func failure(_ call: StaticString, _ status: Int32) -> LMDBError {
        let error = LMDBError(code: status == EIO ? spaceError() : status, call: call, path: path)
        onFailure?(error)
        return error
    }

    /// Why a write ended short, for which LMDB says EIO: ENOSPC or EDQUOT if there is no space now, else EIO.
    ///
    /// What the short write could take is taken, so that on a full disk a file beside cannot be given its size.
    private func spaceError() -> Int32 {
        let probe = path + ".space"
        let descriptor = unsafe open(probe, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return errno == ENOSPC || errno == EDQUOT ? errno : EIO }
        let status = posix_fallocate(descriptor, 0, 1 << 20)
        close(descriptor)
        _ = unsafe unlink(probe)
        return status == ENOSPC || status == EDQUOT ? status : EIO
    }
}

/// What the databases of an environment are called, by LMDB's numbers or, above them, by our own.
private struct DatabaseNames {
    var names: [UInt32: [UInt8]] = [:]
    private var numbers: [String: UInt32] = [:]
    private static let first: UInt32 = 1 << 31

    mutating func forReading(_ name: String) -> LMDBDatabase {
        if let known = numbers[name] { return LMDBDatabase(index: known) }
        let number = Self.first + UInt32(truncatingIfNeeded: numbers.count)
        numbers[name] = number
        names[number] = Array(name.utf8)
        return LMDBDatabase(index: number)
    }
}
