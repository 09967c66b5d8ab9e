internal import TributaryCore
internal import TributaryLineage

/// The way of one kind of telemetry: the request that is being made, sent, or waits to be tried again.
///
/// Used by the exporter's thread alone.
final class OTLPPipeline {
    enum Phase {
        /// There is no request.
        case idle
        /// It is on its way.
        case sending
        /// It is sent again at that time (monotonic, ms).
        case waiting(until: Int64)
    }

    let signal: OTLPSignal
    let endpoint: OTLPEndpoint
    let transfer: HTTPTransfer
    var phase = Phase.idle
    /// How many items the request has.
    var items = 0
    var retry = OTLPRetry(now: 0, limit: 0)
    /// Whether the last request failed, so that the log is told once.
    var isFailing = false
    /// When the log was last told of a partial success (monotonic, ms).
    var lastNote: Int64?
    private let plain = Owned(ByteWriter(capacity: 1 << 12))
    private let gzip: GzipWriter?
    private let spans: Owned<OTLPSpans>
    // A batch of spans that only a part of fitted into the last request.
    private var rest: (batch: SpanBatch, next: Int)?
    // Metrics that were taken, as far as they aren't in a request yet.
    private var metrics: OTLPMetrics

    init?(_ signal: OTLPSignal, _ endpoint: OTLPEndpoint) {
        guard let transfer = HTTPTransfer() else { return nil }
        self.signal = signal
        self.endpoint = endpoint
        self.transfer = transfer
        gzip = endpoint.isCompressed ? GzipWriter() : nil
        spans = Owned(OTLPSpans(endpoint.encoding))
        metrics = OTLPMetrics(endpoint.encoding)
    }

    /// What requests are sent to.
    var target: HTTPTarget {
        var headers = ["Content-Type: \(endpoint.encoding.contentType)"]
        if gzip != nil { headers.append("Content-Encoding: gzip") }
        for (name, value) in endpoint.headers.sorted(by: { $0.key < $1.key }) {
            // libcurl's way to say that a header is empty, not left out.
            headers.append(value.isEmpty ? "\(name);" : "\(name): \(value)")
        }
        return HTTPTarget(
            url: endpoint.url, headers: headers, timeout: endpoint.timeout.milliseconds, tls: endpoint.tls)
    }

    /// Whether spans or points are left of what was taken.
    var hasRest: Bool { rest != nil || !metrics.isEmpty }

    /// Writes spans into a request.
    ///
    /// - Parameter next: the next batch that waits.
    /// - Returns: how many spans could not be written.
    func fillSpans(_ configuration: OTLPConfiguration, _ resource: TelemetryResource, next: () -> SpanBatch?) -> Int {
        plain.value.shrink(over: 8 << 20)
        var frame = OTLPFrame(.traces, endpoint.encoding, resource: resource, to: &plain.value)
        items = 0
        var refused = 0
        let most = configuration.requestItems(signal)
        while items < most {
            guard let (batch, from) = rest ?? next().map({ ($0, 0) }) else { break }
            rest = nil
            let (end, count) = spans.value.append(
                batch, from: from, limit: configuration.requestBytes, room: most - items,
                frame: &frame, to: &plain.value, isFirst: items == 0, refused: { refused += 1 })
            items += count
            if end < batch.spans.count {
                rest = (batch, end)
                break
            }
        }
        frame.close(&plain.value)
        compress()
        return refused
    }

    /// Writes log lines into a request.
    func fill(_ lines: [TimedLine], _ resource: TelemetryResource) {
        plain.value.shrink(over: 8 << 20)
        OTLPLogs.append(lines, encoding: endpoint.encoding, resource: resource, to: &plain.value)
        items = lines.count
        compress()
    }

    /// Writes metrics into a request.
    ///
    /// - Parameter next: the next metrics that wait.
    /// - Returns: how many points could not be written.
    func fillMetrics(_ configuration: OTLPConfiguration, _ resource: TelemetryResource, next: () -> [Metric]) -> Int {
        plain.value.shrink(over: 8 << 20)
        var frame = OTLPFrame(.metrics, endpoint.encoding, resource: resource, to: &plain.value)
        if metrics.isEmpty { metrics.add(next()) }
        var refused = 0
        items = metrics.append(
            limit: configuration.requestBytes, room: configuration.requestItems(signal), frame: &frame,
            to: &plain.value,
            refused: { refused += 1 })
        frame.close(&plain.value)
        compress()
        return refused
    }

    /// How many spans or points are left of what was taken; they are forgotten.
    func forgetRest() -> Int {
        let left = (rest.map { $0.batch.spans.count - $0.next } ?? 0) + metrics.pointCount
        rest = nil
        metrics.removeAll()
        return left
    }

    private func compress() {
        if let gzip, gzip.compress(plain.value, into: &transfer.body.value) { return }
        transfer.body.value.removeAll()
        transfer.body.value.append(plain.value)
    }
}

extension GzipWriter {
    fileprivate func compress(_ writer: borrowing ByteWriter, into other: inout ByteWriter) -> Bool {
        compress(writer.bytes, into: &other)
    }
}

extension ByteWriter {
    fileprivate mutating func append(_ other: borrowing ByteWriter) { append(other.bytes) }
}
