import Testing
import TributaryCore
import TributaryDSL
import TributaryTesting

@testable import TributaryRuntime

/// What tables have when an application begins.
@Suite struct TableStartTests {
    @Test func `a table whose topic is its changelog is restored to where the topic was processed`() throws {
        let world = try World(topics: "table", "in", "out")
        let builder = StreamsBuilder()
        let table = builder.table(
            "table", key: .string, value: .string, materialized: Materialized(as: "rows", type: .inMemory))
        builder.stream("in", key: .string, value: .string).join(table) { "\($0) \($1)" }.to("out", value: .string)
        let topology = try builder.build(optimization: .reuseSourceTopics)
        let first = try ThreadUnderTest(world, topology)
        try world.send("table", "a", "old", at: 0)
        try first.rounds()
        try first.stop()
        // The second one is later than the record that is joined: it must not be there yet.
        try world.send("table", "a", "new", at: 10)
        try world.send("in", "a", "1", at: 5)
        try world.send("in", "a", "2", at: 15)
        let second = try ThreadUnderTest(world, topology) { $0.maximumIdle = .milliseconds(1_000) }
        try second.rounds()
        try second.pass(milliseconds: 5_000)
        try second.stop()
        #expect(world.texts("out") == ["a=1 old", "a=2 new"])
    }

    @Test func `a global table has all records of its topic before the first record`() throws {
        let world = try World(topics: "rows", "in", "out", partitions: 2)
        let builder = StreamsBuilder()
        let rows = builder.globalTable("rows", key: .string, value: .string)
        builder.stream("in", key: .string, value: .string).join(rows, by: { key, _ in key }) { "\($0) \($1)" }
            .to("out", value: .string)
        for index in 0..<3 { try world.send("rows", "a", "\(index)", at: 0) }
        try world.send("rows", "b", "3", at: 0, partition: 1)
        let app = try ThreadUnderTest(world, builder.build())
        #expect(app.loop.globals?.processedRecords == 4)
        app.crash()
    }
}
