public import TributaryCore
public import TributaryLineage

/// Sends spans, log records and metrics to a server over OTLP/HTTP, from a thread of its own.
///
/// Whoever makes telemetry only queues it. What the protocol allows to try again (a server that is down, slow or busy) is
/// kept and tried again for ``OTLPConfiguration/retryTime``; meanwhile a full queue drops whole traces, which are counted
/// (``counters(_:)``), and records go on. Call ``shutdown(timeout:)`` before the process ends.
///
/// ```swift
/// let exporter = try OTLPExporter(OTLPConfiguration(), resource: TelemetryResource(serviceName: "bank"))
/// let configuration = StreamsConfiguration(
///     applicationID: "bank", log: .embedded(at: "./bank-data"),
///     lineage: LineageConfiguration(exporter: exporter), logs: .text().and(exporter.logSink()))
/// ```
public final class OTLPExporter: SpanExporter {
    private let worker: OTLPWorker

    /// Starts the thread; the server is not asked for anything yet.
    ///
    /// - Parameters:
    ///   - configuration: where to, and within which limits.
    ///   - resource: who emits the telemetry: one service name per application.
    ///   - log: where it is said that telemetry can't be sent; must not lead back here.
    /// - Throws: ``OTLPConfigurationError`` for settings that can't work, or if the system gives no thread.
    public init(
        _ configuration: OTLPConfiguration, resource: TelemetryResource, log: LogSink = .none
    ) throws(OTLPConfigurationError) {
        try configuration.check()
        guard let worker = OTLPWorker(configuration, resource: resource, log: log) else {
            throw OTLPConfigurationError(setting: "libcurl", reason: "can't be started")
        }
        guard OSThread.start("tributary-otlp", { worker.run() }) == 0 else {
            throw OTLPConfigurationError(setting: "thread", reason: "the system gave none")
        }
        self.worker = worker
    }

    deinit { worker.stop(within: 5000) }

    /// Queues a batch for the thread; never waits for the server.
    public func export(_ batch: SpanBatch) { worker.add(batch) }

    /// Says which traces there is no room for.
    public func threshold(skipped: Int) -> UInt64 { worker.threshold(skipped: skipped) }

    /// Counts traces that are not whole.
    public func leftOut(of traces: [TraceContext]) { worker.leftOut(of: traces) }

    /// Queues collected metrics for the thread.
    public func export(_ metrics: [Metric]) { worker.add(metrics) }

    /// How often metrics are read and sent, ms.
    var metricInterval: Duration { worker.configuration.metricInterval }

    /// Takes log lines as OTLP log records; add it to another sink with `LogSink.and(_:)`.
    public func logSink(level: LogLevel = .info) -> LogSink {
        LogSink(level: level) { [worker] line in
            worker.add(TimedLine(line: line, time: TimeSource.system.wall.nanoseconds()))
        }
    }

    /// Sends all that is queued, waiting at most so long.
    public func flush(timeout: Duration) { worker.flush(timeout.milliseconds) }

    /// Sends what is queued, for at most so long, and ends the thread; what is left, and what comes later, is dropped
    /// and counted.
    public func shutdown(timeout: Duration) {
        worker.stop(within: timeout.milliseconds)
        worker.waitForEnd(timeout.milliseconds.addingSaturated(1000))
    }

    /// What has become of each kind of telemetry so far.
    public func counters(_ signal: OTLPSignal) -> OTLPCounters { worker.counters(signal) }

    /// Spans that are lost.
    public var lostSpans: Int? { counters(.traces).lost }
}

/// What has become of one kind of telemetry: spans, log records or points of metrics.
public struct OTLPCounters: Sendable, Equatable {
    /// Those that a server has taken.
    public var sent = 0
    /// Those dropped because the queue was full, or after the shutdown.
    public var dropped = 0
    /// Traces that lost spans that way: an estimate.
    public var droppedTraces = 0
    /// Those of them that some spans of had already been sent.
    public var cut = 0
    /// Records whose spans were not even made, since their trace would be dropped.
    public var skipped = 0
    /// Those that could not be written into a request: too large, or without valid ids.
    public var unsendable = 0
    /// Those in requests that a server refused in a way that forbids another try.
    public var refused = 0
    /// Those that a server refused while it took the others of the request.
    public var rejected = 0
    /// Those in requests that were given up after the retry time, or at the shutdown.
    public var expired = 0
    /// Requests that were sent, each try counted.
    public var requests = 0
    /// Tries after the first.
    public var retries = 0
    /// Bytes of bodies that a server has taken, compressed if they were.
    public var sentBytes = 0
    /// Bytes that wait.
    public var queuedBytes = 0
    /// The share of the traces that is kept at the moment.
    public var keptShare = 1.0

    /// Nothing has happened.
    public init() {}

    /// All that were made and are lost, whatever the reason.
    public var lost: Int { dropped + unsendable + refused + rejected + expired }
}
