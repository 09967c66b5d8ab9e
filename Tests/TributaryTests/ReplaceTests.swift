import Synchronization
import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryLMDB
import TributaryTesting

/// Stream threads that begin again after an error.
@Suite(.timeLimit(.minutes(10))) struct ReplaceTests {
    private struct Passing: Error {}

    /// Counts down; throws until 0.
    private final class Trouble: Sendable {
        private let left: Atomic<Int>
        init(_ count: Int) { left = Atomic(count) }
        func check() throws {
            if left.load(ordering: .relaxed) > 0 {
                left.subtract(1, ordering: .relaxed)
                throw Passing()
            }
        }
    }

    private func topology(_ trouble: Trouble, at value: String) throws -> Topology {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .peek { (_: String, text: String) throws in if text == value { try trouble.check() } }
            .groupByKey().count(as: "counts").toStream().to("out")
        return try builder.build()
    }

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

    private func counts(_ log: any Log) throws -> [Int64] {
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "test"))
        defer { consumer.close() }
        _ = try consumer.assign(TopicPartition("out", 0), from: 0)
        var found: [Int64] = []
        while let batch = try consumer.poll(timeout: 0) {
            for index in 0..<batch.count {
                found.append(batch.value(index)?.integer(at: 0, as: Int64.self) ?? -1)
            }
        }
        return found
    }

    /// Runs until so many records are processed for good.
    private func run(_ app: StreamsApplication, _ log: any Log, until offset: Int64) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await app.run() }
            group.addTask {
                while app.state != .error {
                    let committed = try log.committedOffsets(group: "app")[TopicPartition("in", 0)]?.offset ?? 0
                    if committed >= offset { break }
                    try await Task.sleep(for: .milliseconds(5))
                }
                app.shutdown()
            }
            try await group.waitForAll()
        }
    }

    @Test func `a thread that is replaced goes on from the last commit, exactly once`() async throws {
        let folder = try TemporaryFolder()
        let log = try EmbeddedLog.open(at: folder.path + "/log")
        defer { log.close() }
        try log.createTopics([.kept("in"), .kept("out")])
        try send(log, ["a", "b", "bad", "c"])
        var configuration = StreamsConfiguration(
            applicationID: "app", log: .open(log), stateDirectory: folder.path + "/state", cacheBytes: 0)
        let asked = Guarded<[String]>([])
        configuration.onThreadFailure = { error in
            asked.withLock { $0.append("\(error)") }
            return .replace
        }
        let app = try StreamsApplication(topology(Trouble(3), at: "bad"), configuration: configuration)
        let states = Guarded<[StreamsApplication.State]>([])
        app.onStateChange { new, _ in states.withLock { $0.append(new) } }
        try await run(app, log, until: 4)
        #expect(try counts(log) == [1, 2, 3, 4])
        #expect(asked.withLock { $0.count } == 3)
        #expect(
            asked.withLock { $0.allSatisfy { $0.contains("in-0@2") && $0.contains("Passing") } },
            "\(asked.withLock { $0 })")
        #expect(
            states.withLock { $0 } == [.rebalancing, .running, .rebalancing, .running, .rebalancing, .running]
                + [.rebalancing, .running, .pendingShutdown, .notRunning])
        // Also of the attempts that count for nothing.
        #expect(app.metrics.records >= 4)
    }

    @Test func `unless told to begin again a thread that fails stops the application`() async throws {
        let folder = try TemporaryFolder()
        let log = try EmbeddedLog.open(at: folder.path + "/log")
        defer { log.close() }
        try log.createTopics([.kept("in"), .kept("out")])
        try send(log, ["bad"])
        let configuration = StreamsConfiguration(
            applicationID: "app", log: .open(log), stateDirectory: folder.path + "/state")
        let app = try StreamsApplication(topology(Trouble(1), at: "bad"), configuration: configuration)
        await #expect(throws: TaskFailure.self) { try await run(app, log, until: 1) }
        #expect(app.state == .error)
    }

    @Test func `a commit that nobody knows the outcome of doesn't end the application, and nothing is counted twice`()
        async throws
    {
        let folder = try TemporaryFolder()
        let faults = LMDBFaults()
        var settings = EmbeddedLogConfiguration()
        settings.faults = faults
        let log = try EmbeddedLog.open(at: folder.path + "/log", configuration: settings)
        defer { log.close() }
        try log.createTopics([.kept("in"), .kept("out")])
        try send(log, (0..<100).map { "\($0)" })
        var configuration = StreamsConfiguration(
            applicationID: "app", log: .open(log), stateDirectory: folder.path + "/state", cacheBytes: 0)
        configuration.runtime.recordsPerRound = 10
        configuration.commitInterval = .zero
        configuration.onThreadFailure = { error in
            Issue.record("asked about \(error)")
            return .stop
        }
        let app = try StreamsApplication(topology(Trouble(0), at: ""), configuration: configuration)
        faults.loseAnswer(ofCommit: 3)
        try await run(app, log, until: 100)
        #expect(try counts(log) == Array(1...100))
    }
}
