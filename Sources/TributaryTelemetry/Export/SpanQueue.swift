package import TributaryCore
package import TributaryLineage

/// Spans on their way from stream threads to an exporter's own, bounded in bytes; whole traces are dropped when it is full.
///
/// A value without I/O or locks. When a batch doesn't fit, a threshold on the last 56 bits of the trace id rises, and the spans
/// of traces below it leave batch and queue, until it does: each time half of what waits, so that this costs O(1) a span that
/// was queued. When the queue is empty the threshold falls, by a factor of two each time. A trace that lost a span loses all
/// later ones too, as long as the table of traces remembers it.
package struct SpanQueue: Sendable {
    /// What has happened so far, in spans and traces.
    package struct Counts: Sendable, Equatable {
        /// Spans that left the queue.
        package var taken = 0
        /// Spans that were dropped.
        package var dropped = 0
        /// Traces that were dropped: an estimate, since the table forgets.
        package var droppedTraces = 0
        /// Those of them that some spans of had already left.
        package var cut = 0
        /// Records whose spans were not made, since their trace is below the threshold.
        package var skipped = 0

        /// Nothing has happened.
        package init() {}
    }

    private static let mask: UInt64 = (1 << 56) - 1
    private static let all: UInt64 = 1 << 56

    let limit: Int
    /// What has happened so far.
    package private(set) var counts = Counts()
    /// How many bytes wait.
    package private(set) var bytes = 0
    /// How many spans wait.
    package private(set) var spanCount = 0
    /// The trace ids below this are dropped.
    package private(set) var threshold: UInt64 = 0
    private var batches: [SpanBatch] = []
    private var first = 0
    private var lastFall: Int64 = 0
    private var left = TraceTable()
    private var dropped = TraceTable()

    /// A queue of at most `limit` bytes of batches.
    package init(limit: Int) { self.limit = limit }

    /// Whether nothing waits.
    package var isEmpty: Bool { first == batches.count }

    /// Takes a batch in, or what of it fits.
    package mutating func add(_ batch: SpanBatch) {
        if isEmpty { fall() }
        var kept = filtered(batch)
        while !kept.spans.isEmpty && bytes + SpanQueue.size(kept) > limit {
            raise()
            purge()
            kept = filtered(kept)
        }
        guard !kept.spans.isEmpty else { return }
        bytes += SpanQueue.size(kept)
        spanCount += kept.spans.count
        batches.append(kept)
    }

    /// The oldest batch; nil if the queue is empty.
    package mutating func take() -> SpanBatch? {
        guard !isEmpty else { return nil }
        let batch = batches[first]
        batches[first] = SpanBatch()
        first += 1
        bytes -= SpanQueue.size(batch)
        spanCount -= batch.spans.count
        if isEmpty {
            batches.removeAll(keepingCapacity: true)
            first = 0
            fall()
        } else if first > 64 && first > batches.count / 2 {
            batches.removeFirst(first)
            first = 0
        }
        for span in batch.spans { left.insert(span.context) }
        counts.taken += batch.spans.count
        return batch
    }

    /// The threshold for those who make spans; falls as long as nothing waits, at most each 10 ms.
    ///
    /// - Parameters:
    ///   - skipped: how many records' spans were not made because of it.
    ///   - now: a clock that never jumps, ms.
    package mutating func threshold(skipped: Int, now: Int64) -> UInt64 {
        counts.skipped += skipped
        if threshold > 0 && isEmpty && now - lastFall >= 10 {
            fall()
            lastFall = now
        }
        return threshold
    }

    /// Counts those of traces as cut that some spans of have left already: the others were not even made.
    package mutating func leftOut(of traces: [TraceContext]) {
        for context in traces where left.contains(context) && !dropped.contains(context) {
            dropped.insert(context)
            counts.droppedTraces += 1
            counts.cut += 1
        }
    }

    /// Counts spans that came when nothing is taken any more.
    package mutating func refuse(_ batch: SpanBatch) {
        for span in batch.spans { drop(span) }
    }

    /// Takes the spans of dropped traces out of what waits.
    private mutating func purge() {
        var kept: [SpanBatch] = []
        bytes = 0
        spanCount = 0
        for batch in batches[first...] {
            let batch = filtered(batch)
            guard !batch.spans.isEmpty else { continue }
            bytes += SpanQueue.size(batch)
            spanCount += batch.spans.count
            kept.append(batch)
        }
        batches = kept
        first = 0
    }

    /// The batch without the spans of dropped traces, nor their links and details.
    private mutating func filtered(_ batch: SpanBatch) -> SpanBatch {
        guard threshold > 0 || counts.droppedTraces > 0 else { return batch }
        var spans: [SpanRecord] = []
        for span in batch.spans {
            if span.context.traceLow & SpanQueue.mask < threshold || dropped.contains(span.context) {
                drop(span)
            } else {
                spans.append(span)
            }
        }
        guard spans.count < batch.spans.count else {
            var batch = batch
            batch.shedThreshold = max(batch.shedThreshold, threshold)
            return batch
        }
        var kept = SpanBatch(operations: batch.operations, topics: batch.topics)
        kept.tracestates = batch.tracestates
        kept.thresholdTracestate = batch.thresholdTracestate
        kept.limits = batch.limits
        kept.attempt = batch.attempt
        kept.shedThreshold = max(batch.shedThreshold, threshold)
        for var span in spans {
            let first = min(max(Int(span.firstLink), 0), batch.links.count)
            let count = min(max(Int(span.links), 0), batch.links.count - first)
            span.firstLink = Int32(truncatingIfNeeded: kept.links.count)
            kept.links += batch.links[first..<(first + count)]
            if let detail = batch.detail(of: span) {
                span.detail = Int32(truncatingIfNeeded: kept.details.count)
                kept.details.append(detail)
            }
            kept.spans.append(span)
        }
        return kept
    }

    private mutating func drop(_ span: SpanRecord) {
        counts.dropped += 1
        guard !dropped.contains(span.context) else { return }
        dropped.insert(span.context)
        counts.droppedTraces += 1
        if left.contains(span.context) { counts.cut += 1 }
    }

    /// Halves the share of the traces that are kept.
    private mutating func raise() {
        let share = SpanQueue.all - threshold
        threshold = share > 1 ? SpanQueue.all - share / 2 : SpanQueue.all
    }

    /// Doubles it.
    private mutating func fall() {
        guard threshold > 0 else { return }
        let share = max(SpanQueue.all - threshold, 1)
        threshold = share >= SpanQueue.all / 2 ? 0 : SpanQueue.all - share * 2
    }

    /// About how many bytes a batch takes; its operations are shared by all.
    package static func size(_ batch: SpanBatch) -> Int {
        64 + batch.spans.count * MemoryLayout<SpanRecord>.stride
            + (batch.spans.isEmpty
                ? 0 : batch.links.count * MemoryLayout<LinkRecord>.stride + batch.details.count * 256)
    }
}

/// Remembers traces in a table of fixed size: a newer trace takes the place of the older of two with the same slots.
private struct TraceTable: Sendable {
    private static let bits: UInt64 = 15
    private var slots = [UInt64](repeating: 0, count: 1 << Int(bits))

    mutating func insert(_ context: TraceContext) {
        let (hash, slot) = TraceTable.place(context)
        guard slots[slot] != hash else { return }
        slots[slot + 1] = slots[slot]
        slots[slot] = hash
    }

    func contains(_ context: TraceContext) -> Bool {
        let (hash, slot) = TraceTable.place(context)
        return slots[slot] == hash || slots[slot + 1] == hash
    }

    /// A trace's number, never 0, which marks an empty slot, and the first of its two slots.
    private static func place(_ context: TraceContext) -> (hash: UInt64, slot: Int) {
        var mixed = (context.traceLow ^ context.traceHigh &* 0x9e37_79b9_7f4a_7c15) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed &>> 29) &* 0x94d0_49bb_1331_11eb
        return (mixed | 1, Int(mixed &>> (64 - bits)) & ~1)
    }
}
