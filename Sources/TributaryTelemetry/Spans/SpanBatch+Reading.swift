internal import TributaryCore
internal import TributaryLineage

/// What the spans of a batch mean, with every index checked: batches come from other modules.
extension SpanBatch {
    /// The operation of a span; a nameless one if its number is wrong.
    func operation(of span: SpanRecord) -> SpanOperation {
        operations.indices.contains(Int(span.operation))
            ? operations[Int(span.operation)] : SpanOperation(name: "unknown", kind: .internal)
    }

    /// What a span has beyond its fixed part.
    func detail(of span: SpanRecord) -> SpanDetail? {
        details.indices.contains(Int(span.detail)) ? details[Int(span.detail)] : nil
    }

    /// The links of a span that are exported.
    func links(of span: SpanRecord) -> ArraySlice<LinkRecord> {
        let first = min(max(Int(span.firstLink), 0), links.count)
        let count = min(max(Int(span.links), 0), max(limits.links, 0), links.count - first)
        return links[first..<(first + count)]
    }

    /// The source record that a link leads to, where it is known.
    func coordinate(of link: LinkRecord) -> RecordCoordinate? {
        guard topics.indices.contains(Int(link.topic)) else { return nil }
        return RecordCoordinate(topic: topics[Int(link.topic)], partition: link.partition, offset: link.offset)
    }

    /// Calls `body` with each attribute that comes from a span's fixed part.
    func forEachOwnAttribute(of span: SpanRecord, _ body: (String, AttributeValue) -> Void) {
        if span.partition >= 0 {
            body(AttributeNames.messagingDestinationPartition, .string(String(span.partition)))
        }
        if span.offset >= 0 { body(AttributeNames.messagingKafkaOffset, .int(span.offset)) }
        if span.flags & SpanRecord.tombstone != 0 { body(AttributeNames.messagingKafkaTombstone, .bool(true)) }
        if span.flags & SpanRecord.parentIsTrigger != 0 {
            body(AttributeNames.parent, .string(LinkType.trigger.name))
        }
        if attempt != .committed { body(AttributeNames.attempt, .string("\(attempt)")) }
        if span.contributors > 0 { body(AttributeNames.contributors, .int(span.contributors)) }
        if span.flags & SpanRecord.parentIsUnsampled != 0 { body(AttributeNames.parentSampled, .bool(false)) }
        // One contribution may be the parent; the others are links.
        if Int64(span.links) + 1 < span.contributors || Int(span.links) > max(limits.links, 0)
            || span.flags & SpanRecord.lacksLinks != 0
        {
            body(AttributeNames.truncated, .bool(true))
        }
        if span.flags & SpanRecord.windowed != 0 {
            body(AttributeNames.windowStart, .int(span.windowStart))
            body(AttributeNames.windowEnd, .int(span.windowEnd))
        }
        if span.flags & SpanRecord.queued != 0 { body(AttributeNames.queueTime, .int(span.windowStart)) }
        if span.flags & SpanRecord.failed != 0 {
            body(AttributeNames.errorType, .string(detail(of: span)?.errorType ?? "_OTHER"))
        }
    }

    /// The tracestate of a span: that of its trace, with the threshold that its spans really had to reach.
    ///
    /// Others multiply by what `th` says. What travels with records says less: it isn't shed elsewhere.
    func spanTracestate(of context: TraceContext) -> String? {
        let text = tracestate(of: context)
        guard shedThreshold > 0, let shed = Sampler.text(shedThreshold) else { return text }
        guard let text else { return "ot=th:\(shed)" }
        let bytes = Array(text.utf8)
        if let own = unsafe Tracestate.threshold(of: bytes.span.bytes), own >= shedThreshold { return text }
        return unsafe String(
            decoding: Tracestate.setting(threshold: shed, in: bytes.span.bytes), as: UTF8.self)
    }

    /// The tracestate of a span's or link's trace; nil if it has none.
    func tracestate(of context: TraceContext) -> String? {
        let flags = context.flags & ~TraceContext.standardFlags
        guard flags != 0 else { return nil }
        return flags & TraceContext.hasTracestate != 0 ? tracestates[TracestateID(context)] : thresholdTracestate
    }

    /// The links of the user's own that are exported.
    func ownLinks(of span: SpanRecord) -> ArraySlice<SpanDetail.Link> {
        guard let detail = detail(of: span), !detail.links.isEmpty else { return [] }
        return detail.links.prefix(max(limits.links - links(of: span).count, 0))
    }

    /// How many links are left out.
    func droppedLinks(of span: SpanRecord) -> Int {
        let detail = detail(of: span)
        return max(Int(span.links) - links(of: span).count, 0)
            + (detail?.links.count ?? 0) - ownLinks(of: span).count + (detail?.droppedLinks ?? 0)
    }
}
