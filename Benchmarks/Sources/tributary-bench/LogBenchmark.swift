import CBaselines
import Foundation
import Tributary
import TributaryCore
import TributaryLMDB

/// Producing and consuming 100-byte records on the embedded log, synced, against values of 1,000 records in bare LMDB.
func logBenchmark(_ options: Options) -> Benchmark {
    let records: Int64 = 300_000
    return Benchmark(
        name: "log", unit: "record",
        sides: [
            Side(name: "C") {
                let folder = options.folder + "/c"
                defer { try? FileManager.default.removeItem(atPath: folder) }
                let result = cb_log(folder, records)
                try checked(result.error)
                return Sample(wall: result.wall_ns, cpu: result.cpu_ns, allocations: nil)
            }, Side(name: "embedded log") { try logSample(records, options.folder + "/log") },
        ])
}

private func logSample(_ records: Int64, _ folder: String) throws -> Sample {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var configuration = EmbeddedLogConfiguration()
    configuration.mapSize = 32 << 30
    configuration.maintenanceInterval = .zero
    let log = try EmbeddedLog.open(at: folder, configuration: configuration)
    defer { log.close() }
    try log.createTopics([TopicSpecification("log", partitions: 1)])
    let producer = try log.makeProducer(ProducerConfiguration(clientID: "producer", transactionalID: "producer"))
    let topic = try producer.number(ofTopic: "log")
    let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "consumer"))
    _ = try consumer.assign(TopicPartition("log", 0), from: 0)
    let value = [UInt8](repeating: 118, count: 84)
    var key = [UInt8](repeating: 0, count: 16)
    let wall = cb_wall()
    let cpu = cb_process_cpu()
    for index in 0..<records {
        if index % 1_000 == 0 { try producer.beginTransaction() }
        key.withUnsafeMutableBytes { cb_number_key(UInt64(index), $0.baseAddress) }
        try producer.send(
            OutgoingRecord(timestamp: 1_000, key: key.span.bytes, value: value.span.bytes), topic: topic, partition: 0)
        // One synced commit for each thousand, as the C loop has.
        if index % 1_000 == 999 { _ = try producer.commitTransaction(offsets: [:], group: nil) }
    }
    var seen: Int64 = 0
    var sum = 0
    while seen < records, let batch = try consumer.poll(timeout: 1_000) {
        for index in 0..<batch.count {
            sum += Int(batch.key(index)?.byte(at: 15) ?? 0) + Int(batch.value(index)?.byte(at: 0) ?? 0)
        }
        seen += Int64(batch.count)
    }
    let sample = Sample(
        wall: Double(cb_wall() - wall) / Double(records), cpu: Double(cb_process_cpu() - cpu) / Double(records),
        allocations: nil)
    producer.close()
    consumer.close()
    guard seen == records, sum > 0 else { throw UsageError(text: "the log lost records") }
    return sample
}
