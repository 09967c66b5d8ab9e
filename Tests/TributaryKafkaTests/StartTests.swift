import TestSupport
import Testing
import Tributary
import TributaryKafka

/// Where sources and walks over records begin on Kafka: on pretended brokers.
@Suite(.timeLimit(.minutes(10))) struct StartTests {
    private let log: MockedLog
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        log = try MockedLog()
        try log.createTopics([TopicSpecification("in", partitions: 1), TopicSpecification("out", partitions: 1)])
    }

    private func send(_ values: String...) throws {
        let producer = try log.producer("in", of: String.self)
        for value in values { try producer.send("k", value, timestamp: 5) }
        try producer.close()
    }

    private func application(startingAt start: OffsetReset) throws -> StreamsApplication {
        let builder = StreamsBuilder()
        builder.stream("in", of: String.self, startingAt: start).to("out")
        return try StreamsApplication(
            builder.build(),
            configuration: StreamsConfiguration(
                applicationID: "copy", log: .open(log), stateDirectory: folder.path, commitInterval: .milliseconds(50),
                logs: .none, handlesSignals: false))
    }

    @Test func `a source that begins at the end sees what comes then, and goes on there`() async throws {
        try send("1", "2")
        // The second start needs no place to begin: one is committed.
        for (start, value) in [(OffsetReset.latest, "3"), (.fail, "4")] {
            let app = try application(startingAt: start)
            async let done: Void = app.run()
            while app.state != .running && app.state != .error { try await Task.sleep(for: .milliseconds(10)) }
            try send(value)
            var values: [String] = []
            for try await record in log.records("out", of: String.self) {
                values.append(record.value ?? "")
                if values.last == value { break }
            }
            #expect(values == (value == "3" ? ["3"] : ["3", "4"]))
            app.shutdown()
            try await done
        }
    }

    @Test func `a source that is to begin nowhere fails with topic and partition`() async throws {
        let app = try application(startingAt: .fail)
        let error = await #expect(throws: LogError.self) { try await app.run() }
        #expect(error?.code == .noOffset && error?.topic == "in" && error?.partition == 0)
    }

    @Test func `a walk with a group goes on where the last one has ended`() async throws {
        try send("1", "2", "3")
        func walk() async throws -> [String] {
            var values: [String] = []
            for try await record in log.records("in", of: String.self, follows: false, group: "readers") {
                values.append(record.value ?? "")
            }
            return values
        }
        #expect(try await walk() == ["1", "2", "3"])
        try send("4")
        #expect(try await walk() == ["4"])
    }
}
