internal import TributaryCore
public import TributaryLineage

/// Keeps the newest spans in memory: for tests, and for asking a running application.
///
/// Batches are kept as they come and resolved when they are asked for, so that `export` costs a lock a batch.
public final class InMemorySpanExporter: SpanExporter {
    private struct State {
        var batches: [SpanBatch] = []
        /// Batches before this one are dropped; the array is cut when half of it is.
        var first = 0
        var count = 0
        var dropped = 0
    }

    /// How many spans are kept at least, if there were as many.
    public let capacity: Int
    private let state = Guarded(State())

    /// Makes an exporter that keeps the newest `capacity` spans, and up to a batch more.
    public init(capacity: Int = 100_000) { self.capacity = max(capacity, 0) }

    /// Keeps a batch and drops the oldest ones that are no longer needed.
    public func export(_ batch: SpanBatch) {
        guard !batch.spans.isEmpty else { return }
        state.withLock { state in
            state.batches.append(batch)
            state.count += batch.spans.count
            while state.first < state.batches.count - 1 {
                let oldest = state.batches[state.first].spans.count
                guard state.count - oldest >= capacity else { break }
                state.batches[state.first] = SpanBatch()
                state.first += 1
                state.count -= oldest
                state.dropped += oldest
            }
            if state.first > state.batches.count / 2 {
                state.batches.removeFirst(state.first)
                state.first = 0
            }
        }
    }

    /// Does nothing: spans are there as soon as they are exported.
    public func flush(timeout: Duration) {}

    /// All spans that are kept, in the order of their export.
    public func spans() -> [FinishedSpan] {
        batches().flatMap { batch in batch.spans.map { FinishedSpan($0, of: batch) } }
    }

    /// All batches that are kept, in order.
    public func batches() -> [SpanBatch] { state.withLock { Array($0.batches[$0.first...]) } }

    /// How many spans are kept.
    public var count: Int { state.withLock { $0.count } }

    /// How many spans were dropped because there were newer ones.
    public var dropped: Int { state.withLock { $0.dropped } }

    /// Spans that are lost: those that were dropped.
    public var lostSpans: Int? { dropped }

    /// Forgets all spans.
    public func removeAll() { state.withLock { $0 = State() } }
}
