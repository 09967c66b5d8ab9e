internal import CLinux

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A thread of the log's own that can be waited for.
@safe final class LogThread: Sendable {
    private final class Body: Sendable {
        let name: String
        let run: @Sendable () -> Void
        init(name: String, run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }

    private let id: pthread_t

    /// Starts a thread; nil if the system refuses one.
    init?(name: String, _ run: @escaping @Sendable () -> Void) {
        let body = unsafe Unmanaged.passRetained(Body(name: name, run: run))
        var id = pthread_t()
        let status = unsafe pthread_create(
            &id, nil,
            { context in
                guard let context = unsafe context else { return nil }
                let body = unsafe Unmanaged<Body>.fromOpaque(context).takeRetainedValue()
                unsafe linux_thread_set_name(body.name)
                body.run()
                return nil
            }, unsafe body.toOpaque())
        guard status == 0 else {
            unsafe body.release()
            return nil
        }
        self.id = id
    }

    /// Waits until it has ended.
    ///
    /// Once only, and not from the thread itself.
    func join() { _ = pthread_join(id, nil) }
}

/// Nanoseconds of a clock that never jumps.
func monotonicNanoseconds() -> Int64 {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
}
