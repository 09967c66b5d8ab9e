import CBaselines
import Foundation
import Tributary
import TributaryCore

/// A stateful operator as an application on the embedded log, with lineage off, cells, and cells sampled to memory.
func operatorBenchmark(_ workload: OperatorWorkload, _ options: Options) throws -> Benchmark {
    let input = try OperatorInput(workload, folder: "\(options.folder)/log")
    func side(_ name: String, _ lineage: @escaping () -> LineageConfiguration) -> Side {
        Side(name: name) { try operatorSample(workload, input, lineage(), folder: options.folder) }
    }
    return Benchmark(
        name: workload.name, unit: "record",
        sides: [
            side("off") { LineageConfiguration(mode: .off) },
            side("cells") { LineageConfiguration(mode: .cells, sampler: .alwaysOff) },
            side("cells sampled") {
                LineageConfiguration(mode: .cells, exporter: InMemorySpanExporter(capacity: 100_000))
            },
        ], addedTo: "off")
}

/// Whether a record costs more where more is stored: one operator with lineage off, each side with ten times the state of another.
func growthBenchmark(_ name: String, _ workloads: [OperatorWorkload], _ options: Options) throws -> Benchmark {
    Benchmark(
        name: name, unit: "record",
        sides: try workloads.map { workload in
            let folder = "\(options.folder)/\(workload.name)"
            let input = try OperatorInput(workload, folder: "\(folder)/log")
            return Side(name: workload.name) {
                try operatorSample(workload, input, LineageConfiguration(mode: .off), folder: folder)
            }
        })
}

/// The input topics of a workload, filled.
struct OperatorInput {
    static let warmUp: Int64 = 200_000
    static let measured: Int64 = 600_000
    let log: EmbeddedLog

    init(_ workload: OperatorWorkload, folder: String) throws {
        var configuration = EmbeddedLogConfiguration()
        configuration.durability = .relaxed
        configuration.mapSize = 32 << 30
        configuration.maintenanceInterval = .zero
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        log = try EmbeddedLog.open(at: folder, configuration: configuration)
        try log.createTopics(workload.topics.map { TopicSpecification($0) })
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "input"))
        defer { producer.close() }
        let topics = try workload.topics.map { try producer.number(ofTopic: $0) }
        var value = [UInt8](repeating: UInt8(ascii: "v"), count: 100)
        var key = [UInt8](repeating: 0, count: 16)
        for index in 0..<workload.preload + Self.warmUp + Self.measured + 20_000 {
            let record = workload.source(index)
            key.withUnsafeMutableBytes { cb_number_key(record.key, $0.baseAddress) }
            value.withUnsafeMutableBytes {
                cb_number_key(mixed(index) / 7 % workload.foreignKeys, $0.baseAddress)
            }
            try producer.send(
                OutgoingRecord(
                    timestamp: 1_700_000_000_000 + record.time, key: key.span.bytes, value: value.span.bytes),
                topic: topics[record.topic], partition: 0)
        }
        try producer.flush()
    }
}

private func operatorSample(
    _ workload: OperatorWorkload, _ input: OperatorInput, _ lineage: LineageConfiguration, folder: String
) throws -> Sample {
    let builder = StreamsBuilder()
    try workload.topology(builder)
    let topology = try builder.build()
    try input.log.createTopics([TopicSpecification("out")])
    let state = "\(folder)/state"
    let id = "operator-\(UUID().uuidString.prefix(8))"
    defer {
        let made = (try? input.log.topics()) ?? []
        try? input.log.deleteTopics(["out"] + made.map(\.name).filter { $0.hasPrefix(id) })
        try? FileManager.default.removeItem(atPath: state)
    }
    var configuration = StreamsConfiguration(
        applicationID: id, log: .open(input.log), stateDirectory: state, guarantee: .exactlyOnce,
        commitInterval: .milliseconds(100), cacheBytes: 64 << 20, lineage: lineage, handlesSignals: false)
    configuration.stateMapSize = 32 << 30
    let first = workload.preload + OperatorInput.warmUp
    let probe = Probe(from: first, to: first + OperatorInput.measured, mask: lineage.exporter == nil ? 0 : 255)
    configuration.runtime.time = TimeSource(wall: { probe.time() }, monotonic: { probe.time() })
    let application = try StreamsApplication(topology, configuration: configuration)
    try probe.run(application)
    return try probe.sample()
}
