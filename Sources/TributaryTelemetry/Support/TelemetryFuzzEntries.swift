internal import TributaryCore

/// Entry points for fuzzing: whether the bytes were accepted.
package enum TelemetryFuzzEntries {
    /// A line of OTLP in JSON, and the trees and answers made of it.
    package static func otlpJSON(_ bytes: RawSpan) -> Bool {
        guard let spans = try? OTLPJSON.spans(ofLine: bytes) else { return false }
        let graph = TraceGraph(spans)
        for trace in graph.traceIDs.prefix(8) {
            _ = graph.text(ofTrace: trace)
            precondition((try? JSONReader.read(Array(graph.json(ofTrace: trace).utf8))) != nil)
        }
        for span in spans.prefix(8) { _ = graph.text(of: graph.why(SpanID(span.context))) }
        return true
    }

    /// A gzip stream; makes at most 1 MB of it.
    package static func gzip(_ bytes: RawSpan) -> Bool {
        (try? Gzip.decompress([UInt8](copying: bytes), limit: 1 << 20)) != nil
    }
}

extension JSONReader {
    fileprivate static func read(_ bytes: [UInt8]) throws(JSONError) -> JSONValue { try read(unsafe bytes.span.bytes) }
}
