import Testing
import TributaryCore
import TributaryDSL
import TributaryState
import TributaryTesting

@testable import TributaryRuntime

/// The steps of a thread's commit: their order, and what comes of tasks that have nothing to commit.
@Suite struct CommitTests {
    private func count() throws -> Topology {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .groupByKey().count(as: "counts").toStream().to("out")
        return try builder.build()
    }

    @Test func `an idle task's state becomes durable in time, also beside a busy one`() throws {
        let world = try World(topics: "in", "out", partitions: 2)
        let app = try ThreadUnderTest(world, count()) { $0.stateFlushInterval = .milliseconds(5_000) }
        try world.send("in", "a", "x", at: 0, partition: 0)
        try app.rounds()
        try app.pass(milliseconds: 100, steps: 1)
        let before = world.engines.state("0_0").commits
        // The other task commits in each interval.
        for step in 0..<60 {
            try world.send("in", "b", "\(step)", at: 0, partition: 1)
            try app.pass(milliseconds: 100, steps: 2)
        }
        #expect(world.engines.state("0_0").commits == before + 1)
        app.crash()
        // The changelog has nothing that the state lacks.
        let next = try ThreadUnderTest(world, count())
        #expect(try next.loop.tasks[0].stores.store("counts").read(Array("a".utf8).span.bytes).exists)
        #expect(world.engines.state("0_0").rebuilds.isEmpty)
    }

    @Test func `an idle task's state becomes durable in time, also while another has something to commit`() throws {
        let world = try World(topics: "in", "out", partitions: 2)
        // Commits are rare, so that the busy task is dirty whenever the thread looks at all of its tasks.
        let app = try ThreadUnderTest(world, count()) {
            $0.commitInterval = .seconds(4)
            $0.stateFlushInterval = .seconds(5)
        }
        try world.send("in", "a", "x", at: 0, partition: 0)
        try app.rounds()
        let first = try world.log.newestCommit()
        while try world.log.newestCommit() == first { try app.pass(milliseconds: 100, steps: 1) }
        let before = world.engines.state("0_0").commits
        for step in 0..<35 {
            try world.send("in", "b", "\(step)", at: 0, partition: 1)
            try app.pass(milliseconds: 100, steps: 1)
        }
        #expect(world.engines.state("0_0").commits == before + 1)
        app.crash()
    }

    @Test(arguments: [ProcessingGuarantee.exactlyOnce, .atLeastOnce])
    func `caches, then outputs, then the log, then the state`(_ guarantee: ProcessingGuarantee) throws {
        let world = try World(topics: "in", "out")
        let seen = Guarded<[String]>([])
        let topology = try count()
        let app = try ThreadUnderTest(world, topology) { configuration in
            configuration.guarantee = guarantee
            configuration.stateFlushInterval = .zero
            configuration.killPoint = { point in seen.withLock { $0.append(point.rawValue) } }
        }
        seen.withLock { $0 = [] }
        try world.send("in", "a", "x", at: 0)
        try app.rounds()
        try app.pass(milliseconds: 100, steps: 1)
        let middle = guarantee == .atLeastOnce ? ["outputsWritten"] : []
        #expect(
            seen.withLock { $0 } == ["cachesFlushed"] + middle + ["logCommitted", "positionsSaved", "stateCommitted"])
    }

    @Test func `at each step of a commit the log and the state have what they should`() throws {
        let world = try World(topics: "in", "out")
        struct Look: Sendable, Equatable {
            var point: String
            var outputs: Int
            var offset: Int64?
            var stateCommits: Int
        }
        let looks = Guarded<[Look]>([])
        nonisolated(unsafe) let shared = world
        let app = try ThreadUnderTest(world, count()) { configuration in
            configuration.stateFlushInterval = .zero
            configuration.killPoint = { point in
                let offset = try? shared.committed("in")
                let look = Look(
                    point: point.rawValue, outputs: shared.texts("out").count, offset: offset ?? nil,
                    stateCommits: shared.engines.state("0_0").commits)
                looks.withLock { $0.append(look) }
            }
        }
        let before = world.engines.state("0_0").commits
        looks.withLock { $0 = [] }
        try world.send("in", "a", "x", at: 0)
        try app.rounds()
        try app.pass(milliseconds: 100, steps: 1)
        #expect(
            looks.withLock { $0 } == [
                Look(point: "cachesFlushed", outputs: 0, offset: nil, stateCommits: before),
                Look(point: "logCommitted", outputs: 1, offset: 1, stateCommits: before),
                Look(point: "positionsSaved", outputs: 1, offset: 1, stateCommits: before),
                Look(point: "stateCommitted", outputs: 1, offset: 1, stateCommits: before + 1),
            ])
    }

    @Test func `a task that did nothing commits nothing`() throws {
        let world = try World(topics: "in", "out")
        let app = try ThreadUnderTest(world, count())
        try app.pass(milliseconds: 10_000)
        #expect(try world.log.newestCommit() == 0)
        try world.send("in", "a", "x", at: 0)
        try app.rounds()
        try app.pass(milliseconds: 1_000)
        #expect(try world.log.newestCommit() == 1)
    }

    @Test func `records of repartition topics are deleted up to what is committed, and no further`() throws {
        let world = try World(topics: "in", "out")
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .selectKey { $1 }.groupByKey(key: .string, value: .string).count(as: "counts").toStream().to("out")
        let topology = try builder.build()
        let app = try ThreadUnderTest(world, topology) { $0.recordsPerRound = 3 }
        let place = TopicPartition("app-counts-repartition", 0)
        var lows: Set<Int64> = []
        for step in 0..<40 {
            for _ in 0..<7 { try world.send("in", "a", "\(step)", at: 0) }
            try app.pass(milliseconds: 10_000, steps: 2)
            let low = try world.log.watermarks(place, committed: true).low
            let committed = try world.committed(place.topic) ?? 0
            #expect(low <= committed, "step \(step)")
            lows.insert(low)
        }
        #expect(lows.count > 5, "they are deleted again and again")
        // Nothing of what was deleted was still to be processed.
        try app.pass(milliseconds: 60_000, steps: 300)
        app.crash()
        #expect(world.latest("app-counts-changelog").count == 40)
        #expect(world.latest("app-counts-changelog").values.allSatisfy { $0 == "7" })
    }

    @Test func `what a processor forwards as it is initialised is committed though no record comes`() throws {
        let world = try World(topics: "in", "out")
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).process(key: .string, value: .string) { Asking() }.to("out")
        let app = try ThreadUnderTest(world, builder.build())
        try app.pass(milliseconds: 1_000)
        app.crash()
        #expect(world.texts("out") == ["init=x"])
    }

    @Test func `a commit that was asked for is made once`() throws {
        let world = try World(topics: "in", "out")
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).process(key: .string, value: .string) { Asking() }.to("out")
        let app = try ThreadUnderTest(world, builder.build()) { $0.commitInterval = .milliseconds(1_000_000) }
        try world.send("in", "a", "commit", at: 0)
        try app.rounds()
        #expect(try world.committed("in") == 1)
        try world.send("in", "a", "x", at: 0)
        try app.rounds(5)
        #expect(app.loop.tasks[0].processedRecords == 2)
        #expect(try world.committed("in") == 1)
    }
}

/// Forwards when it is initialised, and asks for a commit when it is told to.
private final class Asking: Processor {
    var context: ProcessorContext<String, String>?

    func initialize(_ context: ProcessorContext<String, String>) throws {
        self.context = context
        try context.forward(Record(key: "init", value: "x", timestamp: 0))
    }

    func process(_ record: Record<String, String>) throws {
        if record.value == "commit" { context?.requestCommit() }
    }
}
