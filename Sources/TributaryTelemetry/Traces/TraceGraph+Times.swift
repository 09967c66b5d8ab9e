internal import TributaryCore
internal import TributaryLineage

/// Where the time of a trace went: the spans of one name together.
public struct OperationTime: Sendable, Equatable {
    /// The name of the spans.
    public var name: String
    /// How many there are.
    public var spans: Int
    /// The sum of their durations, ns.
    public var total: Int64
    /// The same without the time in which a child ran, ns.
    public var own: Int64
}

extension TraceGraph {
    /// The time of a span in which none of its children ran, ns.
    public func ownTime(of span: FinishedSpan) -> Int64 {
        var own = max(span.end &- span.start, 0)
        var reached = span.start
        // Children are sorted by start: what is covered is counted once, whatever overlaps.
        for child in children(of: SpanID(span.context)) {
            let from = max(child.start, reached)
            let to = min(child.end, span.end)
            guard to > from else { continue }
            own -= to - from
            reached = to
        }
        return max(own, 0)
    }

    /// Where the time of a trace went, the most first.
    public func times(ofTrace traceID: String) -> [OperationTime] {
        let wanted = traceID.lowercased()
        var times: [String: OperationTime] = [:]
        for span in spans where span.context.traceID == wanted {
            var time = times[span.name] ?? OperationTime(name: span.name, spans: 0, total: 0, own: 0)
            time.spans += 1
            time.total += max(span.end &- span.start, 0)
            time.own += ownTime(of: span)
            times[span.name] = time
        }
        return times.values.sorted { ($1.own, $0.name) < ($0.own, $1.name) }
    }

    /// The same as a table for people.
    public func timesText(ofTrace traceID: String) -> String {
        let times = times(ofTrace: traceID)
        guard !times.isEmpty else { return "" }
        let all = max(times.reduce(0) { $0 + $1.own }, 1)
        var writer = ByteWriter()
        writer.append(ascii: "   own time   share   spans  operation\n")
        for time in times {
            append(duration(time.own), width: 11, to: &writer)
            append("\(time.own * 100 / all) %", width: 8, to: &writer)
            append("\(time.spans)", width: 8, to: &writer)
            writer.append(utf8: "  \(printable(time.name))\n")
        }
        return writer.text
    }

    private func duration(_ nanoseconds: Int64) -> String {
        var writer = ByteWriter(capacity: 32)
        appendDuration(nanoseconds, to: &writer)
        return writer.text
    }

    private func append(_ text: String, width: Int, to writer: inout ByteWriter) {
        for _ in 0..<max(width - text.utf8.count, 0) { writer.append(0x20) }
        writer.append(utf8: text)
    }
}
