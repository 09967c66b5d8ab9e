internal import CMicroHTTPD
internal import TributaryCore

/// A request whose connection is suspended until its answer is there.
///
/// Unchecked: the connection is used under the lock, and not after it was resumed.
@safe final class LateAnswer: @unchecked Sendable {
    static let stopping = WebResponse.text("the server stops\n", status: 503)

    @safe private struct State: @unchecked Sendable {
        /// Nil once it was resumed.
        var connection: OpaquePointer?
        var response = LateAnswer.stopping
        var task: Task<Void, Never>?
    }

    private let state: Guarded<State>
    private let make: @Sendable () async -> WebResponse

    @unsafe init(_ connection: OpaquePointer, _ make: @escaping @Sendable () async -> WebResponse) {
        unsafe MHD_suspend_connection(connection)
        state = unsafe Guarded(State(connection: connection))
        self.make = make
    }

    /// The answer, once the connection was resumed.
    var response: WebResponse { state.withLock { $0.response } }

    func begin() {
        let task = Task { finish(await make()) }
        state.withLock { $0.task = task }
    }

    /// The first answer counts.
    func finish(_ response: WebResponse) {
        state.withLock { state in
            guard let connection = unsafe state.connection.take() else { return }
            state.response = response
            // The library lets any thread do this.
            unsafe MHD_resume_connection(connection)
        }
    }

    func stop() {
        let task = state.withLock { $0.task }
        task?.cancel()
        finish(Self.stopping)
    }
}

/// The requests of a server whose answers take time.
final class LateAnswers: Sendable {
    private struct State: Sendable {
        var open: [ObjectIdentifier: LateAnswer] = [:]
        var isStopping = false
    }

    private let state = Guarded(State())

    /// Suspends a connection, from the library's thread; nil once the server stops.
    @unsafe func suspend(
        _ connection: OpaquePointer, _ make: @escaping @Sendable () async -> WebResponse
    ) -> LateAnswer? {
        let isStopping = state.withLock { $0.isStopping }
        if isStopping { return nil }
        let late = unsafe LateAnswer(connection, make)
        let stops = state.withLock { state in
            state.open[ObjectIdentifier(late)] = late
            return state.isStopping
        }
        // It was too late to be seen by `stop`.
        if stops { late.stop() }
        return late
    }

    func forget(_ late: LateAnswer) { state.withLock { $0.open[ObjectIdentifier(late)] = nil } }

    /// Has all that wait answered that the server stops.
    func stop() {
        let open = state.withLock { state in
            state.isStopping = true
            return Array(state.open.values)
        }
        for late in open { late.stop() }
    }

    /// Whether answers are not yet sent.
    var isWaiting: Bool { state.withLock { !$0.open.isEmpty } }
}
