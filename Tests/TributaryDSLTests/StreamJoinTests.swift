import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryState
import TributaryTesting

/// Joins of two streams; what Kafka Streams does record for record is in the conformance cases.
@Suite struct StreamJoinTests {
    private func configuration() -> TestDriverConfiguration {
        var configuration = TestDriverConfiguration()
        configuration.runtime.lineage.sendsCells = true
        return configuration
    }

    private func outer(
        _ windows: JoinWindows = .within(.milliseconds(10)), inMemory: Bool = false
    ) throws -> Topology {
        let builder = StreamsBuilder(inMemoryStores: inMemory)
        builder.stream("left", of: String.self)
            .outerJoin(builder.stream("right", of: String.self), within: windows, as: "pairs") { left, right in
                "\(left ?? "-")\(right ?? "-")"
            }
            .to("out")
        return try builder.build()
    }

    private func pipe(
        _ driver: TopologyTestDriver, _ topic: String, _ key: String?, _ value: String?, _ timestamp: Int64
    ) throws {
        try driver.pipe(
            topic: topic, key: key.map { Array($0.utf8) }, value: value.map { Array($0.utf8) }, timestamp: timestamp)
    }

    private func values(_ driver: TopologyTestDriver) throws -> [String] {
        try driver.takeRecords(from: "out", .string, .string).map { "\($0.value)@\($0.timestamp)" }
    }

    private func cells(_ driver: TopologyTestDriver) throws -> [Cell] {
        let arena = CellArena()
        return try driver.log.records(in: TopicPartition("out", 0)).map { record in
            try #require(try CellHeader.decode(record.cell.span.bytes, into: arena))
        }
    }

    @Test func `pairs are made both ways, and what finds none goes on when its window is over`() throws {
        let driver = try TopologyTestDriver(outer(), configuration: configuration())
        defer { driver.close() }
        try pipe(driver, "left", "a", "1", 0)
        try pipe(driver, "right", "a", "A", 10)
        try pipe(driver, "left", "a", "2", 15)
        try pipe(driver, "right", "b", "B", 20)
        #expect(try values(driver) == ["1A@10", "2A@15"])
        try pipe(driver, "left", "c", "3", 31)
        #expect(try values(driver) == ["-B@20"])
        #expect(try cells(driver).map(\.count) == [2, 2, 1])
    }

    @Test func `a right record may be early or late by other times`() throws {
        let driver = try TopologyTestDriver(
            outer(.between(before: .zero, after: .milliseconds(5))), configuration: configuration())
        defer { driver.close() }
        try pipe(driver, "left", "a", "1", 10)
        for (value, timestamp) in [("A", 9), ("B", 10), ("C", 15), ("D", 16)] as [(String, Int64)] {
            try pipe(driver, "right", "a", value, timestamp)
        }
        #expect(try values(driver) == ["-A@9", "1B@10", "1C@15"])
    }

    @Test func `what comes late belongs to its record, and not to the one that made it go`() throws {
        let driver = try TopologyTestDriver(outer(), configuration: configuration())
        defer { driver.close() }
        for value in ["1", "2"] { try pipe(driver, "left", "a", value, 5) }
        try pipe(driver, "right", "b", "B", 50)
        #expect(try values(driver) == ["1-@5", "2-@5"])
        #expect(try cells(driver).map(\.count) == [1, 1])
        let spans = LinkTests.spans(driver)
        let puts = spans.filter { $0.name == "put pairs-outer-shared-join-store" }
        let late = spans.filter { $0.name.hasPrefix("emit KSTREAM-OUTEROTHER") }
        try #require(puts.count >= 2 && late.count == 2)
        #expect(late.map(\.span.parent) == puts.prefix(2).map(\.span.context.span))
        #expect(late.allSatisfy { $0.links.map(\.type) == [.trigger] })
        #expect(puts.allSatisfy { $0.links.isEmpty })
    }

    @Test func `a pair links the row that it was made with`() throws {
        let driver = try TopologyTestDriver(outer(), configuration: configuration())
        defer { driver.close() }
        try pipe(driver, "left", "a", "1", 0)
        try pipe(driver, "right", "a", "A", 1)
        let spans = LinkTests.spans(driver)
        let put = try #require(spans.first { $0.name == "put pairs-outer-this-join-store" })
        let pair = try #require(spans.first { $0.name == "get pairs-outer-this-join-store" })
        #expect(pair.links.map(\.type) == [.joined] && pair.links.map(\.context) == [put.span.context])
        let process = try #require(spans.first { $0.name == "process right" })
        #expect(pair.span.parent == process.span.context.span)
    }

    @Test func `a stream joined with itself makes a pair of each record with itself, twice in its cell`() throws {
        let builder = StreamsBuilder()
        let stream = builder.stream("in", of: String.self)
        stream.joinWithKey(stream, within: .within(.milliseconds(5))) { key, left, right in "\(key)\(left)\(right)" }
            .to("out")
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration())
        defer { driver.close() }
        try pipe(driver, "in", "a", "1", 0)
        try pipe(driver, "in", "a", "2", 3)
        #expect(try values(driver) == ["a11@0", "a21@3", "a12@3", "a22@3"])
        #expect(try cells(driver).map(\.count) == [2, 2, 2, 2])
    }

    @Test(arguments: [false, true])
    func `records of one key and time are all there after a restart, with what they came from`(inMemory: Bool) throws {
        let driver = try TopologyTestDriver(outer(inMemory: inMemory), configuration: configuration())
        defer { driver.close() }
        for value in ["1", "2"] { try pipe(driver, "left", "a", value, 5) }
        try driver.restart()
        try pipe(driver, "left", "a", "3", 5)
        try driver.restart()
        try pipe(driver, "right", "a", "A", 6)
        #expect(try values(driver) == ["1A@6", "2A@6", "3A@6"])
        #expect(try cells(driver).map(\.count) == [2, 2, 2])
        #expect(try driver.rows(ofStore: "pairs-outer-shared-join-store").isEmpty)
    }

    @Test(arguments: [false, true])
    func `what waits for a match waits through a restart, each record with its own lineage`(inMemory: Bool) throws {
        let driver = try TopologyTestDriver(outer(inMemory: inMemory), configuration: configuration())
        defer { driver.close() }
        for value in ["1", "2", "3"] { try pipe(driver, "left", "a", value, 5) }
        try driver.restart()
        try pipe(driver, "right", "b", "B", 50)
        #expect(try values(driver) == ["1-@5", "2-@5", "3-@5"])
        let cells = try cells(driver)
        #expect(cells.map(\.count) == [1, 1, 1] && cells.map(\.first.first) == [0, 1, 2])
        #expect(!cells.contains { $0.has(flags: Cell.gap) })
    }

    @Test func `by the wall clock it is looked no more often than is said`() throws {
        var configuration = configuration()
        configuration.runtime.emitInterval = .seconds(1)
        let driver = try TopologyTestDriver(outer(), configuration: configuration)
        defer { driver.close() }
        try pipe(driver, "left", "a", "1", 0)
        try pipe(driver, "left", "b", "2", 50)
        #expect(try values(driver) == [])
        try driver.advanceWallClock(by: .seconds(1))
        try pipe(driver, "left", "c", "3", 51)
        #expect(try values(driver) == ["1-@0"])
    }

    @Test func `null keys and values are dropped, unless the join keeps the record alone`() throws {
        let builder = StreamsBuilder()
        builder.stream("left", keyedBy: String?.self, of: String?.self)
            .leftJoin(
                builder.stream("right", keyedBy: String?.self, of: String?.self), within: .within(.milliseconds(5))
            ) { left, right in "\(left ?? "null")\((right ?? nil) ?? "-")" }
            .to("out", key: Serde.string.optional, value: .string)
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration())
        defer { driver.close() }
        for topic in ["left", "right"] {
            try pipe(driver, topic, nil, "1", 0)
            try pipe(driver, topic, "a", nil, 0)
        }
        #expect(try driver.takeRecords(from: "out", Serde.string.optional, .string).map(\.value) == ["1-"])
        #expect(driver.droppedRecords == 3)
    }

    @Test func `settings that make no sense are refused when the topology is built`() {
        func error(_ windows: JoinWindows, _ settings: StreamJoined<String, String, String>? = nil) -> TopologyError? {
            let builder = StreamsBuilder()
            builder.stream("left", of: String.self)
                .join(builder.stream("right", of: String.self), within: windows, joined: settings) { $0 + $1 }
                .to("out")
            do { _ = try builder.build() } catch { return error as? TopologyError }
            return nil
        }
        #expect(error(.within(.milliseconds(-1)))?.code == .invalidSetting)
        #expect(error(.between(before: .milliseconds(-5), after: .milliseconds(5))) == nil)
        #expect(error(.within(.zero, grace: .milliseconds(-1)))?.code == .invalidSetting)
        #expect(error(.within(.microseconds(1500)))?.code == .invalidSetting)
        func store(_ name: String, retention: Int64) -> StoreDescription {
            StoreDescription(
                name: name,
                kind: .window(retention: retention, size: 20, retainsDuplicates: true, timestamped: false))
        }
        var settings = StreamJoined<String, String, String>(
            leftStore: store("one", retention: 20), rightStore: store("other", retention: 20))
        #expect(error(.within(.milliseconds(10)), settings) == nil)
        #expect(error(.within(.milliseconds(10), grace: .milliseconds(1)), settings)?.code == .invalidSetting)
        settings.rightStore = store("one", retention: 20)
        #expect(error(.within(.milliseconds(10)), settings)?.code == .conflict)
    }
}
