import Synchronization
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryState
import TributaryTesting

/// A clock that moves when something takes time.
final class WorkClock: Sendable {
    private let now = Atomic<Int64>(1_000_000_000)

    /// Takes `milliseconds`.
    func work(_ milliseconds: Int64) { now.add(milliseconds * 1_000_000, ordering: .relaxed) }

    var time: TimeSource {
        TimeSource(
            wall: { self.now.load(ordering: .relaxed) }, monotonic: { self.now.load(ordering: .relaxed) })
    }
}

/// What can go wrong on purpose.
struct Refused: Error {}

/// Takes 20 ms for a read, 30 ms for a write.
private final class SlowTable: StateTable {
    private let table: any StateTable
    private let clock: WorkClock

    init(_ table: any StateTable, _ clock: WorkClock) {
        self.table = table
        self.clock = clock
    }

    func get(_ key: RawSpan, into value: inout ByteWriter) throws(StoreError) -> Bool {
        clock.work(20)
        return try table.get(key, into: &value)
    }
    func put(_ key: RawSpan, _ value: RawSpan) throws(StoreError) {
        clock.work(30)
        try table.put(key, value)
    }
    func delete(_ key: RawSpan) throws(StoreError) -> Bool {
        clock.work(30)
        return try table.delete(key)
    }
    func append(_ key: RawSpan, _ value: RawSpan) throws(StoreError) { try table.append(key, value) }
    func count() throws(StoreError) -> Int { try table.count() }
    func byteCount() throws(StoreError) -> Int { try table.byteCount() }
    func cursor(from lower: RawSpan?, through upper: RawSpan?, reverse: Bool) throws(StoreError) -> any StateCursor {
        clock.work(40)
        return try table.cursor(from: lower, through: upper, reverse: reverse)
    }
}

private final class SlowEngine: StateEngine {
    private let engine = MemoryEngine()
    private let clock: WorkClock
    var isPersistent: Bool { false }
    var dirtyBytes: Int { 0 }

    init(_ clock: WorkClock) { self.clock = clock }

    func table(_ name: String) throws(StoreError) -> any StateTable { SlowTable(try engine.table(name), clock) }
    func tableNames() throws(StoreError) -> [String] { try engine.tableNames() }
    func dropTable(_ name: String) throws(StoreError) { try engine.dropTable(name) }
    func metadata(_ key: String) throws(StoreError) -> [UInt8]? { try engine.metadata(key) }
    func setMetadata(_ key: String, _ value: [UInt8]?) throws(StoreError) { try engine.setMetadata(key, value) }
    func metadataKeys(prefix: String) throws(StoreError) -> [String] { try engine.metadataKeys(prefix: prefix) }
    func commit() throws(StoreError) { try engine.commit() }
    func abort() { engine.abort() }
    func close() { engine.close() }
}

/// Takes 50 ms for a record of `out`, 10 ms for one of a changelog, and refuses the records of a topic.
private final class SlowProducer: LogProducer {
    private let clock: WorkClock
    private let refused: String
    private var topics: [String] = []

    init(_ clock: WorkClock, refusing refused: String) {
        self.clock = clock
        self.refused = refused
    }

    func number(ofTopic name: String) throws(LogError) -> Int {
        if let number = topics.firstIndex(of: name) { return number }
        topics.append(name)
        return topics.count - 1
    }
    func partitions(ofTopic number: Int) -> Int32 { 1 }
    func beginTransaction() throws(LogError) {}
    func send(_ record: borrowing OutgoingRecord, topic: Int, partition: Int32) throws(LogError) {
        clock.work(topics[topic].hasSuffix("changelog") ? 10 : 50)
        if topics[topic] == refused { throw LogError(.tooLarge, "too large", topic: refused, partition: 0) }
    }
    var pendingBytes: Int { 0 }
    func flush() throws(LogError) {}
    func lastOffset(topic: Int, partition: Int32) -> Int64 { 0 }
    func commitTransaction(
        offsets: [TopicPartition: CommittedOffset], group: (any LogGroup)?
    ) throws(LogError) -> Int64 { 1 }
    func abortTransaction() throws(LogError) {}
    func close() {}
}

/// Keeps the spans that it gets.
final class KeptSpans: SpanExporter {
    private let kept = Guarded<[SpanBatch]>([])

    func export(_ batch: SpanBatch) { kept.withLock { $0.append(batch) } }
    func flush(timeout: Duration) {}

    struct Span {
        var name: String
        var record: SpanRecord
        var detail: SpanDetail?
        var attempt: SpanAttempt
        var links: [LinkRecord]
        var operation: SpanOperation
        var milliseconds: Int64 { (record.end - record.start) / 1_000_000 }
        var failed: Bool { record.flags & SpanRecord.failed != 0 }
    }

    var spans: [Span] {
        kept.withLock { batches in
            batches.flatMap { batch in
                batch.spans.map { span in
                    let detail = span.detail >= 0 ? batch.details[Int(span.detail)] : nil
                    let operation =
                        span.operation >= 0
                        ? batch.operations[Int(span.operation)] : SpanOperation(name: "", kind: .internal)
                    return Span(
                        name: detail?.name ?? operation.name,
                        record: span, detail: detail, attempt: batch.attempt,
                        links: Array(batch.links[Int(span.firstLink)..<Int(span.firstLink + span.links)]),
                        operation: operation)
                }
            }
        }
    }

    func named(_ name: String) -> [Span] { spans.filter { $0.name == name } }
}

/// A task whose engine and producer take time.
struct SlowTask {
    let task: StreamTask
    let clock: WorkClock
    let spans = KeptSpans()

    private struct Engines: EngineFactory {
        let clock: WorkClock
        func persistentEngine(task: String, withoutChangelog: [String]) throws -> any StateEngine { SlowEngine(clock) }
        func memoryEngine(task: String) throws -> any StateEngine { SlowEngine(clock) }
    }

    init(
        _ builder: StreamsBuilder, _ clock: WorkClock, cacheBytes: Int = 0, refusing: String = "",
        level: SpanLevel = .storage, change: (inout RuntimeConfiguration) -> Void = { _ in }
    ) throws {
        self.clock = clock
        let topology = try builder.build()
        var configuration = RuntimeConfiguration(applicationID: "slow")
        configuration.time = clock.time
        configuration.log = LogSink { _ in }
        change(&configuration)
        let collector = RecordCollector(
            SlowProducer(clock, refusing: refusing), applicationID: "slow", sendsCells: false, isTransactional: true)
        let state = try TaskState(
            topology, topology.subTopologies, task: "0_0", partition: 0, configuration: configuration,
            engines: Engines(clock: clock))
        task = try StreamTask(
            topology, topology.subTopologies, state: state, configuration: configuration, collector: collector,
            budget: cacheBytes > 0 ? CacheBudget(limit: cacheBytes) : nil,
            recorder: LineageRecorder(
                mode: .cells, level: level, exporter: spans, time: clock.time, random: FastRandom(seed: 1)))
        try task.start(cluster: "cluster", at: TaskStart(beginning: [TopicPartition("in", 0)]))
    }

    /// Processes records with the given keys, flushes and exports.
    func run(_ keys: String...) throws {
        let records = keys.enumerated().map { index, key in
            LoggedRecord(
                offset: Int64(index), timestamp: 1000 + Int64(index), key: Array(key.utf8), value: Array(key.utf8))
        }
        try Lineage.bound(to: task.box) {
            try task.add(RecordBatch(copying: records, assignment: 0), to: TopicPartition("in", 0))
            while try task.processNext() {}
            try task.flush()
        }
        task.recorder.export()
    }
}
