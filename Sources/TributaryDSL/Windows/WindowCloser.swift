internal import TributaryCore
public import TributaryState

/// When the results of a windowed aggregation go on, as Kafka Streams' `EmitStrategy`.
public enum EmitStrategy: Sendable, Hashable {
    /// With each update.
    case onWindowUpdate
    /// Once, when the window and its grace are over in stream time.
    ///
    /// The next record of any key brings them out. A window whose row the store has given up by then is never seen: raise the
    /// retention where stream time may jump (Docs/Semantics.md, Windows).
    case onWindowClose
}

/// How far the windows of an aggregation have closed, in one task.
@usableFromInline
final class WindowCloser {
    private struct State {
        var last: Int64
        var next = Int64(0)
        var isEmitting = false
    }

    private let services: any TaskServices
    private let store: String
    private let state: Owned<State>
    private let rows = RowKeys()

    /// Goes on where the last commit left off.
    @usableFromInline
    init(_ services: any TaskServices, _ store: String) {
        self.services = services
        self.store = store
        state = Owned(State(last: services.progress(of: store) ?? -1))
    }

    /// The time up to which windows have been emitted; -1 for none.
    @usableFromInline var last: Int64 { state.value.last }

    /// Whether windows are to be looked for, with stream time less grace at `close`: not too often by the wall clock, and not where that time
    /// is no later than it was.
    @usableFromInline
    func isDue(_ close: Int64) -> Bool {
        let now = services.wallClock
        // What is emitted may come back with another record, by a store that evicts: that one's windows come later.
        guard !state.value.isEmitting, now >= state.value.next else { return false }
        state.value.next = now.addingSaturated(services.emitInterval)
        return state.value.last == -1 || state.value.last < close
    }

    /// Emits what closed before `close`.
    @usableFromInline
    func emit(_ close: Int64, _ body: (RowKeys) throws -> Void) throws {
        state.value.isEmitting = true
        defer { state.value.isEmitting = false }
        try body(rows)
        state.value.last = close
        services.setProgress(of: store, close)
    }
}
