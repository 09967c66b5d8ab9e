import Testing
import TributaryCore
import TributaryDSL
import TributaryTesting

@testable import TributaryRuntime

/// Records of repartition topics go once they are done with.
@Suite struct PurgeTests {
    @Test func `records of a repartition topic are deleted up to what is committed, and no further`() throws {
        let world = try World(topics: "in", "out")
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .selectKey { $1 }.groupByKey(key: .string, value: .string).count(as: "counts").toStream().to("out")
        let topology = try builder.build()
        let app = try ThreadUnderTest(world, topology) { $0.recordsPerRound = 1 }
        let name = try #require(world.log.topics().map(\.name).first { $0.hasSuffix("-repartition") })
        let place = TopicPartition(name, 0)
        // More than the thread processes in its rounds below: what isn't processed lies in its queue, beyond what is committed.
        for index in 0..<100 { try world.send(name, "k", "k", at: Int64(index)) }
        var lows: [Int64] = []
        for _ in 0..<20 {
            try app.pass(milliseconds: 31_000, steps: 1)
            let low = try world.log.watermarks(place, committed: true).low
            #expect(try low <= world.committed(name) ?? 0)
            lows.append(low)
        }
        #expect(try lows.last == world.committed(name))
        #expect(lows.last ?? 0 > 0 && lows.last ?? 0 < 100)
        app.crash()
        let next = try ThreadUnderTest(world, topology)
        try next.pass(milliseconds: 62_000, steps: 20)
        #expect(world.texts("out").last == "k=100")
        try next.stop()
        #expect(try world.log.watermarks(place, committed: true).low == 100)
    }

    @Test func `a source that is none of the application's own keeps its records`() throws {
        let world = try World(topics: "in", "out")
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).groupByKey().count(as: "counts").toStream().to("out")
        let app = try ThreadUnderTest(world, builder.build())
        for index in 0..<10 { try world.send("in", "k", "v", at: Int64(index)) }
        try app.pass(milliseconds: 62_000, steps: 10)
        #expect(try world.committed("in") == 10)
        #expect(try world.log.watermarks(TopicPartition("in", 0), committed: true) == Watermarks(low: 0, high: 10))
    }
}
