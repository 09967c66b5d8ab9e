import Foundation
import Tributary
import TributaryCore
import TributaryLMDB

/// What a record costs where 1,000 come a second, spread over as many partitions: nothing may depend on how many there are.
func partitionsBenchmark(_ options: Options) -> Benchmark {
    Benchmark(
        name: "partitions", unit: "record",
        sides: [1, 10, 100, 1000].map { count in
            Side(name: "\(count)") { try partitionsSample(Int32(count), options.folder) }
        })
}

private func partitionsSample(_ partitions: Int32, _ folder: String) throws -> Sample {
    let home = "\(folder)/partitions-\(UUID().uuidString.prefix(8))"
    defer { try? FileManager.default.removeItem(atPath: home) }
    let log = try EmbeddedLog.open(at: home + "/log")
    defer { log.close() }
    try log.createTopics([TopicSpecification("in", partitions: partitions), TopicSpecification("out")])
    let builder = StreamsBuilder()
    builder.stream("in", key: .string, value: .string).to("out")
    var configuration = StreamsConfiguration(
        applicationID: "partitions", log: .open(log), stateDirectory: home + "/state", handlesSignals: false)
    configuration.runtime.lineage = LineageConfiguration(mode: .off)
    let application = try StreamsApplication(try builder.build(), configuration: configuration)
    let end = DispatchSemaphore(value: 0)
    Task {
        do { try await application.run() } catch { print(error) }
        end.signal()
    }
    let records = 3_000
    let warmUp = 500
    let producer = try log.makeProducer(ProducerConfiguration(clientID: "input"))
    defer { producer.close() }
    let topic = try producer.number(ofTopic: "in")
    let value = [UInt8](repeating: UInt8(ascii: "v"), count: 100)
    while application.state != .running { usleep(1000) }
    var start = (wall: clock_gettime_nsec(CLOCK_MONOTONIC), cpu: clock_gettime_nsec(CLOCK_PROCESS_CPUTIME_ID))
    let began = start.wall
    for index in 0..<records {
        if index == warmUp {
            start = (clock_gettime_nsec(CLOCK_MONOTONIC), clock_gettime_nsec(CLOCK_PROCESS_CPUTIME_ID))
        }
        try producer.send(
            OutgoingRecord(
                timestamp: 1_700_000_000_000, key: Array("\(index)".utf8).span.bytes, value: value.span.bytes),
            topic: topic, partition: Int32(index * 7 % Int(partitions)))
        try producer.flush()
        let due = began + UInt64(index + 1) * 1_000_000
        let now = clock_gettime_nsec(CLOCK_MONOTONIC)
        if now < due { usleep(UInt32((due - now) / 1000)) }
    }
    while application.metrics.records < records { usleep(1000) }
    let count = Double(records - warmUp)
    let sample = Sample(
        wall: Double(clock_gettime_nsec(CLOCK_MONOTONIC) - start.wall) / count,
        cpu: Double(clock_gettime_nsec(CLOCK_PROCESS_CPUTIME_ID) - start.cpu) / count)
    application.shutdown()
    end.wait()
    return sample
}

private func clock_gettime_nsec(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
