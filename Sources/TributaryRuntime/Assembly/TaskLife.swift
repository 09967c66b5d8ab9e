/// The life of one task as a value: what happens to it, and what its thread has to do about it.
///
/// The states are Kafka Streams'.
struct TaskLife: Sendable, Hashable {
    enum State: String, Sendable, Hashable {
        /// Nobody has begun it.
        case created
        /// Its state is opened and brought to the end of the changelogs, on another thread.
        case restoring
        /// It processes.
        case running
        /// It processes no more, and what it has done is being committed.
        case suspended
        /// There is nothing of it; it may be begun again.
        case closed
    }

    enum Event: Sendable, Hashable {
        /// It is this thread's.
        case assigned
        /// Its state is where the changelogs end.
        case restored
        /// It goes to another after a commit, or the application stops.
        case revoked
        /// What it had done is committed.
        case committed
        /// It is another's already.
        case lost
        /// What it did since the last commit never happened.
        case aborted
    }

    enum Action: Sendable, Hashable {
        /// Open and restore its state.
        case restore
        /// Give up restoring.
        case cancelRestore
        /// Make and start it.
        case run
        /// Commit what it has done.
        case commit
        /// Close it; what isn't committed is given up.
        case close
    }

    private(set) var state = State.created

    /// Takes an event; one that says nothing new in this state does nothing.
    mutating func handle(_ event: Event) -> [Action] {
        switch (state, event) {
        case (.created, .assigned), (.closed, .assigned):
            return change(to: .restoring, .restore)
        case (.suspended, .assigned):
            return change(to: .running)
        case (.restoring, .restored):
            return change(to: .running, .run)
        case (.restoring, .revoked), (.restoring, .lost):
            return change(to: .closed, .cancelRestore)
        case (.running, .revoked):
            return change(to: .suspended, .commit)
        case (.suspended, .committed), (.running, .lost), (.suspended, .lost), (.suspended, .aborted):
            return change(to: .closed, .close)
        case (.running, .aborted):
            return change(to: .restoring, .close, .restore)
        default:
            return []
        }
    }

    private mutating func change(to new: State, _ actions: Action...) -> [Action] {
        state = new
        return actions
    }
}
