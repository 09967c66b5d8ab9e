public import TributaryCore
public import TributaryLineage

/// OTLP in JSON, one `ExportTraceServiceRequest` a line, as a collector's file exporter writes it.
///
/// Ids are hexadecimal, enums are integers, 64-bit integers are strings (opentelemetry-proto 1.11, "JSON Protobuf Encoding").
public enum OTLPJSON {
    /// Writes the spans of a batch as one line; nothing if there are none.
    public static func appendLine(_ batch: SpanBatch, resource: TelemetryResource, to writer: inout ByteWriter) {
        guard !batch.spans.isEmpty else { return }
        var frame = OTLPFrame(.traces, .json, resource: resource, to: &writer)
        var spans = OTLPSpans(.json)
        _ = spans.append(
            batch, from: 0, limit: Int.max, room: Int.max, frame: &frame, to: &writer, isFirst: false, refused: {})
        frame.close(&writer)
        writer.append(0x0a)
    }

    /// Writes a span as an object.
    ///
    /// - Parameter shared: the attributes of the span's operation, without brackets.
    static func append(
        _ span: SpanRecord, of batch: SpanBatch, shared: RawSpan, to writer: inout ByteWriter
    ) {
        let operation = batch.operation(of: span)
        let detail = batch.detail(of: span)
        writer.append(0x7b)
        append(ids: span.context, to: &writer)
        append(tracestate: batch.spanTracestate(of: span.context), to: &writer)
        if span.parent != 0 {
            writer.append(ascii: #","parentSpanId":""#)
            writer.append(hex: span.parent, digits: 16)
            writer.append(0x22)
        }
        let remote: UInt64 = span.flags & SpanRecord.parentIsRemote != 0 ? 0x200 : 0
        writer.append(ascii: #","flags":"#)
        writer.append(decimal: UInt64(span.context.flags & TraceContext.standardFlags) | 0x100 | remote)
        writer.append(ascii: #","name":"#)
        writer.append(json: detail?.name ?? operation.name)
        writer.append(ascii: #","kind":"#)
        writer.append(decimal: UInt64(operation.kind.rawValue))
        writer.append(ascii: #","startTimeUnixNano":""#)
        writer.append(decimal: span.start)
        writer.append(ascii: #"","endTimeUnixNano":""#)
        writer.append(decimal: span.end)
        writer.append(ascii: #"","attributes":["#)
        appendAttributes(of: span, in: batch, operation, detail, shared: shared, to: &writer)
        writer.append(0x5d)
        if let detail { append(detail, to: &writer) }
        appendLinks(of: span, in: batch, to: &writer)
        if span.flags & SpanRecord.failed != 0 {
            writer.append(ascii: #","status":{"#)
            if let message = detail?.errorMessage {
                writer.append(ascii: #""message":"#)
                writer.append(json: message)
                writer.append(0x2c)
            }
            writer.append(ascii: #""code":2}"#)
        } else {
            writer.append(ascii: #","status":{}"#)
        }
        writer.append(0x7d)
    }

    private static func appendAttributes(
        of span: SpanRecord, in batch: SpanBatch, _ operation: SpanOperation, _ detail: SpanDetail?, shared: RawSpan,
        to writer: inout ByteWriter
    ) {
        var some = false
        if let detail, !detail.attributes.isEmpty {
            // A span's own attributes win; a key must not come twice.
            var all = operation.attributes.merging(detail.attributes) { $1 }
            batch.forEachOwnAttribute(of: span) { name, _ in all[name] = nil }
            append(sorted: all, to: &writer)
            some = !all.isEmpty
        } else {
            writer.append(shared)
            some = !shared.isEmpty
        }
        batch.forEachOwnAttribute(of: span) { name, value in
            if some { writer.append(0x2c) }
            some = true
            append(name, value, to: &writer)
        }
    }

    private static func appendLinks(of span: SpanRecord, in batch: SpanBatch, to writer: inout ByteWriter) {
        let links = batch.links(of: span)
        let own = batch.ownLinks(of: span)
        if !links.isEmpty || !own.isEmpty {
            writer.append(ascii: #","links":["#)
            for (index, link) in links.enumerated() {
                if index > 0 { writer.append(0x2c) }
                append(link, of: batch, to: &writer)
            }
            for (index, link) in own.enumerated() {
                if index > 0 || !links.isEmpty { writer.append(0x2c) }
                writer.append(0x7b)
                append(ids: link.context, to: &writer)
                writer.append(ascii: #","attributes":["#)
                append(sorted: link.attributes, to: &writer)
                writer.append(0x5d)
                append(droppedAttributes: link.droppedAttributes, to: &writer)
                writer.append(ascii: #","flags":"#)
                writer.append(decimal: UInt64(link.context.flags & TraceContext.standardFlags) | 0x300)
                writer.append(0x7d)
            }
            writer.append(0x5d)
        }
        let dropped = batch.droppedLinks(of: span)
        if dropped > 0 {
            writer.append(ascii: #","droppedLinksCount":"#)
            writer.append(decimal: UInt64(dropped))
        }
    }

    private static func append(_ link: LinkRecord, of batch: SpanBatch, to writer: inout ByteWriter) {
        let coordinate = batch.coordinate(of: link)
        writer.append(0x7b)
        append(ids: link.context, to: &writer)
        append(tracestate: batch.tracestate(of: link.context), to: &writer)
        writer.append(ascii: #","attributes":["#)
        append(AttributeNames.link, .string(link.type.name), to: &writer)
        if !link.context.isSampled && link.context.isValid {
            writer.append(0x2c)
            append(AttributeNames.linkSampled, .bool(false), to: &writer)
        }
        if let coordinate {
            writer.append(0x2c)
            append(AttributeNames.messagingDestinationName, .string(coordinate.topic), to: &writer)
            writer.append(0x2c)
            append(AttributeNames.messagingDestinationPartition, .string(String(coordinate.partition)), to: &writer)
            writer.append(0x2c)
            append(AttributeNames.messagingKafkaOffset, .int(coordinate.offset), to: &writer)
        }
        // A row with a coordinate came through a log: its context is another process's, or may be.
        writer.append(ascii: #"],"flags":"#)
        writer.append(
            decimal: UInt64(link.context.flags & TraceContext.standardFlags) | (coordinate == nil ? 0x100 : 0x300))
        writer.append(0x7d)
    }

    /// What a span has beyond attributes and links: events, and how much was too much.
    private static func append(_ detail: SpanDetail, to writer: inout ByteWriter) {
        append(droppedAttributes: detail.droppedAttributes, to: &writer)
        if detail.droppedEvents > 0 {
            writer.append(ascii: #","droppedEventsCount":"#)
            writer.append(decimal: UInt64(detail.droppedEvents))
        }
        guard !detail.events.isEmpty else { return }
        writer.append(ascii: #","events":["#)
        for (index, event) in detail.events.enumerated() {
            if index > 0 { writer.append(0x2c) }
            writer.append(ascii: #"{"timeUnixNano":""#)
            writer.append(decimal: event.time)
            writer.append(ascii: #"","name":"#)
            writer.append(json: event.name)
            writer.append(ascii: #","attributes":["#)
            append(sorted: event.attributes, to: &writer)
            writer.append(0x5d)
            append(droppedAttributes: event.droppedAttributes, to: &writer)
            writer.append(0x7d)
        }
        writer.append(0x5d)
    }

    private static func append(droppedAttributes count: Int, to writer: inout ByteWriter) {
        guard count > 0 else { return }
        writer.append(ascii: #","droppedAttributesCount":"#)
        writer.append(decimal: UInt64(count))
    }

    private static func append(tracestate: String?, to writer: inout ByteWriter) {
        guard let tracestate else { return }
        writer.append(ascii: #","traceState":"#)
        writer.append(json: tracestate)
    }

    static func append(ids context: TraceContext, to writer: inout ByteWriter) {
        writer.append(ascii: #""traceId":""#)
        writer.append(hex: context.traceHigh, digits: 16)
        writer.append(hex: context.traceLow, digits: 16)
        writer.append(ascii: #"","spanId":""#)
        writer.append(hex: context.span, digits: 16)
        writer.append(0x22)
    }

    static func append(sorted attributes: [String: AttributeValue], to writer: inout ByteWriter) {
        for (index, (name, value)) in attributes.sorted(by: { $0.key < $1.key }).enumerated() {
            if index > 0 { writer.append(0x2c) }
            append(name, value, to: &writer)
        }
    }

    static func append(_ name: String, _ value: AttributeValue, to writer: inout ByteWriter) {
        writer.append(ascii: #"{"key":"#)
        writer.append(json: name)
        writer.append(ascii: #","value":{"#)
        switch value {
        case .string(let text):
            writer.append(ascii: #""stringValue":"#)
            writer.append(json: text)
        case .int(let number):
            writer.append(ascii: #""intValue":""#)
            writer.append(decimal: number)
            writer.append(0x22)
        case .bool(let flag): writer.append(ascii: flag ? #""boolValue":true"# : #""boolValue":false"#)
        case .double(let number):
            writer.append(ascii: #""doubleValue":"#)
            append(number: number, to: &writer)
        }
        writer.append(ascii: "}}")
    }

    /// Writes a floating-point number; those that JSON has no digits for as text, as protobuf's JSON has it.
    static func append(number: Double, to writer: inout ByteWriter) {
        if number.isFinite {
            writer.append(utf8: "\(number)")
        } else {
            writer.append(json: number.isNaN ? "NaN" : number < 0 ? "-Infinity" : "Infinity")
        }
    }
}
