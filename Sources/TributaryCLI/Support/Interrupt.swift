internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Notes SIGINT and SIGTERM, so that a command can clean up before it ends; a second one ends it at once.
enum Interrupt {
    private static let count = Atomic<Int>(0)

    /// Notes signals from now on, until ``release()``.
    static func watch() {
        signal(SIGINT, noted)
        signal(SIGTERM, noted)
    }

    /// Gives signals back their default.
    static func release() {
        signal(SIGINT, SIG_DFL)
        signal(SIGTERM, SIG_DFL)
    }

    /// Throws if a signal came.
    static func check() throws(CommandError) {
        guard count.load(ordering: .relaxed) == 0 else { throw CommandError("interrupted") }
    }

    fileprivate static func received() {
        if count.add(1, ordering: .relaxed).newValue > 1 { _exit(130) }
    }
}

private func noted(_ number: Int32) { Interrupt.received() }
