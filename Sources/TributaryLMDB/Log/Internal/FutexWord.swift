internal import CLinux
internal import Synchronization

/// A number that threads wait on until it changes: the wake-up of the log's own threads and of waiting readers.
///
/// Counts its waiters, so that announcing a change to nobody is one atomic addition and one load. A process killed while it
/// waits leaves the count too high, which costs a system call per announcement and nothing else.
@safe final class FutexWord: Sendable {
    // Two atomics in memory that this object, or the mapping it was made over, keeps alive.
    nonisolated(unsafe) private let words: UnsafeMutablePointer<Atomic<UInt32>>
    private let shared: Bool
    private let owned: Bool

    /// A word of this process.
    init() {
        unsafe words = UnsafeMutablePointer<Atomic<UInt32>>.allocate(capacity: 2)
        unsafe words.initialize(to: Atomic<UInt32>(0))
        unsafe (words + 1).initialize(to: Atomic<UInt32>(0))
        shared = false
        owned = true
    }

    /// A word in memory that several processes map, 8 bytes, which outlives this object.
    @unsafe init(shared memory: UnsafeMutableRawPointer) {
        unsafe words = memory.assumingMemoryBound(to: Atomic<UInt32>.self)
        shared = true
        owned = false
    }

    deinit { if owned { unsafe words.deallocate() } }

    /// The number now: read it before looking for what one may wait for.
    var now: UInt32 { unsafe words[0].load(ordering: .sequentiallyConsistent) }

    /// Changes the number and wakes all who wait.
    func announce() {
        _ = unsafe words[0].add(1, ordering: .sequentiallyConsistent)
        if unsafe words[1].load(ordering: .sequentiallyConsistent) != 0 {
            _ = unsafe linux_futex_wake(
                UnsafeRawPointer(words).assumingMemoryBound(to: UInt32.self), Int32.max, shared ? 1 : 0)
        }
    }

    /// Waits until the number is no longer `seen`, at most that long (negative: without limit); may return early.
    func wait(_ seen: UInt32, nanoseconds: Int64) {
        _ = unsafe words[1].add(1, ordering: .sequentiallyConsistent)
        let word = unsafe UnsafeRawPointer(words).assumingMemoryBound(to: UInt32.self)
        _ = unsafe linux_futex_wait(word, seen, nanoseconds, shared ? 1 : 0)
        _ = unsafe words[1].subtract(1, ordering: .sequentiallyConsistent)
    }
}
