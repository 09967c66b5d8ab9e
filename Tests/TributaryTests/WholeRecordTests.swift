import Glibc
import Synchronization
import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryLMDB

/// At least once on the embedded log: what a kill at any moment would find there.
@Suite(.timeLimit(.minutes(10))) struct WholeRecordTests {
    private func send(_ log: EmbeddedLog, _ records: [(key: String, value: String, time: Int64)]) throws {
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "test"))
        defer { producer.close() }
        let topic = try producer.number(ofTopic: "in")
        for record in records {
            try producer.send(
                OutgoingRecord(
                    timestamp: record.time, key: Array(record.key.utf8).span.bytes,
                    value: Array(record.value.utf8).span.bytes), topic: topic, partition: 0)
        }
        try producer.flush()
    }

    private func end(_ log: EmbeddedLog, _ topic: String) -> Int64 {
        (try? log.watermarks(TopicPartition(topic, 0), committed: true).high) ?? -1
    }

    private func run(
        _ topology: Topology, _ log: EmbeddedLog, cacheBytes: Int, commitInterval: Duration = .seconds(3600),
        then look: @escaping @Sendable (StreamsApplication) async throws -> Void
    ) async throws {
        var configuration = StreamsConfiguration(
            applicationID: "app", log: .open(log), guarantee: .atLeastOnce, commitInterval: commitInterval,
            cacheBytes: cacheBytes)
        configuration.handlesSignals = false
        let application = try StreamsApplication(topology, configuration: configuration)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            group.addTask {
                defer { application.shutdown() }
                try await look(application)
            }
            try await group.waitForAll()
        }
    }

    private func openLog(_ folder: TemporaryFolder) throws -> EmbeddedLog {
        var configuration = EmbeddedLogConfiguration()
        configuration.linger = .milliseconds(1)
        configuration.mapSize = 1 << 30
        configuration.durability = .relaxed
        let log = try EmbeddedLog.open(at: folder.path + "/log", configuration: configuration)
        try log.createTopics([.kept("in"), .kept("out")])
        return log
    }

    @Test func `a session that is deleted and the one that it is merged into are written together`() async throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        defer { log.close() }
        let seen = Guarded<[Int64]>([])
        let builder = StreamsBuilder()
        _ = builder.stream("in", key: .string, value: .string).groupByKey()
            .windowedBy(SessionWindows(gap: .seconds(1), grace: .seconds(1)))
            .aggregate(into: "", as: "sessions", value: .string, merging: { $0 += $1 }) { session, value in
                // The session before is deleted, and this one isn't there: a kill now.
                usleep(20_000)
                seen.withLock { $0.append(self.end(log, "app-sessions-changelog")) }
                session += value
            }
        try send(log, [("k", "a", 0), ("k", "b", 500), ("k", "c", 900)])
        let topology = try builder.build()
        try await run(topology, log, cacheBytes: 0) { application in
            while application.metrics.records < 3 && application.state != .error {
                try await Task.sleep(for: .milliseconds(5))
            }
        }
        // With one more there is a deletion without the session that the deleted one is in.
        #expect(seen.withLock { $0 }.count == 3 && seen.withLock { $0 }.allSatisfy { [0, 1, 3].contains($0) })
        #expect(end(log, "app-sessions-changelog") == 5)
    }

    @Test func `results of one record and the row that they come from are written together`() async throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        defer { log.close() }
        let seen = Guarded<[Int64]>([])
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).groupByKey().count(as: "counts").toStream()
            .mapValues { count in
                usleep(20_000)
                seen.withLock { $0.append(self.end(log, "app-counts-changelog") - self.end(log, "out")) }
                return count
            }
            .to("out")
        try send(log, [("k", "a", 0), ("k", "b", 500)])
        let topology = try builder.build()
        try await run(topology, log, cacheBytes: 0) { application in
            while application.metrics.records < 2 && application.state != .error {
                try await Task.sleep(for: .milliseconds(5))
            }
        }
        #expect(seen.withLock { $0 } == [0, 0])
    }

    @Test func `a record that is known by now isn't written before what became of it is`() async throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        defer { log.close() }
        let builder = StreamsBuilder()
        _ = builder.stream("in", key: .string, value: .string).deduplicate(within: .seconds(10), as: "seen")
            .groupByKey().count(as: "counts")
        try send(log, [("k", "a", 0), ("k", "b", 1), ("l", "c", 2)])
        let topology = try builder.build()
        let found = Guarded<[Int64]>([])
        try await run(topology, log, cacheBytes: 1 << 20) { application in
            while application.metrics.records < 3 && application.state != .error {
                try await Task.sleep(for: .milliseconds(5))
            }
            // A kill now does all again.
            try await Task.sleep(for: .milliseconds(100))
            found.withLock { $0 = [self.end(log, "app-seen-changelog"), self.end(log, "app-counts-changelog")] }
        }
        #expect(found.withLock { $0 } == [0, 0])
        #expect(end(log, "app-seen-changelog") == 2 && end(log, "app-counts-changelog") == 2)
    }

    @Test func `a record that is known by now waits for no commit where nothing behind does`() async throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        defer { log.close() }
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).deduplicate(within: .seconds(10), as: "seen").to("out")
        try send(log, [("k", "a", 0), ("l", "c", 2)])
        let topology = try builder.build()
        try await run(topology, log, cacheBytes: 1 << 20) { application in
            while self.end(log, "out") < 2 && application.state != .error {
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(try log.committedOffsets(group: "app").isEmpty)
        }
    }
}
