import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryLMDB

@Suite(.timeLimit(.minutes(10))) struct BackfillTests {
    private let base = ApplicationTests()

    private func produce(_ log: any Log, at times: [Int64]) throws {
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "test"))
        let topic = try producer.number(ofTopic: "in")
        let key = Array("k".utf8)
        for time in times {
            try producer.send(
                OutgoingRecord(timestamp: time, key: key.span.bytes, value: key.span.bytes), topic: topic, partition: 0)
        }
        try producer.flush()
        producer.close()
    }

    @Test func `a window's count of old records goes on after its state is lost`() async throws {
        let folder = try TemporaryFolder()
        let log = try EmbeddedLog.open(at: folder.path)
        try log.createTopics([
            TopicSpecification("in", settings: ["retention.ms": "-1"]),
            TopicSpecification("out", settings: ["retention.ms": "-1"]),
        ])
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .groupByKey().windowedBy(.tumbling(size: .seconds(60)))
            .count(as: "counts").toStream().map { window, count in (window.key, count) }
            .to("out", key: .string, value: .int64)
        let topology = try builder.build()
        var configuration = StreamsConfiguration(
            applicationID: "windows", log: .open(log), commitInterval: .milliseconds(10))
        configuration.handlesSignals = false
        // In November of 2023.
        let start: Int64 = 1_700_000_040_000
        try produce(log, at: [start, start + 1, start + 2])
        try await base.runUntilDone(topology, configuration, records: 3)
        #expect(try base.latest(log, "out") == ["k": 3])
        try log.performMaintenance()
        removeTree("\(folder.path)/state/windows")
        try produce(log, at: [start + 3])
        try await base.runUntilDone(topology, configuration, records: 1)
        #expect(try base.latest(log, "out") == ["k": 4])
        let changelog = try #require(try log.topic("windows-counts-changelog"))
        #expect(changelog.settings["tributary.retention.time"] == "stream")
        log.close()
    }

    @Test func `a batch that can't be read stops the application, or is left out where the handler says so`()
        async throws
    {
        let folder = try TemporaryFolder()
        do {
            let log = try EmbeddedLog.open(at: folder.path)
            try log.createTopics([.kept("in"), .kept("out")])
            for mark in ["batch1 record", "batch2 record", "batch3 record"] {
                let producer = try log.makeProducer(ProducerConfiguration(clientID: "test"))
                let topic = try producer.number(ofTopic: "in")
                for index in 0..<10 {
                    let value = Array("\(mark) \(index)".utf8)
                    try producer.send(
                        OutgoingRecord(timestamp: 0, key: Array("k".utf8).span.bytes, value: value.span.bytes),
                        topic: topic, partition: 0)
                }
                try producer.flush()
                producer.close()
            }
            log.close()
        }
        try replace(in: folder.path + "/log.mdb", "batch2 record 4", by: "batch2 recorD 4")
        let log = try EmbeddedLog.open(at: folder.path)
        // What comes before the batch is not committed before that is read: the next start begins with it again.
        var configuration = StreamsConfiguration(
            applicationID: "count", log: .open(log), commitInterval: .seconds(3600))
        configuration.handlesSignals = false
        let refused = try StreamsApplication(base.countTopology(), configuration: configuration)
        await #expect { try await refused.run() } throws: { error in
            guard let failure = error as? TaskFailure, let cause = failure.cause as? LogError else { return false }
            return cause.code == .corrupt && failure.coordinate?.offset == 10 && failure.coordinate?.topic == "in"
        }
        configuration.commitInterval = .milliseconds(10)
        configuration.runtime.deserializationHandler = { failed in
            failed.coordinate?.offset == 10 && failed.error is LogError ? .continue : .fail
        }
        try await base.runUntilDone(base.countTopology(), configuration, records: 20)
        #expect(try base.latest(log, "out") == ["k": 20])
        #expect(try log.committedOffsets(group: "count")[TopicPartition("in", 0)]?.offset == 30)
        log.close()
    }
}
