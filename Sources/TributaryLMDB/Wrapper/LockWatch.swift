internal import TributaryCore

/// Says in a log line who keeps others waiting, for waits that have no time limit (LMDB's writer lock).
///
/// One thread a process, made with the first wait for a lock that somebody has; it sleeps while nobody waits.
final class LockWatch: Sendable {
    static let shared = LockWatch()

    private struct Wait {
        let what: String
        let since: Int64
        let patience: Int64
        var next: Int64
        let logs: LogSink
        let holder: @Sendable () -> LockHolder?
    }
    private struct State {
        var waits: [UInt64: Wait] = [:]
        var last: UInt64 = 0
        var hasThread = false
    }
    private let state = Guarded(State())
    private let word = FutexWord()

    /// Begins to watch a wait; `patience` is how long nothing is said, and the least time between two lines, in milliseconds.
    func begin(
        _ what: String, patience: Int64, logs: LogSink, holder: @escaping @Sendable () -> LockHolder?
    ) -> UInt64 {
        let now = MonotonicClock.milliseconds
        let wait = Wait(
            what: what, since: now, patience: patience, next: now.addingSaturated(patience), logs: logs, holder: holder)
        let number = state.withLock { state -> UInt64 in
            state.last += 1
            state.waits[state.last] = wait
            if !state.hasThread { state.hasThread = OSThread.start("tributary-locks", { [self] in run() }) == 0 }
            return state.last
        }
        word.announce()
        return number
    }

    /// Ends the watch of a wait.
    func end(_ number: UInt64) { state.withLock { state in state.waits[number] = nil } }

    private func run() {
        while true {
            let seen = word.now
            let now = MonotonicClock.milliseconds
            let (due, next) = state.withLock { state -> ([Wait], Int64?) in
                var due: [Wait] = []
                for (number, wait) in state.waits where wait.next <= now {
                    due.append(wait)
                    // The longer it lasts the rarer it is said: each time that the wait has doubled.
                    state.waits[number]?.next = now.addingSaturated(max(now - wait.since, wait.patience))
                }
                return (due, state.waits.values.map(\.next).min())
            }
            for wait in due {
                let holder = wait.holder().map { "\($0)" } ?? "unknown"
                wait.logs(
                    .warning, "waiting for a lock that another holds",
                    [("lock", wait.what), ("holder", holder), ("waited", "\((now - wait.since) / 1000) s")],
                    source: "TributaryLMDB")
            }
            let left = next.map { min(max($0.subtractingSaturated(now), 1), 1 << 40) }
            word.wait(seen, nanoseconds: left.map { $0 * 1_000_000 } ?? -1)
        }
    }
}
