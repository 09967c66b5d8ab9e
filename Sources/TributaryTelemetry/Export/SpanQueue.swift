internal import TributaryCore
internal import TributaryLineage

/// Spans on their way from stream threads to an exporter's own, bounded in bytes; whole traces are dropped when it is full.
///
/// A value without I/O or locks. When a batch doesn't fit, a threshold on the last 56 bits of the trace id rises until what is
/// left of the batch does; batches that wait are filtered when they are taken. Each time the queue runs empty the threshold
/// falls by half. A trace that lost a span loses all later ones too, as long as the table of traces remembers it.
struct SpanQueue: Sendable {
    /// What has happened so far, in spans and traces.
    struct Counts: Sendable, Equatable {
        /// Spans that left the queue.
        var taken = 0
        /// Spans that were dropped.
        var dropped = 0
        /// Traces that were dropped: an estimate, since the table forgets.
        var droppedTraces = 0
        /// Those of them that some spans of had already left.
        var cut = 0
    }

    private static let mask: UInt64 = (1 << 56) - 1
    private static let all: UInt64 = 1 << 56

    let limit: Int
    private(set) var counts = Counts()
    private(set) var bytes = 0
    private(set) var threshold: UInt64 = 0
    private var batches: [SpanBatch] = []
    private var first = 0
    private var left = TraceTable()
    private var dropped = TraceTable()

    /// A queue of at most `limit` bytes of batches.
    init(limit: Int) { self.limit = limit }

    var isEmpty: Bool { first == batches.count }

    /// Takes a batch in, or what of it fits.
    mutating func add(_ batch: SpanBatch) {
        var kept = filtered(batch)
        while !kept.spans.isEmpty && bytes + SpanQueue.size(kept) > limit {
            raise()
            kept = filtered(kept)
        }
        guard !kept.spans.isEmpty else { return }
        bytes += SpanQueue.size(kept)
        batches.append(kept)
    }

    /// The oldest batch, without the spans of traces that have been dropped since; nil if the queue is empty.
    mutating func take() -> SpanBatch? {
        while !isEmpty {
            let batch = batches[first]
            batches[first] = SpanBatch()
            first += 1
            bytes -= SpanQueue.size(batch)
            let kept = filtered(batch)
            if isEmpty {
                batches.removeAll(keepingCapacity: true)
                first = 0
                fall()
            } else if first > 64 && first > batches.count / 2 {
                batches.removeFirst(first)
                first = 0
            }
            guard !kept.spans.isEmpty else { continue }
            for span in kept.spans { left.insert(span.context) }
            counts.taken += kept.spans.count
            return kept
        }
        return nil
    }

    /// Counts spans that came when nothing is taken any more.
    mutating func refuse(_ batch: SpanBatch) {
        for span in batch.spans { drop(span) }
    }

    private mutating func filtered(_ batch: SpanBatch) -> SpanBatch {
        guard threshold > 0 || counts.dropped > 0 else { return batch }
        var kept = batch
        kept.spans.removeAll { span in
            let goes = span.context.traceLow & SpanQueue.mask < threshold || dropped.contains(span.context)
            if goes { drop(span) }
            return goes
        }
        return kept.spans.count == batch.spans.count ? batch : kept
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
    static func size(_ batch: SpanBatch) -> Int {
        64 + batch.spans.count * MemoryLayout<SpanRecord>.stride
            + (batch.spans.isEmpty
                ? 0 : batch.links.count * MemoryLayout<LinkRecord>.stride + batch.details.count * 256)
    }
}

/// Remembers traces in a table of fixed size: a newer trace takes the place of an older one with the same slot.
private struct TraceTable: Sendable {
    private var slots = [UInt64](repeating: 0, count: 1 << 14)

    mutating func insert(_ context: TraceContext) {
        let hash = TraceTable.hash(context)
        slots[Int(hash & 0x3fff)] = hash
    }

    func contains(_ context: TraceContext) -> Bool {
        let hash = TraceTable.hash(context)
        return slots[Int(hash & 0x3fff)] == hash
    }

    /// A trace's number in the table, never 0, which marks an empty slot.
    ///
    /// Trace ids are random, or nearly: one multiplication mixes their two halves.
    private static func hash(_ context: TraceContext) -> UInt64 {
        let mixed = (context.traceLow ^ context.traceHigh &* 0x9e37_79b9_7f4a_7c15) &* 0xd6e8_feb8_6659_fd93
        return (mixed ^ mixed >> 32) | 1 << 63
    }
}
