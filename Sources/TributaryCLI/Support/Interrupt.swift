internal import Synchronization
internal import Tributary
internal import TributaryCore

/// Notes SIGINT and SIGTERM, so that a command can clean up before it ends; a second SIGINT ends it at once.
enum Interrupt {
    private static let hasCome = Atomic<Bool>(false)
    private static let signals = Guarded<SignalWatch?>(nil)

    /// Notes signals from now on, until ``release()``.
    static func watch() {
        signals.withLock { if $0 == nil { $0 = SignalWatch { hasCome.store(true, ordering: .relaxed) } } }
    }

    /// Gives signals back to whom they belonged.
    static func release() {
        signals.withLock {
            $0?.end()
            $0 = nil
        }
    }

    /// Throws if a signal came.
    static func check() throws(CommandError) {
        guard !hasCome.load(ordering: .relaxed) else { throw CommandError("interrupted") }
    }
}
