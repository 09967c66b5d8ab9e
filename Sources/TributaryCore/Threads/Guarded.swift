internal import CLinux
internal import Synchronization

/// A value that one thread at a time may touch.
///
/// The standard library's `Mutex`, and what the thread sanitizer needs to see its order: that lock's slow path lies in a library
/// which the sanitizer doesn't instrument, so that every contended use would be reported as a race. May be used from any thread;
/// not reentrant.
public final class Guarded<Value: ~Copyable>: Sendable {
    private let mutex: Mutex<Value>

    /// Makes a guarded value.
    public init(_ value: consuming sending Value) { mutex = Mutex(value) }

    /// Calls `body` with the value, alone; throws what it throws.
    public func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        try mutex.withLock { value throws(Failure) -> sending Result in
            let lock = unsafe UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque())
            unsafe linux_sanitizer_acquire(lock)
            defer { unsafe linux_sanitizer_release(lock) }
            return try body(&value)
        }
    }
}
