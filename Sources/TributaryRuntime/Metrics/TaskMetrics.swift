public import TributaryCore
internal import TributaryDSL
internal import TributaryState

/// What one task and its stores measure of themselves; written by its thread, read from any.
public final class TaskMetrics {
    let endToEnd: Histogram
    let buffered: Gauge
    private let enforced: Counter
    let stores: [StoreMetrics]
    private let registry: MetricsRegistry
    let labels: [MetricLabel]
    private var dropped: [String: Counter] = [:]
    private var lags: [Gauge] = []

    /// Makes a task's instruments in a registry, and has the task write them.
    ///
    /// - Parameters:
    ///   - registry: where they are known.
    ///   - task: what is measured; before its stores are restored.
    ///   - clientID: the application's id.
    ///   - thread: the number of its thread.
    public init(_ registry: MetricsRegistry, _ task: StreamTask, clientID: String, thread: Int) {
        self.registry = registry
        labels = TaskMetrics.labels(task.taskID, clientID: clientID, thread: thread)
        endToEnd = registry.histogram(
            "kafka.streams.stream_task_metrics.record_e2e_latency", unit: "s",
            help: "Age of records by their timestamps when their task takes them, the first of each run for all of it.",
            labels: labels, .ages())
        buffered = registry.gauge(
            "kafka.streams.stream_task_metrics.active_buffer_count", unit: "{record}",
            help: "Records read and not yet processed.", labels: labels)
        enforced = registry.counter(
            "kafka.streams.stream_task_metrics.enforced_processing", unit: "{record}",
            help:
                "Runs of records processed while a partition of the task had none, after waiting for max.task.idle.ms.",
            labels: labels)
        let labels = self.labels
        stores = task.stores.inOrder.map { StoreMetrics(registry, labels, $0) }
        task.metrics = self
    }

    static func labels(_ task: String, clientID: String, thread: Int) -> [MetricLabel] {
        [MetricLabel("thread_id", "\(clientID)-StreamThread-\(thread)"), MetricLabel("task_id", task)]
    }

    /// Takes over what the task, its stores and their caches have counted.
    public func publish(_ task: StreamTask) {
        publishDropped(task)
        publishStores()
    }

    /// Takes over what stores and caches have counted.
    func publishStores() { for store in stores { store.publish() } }

    /// Takes over how many records were left out; returns their number, without answers of joins that others have superseded.
    @discardableResult
    func publishDropped(_ task: StreamTask) -> Int64 {
        enforced.set(task.enforcedProcessing)
        var sum: Int64 = 0
        for (reason, count) in task.dropped {
            if reason != .stale { sum += count }
            set(dropped: count, reason: reason.rawValue)
        }
        return sum
    }

    /// Asks the engines how large the stores are; before a commit.
    func measureStores() throws(StoreError) { for store in stores { try store.measure() } }

    private func set(dropped total: Int64, reason: String) {
        let counter =
            dropped[reason]
            ?? registry.counter(
                "kafka.streams.stream_task_metrics.dropped_records", unit: "{record}",
                help: "Records left out, by reason.", labels: labels + [MetricLabel("reason", reason)])
        dropped[reason] = counter
        counter.set(total)
    }

    /// Makes the instruments of a task's queues.
    func watch(_ queues: [PartitionQueue]) {
        lags = queues.map { queue in
            registry.gauge(
                "kafka.consumer.consumer_fetch_manager_metrics.records_lag", unit: "{record}",
                help: "Records in a source partition that are not yet processed.",
                labels: labels + [
                    MetricLabel("topic", queue.partition.topic),
                    MetricLabel("partition", "\(queue.partition.partition)"),
                ])
        }
    }

    func set(lag: Int64, ofQueue index: Int) { lags[index].set(Double(lag)) }
}
