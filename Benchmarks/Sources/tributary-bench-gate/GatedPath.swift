import CAllocationCounter
import Foundation
import Tributary
import TributaryCore
import TributaryLMDB
import TributaryLineage
import TributaryRuntime
import TributaryState
import TributaryTesting

struct GateError: Error, CustomStringConvertible {
    let text: String
    var description: String { text }
}

/// A path whose instructions and allocations per record are counted and compared with committed thresholds.
///
/// A task of the runtime as a stream thread has it, on LMDB, with a producer that discards: one thread, no clock that matters, so
/// that the same source gives the same count.
struct GatedPath {
    let name: String
    let mode: LineageMode
    let isSampled: Bool
    let topology: @Sendable () throws -> Topology
    let cacheBytes: Int
    var kind = Kind.text
    /// The same records come by each; of the bank's accounts, one for each key before the others.
    var topics = ["in"]
    /// Whether rows of "in" come before the others, with what they send to the other side of a join by foreign key.
    var hasSubscribers = false

    /// What the records are.
    enum Kind {
        /// Keys of 16 and values of 100 bytes.
        case text
        /// Keys and values of 8 bytes.
        case integers
        /// Transactions as JSON, after an account for each key.
        case bank
    }

    static let all: [GatedPath] = {
        let modes: [(String, LineageMode, Bool)] = [
            ("off", .off, false), ("context", .context, false), ("cells", .cells, false), ("sampled", .cells, true),
        ]
        return modes.flatMap { suffix, mode, isSampled in
            [
                GatedPath(
                    name: "count-\(suffix)", mode: mode, isSampled: isSampled,
                    topology: {
                        let builder = StreamsBuilder()
                        builder.stream("in", key: .string, value: .string).groupByKey().count(as: "counts").toStream()
                            .to("out")
                        return try builder.build()
                    }, cacheBytes: 64 << 20),
                GatedPath(
                    name: "uncached-count-\(suffix)", mode: mode, isSampled: isSampled,
                    topology: {
                        let builder = StreamsBuilder()
                        builder.stream("in", key: .string, value: .string).groupByKey().count(as: "counts").toStream()
                            .to("out")
                        return try builder.build()
                    }, cacheBytes: 0),
                GatedPath(
                    name: "windowed-count-\(suffix)", mode: mode, isSampled: isSampled,
                    topology: {
                        let builder = StreamsBuilder()
                        builder.stream("in", key: .string, value: .string).groupByKey()
                            .windowedBy(.tumbling(size: .seconds(60), grace: .seconds(600))).count(as: "windows")
                            .toStream().to("out")
                        return try builder.build()
                    }, cacheBytes: 64 << 20),
                GatedPath(
                    name: "filter-map-\(suffix)", mode: mode, isSampled: isSampled,
                    topology: {
                        let builder = StreamsBuilder()
                        builder.stream("in", key: .int64, value: .int64).filter { _, value in value % 2 == 0 }
                            .mapValues { $0 &+ 1 }.to("out", value: .int64)
                        return try builder.build()
                    }, cacheBytes: 0, kind: .integers),
                GatedPath(
                    name: "bank-\(suffix)", mode: mode, isSampled: isSampled, topology: BankPath.topology,
                    cacheBytes: 64 << 20, kind: .bank, topics: ["in", "accounts"]),
            ]
        } + operators
    }()

    /// Warms up, then processes `records` in ``measuredRun(_:_:)``; returns the allocations of that.
    func run(_ records: Int) throws -> Int64 {
        let folder = NSTemporaryDirectory() + "/tributary-gate-\(ProcessInfo.processInfo.processIdentifier)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let topology = try topology()
        var configuration = RuntimeConfiguration(applicationID: "gate")
        configuration.lineage.mode = mode
        let producer = DiscardingProducer()
        let collector = RecordCollector(producer, applicationID: "gate", sendsCells: false, isTransactional: true)
        let exporter = isSampled ? InMemorySpanExporter(capacity: 1000) : nil
        let recorder = LineageRecorder(
            mode: mode, sampler: .parentBased(root: isSampled ? .alwaysOn : .alwaysOff), exporter: exporter,
            random: FastRandom(seed: 1))
        let state = try TaskState(
            topology, topology.subTopologies, task: "0_0", partition: 0, configuration: configuration,
            engines: Engines(folder: folder))
        let task = try StreamTask(
            topology, topology.subTopologies, state: state, configuration: configuration, collector: collector,
            budget: cacheBytes > 0 ? CacheBudget(limit: cacheBytes) : nil, recorder: recorder,
            deferral: DeferredEncoding(except: []))
        defer { task.close() }
        try task.start(
            cluster: "cluster",
            at: TaskStart(
                beginning: (topics + (hasSubscribers ? ["in", registration(topology)] : [])).map {
                    TopicPartition($0, 0)
                }
            ))
        return try Lineage.bound(to: task.box) {
            var offset = 0
            func add(_ count: Int) throws {
                while offset < count {
                    for (place, topic) in topics.enumerated() where topic != "accounts" {
                        let records = self.records(offset, place)
                        try task.add(
                            RecordBatch(copying: records, assignment: place), to: TopicPartition(topic, 0))
                    }
                    offset += Self.batch
                }
            }
            if kind == .bank {
                let accounts = (0..<500).map {
                    LoggedRecord(offset: Int64($0), timestamp: Int64($0), key: key($0), value: BankPath.account($0))
                }
                try task.add(RecordBatch(copying: accounts, assignment: 1), to: TopicPartition("accounts", 0))
            }
            if hasSubscribers {
                producer.keepsOther = true
                try task.add(RecordBatch(copying: self.records(0, 0), assignment: 1), to: TopicPartition("in", 0))
                while try task.processRun(limit: Self.batch) > 0 {}
                producer.keepsOther = false
                let questions = RecordBatch(copying: producer.kept, assignment: 2)
                try task.add(questions, to: TopicPartition(registration(topology), 0))
                while try task.processRun(limit: Self.batch) > 0 {}
            }
            try add(20 * Self.batch)
            while try task.processRun(limit: Self.batch) > 0 {}
            try task.flush()
            try task.committed(1, force: true)
            try add(20 * Self.batch + records)
            let before = allocation_count()
            try measuredRun(task, recorder)
            return allocation_count() - before
        }
    }

    // Where a join by foreign key sends what its left side asks.
    private func registration(_ topology: Topology) -> String {
        let topic = topology.internalTopics.first { $0.name.contains("REGISTRATION") }?.name ?? ""
        return ResolvedTopology(topology, applicationID: "gate").internalTopic(topic)
    }

    private static let batch = 1000

    /// A hundred records of one topic come after a hundred of another.
    private func records(_ first: Int, _ place: Int) -> [LoggedRecord] {
        let others = topics.filter { $0 != "accounts" }.count - 1
        return (first..<first + Self.batch).map { index in
            let time = index + (index / 100 * others + place) * 100
            return LoggedRecord(
                offset: Int64(index), timestamp: 1_000_000 + Int64(time), key: key(index &* 7919 % 500),
                value: value(index))
        }
    }

    private func value(_ index: Int) -> [UInt8] {
        switch kind {
        case .text: [UInt8](repeating: 118, count: 100)
        case .integers: Self.integer(index)
        case .bank: BankPath.transaction(index)
        }
    }

    private func key(_ number: Int) -> [UInt8] {
        if kind == .integers { return Self.integer(number) }
        let digits = String(number)
        return Array(("key-" + String(repeating: "0", count: 12 - digits.count) + digits).utf8)
    }

    private static func integer(_ value: Int) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * $0)) }
    }
}

/// What is counted: valgrind collects inside of this function only.
@inline(never)
func measuredRun(_ task: StreamTask, _ recorder: LineageRecorder) throws {
    var round = 0
    while try task.processRun(limit: 1000) > 0 {
        recorder.export()
        round += 1
        if round % 10 == 0 { try task.flush() }
    }
    try task.flush()
    try task.committed(2, force: true)
}

private struct Engines: EngineFactory {
    let folder: String
    func persistentEngine(task: String, withoutChangelog: [String]) throws -> any StateEngine {
        // Valgrind has less address space to give than the default asks for.
        try LMDBStateEngine(directory: folder, options: LMDBStateOptions(mapSize: 1 << 30))
    }
    func memoryEngine(task: String) throws -> any StateEngine { MemoryEngine() }
}

/// Takes every record and keeps none, but where it is asked to keep those that aren't output.
private final class DiscardingProducer: LogProducer {
    private var records: Int64 = 0
    var keepsOther = false
    private(set) var kept: [LoggedRecord] = []
    func number(ofTopic name: String) throws(LogError) -> Int {
        name == "out" ? 0 : name.contains("REGISTRATION") ? 2 : 1
    }
    func partitions(ofTopic number: Int) -> Int32 { 1 }
    func beginTransaction() throws(LogError) {}
    func send(_ record: borrowing OutgoingRecord, topic: Int, partition: Int32) throws(LogError) {
        records += 1
        guard keepsOther, topic == 2 else { return }
        var (key, value): ([UInt8]?, [UInt8]?)
        if let bytes = record.key { key = [UInt8](copying: bytes) }
        if let bytes = record.value { value = [UInt8](copying: bytes) }
        kept.append(
            LoggedRecord(offset: Int64(kept.count), timestamp: record.timestamp, key: key, value: value))
    }
    var pendingBytes: Int { 0 }
    func flush() throws(LogError) {}
    func lastOffset(topic: Int, partition: Int32) -> Int64 { records }
    func commitTransaction(
        offsets: [TopicPartition: CommittedOffset], group: (any LogGroup)?
    ) throws(LogError) -> Int64 { 1 }
    func abortTransaction() throws(LogError) {}
    func close() {}
}
