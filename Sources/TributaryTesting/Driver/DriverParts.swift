internal import TributaryCore
internal import TributaryLineage
internal import TributaryRuntime
internal import TributaryState

/// Keeps every finished span.
final class DriverSpans: SpanExporter {
    private let kept = Guarded<[SpanBatch]>([])

    var batches: [SpanBatch] { kept.withLock { $0 } }

    func export(_ batch: SpanBatch) { kept.withLock { $0.append(batch) } }

    func flush(timeout: Duration) {}
}

/// The instruments of the driver's task, as a stream thread has them.
struct DriverInstruments {
    let registry: MetricsRegistry
    private let thread: ThreadMetrics
    private let metrics: [TaskMetrics]
    private let tasks: [StreamTask]

    init(
        _ registry: MetricsRegistry, _ task: StreamTask, _ globals: StreamTask?, _ configuration: RuntimeConfiguration
    ) {
        self.registry = registry
        tasks = [task] + (globals.map { [$0] } ?? [])
        thread = ThreadMetrics(
            registry, clientID: configuration.applicationID, thread: 1, lineage: configuration.lineage.mode)
        metrics = tasks.map { TaskMetrics(registry, $0, clientID: configuration.applicationID, thread: 1) }
        if let exporter = configuration.lineage.exporter {
            LineageMetrics.register(exporter, in: registry, clientID: configuration.applicationID)
        }
    }

    /// After a commit: takes over what was counted.
    func publish(_ collector: RecordCollector) {
        thread.commits.add()
        thread.processed.set(tasks.reduce(0) { $0 + $1.processedRecords })
        thread.dropped.set(tasks.reduce(0) { $0 + $1.dropped.values.reduce(0, +) })
        for (metrics, task) in zip(metrics, tasks) { metrics.publish(task) }
        if let task = tasks.first { thread.lineage.publish(task.recorder, collector, tasks) }
    }
}

/// Makes engines for the driver's task.
struct DriverEngines: EngineFactory {
    let make: (@Sendable (String) throws -> any StateEngine)?

    func persistentEngine(task: String, withoutChangelog: [String]) throws -> any StateEngine {
        try make?(task) ?? PersistentInMemory(MemoryEngine())
    }

    func memoryEngine(task: String) throws -> any StateEngine { MemoryEngine() }
}

/// A memory engine that stands for a persistent one, so that stores order and expire their rows as persistent ones do.
final class PersistentInMemory: StateEngine {
    private let engine: MemoryEngine
    var isPersistent: Bool { true }
    var dirtyBytes: Int { engine.dirtyBytes }

    init(_ engine: MemoryEngine) { self.engine = engine }

    func table(_ name: String) throws(StoreError) -> any StateTable { try engine.table(name) }
    func tableNames() throws(StoreError) -> [String] { try engine.tableNames() }
    func dropTable(_ name: String) throws(StoreError) { try engine.dropTable(name) }
    func metadata(_ key: String) throws(StoreError) -> [UInt8]? { try engine.metadata(key) }
    func setMetadata(_ key: String, _ value: [UInt8]?) throws(StoreError) { try engine.setMetadata(key, value) }
    func metadataKeys(prefix: String) throws(StoreError) -> [String] { try engine.metadataKeys(prefix: prefix) }
    func commit() throws(StoreError) { try engine.commit() }
    func abort() { engine.abort() }
    func close() { engine.close() }
}

/// The topics that a topology has written to, over all its starts.
final class ProducedTopics {
    var names: Set<String> = []
}

/// A producer that makes topics as they are first sent to, as a test's log does.
final class DriverProducer: LogProducer {
    private let inner: any LogProducer
    private let log: MemoryLog
    private let newPartitions: Int32
    private let produced: ProducedTopics
    // By their numbers, those that nothing was sent to yet.
    private var silent: [String?] = []

    init(_ inner: any LogProducer, _ log: MemoryLog, partitions: Int32, _ produced: ProducedTopics) {
        self.inner = inner
        self.log = log
        newPartitions = partitions
        self.produced = produced
    }

    func number(ofTopic name: String) throws(LogError) -> Int {
        if try log.topic(name) == nil {
            try log.createTopics([TopicSpecification(name, partitions: newPartitions)])
        }
        let number = try inner.number(ofTopic: name)
        while silent.count <= number { silent.append(nil) }
        silent[number] = name
        return number
    }

    func partitions(ofTopic number: Int) -> Int32 { inner.partitions(ofTopic: number) }
    func beginTransaction() throws(LogError) { try inner.beginTransaction() }
    func send(_ record: borrowing OutgoingRecord, topic: Int, partition: Int32) throws(LogError) {
        try inner.send(record, topic: topic, partition: partition)
        guard topic < silent.count, let name = silent[topic] else { return }
        produced.names.insert(name)
        silent[topic] = nil
    }
    var pendingBytes: Int { inner.pendingBytes }
    func flush() throws(LogError) { try inner.flush() }
    func lastOffset(topic: Int, partition: Int32) -> Int64 { inner.lastOffset(topic: topic, partition: partition) }
    func commitTransaction(
        offsets: [TopicPartition: CommittedOffset], group: (any LogGroup)?
    ) throws(LogError) -> Int64 {
        try inner.commitTransaction(offsets: offsets, group: group)
    }
    func abortTransaction() throws(LogError) { try inner.abortTransaction() }
    func close() { inner.close() }
}
