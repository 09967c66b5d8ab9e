import FoundationEssentials
import Testing
import Tributary
import TributaryLMDB

#if canImport(Glibc)
    import Glibc
#endif

/// A directory of its own for each test, gone with the value.
final class TemporaryDirectory: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/tributary-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { buffer in
            guard let start = buffer.baseAddress, let made = mkdtemp(start) else { return "/tmp/tributary-failed" }
            return String(cString: made)
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

@Suite(.timeLimit(.minutes(1))) struct ApplicationTests {
    func countTopology() throws -> Topology {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .groupByKey().count(as: "counts").toStream().to("out")
        return try builder.build()
    }

    func produce(_ log: any Log, _ count: Int, keys: Int) throws {
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "test"))
        let topic = try producer.number(ofTopic: "in")
        for index in 0..<count {
            let key = Array("key-\(index % keys)".utf8)
            try producer.send(
                topic: topic, partition: 0, timestamp: Int64(index), key: key.span.bytes, value: key.span.bytes,
                headers: RawSpan(), context: .none, cell: RawSpan(), extras: RawSpan())
        }
        try producer.flush()
        producer.close()
    }

    /// Runs until the lag is 0, then stops cleanly.
    func runUntilDone(_ topology: Topology, _ configuration: StreamsConfiguration, records: Int64) async throws {
        let app = try StreamsApplication(topology, configuration: configuration)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await app.run() }
            group.addTask {
                while app.metrics.records < records && app.state != .error {
                    try await Task.sleep(for: .milliseconds(5))
                }
                app.shutdown()
            }
            try await group.waitForAll()
        }
        #expect(app.state == .notRunning)
    }

    func latest(_ log: any Log, _ topic: String) throws -> [String: Int64] {
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "test"))
        _ = try consumer.assign(TopicPartition(topic, 0), from: 0)
        var found: [String: Int64] = [:]
        while let batch = try consumer.poll(timeout: 0) {
            for index in 0..<batch.count {
                guard let key = batch.key(index), let value = batch.value(index) else { continue }
                found[String(decoding: [UInt8](copying: key), as: UTF8.self)] = value.integer(at: 0, as: Int64.self)
            }
        }
        consumer.close()
        return found
    }

    @Test(arguments: [ProcessingGuarantee.exactlyOnce, .atLeastOnce])
    func `a count on the embedded log is exact, also after a restart`(_ guarantee: ProcessingGuarantee) async throws {
        let directory = TemporaryDirectory()
        let log = try EmbeddedLog.open(at: directory.path)
        try log.createTopics([TopicSpecification("in"), TopicSpecification("out")])
        try produce(log, 1000, keys: 10)
        var configuration = StreamsConfiguration(
            applicationID: "count", log: .open(log), guarantee: guarantee, commitInterval: .milliseconds(20))
        configuration.handlesSignals = false
        try await runUntilDone(countTopology(), configuration, records: 1000)
        #expect(try latest(log, "out") == Dictionary(uniqueKeysWithValues: (0..<10).map { ("key-\($0)", 100) }))
        try produce(log, 500, keys: 10)
        try await runUntilDone(countTopology(), configuration, records: 500)
        #expect(try latest(log, "out") == Dictionary(uniqueKeysWithValues: (0..<10).map { ("key-\($0)", 150) }))
        log.close()
    }
}
