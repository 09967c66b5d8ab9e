internal import TributaryCore
internal import TributaryDSL

/// What comes of an error that ends a stream thread's work.
public enum ThreadFailureResponse: Sendable, Hashable {
    /// The thread begins again: its tasks are closed, what they did since the last commit never happened, and they are made anew from
    /// their last commit.
    ///
    /// What fails each time is met again each time, after pauses that grow up to 10 s.
    case replace
    /// The application commits what the other threads have done, and stops with the error.
    case stop
}

/// Decides whether a thread begins again after an error, and when.
struct ThreadRevival {
    /// For how long errors that go by may come without a commit in between, ms.
    let patience: Int64
    private var failures = 0
    private var since: Int64?

    init(patience: Int64) { self.patience = patience }

    /// Something was committed.
    mutating func noteProgress() {
        failures = 0
        since = nil
    }

    /// The thread's work ended with an error at `now`, ms of the monotonic clock.
    ///
    /// - Parameters:
    ///   - decide: the user's decision about errors that don't go by themselves.
    /// - Returns: the pause before it begins again, ms; nil if it ends.
    mutating func pause(
        after error: any Error, at now: Int64, deciding decide: (any Error) -> ThreadFailureResponse
    ) -> Int64? {
        failures += 1
        let first = since ?? now
        since = first
        let goesBy = ThreadRevival.goesBy(error) && now - first < patience
        guard goesBy || decide(error) == .replace else { return nil }
        return min(100 << min(failures - 1, 10), 10_000)
    }

    /// Whether an error may be gone the next time, with nothing that anybody had to do: what the log didn't answer, a commit of which nobody
    /// knows what became, and tasks that are another member's now.
    static func goesBy(_ error: any Error) -> Bool {
        let cause = (error as? TaskFailure)?.cause ?? error
        guard let code = (cause as? LogError)?.code else { return cause is TasksLost }
        return code == .unavailable || code == .outcomeUnknown
    }
}
