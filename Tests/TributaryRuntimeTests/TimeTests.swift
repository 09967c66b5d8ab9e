import Testing
import TributaryCore
import TributaryDSL
import TributaryState
import TributaryTesting

@testable import TributaryRuntime

/// Partition and stream times: what a task knows of them before its first record, and what goes by them.
@Suite struct TimeTests {
    private func topology() throws -> Topology {
        let builder = StreamsBuilder()
        builder.stream(["in", "other"], key: .string, value: .string)
            .process(key: .string, value: .string) { Teller() }.to("out")
        return try builder.build()
    }

    @Test func `a processor that is initialised sees the stream time from before the restart`() throws {
        let world = try World(topics: "in", "other", "out")
        let app = try ThreadUnderTest(world, topology())
        try world.send("in", "a", "x", at: 7_000)
        try world.send("other", "a", "x", at: 9_000)
        try world.send("in", "a", "x", at: 8_000)
        try app.rounds()
        try app.stop()
        #expect(world.texts("out").first == "init=-1")
        #expect(world.texts("out").filter { $0.hasPrefix("init") } == ["init=-1"])
        let next = try ThreadUnderTest(world, topology())
        #expect(next.loop.tasks[0].streamTime == 9_000)
        #expect(next.loop.tasks[0].queues.map(\.partitionTime) == [8_000, 9_000])
        try next.rounds()
        try next.stop()
        #expect(world.texts("out").filter { $0.hasPrefix("init") } == ["init=-1", "init=9000"])
    }

    @Test func `punctuations by stream time that are due after a restart wait for no record`() throws {
        let world = try World(topics: "in", "other", "out")
        let app = try ThreadUnderTest(world, topology())
        try world.send("in", "a", "x", at: 7_000)
        try app.rounds()
        try app.stop()
        #expect(world.texts("out").filter { $0.hasPrefix("tick") } == ["tick=7000"])
        let next = try ThreadUnderTest(world, topology())
        try next.rounds()
        try next.pass(milliseconds: 200)
        #expect(world.texts("out").filter { $0.hasPrefix("tick") } == ["tick=7000", "tick=7000"])
        // What was forwarded is committed, though no record came, and comes once.
        try next.pass(milliseconds: 10_000)
        next.crash()
        #expect(world.texts("out").filter { $0.hasPrefix("tick") }.count == 2)
    }

    @Test func `of records with the same timestamp that of the topic named first goes first`() throws {
        let world = try World(topics: "in", "other", "out")
        let builder = StreamsBuilder()
        builder.stream(["in", "other"], key: .string, value: .string).to("out")
        let app = try ThreadUnderTest(world, builder.build())
        for index in 0..<3 {
            try world.send("other", "other", "\(index)", at: Int64(index))
            try world.send("in", "in", "\(index)", at: Int64(index))
        }
        try app.rounds()
        try app.pass(milliseconds: 200)
        #expect(world.texts("out") == ["in=0", "other=0", "in=1", "other=1", "in=2", "other=2"])
    }

    @Test func `a batch without records moves the offset on only where nothing waits`() throws {
        func queue() -> PartitionQueue {
            PartitionQueue(
                TopicPartition("in", 0), topic: 0, of: nil, cluster: "", isInternal: false, takesContexts: true,
                entry: SourceEntry { _, _ in }, timestamps: .failOnInvalid, usesOwnTimestamps: true, operation: 0,
                nextOffset: 5)
        }
        func empty(_ next: Int64) -> RecordBatch { RecordBatch(copying: [], assignment: 0, nextOffset: next) }
        let waiting = queue()
        waiting.add(
            RecordBatch(
                copying: [LoggedRecord(offset: 6, timestamp: 1, key: nil, value: nil)], assignment: 0, nextOffset: 7))
        waiting.add(empty(20))
        #expect(waiting.nextOffset == 5, "record 6 isn't processed")
        let batch = try #require(waiting.headBatch)
        #expect(!waiting.advance(in: batch))
        #expect(waiting.nextOffset == 20, "what was empty lies behind what is processed")
        let idle = queue()
        idle.add(empty(20))
        #expect(idle.nextOffset == 20)
        idle.add(empty(10))
        #expect(idle.nextOffset == 20)
    }
}

/// Says the stream time when it is initialised, and each second of it.
private final class Teller: Processor {
    func initialize(_ context: ProcessorContext<String, String>) throws {
        try context.forward(Record(key: "init", value: "\(context.streamTime)", timestamp: 0))
        context.schedule(every: .seconds(1), .streamTime) { time in
            try context.forward(Record(key: "tick", value: "\(time)", timestamp: 0))
        }
    }

    func process(_ record: Record<String, String>) throws {}
}
