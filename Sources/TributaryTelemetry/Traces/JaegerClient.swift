internal import TributaryCore
internal import TributaryLineage

/// Why Jaeger can't be asked.
public struct JaegerError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What was asked.
    public let url: String
    /// What went wrong, in words.
    public let reason: String

    /// `url: reason`.
    public var description: String { "\(url): \(reason)" }
}

/// Asks Jaeger for traces, over its HTTP API (`/api/v3`: OTLP in JSON, with links and their attributes).
///
/// Used by one thread.
public final class JaegerClient {
    private let base: String
    private let timeout: Duration
    private let transfer: HTTPTransfer

    /// Makes a client; nothing is asked yet.
    ///
    /// - Parameters:
    ///   - url: where Jaeger's query service answers, for example `http://127.0.0.1:16686`.
    ///   - timeout: how long an answer may take.
    /// - Throws: ``JaegerError`` if the URL is not an HTTP one.
    public init(_ url: String, timeout: Duration = .seconds(20)) throws(JaegerError) {
        guard url.hasPrefix("http://") || url.hasPrefix("https://"), !url.contains(where: \.isWhitespace) else {
            throw JaegerError(url: url, reason: "not an http or https URL")
        }
        guard let transfer = HTTPTransfer() else { throw JaegerError(url: url, reason: "libcurl can't be started") }
        base = url.hasSuffix("/") ? String(url.dropLast()) : url
        self.timeout = timeout
        self.transfer = transfer
    }

    /// The spans of a trace, by its 32 hexadecimal digits; none if Jaeger doesn't have it.
    public func spans(ofTrace id: String) throws(JaegerError) -> [FinishedSpan] {
        guard id.utf8.count == 32, id.utf8.allSatisfy({ hexadecimalDigit($0) != nil }) else {
            throw JaegerError(url: base, reason: "'\(id)' is not a trace id")
        }
        return try spans(at: "\(base)/api/v3/traces/\(id)")
    }

    /// The names of the services that Jaeger has spans of.
    public func services() throws(JaegerError) -> [String] {
        let url = "\(base)/api/v3/services"
        guard let body = try get(url) else { return [] }
        guard let names = (try? JSONReader.read(unsafe body.span.bytes))?["services"]?.array else {
            throw JaegerError(url: url, reason: "the answer has no list of services")
        }
        return names.compactMap(\.string)
    }

    /// Spans of the newest traces of a service.
    ///
    /// - Parameters:
    ///   - service: the name, as ``services()`` gives it.
    ///   - start: the earliest start, as ISO 8601 in UTC.
    ///   - end: the latest start.
    ///   - limit: how many traces at most.
    public func spans(
        ofService service: String, from start: String, to end: String, limit: Int
    ) throws(JaegerError) -> [FinishedSpan] {
        try spans(
            at: "\(base)/api/v3/traces?query.service_name=\(JaegerClient.encoded(service))"
                + "&query.start_time_min=\(JaegerClient.encoded(start))"
                + "&query.start_time_max=\(JaegerClient.encoded(end))&query.num_traces=\(max(limit, 1))"
                + "&query.search_depth=\(max(limit, 1))")
    }

    private func spans(at url: String) throws(JaegerError) -> [FinishedSpan] {
        guard let body = try get(url) else { return [] }
        do throws(OTLPJSONError) {
            return try OTLPJSON.spans(ofAnswer: unsafe body.span.bytes)
        } catch {
            throw JaegerError(url: url, reason: "the answer is not OTLP in JSON: \(error.reason)")
        }
    }

    /// The body of an answer; nil if there is no such thing.
    private func get(_ url: String) throws(JaegerError) -> [UInt8]? {
        let answer: HTTPAnswer
        do throws(HTTPFailure) {
            answer = try transfer.perform(
                HTTPTarget(url: url, timeout: timeout.milliseconds, answerLimit: 256 << 20), isPost: false)
        } catch {
            throw JaegerError(url: url, reason: error.reason)
        }
        let message = (try? JSONReader.read(unsafe answer.body.span.bytes))?["error"]?["message"]?.string
        if answer.status == 404 && message != nil { return nil }
        guard answer.status == 200 else {
            throw JaegerError(url: url, reason: "HTTP status \(answer.status)\(message.map { ": \($0)" } ?? "")")
        }
        guard !answer.isCut else { throw JaegerError(url: url, reason: "the answer is too large") }
        return answer.body
    }

    /// Percent-encoded but for the unreserved characters (RFC 3986, section 2.3).
    private static func encoded(_ text: String) -> String {
        var writer = ByteWriter()
        for byte in text.utf8 {
            let isPlain =
                0x30...0x39 ~= byte || 0x41...0x5a ~= byte || 0x61...0x7a ~= byte || byte == 0x2d || byte == 0x2e
                || byte == 0x5f || byte == 0x7e
            if isPlain {
                writer.append(byte)
            } else {
                writer.append(0x25)
                writer.append(utf8: String(byte >> 4, radix: 16, uppercase: true))
                writer.append(utf8: String(byte & 15, radix: 16, uppercase: true))
            }
        }
        return writer.text
    }
}

extension TraceGraph {
    /// Fetches the traces that an answer misses, and asks again, until nothing new comes or `limit` traces were fetched.
    ///
    /// - Parameters:
    ///   - start: where the walk begins.
    ///   - isRow: whether that is the context of a stored row.
    ///   - limit: how many traces are fetched at most.
    ///   - fetch: gives the spans of a trace; none if it is not there.
    public mutating func why<Failure: Error>(
        _ start: SpanID, isRow: Bool = false, limit: Int = 1000,
        fetching fetch: (String) throws(Failure) -> [FinishedSpan]
    ) throws(Failure) -> WhyAnswer {
        var asked = Set(traceIDs)
        while true {
            let answer = why(start, isRow: isRow)
            var missing: [String] = []
            for step in answer.steps where self[step.span] == nil {
                let trace = step.span.traceID
                if asked.count < limit, asked.insert(trace).inserted { missing.append(trace) }
            }
            guard !missing.isEmpty else { return answer }
            var more: [FinishedSpan] = []
            for trace in missing { more += try fetch(trace) }
            guard !more.isEmpty else { return answer }
            self = TraceGraph(spans + more)
        }
    }
}
