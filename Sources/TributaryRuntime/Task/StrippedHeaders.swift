internal import TributaryCore
internal import TributaryLineage

/// A record's headers without those that are lineage's: they are taken out at the source and put back at the sink.
///
/// Programs that know nothing of the log's own fields send them as text. The names of W3C's headers count in any case of their
/// letters. Of several `traceparent` the last one counts, as Kafka's tools read headers; several `tracestate` are one, in order.
struct StrippedHeaders {
    let list: [UInt8]
    let context: TraceContext
    /// All `tracestate`, with commas between; empty if there is none.
    let tracestate: [UInt8]
    /// What the record's value is made of one by one; empty if it doesn't say.
    let elements: [UInt8]
    /// Those that a record of an internal topic got from rows, under their own names.
    let passed: [UInt8]

    init(_ encoded: RawSpan) {
        var isReserved = false
        Headers.forEach(in: encoded) { name, _, _ in if StrippedHeaders.isReserved(name) { isReserved = true } }
        guard isReserved else {
            list = [UInt8](copying: encoded)
            context = .none
            tracestate = []
            elements = []
            passed = []
            return
        }
        var kept: [(name: String, value: [UInt8]?)] = []
        var last = TraceContext.none
        var state: [UInt8] = []
        var parts: [UInt8] = []
        var added: [(name: String, value: [UInt8]?)] = []
        for (name, value) in Headers(checked: encoded).list {
            let lower = name.lowercased()
            if lower == HeaderNames.traceparent {
                last = value.flatMap { TraceContext(traceparent: $0.span.bytes) } ?? .none
            } else if lower == HeaderNames.tracestate {
                if let value, !value.isEmpty { state += (state.isEmpty ? [] : [0x2c]) + value }
            } else if name == HeaderNames.elements {
                parts = value ?? []
            } else if name.hasPrefix(HeaderNames.passed) {
                added.append((String(name.dropFirst(HeaderNames.passed.count)), value))
            } else if !name.hasPrefix(HeaderNames.prefix) {
                kept.append((name, value))
            }
        }
        list = Headers(kept).encoded
        context = last
        tracestate = state
        elements = parts
        passed = Headers(added).encoded
    }

    private static func isReserved(_ name: RawSpan) -> Bool {
        guard name.byteCount >= 10 else { return false }
        return isSame(name, traceparent) || isSame(name, tracestate) || name.hasPrefix(prefix.span.bytes)
    }

    // `other` is of small letters only.
    private static func isSame(_ name: RawSpan, _ other: [UInt8]) -> Bool {
        guard name.byteCount == other.count else { return false }
        for (offset, byte) in other.enumerated() where (name.byte(at: offset) ?? 0) | 0x20 != byte { return false }
        return true
    }

    private static let traceparent = Array(HeaderNames.traceparent.utf8)
    private static let tracestate = Array(HeaderNames.tracestate.utf8)
    private static let prefix = Array(HeaderNames.prefix.utf8)
}
