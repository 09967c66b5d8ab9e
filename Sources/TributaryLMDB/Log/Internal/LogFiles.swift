internal import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Makes a folder and those above it; if `sync`, a crash of the machine doesn't take away again what was made.
func makeFolders(_ path: String, sync: Bool, _ faults: LMDBFaults? = nil) throws(LogError) {
    var made = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
        let above = made.isEmpty ? "/" : made
        made += "/" + part
        if unsafe mkdir(made, 0o755) == 0 {
            if sync { try syncFolder(above, faults) }
        } else if errno != EEXIST {
            throw systemError("mkdir", made)
        }
    }
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { throw systemError("stat", path) }
    guard status.st_mode & S_IFMT == S_IFDIR else { throw LogError(.configuration, "\(path) is not a folder") }
}

/// Has the names in a folder on disk.
func syncFolder(_ path: String, _ faults: LMDBFaults?) throws(LogError) {
    let folder = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard folder >= 0 else { throw systemError("open", path) }
    defer { close(folder) }
    // Some file systems can't, and keep names by themselves.
    if fsync(folder) != 0 && errno != EINVAL { throw systemError("fsync", path) }
    faults?.note(.syncFolder(path))
}

/// The path without links and dots.
func resolvedPath(_ path: String) throws(LogError) -> String {
    guard let resolved = unsafe realpath(path, nil) else { throw systemError("realpath", path) }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
}

/// Whether there is no file or no byte in it.
func isMissingOrEmpty(_ path: String) -> Bool {
    var status = stat()
    return unsafe stat(path, &status) != 0 || status.st_size == 0
}

/// Removes a file, if it can be.
func removeFile(_ path: String) { _ = unsafe unlink(path) }

/// Which file or folder a path leads to, whatever its name.
struct FileIdentity: Hashable, Sendable {
    private let device: UInt64
    private let node: UInt64

    init(_ path: String) throws(LogError) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { throw systemError("stat", path) }
        device = UInt64(status.st_dev)
        node = UInt64(status.st_ino)
    }
}

/// A lock on a file that ends with the process that holds it, whatever ends that.
///
/// Two of them conflict inside one process, too.
struct FileLock: ~Copyable {
    private let descriptor: Int32

    private init(descriptor: Int32) { self.descriptor = descriptor }

    // Unlocked first: a child between fork and exec still has the descriptor, and closing ours would leave it the lock.
    deinit {
        _ = flock(descriptor, LOCK_UN)
        close(descriptor)
    }

    /// Does nothing: called last where the lock must be held so long.
    borrowing func keep() {}

    /// Takes the lock, waiting for it as long as `limit` milliseconds; throws `inUse` with its holder then.
    ///
    /// After `patience` milliseconds a log line says who has it.
    static func waiting(
        _ path: String, limit: Int64, patience: Int64 = 3000, logs: LogSink
    ) throws(LogError) -> FileLock {
        let start = MonotonicClock.milliseconds
        var isSaid = false
        var pause: UInt32 = 500
        while true {
            if let lock = try ifFree(path) { return lock }
            let waited = MonotonicClock.milliseconds.subtractingSaturated(start)
            let holder = LockHolder(noteIn: path).map { "\($0)" } ?? "another process"
            guard waited < limit else {
                throw LogError(.inUse, "waited \(waited) ms for \(path), which is held by \(holder)")
            }
            if !isSaid && waited >= patience {
                isSaid = true
                logs(
                    .warning, "waiting for a lock that another holds",
                    [("lock", path), ("holder", holder), ("waited", "\(waited / 1000) s")], source: "TributaryLMDB")
            }
            usleep(pause)
            pause = min(pause * 2, 20_000)
        }
    }

    /// Takes the lock and writes into it whose it is; nil if another has it.
    static func ifFree(_ path: String) throws(LogError) -> FileLock? {
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw systemError("open", path) }
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            if errno == EINTR { continue }
            let refused = errno == EWOULDBLOCK
            let error = systemError("flock", path)
            close(descriptor)
            if refused { return nil }
            throw error
        }
        LockHolder.note(in: descriptor)
        return FileLock(descriptor: descriptor)
    }
}

/// Gives LMDB's lock file its size on disk before LMDB maps it, since a hole in it would be a SIGBUS on a full disk.
///
/// Only while no process can have it open: when it isn't there.
func prepareLockFile(_ path: String, readers: Int) throws(LogError) {
    let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw systemError("open", path) }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw systemError("fstat", path) }
    guard status.st_size == 0 else { return }
    try allocate(descriptor, (readers + 64) * 64, path)
}

/// Gives an empty or short file blocks for so many bytes; on a full disk it stays empty.
func allocate(_ descriptor: Int32, _ count: Int, _ path: String) throws(LogError) {
    let status = posix_fallocate(descriptor, 0, count)
    guard status != 0 else { return }
    _ = ftruncate(descriptor, 0)
    errno = status
    throw systemError("posix_fallocate", path)
}
