internal import CRdKafka
internal import TributaryCore

/// What a member of a group knows of its tasks; told by the thread that polls the group.
final class GroupMembership: Sendable {
    private struct State: Sendable {
        var owned: Set<Int> = []
        var wasAssigned = false
        /// Others may have had the tasks since the last commit.
        var isDoubted = false
        var changes: [PlacementChange] = []
        var commits = OwnCommits()
        var failure: LogError?
        var isLeaving = false
        var hasEnded = false
    }

    let tasks: Int
    let signal: KafkaSignal
    private let state = Guarded(State())

    init(tasks: Int, signal: KafkaSignal) {
        self.tasks = tasks
        self.signal = signal
    }

    // MARK: Told

    func assigned(_ numbers: [Int]) {
        state.withLock { state in
            state.wasAssigned = true
            let new = numbers.filter { $0 < tasks && !state.owned.contains($0) }.sorted()
            state.owned.formUnion(new)
            if !new.isEmpty { state.changes.append(.assigned(new)) }
        }
        signal.signal()
    }

    func revoked(_ numbers: [Int], isLost: Bool) {
        state.withLock { state in
            let gone = numbers.filter { state.owned.contains($0) }.sorted()
            state.owned.subtract(gone)
            guard !gone.isEmpty else { return }
            state.isDoubted = true
            state.changes.append(isLost ? .lost(gone) : .revoked(gone))
        }
        signal.signal()
    }

    func failed(_ error: LogError) {
        state.withLock { state in if state.failure == nil { state.failure = error } }
        signal.signal()
    }

    func ended() {
        state.withLock { $0.hasEnded = true }
        signal.signal()
    }

    func leave() { state.withLock { $0.isLeaving = true } }

    /// A broker judged a commit to come from a member that is none: the tasks may have been others' for a while.
    func doubt() { state.withLock { $0.isDoubted = true } }

    /// What the brokers have is this member's own.
    func trust(_ offsets: [TopicPartition: CommittedOffset]) {
        state.withLock { state in
            state.isDoubted = false
            state.commits.remember(offsets)
        }
    }

    /// A commit whose outcome isn't known.
    func attempted(_ offsets: [TopicPartition: CommittedOffset]) {
        state.withLock { $0.commits.attempted(offsets) }
    }

    /// What was committed, or was found to be.
    func remember(_ offsets: [TopicPartition: CommittedOffset]) { state.withLock { $0.commits.remember(offsets) } }

    /// Whether an offset that the brokers have is one that this member committed, as far as it can be.
    func isOwn(_ found: CommittedOffset?, of place: TopicPartition) -> Bool {
        state.withLock { $0.commits.isOwn(found, of: place) }
    }

    // MARK: Asked

    var isLeaving: Bool { state.withLock { $0.isLeaving } }
    var hasEnded: Bool { state.withLock { $0.hasEnded } }
    var isDoubted: Bool { state.withLock { $0.isDoubted } }
    var known: [TopicPartition: CommittedOffset] { state.withLock { $0.commits.known } }

    /// Whether all tasks are this member's.
    var ownsAll: Bool { state.withLock { $0.wasAssigned && $0.owned.count == tasks } }

    /// Throws if the member has left or can't go on.
    func check() throws(LogError) {
        let (failure, isLeaving) = state.withLock { ($0.failure, $0.isLeaving || $0.hasEnded) }
        if let failure { throw failure }
        if isLeaving { throw LogError(.fenced, "the group was left") }
    }

    func takeChange() -> PlacementChange? {
        state.withLock { $0.changes.isEmpty ? nil : $0.changes.removeFirst() }
    }
}
