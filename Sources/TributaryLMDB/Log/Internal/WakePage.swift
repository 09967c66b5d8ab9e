internal import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The page that all processes of a log map, with the word that readers wait on.
@safe final class WakePage: Sendable {
    nonisolated(unsafe) private let memory: UnsafeMutableRawPointer?
    /// Changes with each commit of any process.
    let word: FutexWord

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
        unsafe word = FutexWord(shared: mapped)
    }

    /// A word of this process only, for those who may not write to the page: nobody tells them of a commit.
    init() {
        unsafe memory = nil
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
