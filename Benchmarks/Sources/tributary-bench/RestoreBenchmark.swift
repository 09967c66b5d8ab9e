import CBaselines
import Foundation
import Synchronization
import Tributary
import TributaryCore
import TributaryLMDB
import TributaryLineage

/// Restoring an empty store from its changelog, keys in random order, against a C loop that reads the same batches and
/// appends the same rows presorted.
func restoreBenchmark(name: String, records: Int64, _ options: Options) throws -> Benchmark {
    let cLog = options.folder + "/c-log"
    try checked(cb_prepare_changelog(cLog, records))
    var configuration = EmbeddedLogConfiguration()
    configuration.durability = .relaxed
    configuration.mapSize = 32 << 30
    configuration.maintenanceInterval = .zero
    let log = try EmbeddedLog.open(at: options.folder + "/log", configuration: configuration)
    try log.createTopics([TopicSpecification("in", partitions: 1), TopicSpecification("out", partitions: 1)])
    try prepareChangelog("plain", log, records, lineage: false)
    try prepareChangelog("traced", log, records, lineage: true)
    func swift(_ name: String, _ id: String, _ mode: LineageMode) -> Side {
        Side(name: name) { try restoreSample(id, mode, log, records, options.folder + "/state") }
    }
    return Benchmark(
        name: name, unit: "record",
        sides: [
            Side(name: "C") {
                let state = options.folder + "/c-state"
                defer { try? FileManager.default.removeItem(atPath: state) }
                let result = cb_restore(cLog, state, records)
                try checked(result.error)
                return Sample(wall: result.wall_ns, cpu: result.cpu_ns, allocations: nil)
            }, swift("off", "plain", .off), swift("cells", "traced", .cells),
        ])
}

private func prepareChangelog(_ id: String, _ log: EmbeddedLog, _ records: Int64, lineage: Bool) throws {
    let name = "\(id)-rows-changelog"
    try log.createTopics([TopicSpecification(name, partitions: 1, settings: ["cleanup.policy": "compact"])])
    let producer = try log.makeProducer(ProducerConfiguration(clientID: "changelog"))
    defer { producer.close() }
    let topic = try producer.number(ofTopic: name)
    let value = [UInt8](repeating: 118, count: 100)
    var key = [UInt8](repeating: 0, count: 16)
    let arena = CellArena()
    let source = SourcePartition(cluster: log.clusterID, topic: "in", partition: 0)
    let cell = ByteBuffer()
    // A step without a common divisor with the number visits every key once, in an order that is not theirs.
    let step: Int64 = 777_777_777
    for index in 0..<records {
        let number = (index &* step) % records
        key.withUnsafeMutableBytes { cb_number_key(UInt64(number), $0.baseAddress) }
        cell.writer.removeAll()
        var context = TraceContext.none
        if lineage {
            context = TraceContext(traceHigh: 7, traceLow: UInt64(index) + 1, span: 9, flags: 0)
            cell.writer.append(CellHeader.version)
            arena.encode(
                arena.source(source, offset: index, timestamp: 1_000, fingerprint: 1), into: &cell.writer)
        }
        try producer.send(
            OutgoingRecord(
                timestamp: 1_000, key: key.span.bytes, value: value.span.bytes, context: context, cell: cell.bytes),
            topic: topic, partition: 0)
    }
    try producer.flush()
}

private final class Ending: Sendable {
    let finished = DispatchSemaphore(value: 0)
    let failure = Mutex<(any Error)?>(nil)
    let restored = Mutex<Int64>(0)
}

private func restoreSample(
    _ id: String, _ mode: LineageMode, _ log: EmbeddedLog, _ records: Int64, _ state: String
) throws -> Sample {
    defer { try? FileManager.default.removeItem(atPath: state) }
    let builder = StreamsBuilder()
    builder.stream("in", key: .string, value: .string).groupByKey().reduce(as: "rows") { _, new in new }
        .toStream().to("out")
    var configuration = StreamsConfiguration(
        applicationID: id, log: .open(log), stateDirectory: state, lineage: LineageConfiguration(mode: mode),
        handlesSignals: false)
    configuration.stateMapSize = 32 << 30
    let application = try StreamsApplication(try builder.build(), configuration: configuration)
    let ending = Ending()
    let wall = Mutex<Int64>(0)
    let cpu = Mutex<Int64>(0)
    application.onRestore { progress in ending.restored.withLock { $0 = max($0, progress.records) } }
    application.onStateChange { new, _ in
        guard new == .running else { return }
        wall.withLock { $0 = cb_wall() }
        cpu.withLock { $0 = cb_process_cpu() }
        application.shutdown()
    }
    let wallBefore = cb_wall()
    let cpuBefore = cb_process_cpu()
    Task {
        do { try await application.run() } catch { ending.failure.withLock { $0 = error } }
        ending.finished.signal()
    }
    ending.finished.wait()
    if let failure = ending.failure.withLock({ $0 }) { throw failure }
    guard ending.restored.withLock({ $0 }) == records else { throw UsageError(text: "the restore lost records") }
    return Sample(
        wall: Double(wall.withLock { $0 } - wallBefore) / Double(records),
        cpu: Double(cpu.withLock { $0 } - cpuBefore) / Double(records), allocations: nil)
}
