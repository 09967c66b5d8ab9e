public import TributaryCore

/// What one stream thread measures of itself; written by the thread, read from any.
///
/// Under Kafka Streams' names (KIP-444, KIP-613) where it has them. Clocks are read once a run of records, not once a record: a
/// run is what one batch gives before another partition has its turn, so under low load it is one record, and a mean otherwise.
public final class ThreadMetrics: Sendable {
    /// Records processed.
    public let processed: Counter
    /// Commits made.
    public let commits: Counter
    /// Calls to the log for records.
    public let polls: Counter
    /// Records that polls brought.
    public let polled: Counter
    /// Records left out, whatever the reason; by reason they are under `dropped_records` of the tasks.
    public let dropped = Counter()
    /// Records known to be in the source partitions and not yet processed.
    public let lag = Counter()
    /// Spans handed to the exporter.
    public let spans: Counter
    /// Links of those spans.
    public let links: Counter
    /// Records whose trace is sampled and got no span, since the exporter had no room.
    public let skippedRecords: Counter
    let commitTime: Histogram
    let processTime: Histogram
    let stateCommitTime: Histogram

    /// Makes a thread's instruments in a registry.
    public init(_ registry: MetricsRegistry, clientID: String, thread: Int) {
        let labels = [
            MetricLabel("client_id", clientID), MetricLabel("thread_id", "\(clientID)-StreamThread-\(thread)"),
        ]
        func counter(_ name: String, _ unit: String, _ help: String) -> Counter {
            registry.counter("kafka.streams.stream_thread_metrics.\(name)", unit: unit, help: help, labels: labels)
        }
        func time(_ name: String, _ help: String) -> Histogram {
            registry.histogram(
                "kafka.streams.stream_thread_metrics.\(name)", unit: "s", help: help, labels: labels, .durations())
        }
        processed = counter("process", "{record}", "Records processed.")
        func lineage(_ name: String, _ unit: String, _ help: String) -> Counter {
            registry.counter("tributary.lineage.\(name)", unit: unit, help: help, labels: labels)
        }
        spans = lineage("spans", "{span}", "Spans handed to the exporter.")
        links = lineage("links", "{link}", "Links of spans handed to the exporter.")
        skippedRecords = lineage(
            "skipped_records", "{record}", "Records of sampled traces without a span, since the exporter had no room.")
        commits = counter("commit", "{commit}", "Commits of offsets, outputs and changelogs.")
        polls = counter("poll", "{poll}", "Calls to the log for records.")
        polled = counter("poll_records", "{record}", "Records that polls brought.")
        processTime = registry.histogram(
            "messaging.process.duration", unit: "s", help: "Time to process a record, the mean of each run of records.",
            labels: [
                MetricLabel("messaging_system", "kafka"), MetricLabel("messaging_operation_name", "process"),
                MetricLabel("messaging_consumer_group_name", clientID),
                MetricLabel("thread_id", "\(clientID)-StreamThread-\(thread)"),
            ], .durations())
        commitTime = time(
            "commit_latency", "Time of a commit: caches flushed, outputs acknowledged, offsets committed.")
        stateCommitTime = time("state_commit_latency", "Time to make the state durable, in commits that do.")
    }
}

/// What one task measures of itself; written by its thread, read from any.
final class TaskMetrics {
    let endToEnd: Histogram
    private let registry: MetricsRegistry
    private let labels: [MetricLabel]
    private var dropped: [String: Counter] = [:]
    private var lags: [TopicPartition: Gauge] = [:]
    let buffered: Gauge

    init(_ registry: MetricsRegistry, clientID: String, thread: Int, task: String) {
        self.registry = registry
        labels = [
            MetricLabel("thread_id", "\(clientID)-StreamThread-\(thread)"), MetricLabel("task_id", task),
        ]
        endToEnd = registry.histogram(
            "kafka.streams.stream_task_metrics.record_e2e_latency", unit: "s",
            help: "Age of records by their timestamps when their task takes them, the first of each run for all of it.",
            labels: labels, .ages())
        buffered = registry.gauge(
            "kafka.streams.stream_task_metrics.active_buffer_count", unit: "{record}",
            help: "Records read and not yet processed.", labels: labels)
    }

    func set(dropped total: Int64, reason: String) {
        let counter =
            dropped[reason]
            ?? registry.counter(
                "kafka.streams.stream_task_metrics.dropped_records", unit: "{record}",
                help: "Records left out, by reason.", labels: labels + [MetricLabel("reason", reason)])
        dropped[reason] = counter
        counter.set(total)
    }

    func set(lag: Int64, of partition: TopicPartition) {
        let gauge =
            lags[partition]
            ?? registry.gauge(
                "kafka.consumer.consumer_fetch_manager_metrics.records_lag", unit: "{record}",
                help: "Records in a source partition that are not yet processed.",
                labels: labels + [
                    MetricLabel("topic", partition.topic), MetricLabel("partition", "\(partition.partition)"),
                ])
        lags[partition] = gauge
        gauge.set(Double(lag))
    }
}
