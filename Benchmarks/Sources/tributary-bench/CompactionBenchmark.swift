import CBaselines
import Foundation
import Tributary
import TributaryCore
import TributaryLMDB

/// Compacting a changelog of 100-byte records, against writing it: the log keeps in step as long as the second isn't slower.
func compactionBenchmark(name: String, keys: UInt64, _ options: Options) -> Benchmark {
    let records: Int64 = 4_000_000
    return Benchmark(
        name: name, unit: "record",
        sides: [
            Side(name: "written") { try changelogSample(records, keys, options.folder + "/compaction").written },
            Side(name: "compacted") { try changelogSample(records, keys, options.folder + "/compaction").compacted },
        ])
}

private func changelogSample(
    _ records: Int64, _ keys: UInt64, _ folder: String
) throws -> (written: Sample, compacted: Sample) {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var configuration = EmbeddedLogConfiguration()
    configuration.mapSize = 32 << 30
    configuration.maintenanceInterval = .zero
    let log = try EmbeddedLog.open(at: folder, configuration: configuration)
    defer { log.close() }
    try log.createTopics([TopicSpecification("changelog", settings: ["cleanup.policy": "compact"])])
    let producer = try log.makeProducer(ProducerConfiguration(clientID: "producer", transactionalID: "producer"))
    let topic = try producer.number(ofTopic: "changelog")
    let value = [UInt8](repeating: 118, count: 84)
    var key = [UInt8](repeating: 0, count: 16)
    let begin = (cb_wall(), cb_process_cpu())
    for index in 0..<records {
        if index % 100_000 == 0 { try producer.beginTransaction() }
        let number = ((UInt64(index) &* 0x9e37_79b9_7f4a_7c15) >> 20) % keys
        key.withUnsafeMutableBytes { cb_number_key(number, $0.baseAddress) }
        try producer.send(
            OutgoingRecord(timestamp: 1_000, key: key.span.bytes, value: value.span.bytes), topic: topic, partition: 0)
        if index % 100_000 == 99_999 { _ = try producer.commitTransaction(offsets: [:], group: nil) }
    }
    let middle = (cb_wall(), cb_process_cpu())
    try log.performMaintenance()
    let end = (cb_wall(), cb_process_cpu())
    producer.close()
    func sample(_ from: (Int64, Int64), _ to: (Int64, Int64)) -> Sample {
        Sample(
            wall: Double(to.0 - from.0) / Double(records), cpu: Double(to.1 - from.1) / Double(records),
            allocations: nil)
    }
    return (sample(begin, middle), sample(middle, end))
}
