internal import TributaryCore
internal import TributaryLineage

/// Traces and answers as text for people and as JSON for programs.
extension TraceGraph {
    /// A trace as an indented tree: name, duration, coordinate, error, and a line for each link and event.
    ///
    /// Empty if no span of the trace is there.
    public func text(ofTrace traceID: String) -> String {
        var writer = ByteWriter()
        forEachSpan(ofTrace: traceID) { span, depth in
            appendLine(span, depth, to: &writer)
            for link in span.links { appendLine(link, depth, to: &writer) }
            for event in span.events { appendLine(event, span, depth, to: &writer) }
        }
        return writer.text
    }

    /// A trace as a JSON array of its roots; every span has its children in `children`.
    public func json(ofTrace traceID: String) -> String {
        var writer = ByteWriter()
        var openDepth = -1
        writer.append(0x5b)
        forEachSpan(ofTrace: traceID) { span, depth in
            // Close the spans that are not above this one.
            if depth <= openDepth {
                for _ in depth...openDepth { writer.append(ascii: "]}") }
                writer.append(0x2c)
            }
            TraceJSON.append(span, ownTime: ownTime(of: span), to: &writer)
            openDepth = depth
        }
        if openDepth >= 0 { for _ in 0...openDepth { writer.append(ascii: "]}") } }
        writer.append(0x5d)
        return writer.text
    }

    /// An answer as text: the source records, then the way to them.
    public func text(of answer: WhyAnswer) -> String {
        var writer = ByteWriter()
        for source in answer.sources {
            writer.append(utf8: source.description)
            if answer.boundSources.contains(source) { writer.append(ascii: " (may have contributed)") }
            writer.append(0x0a)
        }
        if answer.sources.isEmpty { writer.append(ascii: "no source record was reached\n") }
        for (gap, words) in TraceGraph.gaps {
            let count = answer.count(of: gap)
            if count > 0 { writer.append(utf8: "sources may be missing: \(words) (\(count))\n") }
        }
        for step in answer.steps {
            for _ in 0..<min(step.depth, TraceGraph.widestIndent) { writer.append(ascii: "  ") }
            if let link = step.link { writer.append(utf8: "\(link.name) -> ") }
            if let span = self[step.span] {
                appendTitle(span, to: &writer)
            } else {
                writer.append(utf8: "\(step.span) \(step.gap == .notSampled ? "was not sampled" : "is not there")")
            }
            if self[step.span] != nil, let gap = step.gap {
                writer.append(
                    utf8:
                        "  (\(gap == .noWrite ? "the write made no span" : gap == .truncated ? "links left out" : "not sampled"))"
                )
            }
            writer.append(0x0a)
        }
        return writer.text
    }

    private static let gaps: [(WhyAnswer.Gap, String)] = [
        (.notSampled, "rows whose trace was not sampled"), (.notThere, "spans that are not there"),
        (.noWrite, "rows whose write made no span"), (.truncated, "spans that links were left out of"),
    ]

    /// An answer as one JSON object.
    public func json(of answer: WhyAnswer) -> String {
        var writer = ByteWriter()
        writer.append(ascii: #"{"complete":"#)
        writer.append(bool: answer.isComplete)
        writer.append(ascii: #","truncated":"#)
        writer.append(bool: answer.isTruncated)
        writer.append(ascii: #","sources":["#)
        for (index, source) in answer.sources.enumerated() {
            if index > 0 { writer.append(0x2c) }
            writer.append(0x7b)
            TraceJSON.append(source, to: &writer)
            writer.append(ascii: #","bound":"#)
            writer.append(bool: answer.boundSources.contains(source))
            writer.append(0x7d)
        }
        writer.append(ascii: #"],"steps":["#)
        for (index, step) in answer.steps.enumerated() {
            if index > 0 { writer.append(0x2c) }
            writer.append(utf8: #"{"traceId":"\#(step.span.traceID)","spanId":"\#(step.span.spanID)","depth":"#)
            writer.append(decimal: Int64(step.depth))
            if let link = step.link { writer.append(utf8: #","link":"\#(link.name)""#) }
            writer.append(ascii: #","missing":"#)
            writer.append(bool: self[step.span] == nil)
            if let gap = step.gap { writer.append(utf8: #","gap":"\#(gap.rawValue)""#) }
            if let span = self[step.span] {
                writer.append(ascii: #","name":"#)
                writer.append(json: span.name)
            }
            writer.append(0x7d)
        }
        writer.append(ascii: "]}")
        return writer.text
    }

    private static let widestIndent = 40

    /// Calls `body` with each span of a trace and its depth, parents before children; a cycle of parents is not followed.
    private func forEachSpan(ofTrace traceID: String, _ body: (FinishedSpan, Int) -> Void) {
        var open = roots(ofTrace: traceID).reversed().map { ($0, 0) }
        while let (span, depth) = open.popLast() {
            body(span, depth)
            open.append(contentsOf: children(of: SpanID(span.context)).reversed().map { ($0, depth + 1) })
        }
    }

    private func appendLine(_ span: FinishedSpan, _ depth: Int, to writer: inout ByteWriter) {
        for _ in 0..<min(depth, TraceGraph.widestIndent) { writer.append(ascii: "  ") }
        appendTitle(span, to: &writer)
        writer.append(0x0a)
    }

    private func appendLine(_ link: FinishedSpan.Link, _ depth: Int, to writer: inout ByteWriter) {
        for _ in 0..<min(depth + 2, TraceGraph.widestIndent) { writer.append(ascii: "  ") }
        writer.append(utf8: link.type?.name ?? "link")
        writer.append(ascii: " -> ")
        let id = SpanID(link.context)
        if let span = self[id] { writer.append(utf8: "\(printable(span.name)) ") }
        if let coordinate = link.coordinate { writer.append(utf8: "\(printable(coordinate.description)) ") }
        writer.append(utf8: "\(id)\n")
    }

    private func appendLine(_ event: SpanEvent, _ span: FinishedSpan, _ depth: Int, to writer: inout ByteWriter) {
        for _ in 0..<min(depth + 2, TraceGraph.widestIndent) { writer.append(ascii: "  ") }
        writer.append(utf8: "event \(printable(event.name)) after ")
        appendDuration(event.time &- span.start, to: &writer)
        writer.append(0x0a)
    }

    private func appendTitle(_ span: FinishedSpan, to writer: inout ByteWriter) {
        writer.append(utf8: printable(span.name))
        writer.append(ascii: "  ")
        appendDuration(span.end &- span.start, to: &writer)
        if let coordinate = span.coordinate { writer.append(utf8: "  \(printable(coordinate.description))") }
        if span.parentIsTrigger { writer.append(ascii: "  (triggered)") }
        if span.parentIsRemote { writer.append(ascii: "  (remote parent)") }
        if span.droppedLinks > 0 { writer.append(utf8: "  (\(span.droppedLinks) links left out)") }
        if span.failed {
            var words = "failed"
            if case .string(let type)? = span.attributes[AttributeNames.errorType] { words = type }
            if let message = span.errorMessage { words += ": \(message)" }
            writer.append(utf8: "  ERROR \(printable(words))")
        }
    }

    /// Text without control characters, which could rewrite a terminal.
    func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }))
    }

    func appendDuration(_ nanoseconds: Int64, to writer: inout ByteWriter) {
        let micros = max(nanoseconds, 0) / 1000
        writer.append(decimal: micros / 1000)
        writer.append(0x2e)
        let fraction = String(micros % 1000)
        for _ in fraction.utf8.count..<3 { writer.append(0x30) }
        writer.append(utf8: fraction)
        writer.append(ascii: " ms")
    }
}

/// Spans and coordinates in the JSON of trees and answers.
enum TraceJSON {
    /// Writes a span up to and with the bracket that opens its children.
    static func append(_ span: FinishedSpan, ownTime: Int64, to writer: inout ByteWriter) {
        writer.append(utf8: #"{"traceId":"\#(span.context.traceID)","spanId":"\#(span.context.spanID)","name":"#)
        writer.append(json: span.name)
        writer.append(ascii: #","kind":"#)
        writer.append(decimal: UInt64(span.kind))
        writer.append(ascii: #","startTimeUnixNano":""#)
        writer.append(decimal: span.start)
        writer.append(ascii: #"","durationNano":"#)
        writer.append(decimal: span.end &- span.start)
        writer.append(ascii: #","ownNano":"#)
        writer.append(decimal: ownTime)
        if let service = span.service {
            writer.append(ascii: #","service":"#)
            writer.append(json: service)
        }
        if let coordinate = span.coordinate {
            writer.append(0x2c)
            append(coordinate, to: &writer)
        }
        if span.failed { writer.append(ascii: #","failed":true"#) }
        writer.append(ascii: #","links":["#)
        for (index, link) in span.links.enumerated() {
            if index > 0 { writer.append(0x2c) }
            writer.append(utf8: #"{"traceId":"\#(link.context.traceID)","spanId":"\#(link.context.spanID)""#)
            if let type = link.type { writer.append(utf8: #","link":"\#(type.name)""#) }
            if let coordinate = link.coordinate {
                writer.append(0x2c)
                append(coordinate, to: &writer)
            }
            writer.append(0x7d)
        }
        writer.append(0x5d)
        if !span.events.isEmpty {
            writer.append(ascii: #","events":["#)
            for (index, event) in span.events.enumerated() {
                if index > 0 { writer.append(0x2c) }
                writer.append(ascii: #"{"name":"#)
                writer.append(json: event.name)
                writer.append(ascii: #","timeUnixNano":""#)
                writer.append(decimal: event.time)
                writer.append(ascii: #""}"#)
            }
            writer.append(0x5d)
        }
        writer.append(ascii: #","children":["#)
    }

    /// Writes the members that name a record.
    static func append(_ coordinate: RecordCoordinate, to writer: inout ByteWriter) {
        writer.append(ascii: #""topic":"#)
        writer.append(json: coordinate.topic)
        writer.append(ascii: #","partition":"#)
        writer.append(decimal: Int64(coordinate.partition))
        writer.append(ascii: #","offset":"#)
        writer.append(decimal: coordinate.offset)
    }
}

extension ByteWriter {
    /// Appends `true` or `false`.
    mutating func append(bool value: Bool) { append(ascii: value ? "true" : "false") }
}
