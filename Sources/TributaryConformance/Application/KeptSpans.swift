internal import TributaryCore
internal import TributaryLineage

/// Keeps every finished span of the applications of a run.
final class KeptSpans: SpanExporter {
    private let kept = Guarded<[SpanBatch]>([])

    var batches: [SpanBatch] { kept.withLock { $0 } }

    func export(_ batch: SpanBatch) { kept.withLock { $0.append(batch) } }

    func flush(timeout: Duration) {}
}
