internal import TributaryCore
internal import TributaryState

/// The environment that an engine writes and readers on other threads read.
///
/// LMDB lets only one thread open databases, so readers beside an engine use the handles of its committed transactions. Readers
/// hold the lock while they read, a few microseconds, so that the file can be closed or swapped once none is inside.
final class LMDBSharedEnvironment: Sendable {
    struct State: Sendable {
        var environment: LMDBEnvironment?
        /// The databases that a committed transaction of the engine opened, by name; nil if there is no engine and each read
        /// opens its own.
        var handles: [String: LMDBDatabase]?
    }

    let state: Guarded<State>

    init(_ environment: LMDBEnvironment?, hasEngine: Bool) {
        state = Guarded(State(environment: environment, handles: hasEngine ? [:] : nil))
    }

    /// Puts another environment in place, once no reader is inside the one before.
    func replace(_ environment: LMDBEnvironment?) {
        state.withLock {
            $0.environment = environment
            $0.handles = [:]
        }
    }

    /// Adds databases, and takes away those with nil.
    func publish(_ changes: [String: LMDBDatabase?]) {
        state.withLock {
            for (name, database) in changes { $0.handles?[name] = database }
        }
    }
}

extension LMDBSharedEnvironment {
    /// Runs a read, with the databases that may be used; throws if the file is closed.
    func withEnvironment<Result: Sendable>(
        _ body: (LMDBEnvironment, [String: LMDBDatabase]?) throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        try state.withLock { (state: inout State) throws(StoreError) -> Result in
            guard let environment = state.environment else { throw StoreError(.closed, "the state is closed") }
            return try body(environment, state.handles)
        }
    }
}
