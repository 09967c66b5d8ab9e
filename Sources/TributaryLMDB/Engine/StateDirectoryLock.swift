public import TributaryState

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Keeps other processes off a state directory, as long as this value lives.
///
/// An `flock` on the file `.lock` in the directory: gone with the process however it ends, and refused to a second taker in
/// the same process, too. The file says who holds it.
public struct StateDirectoryLock: ~Copyable, Sendable {
    private let file: Int32

    /// Takes the lock, making the directory if it isn't there; throws `StoreError.Code.inUse` at once if another has it.
    public init(directory: String) throws(StoreError) {
        let path = directory + "/.lock"
        var opened: Int32
        repeat {
            try StateFiles.makeFolder(directory)
            opened = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
            // Whoever deletes the state may have been between the two.
            if opened < 0 && errno == ENOENT { continue }
            guard opened >= 0 else { throw StateFiles.failure("open", path) }
            guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
                let isHeld = errno == EWOULDBLOCK
                let failure = StateFiles.failure("flock", path)
                close(opened)
                guard isHeld else { throw failure }
                let holder = LockHolder(noteIn: path).map { "\($0)" } ?? "another process"
                throw StoreError(.inUse, "\(directory) is in use by \(holder)")
            }
        } while opened < 0 || !Self.isStill(opened, path)
        file = opened
        // Only to tell others: the lock holds whether or not this can be written.
        LockHolder.note(in: opened)
    }

    // A file that was deleted with the state keeps nobody off: closes it then.
    private static func isStill(_ file: Int32, _ path: String) -> Bool {
        var own = stat()
        var there = stat()
        let isSame =
            unsafe fstat(file, &own) == 0 && stat(path, &there) == 0 && own.st_ino == there.st_ino
            && own.st_dev == there.st_dev
        if !isSame { close(file) }
        return isSame
    }

    deinit {
        _ = ftruncate(file, 0)
        // Unlocked first: a child between fork and exec still has the descriptor, and closing ours would leave it the lock.
        _ = flock(file, LOCK_UN)
        close(file)
    }
}
