internal import Synchronization
internal import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The page that all processes of a log map: the word that readers wait on, and what tells them where to look.
///
/// From byte 64 on it has counters of four bytes. The first changes with each change that any reader may have to see, each other one
/// with each commit that writes to one of the partitions that share it. All change before the word does. A process that dies between its
/// commit and this leaves them as they were: readers look everywhere once a second.
@safe final class WakePage: Sendable {
    private static let counters = (4096 - 64) / 4
    nonisolated(unsafe) private let memory: UnsafeMutableRawPointer?
    nonisolated(unsafe) private let changes: UnsafeMutablePointer<Atomic<UInt32>>?
    /// Changes with each commit of any process.
    let word: FutexWord

    /// The counter of a partition.
    static func place(_ topic: UInt32, _ partition: Int32) -> Int {
        let mixed = (UInt64(topic) << 32 | UInt64(UInt32(bitPattern: partition))) &* 0x9e37_79b9_7f4a_7c15
        return 1 + Int((mixed >> 32) % UInt64(counters - 1))
    }

    /// What the counter at a place shows; nil where nobody tells this process.
    ///
    /// That at 0 is everybody's.
    func count(_ place: Int) -> UInt32? {
        guard let changes = unsafe changes, (0..<Self.counters).contains(place) else { return nil }
        return unsafe changes[place].load(ordering: .sequentiallyConsistent)
    }

    /// Notes that something was written that readers of partitions with this counter are to see.
    func note(_ place: Int) {
        guard let changes = unsafe changes, (0..<Self.counters).contains(place) else { return }
        _ = unsafe changes[place].wrappingAdd(1, ordering: .sequentiallyConsistent)
    }

    /// Notes that all readers have to look, and wakes them.
    func announceToAll() {
        note(0)
        word.announce()
    }

    /// Maps `<directory>/wake`, making the file if it isn't there.
    init(directory: String) throws(LogError) {
        let path = directory + "/wake"
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw systemError("open", path) }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw systemError("fstat", path) }
        if status.st_size < 4096 {
            // Given blocks, not only a length: a hole in a mapped file would be a SIGBUS on a full disk.
            try allocate(descriptor, 4096, path)
        }
        guard let mapped = unsafe mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0),
            unsafe mapped != MAP_FAILED
        else { throw systemError("mmap", path) }
        unsafe memory = mapped
        unsafe changes = (mapped + 64).assumingMemoryBound(to: Atomic<UInt32>.self)
        unsafe word = FutexWord(shared: mapped)
    }

    /// A word of this process only, for those who may not write to the page: nobody tells them of a commit.
    init() {
        unsafe memory = nil
        unsafe changes = nil
        word = FutexWord()
    }

    deinit { if let memory = unsafe memory { unsafe munmap(memory, 4096) } }
}

/// The error of the call that just failed.
func systemError(_ call: String, _ path: String) -> LogError {
    let code = errno
    let words = unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
    return LogError(code == ENOSPC || code == EDQUOT ? .diskFull : .io, "\(call) \(path): \(words)")
}
