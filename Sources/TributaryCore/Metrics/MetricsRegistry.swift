internal import Synchronization

/// Where instruments are known by name, so that they can be read together; may be used from any thread.
///
/// Kafka Streams' metrics keep their group and name (KIP-444): `process-total` of `stream-thread-metrics` is the counter
/// `kafka.streams.stream_thread_metrics.process`, in Prometheus `kafka_streams_stream_thread_metrics_process_total`.
public final class MetricsRegistry: Sendable {
    private enum Source: Sendable {
        case counter(Counter)
        case gauge(Gauge)
        case histogram(Histogram)
        case reading(@Sendable () -> [MetricPoint])
    }

    private struct Entry: Sendable {
        let description: MetricDescription
        let labels: [MetricLabel]
        let source: Source
    }

    private let entries = Guarded<[Entry]>([])
    // When somebody last read, or said that it will, ns of the monotonic clock.
    private let lastRead = Atomic<Int64>(Int64.min)

    /// Makes an empty registry.
    public init() {}

    /// A new counter under a name and labels; one thread may write it.
    public func counter(_ name: String, unit: String, help: String, labels: [MetricLabel]) -> Counter {
        let counter = Counter()
        add(MetricDescription(.counter, name, unit: unit, help: help), labels, .counter(counter))
        return counter
    }

    /// A new gauge under a name and labels; one thread may write it.
    public func gauge(_ name: String, unit: String, help: String, labels: [MetricLabel]) -> Gauge {
        let gauge = Gauge()
        add(MetricDescription(.gauge, name, unit: unit, help: help), labels, .gauge(gauge))
        return gauge
    }

    /// Puts a histogram under a name and labels; one thread may write it.
    public func histogram(
        _ name: String, unit: String, help: String, labels: [MetricLabel], _ histogram: Histogram
    ) -> Histogram {
        add(MetricDescription(.histogram, name, unit: unit, help: help), labels, .histogram(histogram))
        return histogram
    }

    /// Asks `read` for the series of a metric whenever metrics are read, on the reader's thread.
    public func reading(_ description: MetricDescription, _ read: @escaping @Sendable () -> [MetricPoint]) {
        add(description, [], .reading(read))
    }

    private func add(_ description: MetricDescription, _ labels: [MetricLabel], _ source: Source) {
        entries.withLock { $0.append(Entry(description: description, labels: labels, source: source)) }
    }

    /// Takes out what has all of these labels.
    public func remove(labelled labels: [MetricLabel]) {
        entries.withLock { entries in entries.removeAll { entry in labels.allSatisfy { entry.labels.contains($0) } } }
    }

    /// Says that metrics are going to be read: what costs time to measure well is measured well from now on.
    public func willBeRead() { lastRead.store(MonotonicClock.nanoseconds, ordering: .relaxed) }

    /// Whether metrics were read, or ``willBeRead()`` called, in the last `nanoseconds`.
    public func wasRead(within nanoseconds: Int64) -> Bool {
        let last = lastRead.load(ordering: .relaxed)
        return last > Int64.min && MonotonicClock.nanoseconds - last <= nanoseconds
    }

    /// All metrics with their series, by name.
    public func snapshot() -> [MetricSnapshot] {
        willBeRead()
        var places: [MetricDescription: Int] = [:]
        var found: [MetricSnapshot] = []
        for entry in entries.withLock({ $0 }) {
            let points =
                switch entry.source {
                case .counter(let counter): [MetricPoint(labels: entry.labels, value: .number(Double(counter.value)))]
                case .gauge(let gauge): [MetricPoint(labels: entry.labels, value: .number(gauge.value))]
                case .histogram(let histogram):
                    [MetricPoint(labels: entry.labels, value: .histogram(histogram.snapshot))]
                case .reading(let read): read()
                }
            // Under one name there can be metrics that aren't alike: each is one of its own.
            var alike = entry.description
            alike.help = ""
            if let place = places[alike] {
                found[place].points += points
            } else {
                places[alike] = found.count
                found.append(MetricSnapshot(description: entry.description, points: points))
            }
        }
        return found.sorted { $0.description.name < $1.description.name }
    }
}
