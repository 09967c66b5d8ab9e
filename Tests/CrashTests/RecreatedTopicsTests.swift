import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryLMDB

private let isSoak = environment("TRIBUTARY_SOAK") != nil

@Suite(.serialized, .timeLimit(.minutes(isSoak ? 60 : 10))) struct RecreatedTopicsTests {
    private static let place = TopicPartition("in", 0)

    private func topology() throws -> Topology {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .groupByKey().count(as: "counts").toStream().to("out")
        return try builder.build()
    }

    /// Writes records of one key: that of the topic's life.
    private func produce(_ log: any Log, _ life: UInt64, _ count: Int) throws {
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "test"))
        let topic = try producer.number(ofTopic: "in")
        let key = Array("life \(life)".utf8)
        for index in 0..<count {
            try producer.send(
                OutgoingRecord(timestamp: Int64(index), key: key.span.bytes, value: key.span.bytes), topic: topic,
                partition: 0)
        }
        try producer.flush()
        producer.close()
    }

    private func counts(_ log: any Log) throws -> [String: Int64] {
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "test"))
        defer { consumer.close() }
        _ = try consumer.assign(TopicPartition("out", 0), from: 0)
        var found: [String: Int64] = [:]
        while let batch = try consumer.poll(timeout: 0) {
            for index in 0..<batch.count {
                guard let key = batch.key(index), let value = batch.value(index) else { continue }
                found[String(decoding: [UInt8](copying: key), as: UTF8.self)] = value.integer(at: 0, as: Int64.self)
            }
        }
        return found
    }

    /// Runs until all of the topic is processed, or `isEnough` says so, or the application fails; returns what it failed with.
    private func run(
        _ log: EmbeddedLog, _ guarantee: ProcessingGuarantee, meanwhile: (StreamsApplication) async throws -> Void
    ) async throws -> (any Error)? {
        var configuration = StreamsConfiguration(
            applicationID: "count", log: .open(log), guarantee: guarantee, commitInterval: .milliseconds(5))
        configuration.handlesSignals = false
        let app = try StreamsApplication(topology(), configuration: configuration)
        let running = Task { try await app.run() }
        try await meanwhile(app)
        app.shutdown()
        do { try await running.value } catch { return error }
        return nil
    }

    /// Waits until the group has committed the end of the topic.
    private func untilDone(_ log: EmbeddedLog, _ app: StreamsApplication) async throws {
        while app.state != .error {
            let end = try log.watermarks(Self.place, committed: true).high
            if try log.committedOffsets(group: "count")[Self.place]?.offset == end { return }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    @Test(arguments: [ProcessingGuarantee.exactlyOnce, .atLeastOnce])
    func `a topic that is deleted and made again loses and repeats nothing of the new one`(
        _ guarantee: ProcessingGuarantee
    ) async throws {
        let folder = try TemporaryFolder()
        var settings = EmbeddedLogConfiguration()
        settings.durability = .relaxed
        let log = try EmbeddedLog.open(at: folder.path, configuration: settings)
        try log.createTopics([
            TopicSpecification("in", settings: ["retention.ms": "-1"]),
            TopicSpecification("out", settings: ["retention.ms": "-1"]),
        ])
        var random = FastRandom(seed: 3)
        var stopped = 0
        var failed = 0
        var untouched = 0
        let rounds: UInt64 = isSoak ? 300 : 12
        for life in 1...rounds {
            let size = 500 + Int(random.next() % 4000)
            let isBusy = random.next() % 3 != 0
            let delay = Int64(random.next() % 40_000)
            try produce(log, life, size)
            if isBusy {
                // The topic goes away somewhere in the middle, with what was left of it.
                let failure = try await run(log, guarantee) { app in
                    while app.state != .running && app.state != .error { try await Task.sleep(for: .milliseconds(1)) }
                    try await Task.sleep(for: .microseconds(delay))
                    try log.deleteTopics(["in"])
                    try log.createTopics([TopicSpecification("in", settings: ["retention.ms": "-1"])])
                    try produce(log, life + 1000, 900)
                    try await Task.sleep(for: .milliseconds(10))
                }
                if let failure {
                    failed += 1
                    let cause = (failure as? TaskFailure)?.cause ?? failure
                    #expect((cause as? LogError)?.code == .unknownTopic, "\(failure)")
                } else {
                    untouched += 1
                }
                #expect(try log.committedOffsets(group: "count")[Self.place] == nil)
                let failure2 = try await run(log, guarantee) { app in try await untilDone(log, app) }
                #expect(failure2 == nil)
            } else {
                let failure = try await run(log, guarantee) { app in try await untilDone(log, app) }
                #expect(failure == nil)
                stopped += 1
            }
            let counts = try counts(log)
            if isBusy {
                #expect(counts["life \(life + 1000)"] == 900, "life \(life)")
                #expect(counts["life \(life)", default: 0] <= Int64(size) || guarantee == .atLeastOnce)
            } else {
                #expect(counts["life \(life)"] == Int64(size), "life \(life)")
            }
            try log.deleteTopics(["in"])
            try log.createTopics([TopicSpecification("in", settings: ["retention.ms": "-1"])])
        }
        print(
            "topics recreated, \(guarantee.rawValue): \(stopped) under a stopped application, \(failed) under a busy one, "
                + "\(untouched) that had ended before")
        #expect(failed > 0)
        log.close()
    }
}
