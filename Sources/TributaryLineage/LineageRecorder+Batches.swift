public import TributaryCore

/// The spans of polls and commits: each in a trace of its own, beside those of its records, which it links to.
extension LineageRecorder {
    /// Whether polls and commits get spans.
    public var makesBatchSpans: Bool { isRecording && (batchSpans || level >= .full) }

    /// A link from a batch to one of its records; what all have in common is the span's.
    public static func batchLink(_ context: TraceContext, offset: Int64) -> SpanDetail.Link {
        SpanDetail.Link(context, attributes: [AttributeNames.messagingKafkaOffset: .int(offset)])
    }

    /// Makes the span of a poll or commit that is over now, if one of its records is sampled, or a trace that begins now is.
    ///
    /// - Parameters:
    ///   - operation: what ``operation(_:kind:attributes:)`` gave.
    ///   - start: when it began, ns by the wall clock.
    ///   - partition: of all its records.
    ///   - count: how many records it covers.
    ///   - links: sampled records of it, as many as are known.
    ///   - others: how many sampled records are not among them.
    ///   - error: why it failed.
    public func batchSpan(
        _ operation: Int32, start: Int64, partition: Int32, count: Int, links: [SpanDetail.Link], others: Int = 0,
        error: (any Error)? = nil
    ) {
        guard makesBatchSpans else { return }
        var context = root()
        if !context.isSampled {
            guard !links.isEmpty else { return }
            context.flags |= 1
            context.span = 0
        }
        guard makesSpan(context, .log) else { return }
        var detail = SpanDetail(attributes: [AttributeNames.messagingBatchCount: .int(Int64(count))])
        detail.links = Array(links.prefix(max(limits.links, 0)))
        detail.droppedLinks = links.count - detail.links.count + others
        var span = begin(operation, parent: context)
        span.start = min(start, span.start)
        span.partition = partition
        span.detail = add(detail)
        end(span, error: error)
        pause()
    }
}
