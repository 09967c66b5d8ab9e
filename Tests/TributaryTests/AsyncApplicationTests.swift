import Synchronization
import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryTesting

/// Asynchronous closures on stream threads.
///
/// They run in Swift's own pool, which other tests block: calls get more time than they need.
@Suite(.timeLimit(.minutes(15))) struct AsyncApplicationTests {
    private struct Passing: Error {}

    private func send(_ log: any Log, _ values: [String]) throws {
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "test"))
        defer { producer.close() }
        let topic = try producer.number(ofTopic: "in")
        for value in values {
            let bytes = Array(value.utf8)
            try producer.send(
                OutgoingRecord(timestamp: 0, key: Array("k".utf8).span.bytes, value: bytes.span.bytes), topic: topic,
                partition: 0)
        }
        try producer.flush()
    }

    private func values(_ log: any Log) throws -> [String] {
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "test"))
        defer { consumer.close() }
        _ = try consumer.assign(TopicPartition("out", 0), from: 0)
        var found: [String] = []
        while let batch = try consumer.poll(timeout: 0) {
            for index in 0..<batch.count {
                if let bytes = batch.value(index) { found.append(try Serde.string.decode(bytes)) }
            }
        }
        return found
    }

    /// Runs an application until something is so.
    private func run(
        _ topology: Topology, _ log: MemoryLog, _ guarantee: ProcessingGuarantee, commitInterval: Duration,
        replaces: Bool = false, until isDone: @escaping @Sendable () throws -> Bool
    ) async throws {
        let folder = try TemporaryFolder()
        var configuration = StreamsConfiguration(
            applicationID: "app", log: .open(log), stateDirectory: folder.path, commitInterval: commitInterval)
        configuration.guarantee = guarantee
        configuration.handlesSignals = false
        if replaces { configuration.onThreadFailure = { _ in .replace } }
        let application = try StreamsApplication(topology, configuration: configuration)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            group.addTask {
                while try application.state != .error && !isDone() { try await Task.sleep(for: .milliseconds(5)) }
                application.shutdown()
            }
            try await group.waitForAll()
        }
    }

    private func log() throws -> MemoryLog {
        let log = MemoryLog(clusterID: "test")
        try log.createTopics([.kept("in"), .kept("out")])
        return log
    }

    @Test(arguments: [ProcessingGuarantee.exactlyOnce, .atLeastOnce])
    func `results come in order, also those that a stop finds under way`(guarantee: ProcessingGuarantee) async throws {
        let log = try log()
        let numbers = (0..<300).map(String.init)
        try send(log, numbers)
        let builder = StreamsBuilder()
        let counter = Counted()
        builder.stream("in", of: String.self)
            .mapAsync(concurrency: 8, timeout: .seconds(900), value: .string) { value in
                counter.add()
                try await Task.sleep(for: .milliseconds(value.hasSuffix("0") ? 3 : 1))
                return "<\(value)>"
            }
            .to("out")
        // No commit but the last, and none that the results wait for.
        try await run(builder.build(), log, guarantee, commitInterval: .seconds(3600)) { counter.count == 300 }
        #expect(try values(log) == numbers.map { "<\($0)>" })
        #expect(try log.committedOffsets(group: "app")[TopicPartition("in", 0)]?.offset == 300)
    }

    @Test func `a thread that begins again after a failed call gives each result once`() async throws {
        let log = try log()
        let numbers = (0..<50).map(String.init)
        try send(log, numbers)
        let counter = Counted()
        let builder = StreamsBuilder()
        builder.stream("in", of: String.self)
            .mapAsync(concurrency: 8, timeout: .seconds(900), value: .string) { value in
                if value == "30" {
                    counter.add()
                    if counter.count < 3 { throw Passing() }
                }
                try await Task.sleep(for: .milliseconds(1))
                return value
            }
            .to("out")
        try await run(
            builder.build(), log, .exactlyOnce, commitInterval: .milliseconds(10), replaces: true
        ) { try log.committedOffsets(group: "app")[TopicPartition("in", 0)]?.offset == 50 }
        #expect(try values(log) == numbers)
        #expect(counter.count == 3)
    }

    final class Counted: Sendable {
        private let number = Atomic(0)
        func add() { number.add(1, ordering: .relaxed) }
        var count: Int { number.load(ordering: .relaxed) }
    }
}
