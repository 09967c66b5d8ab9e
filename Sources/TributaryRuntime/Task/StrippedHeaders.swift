internal import TributaryCore
internal import TributaryLineage

/// A record's headers without those that are lineage's: they are taken out at the source and put back at the sink
/// (design, section 5, rule 11).
///
/// Programs that know nothing of the log's own fields send them as text.
struct StrippedHeaders {
    let list: [UInt8]
    let context: TraceContext
    /// The last `tracestate`; empty if there is none.
    let tracestate: [UInt8]

    init(_ encoded: RawSpan) {
        var isReserved = false
        Headers.forEach(in: encoded) { name, _, _ in if StrippedHeaders.isReserved(name) { isReserved = true } }
        guard isReserved else {
            list = [UInt8](copying: encoded)
            context = .none
            tracestate = []
            return
        }
        var kept: [(name: String, value: [UInt8]?)] = []
        var last = TraceContext.none
        var state: [UInt8] = []
        for (name, value) in Headers(checked: encoded).list {
            if name == HeaderNames.traceparent {
                last = value.flatMap { TraceContext(traceparent: $0.span.bytes) } ?? .none
            } else if name == HeaderNames.tracestate {
                state = value ?? []
            } else if !name.hasPrefix(HeaderNames.prefix) {
                kept.append((name, value))
            }
        }
        list = Headers(kept).encoded
        context = last
        tracestate = state
    }

    private static func isReserved(_ name: RawSpan) -> Bool {
        guard name.byteCount >= 10 else { return false }
        return name.hasPrefix(traceparent.span.bytes) || name.hasPrefix(tracestate.span.bytes)
            || name.hasPrefix(prefix.span.bytes)
    }

    private static let traceparent = Array(HeaderNames.traceparent.utf8)
    private static let tracestate = Array(HeaderNames.tracestate.utf8)
    private static let prefix = Array(HeaderNames.prefix.utf8)
}
