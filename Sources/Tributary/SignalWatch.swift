internal import Synchronization
internal import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Calls back at each SIGTERM or SIGINT until ``end()``; a second SIGINT ends the process.
///
/// All watches of a process share one handler, which is there from the first to the end of the last. A handler that was there
/// before is called too, and is put back at the end unless somebody has put another in its place meanwhile. SIGPIPE is ignored
/// from the first watch on, unless it has a handler.
package final class SignalWatch: Sendable {
    private let number: Int

    /// Begins to watch; nil if the system has no pipe or thread left.
    ///
    /// - Parameter callback: called on a thread of its own, for all watches the same.
    package init?(_ callback: @escaping @Sendable () -> Void) {
        guard let number = WatchedSignals.shared.add(callback) else { return nil }
        self.number = number
    }

    /// Ends the watch; calling it again does nothing.
    package func end() { WatchedSignals.shared.remove(number) }
}

/// What all watches of the process share.
///
/// The handler only writes a byte to a pipe; a thread, which stays, reads it and calls back.
private final class WatchedSignals: Sendable {
    static let shared = WatchedSignals()
    static let numbers = [SIGTERM, SIGINT]

    /// A handler that was there before: its address (0: default, 1: ignored), and whether it takes the signal's details.
    struct Earlier: ~Copyable, Sendable {
        let address = Atomic<UInt>(0)
        let takesDetails = Atomic<Bool>(false)
    }

    private struct State: Sendable {
        var callbacks: [Int: @Sendable () -> Void] = [:]
        var next = 0
        var hasThread = false
    }

    private let state = Guarded(State())
    private let pipeEnd = Atomic<Int32>(-1)
    private let interrupts = Atomic<Int>(0)
    private let earlierTerminate = Earlier()
    private let earlierInterrupt = Earlier()
    // Whole actions, to be put back: flags and masks too.
    private let actions = Guarded<[Int32: sigaction]>([:])

    func add(_ callback: @escaping @Sendable () -> Void) -> Int? {
        state.withLock { state in
            if !state.hasThread { state.hasThread = startThread() }
            guard state.hasThread else { return nil }
            if state.callbacks.isEmpty {
                interrupts.store(0, ordering: .relaxed)
                install()
            }
            state.next += 1
            state.callbacks[state.next] = callback
            return state.next
        }
    }

    func remove(_ number: Int) {
        state.withLock { state in
            guard state.callbacks.removeValue(forKey: number) != nil, state.callbacks.isEmpty else { return }
            putBack()
        }
    }

    private func startThread() -> Bool {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return false }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let source = ends[0]
        pipeEnd.store(ends[1], ordering: .releasing)
        return OSThread.start("tributary-signals") { [self] in
            var byte: UInt8 = 0
            while true {
                let got = read(source, &byte, 1)
                if got < 0 && errno == EINTR { continue }
                guard got == 1 else { return }
                for callback in state.withLock({ Array($0.callbacks.values) }) { callback() }
            }
        } == 0
    }

    private func install() {
        for number in Self.numbers {
            var ours = sigaction(signalled)
            var old = sigaction()
            sigaction(number, &ours, &old)
            actions.withLock { $0[number] = old }
            if number == SIGTERM { set(earlierTerminate, old) } else { set(earlierInterrupt, old) }
        }
        var pipeAction = sigaction()
        sigaction(SIGPIPE, nil, &pipeAction)
        if pipeAction.address == 0 { signal(SIGPIPE, SIG_IGN) }
    }

    private func set(_ earlier: borrowing Earlier, _ action: sigaction) {
        earlier.address.store(action.address, ordering: .relaxed)
        earlier.takesDetails.store(action.sa_flags & SA_SIGINFO != 0, ordering: .releasing)
    }

    private func putBack() {
        for number in Self.numbers {
            var current = sigaction()
            sigaction(number, nil, &current)
            guard current.address == sigaction(signalled).address else { continue }
            if var old = actions.withLock({ $0[number] }) { sigaction(number, &old, nil) }
        }
    }

    // In the handler: no locks, no memory.
    func received(
        _ number: Int32, _ details: UnsafeMutablePointer<siginfo_t>?, _ context: UnsafeMutableRawPointer?
    ) {
        let code = errno
        if number == SIGINT, interrupts.add(1, ordering: .relaxed).newValue > 1 { _exit(130) }
        var byte: UInt8 = 1
        _ = write(pipeEnd.load(ordering: .acquiring), &byte, 1)
        if number == SIGTERM {
            call(earlierTerminate, number, details, context)
        } else {
            call(earlierInterrupt, number, details, context)
        }
        errno = code
    }

    private func call(
        _ earlier: borrowing Earlier, _ number: Int32, _ details: UnsafeMutablePointer<siginfo_t>?,
        _ context: UnsafeMutableRawPointer?
    ) {
        let takesDetails = earlier.takesDetails.load(ordering: .acquiring)
        let address = earlier.address.load(ordering: .relaxed)
        guard address > 1 else { return }
        if takesDetails {
            unsafeBitCast(address, to: DetailedHandler.self)(number, details, context)
        } else {
            unsafeBitCast(address, to: (@convention(c) (Int32) -> Void).self)(number)
        }
    }
}

private typealias DetailedHandler =
    @convention(c) (Int32, UnsafeMutablePointer<siginfo_t>?, UnsafeMutableRawPointer?) -> Void

private let signalled: DetailedHandler = { number, details, context in
    WatchedSignals.shared.received(number, details, context)
}

extension sigaction {
    fileprivate init(_ handler: DetailedHandler) {
        self.init()
        #if canImport(Glibc)
            __sigaction_handler.sa_sigaction = handler
        #else
            __sigaction_u.__sa_sigaction = handler
        #endif
        sa_flags = SA_SIGINFO | SA_RESTART
    }

    /// The handler's address; 0 for the default, 1 for none.
    fileprivate var address: UInt {
        #if canImport(Glibc)
            unsafeBitCast(__sigaction_handler.sa_sigaction, to: UInt.self)
        #else
            unsafeBitCast(__sigaction_u.__sa_sigaction, to: UInt.self)
        #endif
    }
}
