internal import TributaryCore
internal import TributaryState

/// What is measured of a suppression: Kafka Streams' names.
final class SuppressionMetrics {
    private let emitted: Counter
    private let size: Statistic
    private let count: Statistic

    private struct Statistic {
        let current: Gauge
        let average: Gauge
        let greatest: Gauge
    }

    init(_ registry: MetricsRegistry, _ labels: [MetricLabel], store: String, node: String) {
        let own = labels + [MetricLabel("state_id", store)]
        func statistic(_ name: String, _ unit: String, _ what: String) -> Statistic {
            func gauge(_ suffix: String, _ when: String) -> Gauge {
                registry.gauge(
                    "kafka.streams.stream_state_metrics.suppression_buffer_\(name)_\(suffix)", unit: unit,
                    help: "\(what) that wait in a suppression, \(when).", labels: own)
            }
            return Statistic(
                current: gauge("current", "as of the last publication"),
                average: gauge("avg", "on average of the changes since the last publication"),
                greatest: gauge("max", "at most since the last publication"))
        }
        size = statistic("size", "By", "Bytes, as Kafka Streams counts them,")
        count = statistic("count", "{record}", "Keys")
        emitted = registry.counter(
            "kafka.streams.stream_processor_node_metrics.suppression_emit", unit: "{record}",
            help: "Changes that a suppression has let go.", labels: labels + [MetricLabel("processor_node_id", node)])
    }

    func publish(_ now: BufferMeasurements) {
        emitted.set(now.emitted)
        size.current.set(Double(now.bytes))
        size.average.set(now.averageBytes)
        size.greatest.set(Double(now.mostBytes))
        count.current.set(Double(now.count))
        count.average.set(now.averageCount)
        count.greatest.set(Double(now.mostCount))
    }
}
