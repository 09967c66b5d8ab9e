import Testing
import TributaryCore
import TributaryDSL
import TributaryTesting

@testable import TributaryRuntime

/// What goes on by intervals when somebody sets the machine's clock, in either direction.
@Suite struct ClockTests {
    private static let hour: Int64 = 3_600_000

    private func count() throws -> Topology {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .groupByKey().count(as: "counts").toStream().to("out")
        return try builder.build()
    }

    @Test(arguments: [-hour, 24 * hour, -1_000 * 24 * hour])
    func `commits and state flushes go on when the clock is set`(_ jump: Int64) throws {
        let world = try World(topics: "in", "out")
        let app = try ThreadUnderTest(world, count()) { $0.stateFlushInterval = .milliseconds(1000) }
        try world.send("in", "a", "1", at: 0)
        try app.rounds()
        try app.pass(milliseconds: 1000)
        #expect(try world.committed("in") == 1)
        let before = world.engines.state("0_0").commits
        world.clock.set(wall: world.clock.milliseconds + jump)
        try world.send("in", "a", "2", at: 1)
        try app.rounds()
        try app.pass(milliseconds: 100)
        #expect(try world.committed("in") == 2)
        #expect(world.engines.state("0_0").commits == before)
        try app.pass(milliseconds: 2000)
        #expect(world.engines.state("0_0").commits == before + 1)
        #expect(world.texts("out") == ["a=1", "a=2"])
    }

    @Test func `a clock that is set forward makes nothing due`() throws {
        let world = try World(topics: "in", "out")
        let app = try ThreadUnderTest(world, count()) { $0.commitInterval = .milliseconds(30_000) }
        try world.send("in", "a", "1", at: 0)
        try app.rounds()
        world.clock.set(wall: world.clock.milliseconds + 24 * Self.hour)
        try app.rounds()
        #expect(try world.committed("in") == nil)
        try app.pass(milliseconds: 30_000)
        #expect(try world.committed("in") == 1)
    }

    @Test(arguments: [-hour, 24 * hour])
    func `records of repartition topics are deleted when the clock is set`(_ jump: Int64) throws {
        let world = try World(topics: "in", "out")
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .selectKey { $1 }.groupByKey(key: .string, value: .string).count(as: "counts").toStream().to("out")
        let app = try ThreadUnderTest(world, builder.build())
        world.clock.set(wall: world.clock.milliseconds + jump)
        try world.send("in", "a", "1", at: 0)
        try app.rounds()
        try app.pass(milliseconds: 1000)
        let topic = try #require(try world.log.topics().map(\.name).first { $0.hasSuffix("-repartition") })
        let place = TopicPartition(topic, 0)
        #expect(try world.log.watermarks(place, committed: true) == Watermarks(low: 0, high: 1))
        // The next commit after the interval.
        try app.pass(milliseconds: 30_000)
        try world.send("in", "a", "2", at: 0)
        try app.rounds()
        try app.pass(milliseconds: 1000)
        #expect(try world.log.watermarks(place, committed: true) == Watermarks(low: 1, high: 2))
    }

    @Test(arguments: [-hour, 24 * hour])
    func `a partition that has nothing is waited for by elapsed time when the clock is set`(_ jump: Int64) throws {
        let world = try World(topics: "left", "right", "out")
        let builder = StreamsBuilder()
        builder.stream("left", key: .string, value: .string)
            .merge(builder.stream("right", key: .string, value: .string)).to("out")
        let app = try ThreadUnderTest(world, builder.build()) { $0.maximumIdle = .milliseconds(5_000) }
        try world.send("left", "a", "1", at: 0)
        try app.rounds()
        world.clock.set(wall: world.clock.milliseconds + jump)
        try app.pass(milliseconds: 4_000)
        #expect(world.texts("out") == [])
        try app.pass(milliseconds: 2_000)
        #expect(world.texts("out") == ["a=1"])
    }

    @Test func `a thread with nothing to do waits until its next commit or punctuation`() throws {
        let world = try World(topics: "in", "out")
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .process(key: .string, value: .string) { Ticker() }.to("out")
        let app = try ThreadUnderTest(world, builder.build()) { $0.commitInterval = .milliseconds(70) }
        var wait: Int64 { app.loop.timeToWait(world.clock.source.monotonic.milliseconds) }
        try app.rounds()
        #expect(wait == 100)
        try world.send("in", "a", "x", at: 0)
        try app.rounds(2)
        #expect(wait == 70)
        world.clock.advance(by: .milliseconds(960))
        try app.rounds(1)
        #expect(wait == 40)
    }

    @Test(arguments: [-hour, 24 * hour])
    func `punctuations by wall clock come by elapsed time and show the time of day`(_ jump: Int64) throws {
        let world = try World(topics: "in", "out")
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .process(key: .string, value: .string) { Ticker() }.to("out")
        let app = try ThreadUnderTest(world, builder.build())
        try app.pass(milliseconds: 1000)
        try app.pass(milliseconds: 200)
        #expect(world.texts("out") == ["1001000=1001000"])
        world.clock.set(wall: world.clock.milliseconds + jump)
        try app.rounds()
        try app.pass(milliseconds: 700)
        #expect(world.texts("out").count == 1)
        try app.pass(milliseconds: 1000)
        let second = 1_002_000 + jump
        #expect(world.texts("out").count == 2)
        #expect(world.texts("out").last.map { $0.hasPrefix("\(second / 1000)") } == true)
    }
}

/// Forwards the time each second.
private final class Ticker: Processor {
    func initialize(_ context: ProcessorContext<String, String>) throws {
        context.schedule(every: .seconds(1), .wallClock) { time in
            try context.forward(Record(key: "\(time)", value: "\(time)", timestamp: 0))
        }
    }
    func process(_ record: Record<String, String>) throws {}
}
