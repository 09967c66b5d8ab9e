import CAllocationCounter
import CBaselines
import Foundation
import Tributary
import TributaryCore
import TributaryLMDB

/// Counting by key from the embedded log: the application's whole path against the same path as a bare C loop.
///
/// 16-byte String keys, 100-byte values, cache on, a log commit each 100,000 records, a state commit each 20th of those.
func countBenchmark(name: String, keys: UInt64, _ options: Options) throws -> Benchmark {
    let warmUp: Int64 = keys > 100_000 ? 1_000_000 : 500_000
    let end: Int64 = 2_500_000
    let slack: Int64 = 10_000
    let cLog = "\(options.folder)/c-log"
    try checked(cb_prepare_log(cLog, end, keys))
    let input = try CountInput(folder: "\(options.folder)/log", records: end + slack, keys: keys)
    func swift(_ name: String, _ lineage: @escaping () -> LineageConfiguration) -> Side {
        Side(name: name) {
            try countSample(input, lineage(), warmUp: warmUp, end: end, folder: options.folder)
        }
    }
    return Benchmark(
        name: name, unit: "record",
        sides: [
            Side(name: "C") {
                let state = "\(options.folder)/c-state"
                defer { try? FileManager.default.removeItem(atPath: state) }
                let result = cb_count(cLog, state, end, warmUp, 100_000, 20)
                try checked(result.error)
                return Sample(
                    wall: result.wall_ns, cpu: result.cpu_ns, allocations: nil,
                    others: ["flushed": Double(result.dirty)])
            },
            swift("off") { LineageConfiguration(mode: .off) },
            swift("context") { LineageConfiguration(mode: .context) },
            swift("cells") { LineageConfiguration(mode: .cells) },
            swift("cells sampled") {
                LineageConfiguration(mode: .cells, exporter: InMemorySpanExporter(capacity: 100_000))
            },
        ], addedTo: "off")
}

/// The same with what an application has that sets nothing but its lineage: cache, real commits each 100 ms (exactly once), flushes of its state.
func defaultCountBenchmark(name: String, keys: UInt64, _ options: Options) throws -> Benchmark {
    let end: Int64 = 2_500_000
    let input = try CountInput(folder: "\(options.folder)/log", records: end + 10_000, keys: keys)
    func swift(_ name: String, _ lineage: @escaping () -> LineageConfiguration) -> Side {
        Side(name: name) {
            try countSample(
                input, lineage(), warmUp: 500_000, end: end, folder: options.folder, looksAtMemory: true,
                takesDefaults: true)
        }
    }
    return Benchmark(
        name: name, unit: "record",
        sides: [
            swift("off") { LineageConfiguration(mode: .off) },
            swift("context") { LineageConfiguration(mode: .context) },
            swift("cells") { LineageConfiguration(mode: .cells) },
            swift("cells sampled") {
                LineageConfiguration(mode: .cells, exporter: InMemorySpanExporter(capacity: 100_000))
            },
        ], addedTo: "off")
}

/// The greatest anonymous memory of the process while it counts; the time is of no interest here.
func memoryBenchmark(name: String, keys: UInt64, _ options: Options) throws -> Benchmark {
    let end: Int64 = 2_500_000
    let input = try CountInput(folder: "\(options.folder)/log", records: end + 10_000, keys: keys)
    func swift(_ name: String, _ mode: LineageMode) -> Side {
        Side(name: name) {
            try countSample(
                input, LineageConfiguration(mode: mode), warmUp: 500_000, end: end, folder: options.folder,
                looksAtMemory: true)
        }
    }
    return Benchmark(
        name: name, unit: "record", sides: [swift("off", .off), swift("context", .context), swift("cells", .cells)])
}

struct BaselineError: Error, CustomStringConvertible {
    let code: CInt
    var description: String { "a C baseline failed with code \(code)" }
}

func checked(_ code: CInt) throws {
    if code != 0 { throw BaselineError(code: code) }
}

/// An embedded log with the input topic.
struct CountInput {
    let log: EmbeddedLog

    init(folder: String, records: Int64, keys: UInt64) throws {
        var configuration = EmbeddedLogConfiguration()
        configuration.durability = .relaxed
        configuration.mapSize = 32 << 30
        configuration.maintenanceInterval = .zero
        log = try EmbeddedLog.open(at: folder, configuration: configuration)
        try log.createTopics([TopicSpecification("in", partitions: 1)])
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "input"))
        defer { producer.close() }
        let topic = try producer.number(ofTopic: "in")
        let value = [UInt8](repeating: UInt8(ascii: "v"), count: 100)
        var key = [UInt8](repeating: 0, count: 16)
        for index in 0..<records {
            key.withUnsafeMutableBytes { cb_key(UInt64(index), keys, $0.baseAddress) }
            try producer.send(
                OutgoingRecord(timestamp: 1_700_000_000_000, key: key.span.bytes, value: value.span.bytes),
                topic: topic, partition: 0)
        }
        try producer.flush()
    }
}

/// Runs the application over the input and measures what lies between warm-up and end.
func countSample(
    _ input: CountInput, _ lineage: LineageConfiguration, warmUp: Int64, end: Int64, folder: String,
    looksAtMemory: Bool = false, takesDefaults: Bool = false
) throws -> Sample {
    let builder = StreamsBuilder()
    builder.stream("in", key: .string, value: .string).groupByKey().count(as: "counts").toStream().to("out")
    try input.log.createTopics([TopicSpecification("out", partitions: 1)])
    let state = "\(folder)/state"
    // An id of its own each time: the group of the last run has committed its offsets.
    let id = "count-\(UUID().uuidString.prefix(8))"
    defer {
        try? input.log.deleteTopics(["out", "\(id)-counts-changelog"])
        try? FileManager.default.removeItem(atPath: state)
    }
    var configuration = StreamsConfiguration(
        applicationID: id, log: .open(input.log), stateDirectory: state, guarantee: .exactlyOnce,
        commitInterval: .milliseconds(100), lineage: lineage, handlesSignals: false)
    configuration.stateMapSize = 32 << 30
    if !takesDefaults {
        configuration.runtime.cacheBytes = 1 << 30
        configuration.runtime.stateFlushInterval = .milliseconds(2_000)
        configuration.runtime.stateDirtyBytes = 1 << 30
    }
    let probe = Probe(
        from: warmUp + 5_000, to: end + 5_000, mask: lineage.exporter == nil ? 0 : 255,
        looksAtMemory: looksAtMemory, isReal: takesDefaults)
    configuration.runtime.time = TimeSource(wall: { probe.time() }, monotonic: { probe.time() })
    let application = try StreamsApplication(try builder.build(), configuration: configuration)
    try probe.run(application)
    var sample = try probe.sample()
    // What the application itself says that lineage took: to be compared with what it added.
    if lineage.mode != .off { sample.others["meter"] = lineageTime(application) / Double(application.metrics.records) }
    return sample
}

/// The live cost meter of an application, ns.
private func lineageTime(_ application: StreamsApplication) -> Double {
    var points: [MetricPoint] = []
    // The first reading in a process begins to measure.
    while points.isEmpty {
        points = application.metricsRegistry.snapshot().filter { $0.description.name == "tributary.lineage.time" }
            .flatMap(\.points)
        usleep(10_000)
    }
    return points.reduce(0) { sum, point in
        if case .number(let seconds) = point.value { sum + seconds * 1e9 } else { sum }
    }
}
