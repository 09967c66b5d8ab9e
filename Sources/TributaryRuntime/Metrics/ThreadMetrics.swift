public import TributaryCore
public import TributaryLineage

/// What one stream thread measures of itself; written by the thread, read from any.
///
/// Under Kafka Streams' names (KIP-444, KIP-613) where it has them.
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
    /// What lineage costs.
    public let lineage: LineageMetrics
    let commitTime: Histogram
    let processTime: Histogram
    let stateCommitTime: Histogram

    /// Makes a thread's instruments in a registry.
    public init(_ registry: MetricsRegistry, clientID: String, thread: Int, lineage mode: LineageMode) {
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
        lineage = LineageMetrics(registry, labels, mode)
        commits = counter("commit", "{commit}", "Commits of offsets, outputs and changelogs.")
        polls = counter("poll", "{poll}", "Calls to the log for records.")
        polled = counter("poll_records", "{record}", "Records that polls brought.")
        processTime = registry.histogram(
            "messaging.process.duration", unit: "s", help: "Time to process a record.",
            labels: [
                MetricLabel(AttributeNames.messagingSystem, "kafka"),
                MetricLabel(AttributeNames.messagingOperationName, "process"),
                MetricLabel(AttributeNames.messagingConsumerGroup, clientID),
                MetricLabel("thread_id", "\(clientID)-StreamThread-\(thread)"),
            ], .durations())
        commitTime = time(
            "commit_latency", "Time of a commit: caches flushed, outputs acknowledged, offsets committed.")
        stateCommitTime = time("state_commit_latency", "Time to make the state durable, in commits that do.")
    }
}
