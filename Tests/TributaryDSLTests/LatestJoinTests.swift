import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryTesting

/// Joins of a stream with the latest records of another.
@Suite struct LatestJoinTests {
    private func driver(
        inMemory: Bool = false, grace: Duration = .zero, left: Bool = true
    ) throws -> TopologyTestDriver {
        let builder = StreamsBuilder(inMemoryStores: inMemory)
        let trades = builder.stream("trades", of: String.self)
        let quotes = builder.stream("quotes", of: String.self)
            .latest(within: .milliseconds(10), grace: grace, as: "quotes-kept")
        if left {
            trades.leftJoin(quotes) { "\($0)\($1 ?? "-")" }.to("out")
        } else {
            trades.join(quotes) { $0 + $1 }.to("out")
        }
        var configuration = TestDriverConfiguration()
        configuration.runtime.lineage.sendsCells = true
        return try TopologyTestDriver(builder.build(), configuration: configuration)
    }

    private func pipe(
        _ driver: TopologyTestDriver, _ topic: String, _ value: String?, _ timestamp: Int64, key: String? = "a"
    ) throws {
        try driver.pipe(
            topic: topic, key: key.map { Array($0.utf8) }, value: value.map { Array($0.utf8) }, timestamp: timestamp)
    }

    private func values(_ driver: TopologyTestDriver) throws -> [String] {
        try driver.takeRecords(from: "out", .string, .string).map { "\($0.value)@\($0.timestamp)" }
    }

    @Test(arguments: [false, true])
    func `the latest by timestamp counts, no older than said, and the last of one time`(inMemory: Bool) throws {
        let driver = try driver(inMemory: inMemory)
        defer { driver.close() }
        try pipe(driver, "trades", "0", 100)
        for (value, time) in [("B", 105), ("A", 100), ("C", 105)] as [(String, Int64)] {
            try pipe(driver, "quotes", value, time)
        }
        for time: Int64 in [99, 100, 104, 105, 115, 116] { try pipe(driver, "trades", "1", time) }
        #expect(try values(driver) == ["0-@100", "1-@99", "1A@100", "1A@104", "1C@105", "1C@115", "1-@116"])
        try driver.restart()
        try pipe(driver, "trades", "2", 103)
        try pipe(driver, "trades", "2", 110)
        #expect(try values(driver) == ["2A@103", "2C@110"])
    }

    @Test func `what is late finds what is still kept, and never another than the right one`() throws {
        let driver = try driver()
        defer { driver.close() }
        for time in [100, 110, 120] as [Int64] { try pipe(driver, "quotes", "\(time)", time) }
        for time in [120, 115, 105, 100, 99] as [Int64] { try pipe(driver, "trades", ">", time) }
        #expect(try values(driver) == [">120@120", ">110@115", ">100@105", ">100@100", ">-@99"])
        try pipe(driver, "quotes", "121", 121)
        try pipe(driver, "trades", ">", 105)
        #expect(try values(driver) == [">-@105"], "100 is kept for 20 ms")
    }

    @Test func `an inner join is silent without a match, and null keys and values are dropped`() throws {
        let driver = try driver(left: false)
        defer { driver.close() }
        try pipe(driver, "trades", "1", 5)
        try pipe(driver, "quotes", nil, 5)
        try pipe(driver, "quotes", "B", 5, key: "b")
        try pipe(driver, "trades", "1", 5, key: "b")
        try pipe(driver, "trades", nil, 5)
        #expect(try values(driver) == ["1B@5"])
        #expect(driver.dropped == [.nullValue: 2])
    }

    @Test func `with a grace records wait for those that come late`() throws {
        let driver = try driver(grace: .milliseconds(20))
        defer { driver.close() }
        try pipe(driver, "trades", "1", 100)
        try pipe(driver, "quotes", "A", 98)
        try driver.restart()
        try pipe(driver, "trades", "2", 110)
        #expect(try values(driver) == [])
        try pipe(driver, "trades", "3", 130)
        #expect(try values(driver) == ["1A@100", "2-@110"])
        // Too late to wait.
        try pipe(driver, "trades", "4", 100)
        #expect(try values(driver) == ["4A@100"])
    }

    @Test func `a result is of both records, and links the one that it found`() throws {
        let driver = try driver()
        defer { driver.close() }
        try pipe(driver, "quotes", "A", 0)
        try pipe(driver, "quotes", "B", 0)
        try pipe(driver, "trades", "1", 5)
        try pipe(driver, "trades", "2", 50)
        let arena = CellArena()
        let cells = try driver.log.records(in: TopicPartition("out", 0)).map { record in
            try #require(try CellHeader.decode(record.cell.span.bytes, into: arena))
        }
        #expect(cells.map(\.count) == [2, 1])
        let spans = LinkTests.spans(driver)
        let puts = spans.filter { $0.name == "put quotes-kept" }
        try #require(puts.count == 2)
        #expect(puts[1].links.map(\.type) == [.superseded] && puts[1].links.map(\.context) == [puts[0].span.context])
        let gets = spans.filter { $0.name == "get quotes-kept" }
        let process = spans.filter { $0.name == "process trades" }
        let sends = spans.filter { $0.name == "send out" }
        try #require(gets.count == 2 && process.count == 2 && sends.count == 2)
        #expect(gets[0].links.map(\.type) == [.joined] && gets[0].links.map(\.context) == [puts[1].span.context])
        #expect(gets[0].span.parent == process[0].span.context.span && gets[1].links.isEmpty)
        #expect(sends.map(\.span.parent) == [gets[0].span.context.span, process[1].span.context.span])
    }

    @Test func `changed keys go through topics, and two joins use one store`() throws {
        let builder = StreamsBuilder()
        let quotes = builder.stream("quotes", of: String.self).selectKey { _, value in String(value.prefix(1)) }
            .latest(within: .milliseconds(10), as: "kept")
        for (topic, out) in [("one", "out"), ("two", "more")] {
            builder.stream(topic, of: String.self).selectKey { _, value in String(value.prefix(1)) }
                .join(quotes) { $0 + $1 }.to(out)
        }
        let topology = try builder.build()
        #expect(topology.stores.keys.sorted() == ["kept"])
        let driver = try TopologyTestDriver(topology, configuration: TestDriverConfiguration())
        defer { driver.close() }
        try pipe(driver, "quotes", "xA", 0)
        try pipe(driver, "one", "x1", 1)
        try pipe(driver, "two", "x2", 2)
        #expect(try values(driver) == ["x1xA@1"])
        #expect(try driver.takeRecords(from: "more", .string, .string).map(\.value) == ["x2xA"])
    }
}
