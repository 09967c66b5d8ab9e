import CAllocationCounter
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryState
import TributaryTesting

/// A task of the runtime as a stream thread has it, with stores in memory and a producer that discards.
struct TaskUnderTest {
    let task: StreamTask
    let producer = DiscardingProducer()

    private struct Engines: EngineFactory {
        func persistentEngine(task: String, withoutChangelog: [String]) throws -> any StateEngine { MemoryEngine() }
        func memoryEngine(task: String) throws -> any StateEngine { MemoryEngine() }
    }

    init(_ builder: StreamsBuilder, _ mode: LineageMode, topics: [String]) throws {
        let topology = try builder.build()
        var configuration = RuntimeConfiguration(applicationID: "allocations")
        configuration.lineage.mode = mode
        let collector = RecordCollector(
            producer, applicationID: "allocations", sendsCells: false, isTransactional: true)
        let state = try TaskState(
            topology, topology.subTopologies, task: "0_0", partition: 0, configuration: configuration,
            engines: Engines())
        task = try StreamTask(
            topology, topology.subTopologies, state: state, configuration: configuration, collector: collector,
            budget: CacheBudget(limit: 64 << 20), recorder: LineageRecorder(mode: mode),
            deferral: DeferredEncoding(except: []))
        try task.start(cluster: "cluster", at: TaskStart(beginning: topics.map { TopicPartition($0, 0) }))
    }

    /// Hands over records.
    func add(_ topic: String, _ records: [LoggedRecord]) throws {
        try task.add(RecordBatch(copying: records, assignment: 0), to: TopicPartition(topic, 0))
    }

    /// Processes everything once, as warm-up, then the same again, and returns what most of those records allocated.
    ///
    /// A run of records has its own few allocations, whatever its length, in debug builds: two runs are compared.
    func allocations(_ topic: String, _ records: [LoggedRecord]) throws -> Int64 {
        let size = Int64(records.count)
        let again = records.map { record in
            var record = record
            record.offset += size
            return record
        }
        return try allocations([topic], warmUp: records, measured: again)
    }

    /// The same records come by each topic, a hundred of one topic after a hundred of another; with `flushes` the caches are written out
    /// behind them.
    func allocations(
        _ topics: [String], warmUp: [LoggedRecord], measured: [LoggedRecord], flushes: Bool = false
    ) throws -> Int64 {
        func addToAll(_ records: [LoggedRecord]) throws {
            for (place, topic) in topics.enumerated() {
                try add(
                    topic,
                    records.map { record in
                        var record = record
                        let block = record.timestamp / 100
                        record.timestamp += (block * Int64(topics.count - 1) + Int64(place)) * 100
                        return record
                    })
            }
        }
        return try Lineage.bound(to: task.box) {
            try addToAll(warmUp)
            while try task.processNext() {}
            if flushes { try task.flush() }
            try addToAll(measured)
            _ = try run(10)
            let short = try run(100)
            // All but the last: with that the batch ends, and its memory.
            let long = try run(measured.count * topics.count - 110 - topics.count) - short
            guard flushes else { return long }
            let before = allocation_count()
            try task.flush()
            return long + allocation_count() - before
        }
    }

    private struct Interrupted: Error {}

    private func run(_ records: Int) throws -> Int64 {
        let before = allocation_count()
        var done = 0
        while done < records {
            // A run ends where another partition has the earlier record.
            let more = try task.processRun(limit: records - done)
            guard more > 0 else { throw Interrupted() }
            done += more
        }
        let after = allocation_count()
        return after - before
    }

    /// Records with keys that repeat.
    static func records(_ count: Int, key: (Int) -> [UInt8], value: (Int) -> [UInt8]) -> [LoggedRecord] {
        (0..<count).map { index in
            LoggedRecord(
                offset: Int64(index), timestamp: 1_000_000 + Int64(index), key: key(index), value: value(index))
        }
    }

    static func integer(_ value: Int) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * $0)) } }

    /// 16 bytes, one more than a String holds without memory of its own.
    static func text(_ value: Int) -> [UInt8] {
        let digits = String(value)
        return Array(("key-" + String(repeating: "0", count: 12 - digits.count) + digits).utf8)
    }
}
