import Synchronization
import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryLMDB

@Suite(.timeLimit(.minutes(10))) struct TopicIdentityTests {
    private let base = ApplicationTests()

    private func configuration(_ log: EmbeddedLog) -> StreamsConfiguration {
        var configuration = StreamsConfiguration(
            applicationID: "count", log: .open(log), commitInterval: .milliseconds(5))
        configuration.handlesSignals = false
        return configuration
    }

    /// The cells of the latest records of a topic, by key.
    private func cells(_ log: any Log, _ topic: String) throws -> [String: [UInt8]] {
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "test"))
        defer { consumer.close() }
        _ = try consumer.assign(TopicPartition(topic, 0), from: 0)
        var found: [String: [UInt8]] = [:]
        while let batch = try consumer.poll(timeout: 0) {
            for index in 0..<batch.count {
                guard let key = batch.key(index) else { continue }
                found[String(decoding: [UInt8](copying: key), as: UTF8.self)] = [UInt8](copying: batch.cell(index))
            }
        }
        return found
    }

    @Test func `a topic made anew under a stopped application is read from its start, and is another source`()
        async throws
    {
        let folder = try TemporaryFolder()
        let log = try EmbeddedLog.open(at: folder.path)
        try log.createTopics([.kept("in"), .kept("out")])
        try base.produce(log, 100, keys: 1)
        try await base.runUntilDone(base.countTopology(), configuration(log), records: 100)
        try log.deleteTopics(["in"])
        try log.createTopics([.kept("in")])
        #expect(try log.committedOffsets(group: "count")[TopicPartition("in", 0)] == nil)
        try base.produce(log, 70, keys: 1)
        try await base.runUntilDone(base.countTopology(), configuration(log), records: 70)
        #expect(try base.latest(log, "out") == ["key-0": 170])
        #expect(try log.committedOffsets(group: "count")[TopicPartition("in", 0)]?.offset == 70)
        // The cell of the count holds each record of both lives once.
        let cell = try #require(try cells(log, "count-counts-changelog")["key-0"])
        var digest: UInt128 = 0
        for (life, count) in [(UInt64(1), Int64(100)), (2, 70)] {
            let source = SourcePartition(cluster: log.clusterID, topic: "in", partition: 0, life: life)
            for offset in 0..<count { digest &+= source.digest(offset: offset) }
        }
        let names = SourceNames(cluster: log.clusterID, topics: [])
        let report = try CellReport(cell.span.bytes.extracting(1..<cell.count), names: names)
        #expect(UInt128(report.digest, radix: 16) == digest && report.sources.count == 2)
        log.close()
    }

    @Test
    func `a topic made anew under a busy application ends it with an error, and nothing of the new one is skipped`()
        async throws
    {
        var inTime = 0
        for round in 0..<8 {
            // A fast machine may be done before it is looked at: then with more records.
            if round > 3 && inTime > 0 { break }
            let count = round > 3 ? 300_000 : 20_000
            let folder = try TemporaryFolder()
            var settings = EmbeddedLogConfiguration()
            settings.durability = .relaxed
            let log = try EmbeddedLog.open(at: folder.path, configuration: settings)
            try log.createTopics([.kept("in"), .kept("out")])
            try base.produce(log, count, keys: 1)
            let app = try StreamsApplication(base.countTopology(), configuration: configuration(log))
            let running = Task { try await app.run() }
            while app.state != .running || app.metrics.records < 1000 * Int64(round), app.state != .error {
                try await Task.sleep(for: .milliseconds(1))
            }
            if app.metrics.records < count { inTime += 1 }
            try log.deleteTopics(["in"])
            try log.createTopics([.kept("in")])
            try base.produce(log, 900, keys: 1)
            do {
                try await running.value
                Issue.record("no failure")
            } catch {
                let cause = (error as? TaskFailure)?.cause ?? error
                #expect((cause as? LogError)?.code == .unknownTopic, "\(error)")
            }
            let before = try base.latest(log, "out")["key-0"] ?? 0
            #expect(try log.committedOffsets(group: "count")[TopicPartition("in", 0)] == nil)
            try await base.runUntilDone(base.countTopology(), configuration(log), records: 900)
            #expect(try base.latest(log, "out") == ["key-0": before + 900], "round \(round)")
            log.close()
        }
        #expect(inTime > 0)
    }
}
