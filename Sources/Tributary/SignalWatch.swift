internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Calls back at the first SIGTERM or SIGINT; a second SIGINT ends the process.
///
/// The handler only writes a byte to a pipe; a thread of its own reads it and calls back. SIGPIPE is ignored.
final class SignalWatch: Sendable {
    private static let pipeEnd = Atomic<Int32>(-1)
    private static let interrupts = Atomic<Int>(0)
    private let reader: Int32
    private let writer: Int32

    init?(_ callback: @escaping @Sendable () -> Void) {
        var ends: (Int32, Int32) = (-1, -1)
        let made = withUnsafeMutableBytes(of: &ends) { bytes in
            bytes.baseAddress.map { pipe($0.assumingMemoryBound(to: Int32.self)) } ?? -1
        }
        guard made == 0 else { return nil }
        reader = ends.0
        writer = ends.1
        SignalWatch.interrupts.store(0, ordering: .relaxed)
        SignalWatch.pipeEnd.store(writer, ordering: .releasing)
        let source = reader
        signal(SIGPIPE, SIG_IGN)
        signal(SIGTERM, signalled)
        signal(SIGINT, signalled)
        let started = Watcher.start {
            var byte: UInt8 = 0
            while true {
                let got = read(source, &byte, 1)
                if got < 0 && errno == EINTR { continue }
                guard got == 1, byte != 0 else { break }
                callback()
            }
            close(source)
        }
        if !started { end() }
    }

    fileprivate static func received(_ number: Int32) {
        if number == SIGINT, interrupts.add(1, ordering: .relaxed).newValue > 1 { _exit(130) }
        var byte: UInt8 = 1
        _ = write(pipeEnd.load(ordering: .acquiring), &byte, 1)
    }

    /// Gives signals back their default.
    func end() {
        signal(SIGTERM, SIG_DFL)
        signal(SIGINT, SIG_DFL)
        SignalWatch.pipeEnd.store(-1, ordering: .releasing)
        var byte: UInt8 = 0
        _ = write(writer, &byte, 1)
        close(writer)
    }
}

private func signalled(_ number: Int32) { SignalWatch.received(number) }

private enum Watcher {
    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    static func start(_ body: @escaping @Sendable () -> Void) -> Bool {
        var thread = pthread_t()
        let box = Unmanaged.passRetained(Body(body))
        let status = pthread_create(
            &thread, nil,
            { argument in
                if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
                return nil
            }, box.toOpaque())
        if status != 0 { box.release() } else { pthread_detach(thread) }
        return status == 0
    }
}
