#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// One value behind a lock, with a condition to wait on: `Mutex` has none.
///
/// Unchecked: `state` is touched only while the pthread mutex is held.
@safe package final class Monitor<State>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var state: State

    package init(_ state: State) {
        self.state = state
        unsafe mutex = .allocate(capacity: 1)
        unsafe condition = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe condition.initialize(to: pthread_cond_t())
        unsafe pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        #if canImport(Glibc)
            unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        #endif
        unsafe pthread_cond_init(condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    /// Looks at or changes the value without waking anybody.
    package func withLock<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try body(&state)
    }

    /// Changes the value and wakes all that wait.
    package func change<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer {
            unsafe pthread_cond_broadcast(condition)
            unsafe pthread_mutex_unlock(mutex)
        }
        return try body(&state)
    }

    /// Has all that wait look again; not to be called by who holds the lock.
    ///
    /// It takes the lock, since what they wait for may not be the value: who has just looked and isn't waiting yet would sleep on.
    package func wake() {
        unsafe pthread_mutex_lock(mutex)
        unsafe pthread_cond_broadcast(condition)
        unsafe pthread_mutex_unlock(mutex)
    }

    /// Calls `body` now and after each change until it has an answer.
    ///
    /// - Returns: nil after `milliseconds` without an answer, at once for 0; never if that is nil.
    package func wait<Result, Failure: Error>(
        milliseconds: Int64?, _ body: (inout State) throws(Failure) -> Result?
    ) throws(Failure) -> Result? {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        if let result = try body(&state) { return result }
        if let milliseconds, milliseconds <= 0 { return nil }
        var deadline = Self.deadline(after: milliseconds ?? 0)
        while true {
            var ended = false
            if milliseconds == nil {
                unsafe pthread_cond_wait(condition, mutex)
            } else {
                ended = unsafe pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT
            }
            if let result = try body(&state) { return result }
            if ended { return nil }
        }
    }

    private static func deadline(after milliseconds: Int64) -> timespec {
        var time = timespec()
        #if canImport(Glibc)
            unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        #else
            unsafe clock_gettime(CLOCK_REALTIME, &time)
        #endif
        // 70 years at most, so that no sum overflows.
        let nanoseconds = Int64(time.tv_nsec) + min(milliseconds, 1 << 41) * 1_000_000
        time.tv_sec += Int(nanoseconds / 1_000_000_000)
        time.tv_nsec = Int(nanoseconds % 1_000_000_000)
        return time
    }
}
