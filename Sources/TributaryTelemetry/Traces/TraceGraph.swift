public import TributaryCore
internal import TributaryLineage

/// Names one span of the world.
public struct SpanID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The trace id's first 8 bytes.
    public var traceHigh: UInt64
    /// The trace id's last 8 bytes.
    public var traceLow: UInt64
    /// The span id.
    public var span: UInt64

    /// The span of a context.
    public init(_ context: TraceContext) {
        traceHigh = context.traceHigh
        traceLow = context.traceLow
        span = context.span
    }

    /// Another span of the same trace.
    func sibling(_ span: UInt64) -> SpanID {
        var other = self
        other.span = span
        return other
    }

    /// By trace, then by span.
    public static func < (left: SpanID, right: SpanID) -> Bool {
        (left.traceHigh, left.traceLow, left.span) < (right.traceHigh, right.traceLow, right.span)
    }

    /// The trace id as 32 hexadecimal digits.
    public var traceID: String { context.traceID }

    /// The span id as 16 hexadecimal digits.
    public var spanID: String { context.spanID }

    /// `trace id/span id`.
    public var description: String { "\(traceID)/\(spanID)" }

    private var context: TraceContext {
        TraceContext(traceHigh: traceHigh, traceLow: traceLow, span: span, flags: 0)
    }
}

/// Spans of any number of traces, found by their ids and by their parents.
public struct TraceGraph: Sendable {
    /// All spans; one that came twice (a retry of an exporter) is there once, as it came last.
    public private(set) var spans: [FinishedSpan] = []
    private var indices: [SpanID: Int] = [:]
    private var children: [SpanID: [Int]] = [:]

    /// An index of spans.
    public init(_ spans: some Sequence<FinishedSpan>) {
        for span in spans {
            let id = SpanID(span.context)
            if let known = indices[id] {
                self.spans[known] = span
            } else {
                indices[id] = self.spans.count
                self.spans.append(span)
            }
        }
        for (index, span) in self.spans.enumerated() where span.parent != 0 {
            children[SpanID(span.context).sibling(span.parent), default: []].append(index)
        }
    }

    /// The span of an id, if it is there.
    public subscript(id: SpanID) -> FinishedSpan? { indices[id].map { spans[$0] } }

    /// The spans whose parent is `id`, by start.
    public func children(of id: SpanID) -> [FinishedSpan] {
        (children[id] ?? []).map { spans[$0] }.sorted { ($0.start, $0.context.span) < ($1.start, $1.context.span) }
    }

    /// The ids of all traces as 32 hexadecimal digits, in the order of their first span in the files.
    public var traceIDs: [String] {
        var seen: Set<String> = []
        return spans.map { $0.context.traceID }.filter { seen.insert($0).inserted }
    }

    /// The spans of a trace whose parent isn't there, by start: the roots of its tree.
    public func roots(ofTrace traceID: String) -> [FinishedSpan] {
        let wanted = traceID.lowercased()
        return spans.filter { span in
            span.context.traceID == wanted
                && (span.parent == 0 || indices[SpanID(span.context).sibling(span.parent)] == nil)
        }.sorted { ($0.start, $0.context.span) < ($1.start, $1.context.span) }
    }
}
