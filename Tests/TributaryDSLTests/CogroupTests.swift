import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryTesting

/// Streams that are aggregated together.
@Suite struct CogroupTests {
    private func pipe(_ driver: TopologyTestDriver, _ topic: String, _ value: String, _ time: Int64) throws {
        try driver.pipe(topic: topic, key: Array("a".utf8), value: Array(value.utf8), timestamp: time)
    }

    private func cogrouped(_ builder: StreamsBuilder) -> CogroupedKStream<String, String> {
        builder.stream("x", key: .string, value: .string).groupByKey().cogroup(of: String.self) { $0 += "x" + $1 }
            .cogroup(builder.stream("y", key: .string, value: .string).groupByKey()) { $0 += "y" + $1 }
    }

    @Test(arguments: [false, true])
    func `all streams add to one table, whose cells have all of them`(isCached: Bool) throws {
        let builder = StreamsBuilder()
        cogrouped(builder).aggregate(into: "", as: "all", value: .string, named: "both").toStream().to("out")
        let topology = try builder.build()
        #expect(topology.describe().contains("both-cogroup-merge"))
        #expect(topology.copartitionGroups == [["x", "y"]])
        let driver = try TopologyTestDriver(
            topology, configuration: SessionWindowTests.configuration(isCached: isCached))
        defer { driver.close() }
        try pipe(driver, "x", "1", 10)
        try pipe(driver, "y", "2", 5)
        try driver.restart()
        try pipe(driver, "x", "3", 12)
        let out = try driver.takeRecords(from: "out", .string, .string)
        #expect(out.map(\.value) == ["x1", "x1y2", "x1y2x3"] && out.map(\.timestamp) == [10, 10, 12])
        #expect(try SessionWindowTests.cells(driver).map(\.count) == [1, 2, 3])
    }

    @Test func `windows of all kinds have the records of all streams`() throws {
        let builder = StreamsBuilder()
        let both = cogrouped(builder)
        _ = both.windowedBy(.tumbling(size: .milliseconds(10), grace: .milliseconds(50)))
            .aggregate(into: "", as: "tumbling", value: .string)
        _ = both.windowedBy(SlidingWindows(difference: .milliseconds(10), grace: .milliseconds(50)))
            .aggregate(into: "", as: "sliding", value: .string)
        _ = both.windowedBy(SessionWindows(gap: .milliseconds(5), grace: .milliseconds(50)))
            .aggregate(into: "", as: "sessions", value: .string, merging: { $0 += $1 })
        let driver = try TopologyTestDriver(builder.build(), configuration: SessionWindowTests.configuration())
        defer { driver.close() }
        try pipe(driver, "x", "1", 12)
        try pipe(driver, "y", "2", 16)
        func values(_ store: String) throws -> [String] {
            try driver.rows(ofStore: store).map { try Serde<String>.string.value($0.value) }
        }
        #expect(try values("tumbling") == ["x1y2"])
        #expect(try values("sliding") == ["x1", "x1y2", "y2"])
        #expect(try values("sessions") == ["x1y2"])
    }

    @Test func `a stream that is there already gets another closure`() throws {
        let builder = StreamsBuilder()
        let grouped = builder.stream("x", key: .string, value: .string).groupByKey()
        grouped.cogroup(of: String.self) { $0 += "1" + $1 }.cogroup(grouped) { $0 += "2" + $1 }
            .aggregate(into: "", as: "all", value: .string).toStream().to("out")
        let driver = try TopologyTestDriver(builder.build(), configuration: SessionWindowTests.configuration())
        defer { driver.close() }
        try pipe(driver, "x", "v", 1)
        #expect(try driver.takeRecords(from: "out", .string, .string).map(\.value) == ["2v"])
    }
}
