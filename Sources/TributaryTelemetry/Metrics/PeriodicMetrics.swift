public import TributaryCore

/// Sends the metrics of a registry over OTLP at an interval, until it is stopped, and a last time then.
///
/// The registry of an application is its `metricsRegistry`. Reading happens on a thread of its own. May be used from any thread.
public final class PeriodicMetrics: Sendable {
    private struct State: Sendable {
        var isStopping = false
        var hasEnded = false
    }

    private let state = Monitor(State())

    /// Begins to send.
    ///
    /// - Parameters:
    ///   - registry: what is read.
    ///   - exporter: what sends; an exporter that has no endpoint for metrics drops them.
    ///   - interval: how often, at least each millisecond; nil for ``OTLPConfiguration/metricInterval``.
    ///   - time: where the points' times come from.
    public init(
        _ registry: MetricsRegistry, to exporter: OTLPExporter, every interval: Duration? = nil,
        time: TimeSource = .system
    ) {
        registry.willBeRead()
        let start = time.wall.nanoseconds()
        let milliseconds = max((interval ?? exporter.metricInterval).milliseconds, 1)
        let state = state
        let status = OSThread.start("tributary-metrics") {
            var goesOn = true
            while goesOn {
                goesOn = state.wait(milliseconds: milliseconds) { $0.isStopping ? true : nil } == nil
                let now = time.wall.nanoseconds()
                exporter.export(registry.snapshot().map { Metric($0, start: start, time: now) })
            }
            state.withLock { $0.hasEnded = true }
            state.wake()
        }
        if status != 0 { state.withLock { $0.hasEnded = true } }
    }

    /// Reads and hands over a last time, and ends the thread; before the exporter's shutdown.
    ///
    /// Calling it again does nothing.
    public func stop() {
        state.withLock { $0.isStopping = true }
        state.wake()
        _ = state.wait(milliseconds: 5_000) { $0.hasEnded ? true : nil }
    }

    deinit { stop() }
}
