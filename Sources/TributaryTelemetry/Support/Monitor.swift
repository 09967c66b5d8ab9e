#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A value that threads share and wait on: a POSIX mutex and a condition.
///
/// The standard library's `Mutex` can't be waited on. Unchecked: the value is only touched under the mutex, and both handles
/// live in memory of their own that never moves, as POSIX wants it.
@safe final class Monitor<Value: Sendable>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var value: Value

    init(_ value: Value) {
        self.value = value
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(condition, nil)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    /// Calls `body` with the value, alone.
    func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return body(&value)
    }

    /// Lets all waiting threads look at the value again.
    func wake() { unsafe pthread_cond_broadcast(condition) }

    /// Calls `body` with the value, alone, now and after each ``wake()`` until it gives a result.
    ///
    /// - Returns: nil after `milliseconds` without a result; never, if that is nil.
    func wait<Result>(milliseconds: Int64?, for body: (inout Value) -> Result?) -> Result? {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        var deadline = timespec()
        if let milliseconds {
            unsafe clock_gettime(CLOCK_REALTIME, &deadline)
            // A year is as good as any longer time, and can't overflow.
            let wait = min(max(milliseconds, 0), 31_536_000_000)
            deadline.tv_sec += Int(wait / 1000)
            deadline.tv_nsec += Int(wait % 1000) * 1_000_000
            if deadline.tv_nsec >= 1_000_000_000 {
                deadline.tv_nsec -= 1_000_000_000
                deadline.tv_sec += 1
            }
        }
        while true {
            if let result = body(&value) { return result }
            if milliseconds == nil {
                unsafe pthread_cond_wait(condition, mutex)
            } else if unsafe pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT {
                return body(&value)
            }
        }
    }
}
