internal import TributaryCore
internal import TributaryLineage

/// OTLP in Protocol Buffers (opentelemetry-proto 1.11); the numbers are those of the fields there.
enum OTLPProtobuf {
    /// Writes the fields of a span.
    ///
    /// - Parameter shared: the attributes of the span's operation, as fields 9.
    static func append(_ span: SpanRecord, of batch: SpanBatch, shared: RawSpan, to writer: inout ByteWriter) {
        let operation = batch.operation(of: span)
        let detail = batch.detail(of: span)
        writer.append(field: 1, traceOf: span.context)
        writer.append(field: 2, span: span.context.span)
        if let state = batch.spanTracestate(of: span.context) { writer.append(field: 3, string: state) }
        if span.parent != 0 { writer.append(field: 4, span: span.parent) }
        writer.append(field: 5, string: detail?.name ?? operation.name)
        writer.append(field: 6, varint: UInt64(operation.kind.rawValue))
        writer.append(field: 7, fixed64: UInt64(clamping: span.start))
        writer.append(field: 8, fixed64: UInt64(clamping: max(span.end, span.start)))
        if let detail, !detail.attributes.isEmpty {
            // A span's own attributes win; a key must not come twice.
            var all = operation.attributes.merging(detail.attributes) { $1 }
            batch.forEachOwnAttribute(of: span) { name, _ in all[name] = nil }
            writer.append(field: 9, sorted: all)
        } else {
            writer.append(shared)
        }
        batch.forEachOwnAttribute(of: span) { name, value in writer.append(field: 9, name, value) }
        writer.append(field: 10, varint: UInt64(detail?.droppedAttributes ?? 0))
        if let detail { append(detail.events, dropped: detail.droppedEvents, to: &writer) }
        for link in batch.links(of: span) {
            let start = writer.beginMessage(13)
            append(link, of: batch, to: &writer)
            writer.endMessage(start)
        }
        for link in batch.ownLinks(of: span) {
            let start = writer.beginMessage(13)
            writer.append(field: 1, traceOf: link.context)
            writer.append(field: 2, span: link.context.span)
            writer.append(field: 4, sorted: link.attributes)
            if link.droppedAttributes > 0 { writer.append(field: 5, varint: UInt64(link.droppedAttributes)) }
            writer.append(field: 6, fixed32: UInt32(link.context.flags & TraceContext.standardFlags) | 0x300)
            writer.endMessage(start)
        }
        writer.append(field: 14, varint: UInt64(batch.droppedLinks(of: span)))
        if span.flags & SpanRecord.failed != 0 {
            let start = writer.beginMessage(15)
            if let message = detail?.errorMessage { writer.append(field: 2, string: message) }
            writer.append(field: 3, varint: 2)
            writer.endMessage(start)
        }
        let remote: UInt32 = span.flags & SpanRecord.parentIsRemote != 0 ? 0x200 : 0
        writer.append(field: 16, fixed32: UInt32(span.context.flags & TraceContext.standardFlags) | 0x100 | remote)
    }

    private static func append(_ events: [SpanEvent], dropped: Int, to writer: inout ByteWriter) {
        for event in events {
            let start = writer.beginMessage(11)
            writer.append(field: 1, fixed64: UInt64(clamping: event.time))
            writer.append(field: 2, string: event.name)
            writer.append(field: 3, sorted: event.attributes)
            if event.droppedAttributes > 0 { writer.append(field: 4, varint: UInt64(event.droppedAttributes)) }
            writer.endMessage(start)
        }
        writer.append(field: 12, varint: UInt64(dropped))
    }

    private static func append(_ link: LinkRecord, of batch: SpanBatch, to writer: inout ByteWriter) {
        writer.append(field: 1, traceOf: link.context)
        writer.append(field: 2, span: link.context.span)
        if let state = batch.tracestate(of: link.context) { writer.append(field: 3, string: state) }
        writer.append(field: 4, AttributeNames.link, .string(link.type.name))
        if !link.context.isSampled && link.context.isValid {
            writer.append(field: 4, AttributeNames.linkSampled, .bool(false))
        }
        let coordinate = batch.coordinate(of: link)
        if let coordinate {
            writer.append(field: 4, AttributeNames.messagingDestinationName, .string(coordinate.topic))
            writer.append(
                field: 4, AttributeNames.messagingDestinationPartition, .string(String(coordinate.partition)))
            writer.append(field: 4, AttributeNames.messagingKafkaOffset, .int(coordinate.offset))
        }
        // A row with a coordinate came through a log: its context is another process's, or may be.
        writer.append(
            field: 6,
            fixed32: UInt32(link.context.flags & TraceContext.standardFlags) | (coordinate == nil ? 0x100 : 0x300))
    }
}
