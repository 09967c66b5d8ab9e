import CBaselines
import Foundation
import Tributary
import TributaryCore
import TributaryLMDB

/// Commits of one record of 1 KiB into a log, against the same after a topic of 1 GiB was deleted: what LMDB's list of free pages costs.
func deletionBenchmark(_ options: Options) -> Benchmark {
    Benchmark(
        name: "deletion", unit: "commit",
        sides: [
            Side(name: "fresh log") { try commitSample(deleting: 0, options.folder + "/deletion") },
            Side(name: "after deletion") { try commitSample(deleting: 1 << 30, options.folder + "/deletion") },
        ])
}

private func commitSample(deleting bytes: Int, _ folder: String) throws -> Sample {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var configuration = EmbeddedLogConfiguration()
    configuration.mapSize = 32 << 30
    configuration.maintenanceInterval = .zero
    configuration.durability = .relaxed
    let log = try EmbeddedLog.open(at: folder, configuration: configuration)
    defer { log.close() }
    try log.createTopics([TopicSpecification("log"), TopicSpecification("large")])
    let producer = try log.makeProducer(ProducerConfiguration(clientID: "producer", transactionalID: "producer"))
    let value = [UInt8](repeating: 118, count: 1008)
    let key = [UInt8](repeating: 0, count: 16)
    func commit(_ topic: Int, records: Int) throws {
        try producer.beginTransaction()
        for _ in 0..<records {
            try producer.send(
                OutgoingRecord(timestamp: 1_000, key: key.span.bytes, value: value.span.bytes), topic: topic,
                partition: 0)
        }
        _ = try producer.commitTransaction(offsets: [:], group: nil)
    }
    let topic = try producer.number(ofTopic: "log")
    let large = try producer.number(ofTopic: "large")
    for _ in 0..<(bytes >> 24) { try commit(large, records: 16 << 10) }
    if bytes > 0 { try log.deleteTopics(["large"]) }
    let commits = 10_000
    let wall = cb_wall()
    let cpu = cb_process_cpu()
    for _ in 0..<commits { try commit(topic, records: 1) }
    defer { producer.close() }
    return Sample(
        wall: Double(cb_wall() - wall) / Double(commits), cpu: Double(cb_process_cpu() - cpu) / Double(commits),
        allocations: nil)
}
