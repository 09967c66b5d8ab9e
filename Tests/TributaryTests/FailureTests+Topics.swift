import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryTesting

/// Topics that aren't there.
extension FailureTests {
    @Test func `missing output and dead-letter topics are named before the first record`() async throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).to("out")
        for missing in ["out", "dead"] {
            let log = MemoryLog()
            try log.createTopics(["in", "out", "dead"].filter { $0 != missing }.map { TopicSpecification($0) })
            let folder = try TemporaryFolder()
            var configuration = StreamsConfiguration(
                applicationID: "app", log: .open(log), stateDirectory: folder.path, handlesSignals: false)
            configuration.runtime.deadLetterTopic = "dead"
            let app = try StreamsApplication(builder.build(), configuration: configuration)
            await #expect { try await app.run() } throws: { error in
                error is TopologyError && "\(error)".contains("'\(missing)'") && "\(error)".contains("does not exist")
            }
        }
    }

    @Test(arguments: [ErrorResponse.continue, .fail])
    func `a topic that a closure names and the log doesn't have asks the handler`(_ response: ErrorResponse)
        async throws
    {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).to(named: "choice") { _, value, _ in value }
        let log = MemoryLog()
        try log.createTopics([.kept("in"), .kept("out"), .kept("dead")])
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "test"))
        let topic = try producer.number(ofTopic: "in")
        for value in ["out", "nowhere", "out"] {
            try producer.send(
                OutgoingRecord(timestamp: 0, key: Array("k".utf8).span.bytes, value: Array(value.utf8).span.bytes),
                topic: topic, partition: 0)
        }
        try producer.flush()
        let folder = try TemporaryFolder()
        let seen = Seen()
        var configuration = StreamsConfiguration(
            applicationID: "app", log: .open(log), stateDirectory: folder.path, handlesSignals: false)
        configuration.runtime.deadLetterTopic = "dead"
        configuration.runtime.productionHandler = { failed in
            seen.add(failed)
            return response
        }
        let app = try StreamsApplication(builder.build(), configuration: configuration)
        app.onStateChange { new, _ in
            guard new == .running else { return }
            Task {
                while app.metrics.records < 3 && app.state == .running { try await Task.sleep(for: .milliseconds(2)) }
                app.shutdown()
            }
        }
        if response == .continue {
            try await app.run()
            #expect(log.records(in: TopicPartition("out", 0)).count == 2)
            #expect(log.records(in: TopicPartition("dead", 0)).map(\.value) == [Array("nowhere".utf8)])
        } else {
            await #expect { try await app.run() } throws: { error in
                guard let failure = error as? TaskFailure else { return false }
                return failure.step == .production && failure.node == "choice" && failure.coordinate?.offset == 1
                    && failure.key == Array("k".utf8) && (failure.cause as? LogError)?.topic == "nowhere"
            }
        }
        #expect(seen.all.count == 1 && seen.all.first?.node == "choice")
    }
}
