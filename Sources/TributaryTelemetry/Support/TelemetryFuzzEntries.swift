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

    /// What an OTLP server answers: a byte for the status, one for the type of the body, the body.
    package static func otlpAnswer(_ bytes: RawSpan) -> Bool {
        let statuses = [200, 202, 400, 413, 429, 500, 503]
        let types = ["application/x-protobuf", "application/json", "text/plain", ""]
        guard let first = bytes.byte(at: 0), let second = bytes.byte(at: 1) else { return false }
        let answer = HTTPAnswer(
            status: statuses[Int(first) % statuses.count], body: [UInt8](copying: bytes.dropping(2)),
            isCut: first >= 0x80, contentType: types[Int(second) % types.count],
            retryAfter: second >= 0x80 ? Int64(first) : nil)
        // Whatever a body says, the status says whether the request is over, and what isn't an answer of OTLP is none.
        switch OTLPVerdict(.success(answer), encoding: .protobuf) {
        case .accepted: precondition(answer.status < 300)
        case .partial(let rejected, let message):
            precondition(answer.status < 300 && rejected >= 0 && (rejected > 0 || !message.isEmpty))
            return true
        case .retry(_, let reason): precondition([429, 503].contains(answer.status) && reason.count < 300)
        case .refused(let status, let reason):
            precondition(status == answer.status && (status >= 400 || !answer.body.isEmpty) && reason.count < 300)
        case .cut: preconditionFailure("an answer is not a cut connection")
        }
        return false
    }

    /// A gzip stream; makes at most 1 MB of it.
    package static func gzip(_ bytes: RawSpan) -> Bool {
        (try? Gzip.decompress([UInt8](copying: bytes), limit: 1 << 20)) != nil
    }
}

extension JSONReader {
    fileprivate static func read(_ bytes: [UInt8]) throws(JSONError) -> JSONValue { try read(unsafe bytes.span.bytes) }
}
