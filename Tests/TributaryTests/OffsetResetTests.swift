import Foundation
import TestSupport
import Testing
import Tributary
import TributaryLMDB

/// Where sources begin where nothing is committed, or what was committed is gone.
@Suite(.timeLimit(.minutes(10))) struct OffsetResetTests {
    private let folder: TemporaryFolder
    private let log: EmbeddedLog

    init() throws {
        folder = try TemporaryFolder()
        log = try EmbeddedLog.open(at: folder.path)
        try log.createTopics([.kept("in"), .kept("other"), .kept("out")])
    }

    private func send(_ values: [String], at times: [Int64], to topic: String = "in") throws {
        let producer = try log.producer(topic, of: String.self)
        for (value, time) in zip(values, times) { try producer.send("k", value, timestamp: time) }
        try producer.close()
    }

    private func configuration(_ change: (inout StreamsConfiguration) -> Void = { _ in }) -> StreamsConfiguration {
        var configuration = StreamsConfiguration(
            applicationID: "copy", log: .open(log), logs: .none, handlesSignals: false)
        change(&configuration)
        return configuration
    }

    /// Runs a copy of `in` to `out` until it runs and `done` says so.
    private func run(
        startingAt start: OffsetReset? = nil, _ configuration: StreamsConfiguration? = nil,
        until done: @escaping @Sendable () async throws -> Void
    ) async throws {
        let builder = StreamsBuilder()
        builder.stream("in", of: String.self, startingAt: start).to("out")
        let app = try StreamsApplication(builder.build(), configuration: configuration ?? self.configuration())
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await app.run() }
            group.addTask {
                defer { app.shutdown() }
                while app.state != .running {
                    if app.state == .error { return }
                    try await Task.sleep(for: .milliseconds(2))
                }
                try await done()
            }
            try await group.waitForAll()
        }
    }

    private func outputs(_ count: Int) async throws -> [String] {
        var values: [String] = []
        for try await record in log.records("out", of: String.self) {
            values.append(record.value ?? "")
            if values.count == count { break }
        }
        return values
    }

    private func expect(_ values: [String]) async throws {
        let found = try await outputs(values.count)
        #expect(found == values)
    }

    @Test(arguments: [
        (OffsetReset.earliest, ["1", "2", "3", "new"]), (.latest, ["new"]),
        (.timestamp(Int64(2000)), ["2", "3", "new"]), (.timestamp(Date(timeIntervalSince1970: 2.5)), ["3", "new"]),
        (.timestamp(Int64(9000)), ["new"]), (.timestamp(Int64(-1)), ["1", "2", "3", "new"]),
        (.byDuration(.seconds(Int64.max)), ["1", "2", "3", "new"]), (.byDuration(.seconds(3600)), ["new"]),
    ])
    func `a source begins where it says`(_ start: OffsetReset, _ expected: [String]) async throws {
        try send(["1", "2", "3"], at: [1000, 2000, 3000])
        try await run(startingAt: start) {
            try self.send(["new"], at: [TimeSource.system.wall.milliseconds])
            try await self.expect(expected)
        }
        // Where it once began it goes on.
        try send(["more"], at: [1])
        try await run(startingAt: start) { try await self.expect(expected + ["more"]) }
    }

    @Test func `by duration, records of the time before the start come, by their own timestamps`() async throws {
        let now = TimeSource.system.wall.milliseconds
        try send(["old", "young", "new"], at: [now - 7_200_000, now - 60_000, now])
        try await run(startingAt: .byDuration(.seconds(3600))) {
            try await self.expect(["young", "new"])
        }
    }

    @Test func `the latest place is kept, even if no record came`() async throws {
        try send(["1"], at: [1])
        let (log, place) = (log, TopicPartition("in", 0))
        try await run(startingAt: .latest) {
            while try log.committedOffsets(group: "copy")[place]?.offset != 1 {
                try await Task.sleep(for: .milliseconds(5))
            }
        }
        try send(["2"], at: [2])
        try await run(startingAt: .latest) { try await self.expect(["2"]) }
    }

    @Test func `the configuration says it for sources that don't`() async throws {
        try send(["1"], at: [1])
        try send(["a"], at: [1], to: "other")
        let builder = StreamsBuilder()
        // The repartition topic has what it was sent from its first record on, whatever the setting.
        _ = builder.stream("in", of: String.self, startingAt: .earliest)
            .merge(builder.stream("other", of: String.self))
            .groupBy { _, value in value }.count(as: "counts")
        let configuration = configuration { $0.runtime.offsetReset = .latest }
        let app = try StreamsApplication(builder.build(), configuration: configuration)
        let store = try app.store("counts", key: .string, value: .int64)
        async let done: Void = app.run()
        var rows: [String] = []
        while rows.count < 2 {
            if app.state == .running {
                if rows.isEmpty { try send(["b"], at: [2], to: "other") }
                rows = try await store.all().map(\.key)
            }
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(rows == ["1", "b"])
        app.shutdown()
        try await done
    }

    @Test func `without a place to begin the start fails, and says of which topic and partition`() async throws {
        try send(["1"], at: [1])
        let error = await #expect(throws: LogError.self) { try await self.run(startingAt: .fail) {} }
        #expect(error?.code == .noOffset && error?.topic == "in" && error?.partition == 0)
        let message = try "\(#require(error))"
        #expect(message.contains("in-0"))
        try await run { try await self.expect(["1"]) }
        // Committed is committed.
        try send(["2"], at: [1])
        try await run(startingAt: .fail) { try await self.expect(["1", "2"]) }
        // Retention has overtaken the application.
        try send(["3", "4"], at: [1, 2])
        try log.deleteRecords(before: [TopicPartition("in", 0): 3])
        let overtaken = await #expect(throws: LogError.self) { try await self.run(startingAt: .fail) {} }
        #expect(overtaken?.code == .noOffset && overtaken?.message.contains("offset 2 is below") == true)
        try await run { try await self.expect(["1", "2", "4"]) }
    }

    @Test func `a negative duration is refused, for a source and for the application`() throws {
        let builder = StreamsBuilder()
        builder.stream("in", of: String.self, startingAt: .byDuration(.seconds(-1))).to("out")
        #expect(throws: TopologyError.self) { _ = try builder.build() }
        let other = StreamsBuilder()
        other.stream("in", of: String.self).to("out")
        let topology = try other.build()
        let configuration = configuration { $0.runtime.offsetReset = .byDuration(.seconds(-1)) }
        let error = #expect(throws: SettingError.self) {
            try StreamsApplication(topology, configuration: configuration)
        }
        #expect(error?.setting == "offsetReset")
    }

    @Test func `streams of one topic that begin at different places are refused`() {
        let builder = StreamsBuilder()
        builder.stream("in", of: String.self, startingAt: .latest).to("out")
        builder.stream("in", of: String.self, startingAt: .earliest).to("out2")
        #expect { _ = try builder.build() } throws: { "\($0)".contains("different starts") }
        let same = StreamsBuilder()
        same.stream("in", of: String.self, startingAt: .latest).to("out")
        same.stream("in", of: String.self, startingAt: .latest).to("out2")
        #expect(throws: Never.self) { _ = try same.build() }
    }
}
