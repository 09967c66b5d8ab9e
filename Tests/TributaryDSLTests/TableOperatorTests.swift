import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryTesting

/// Tables that are made of tables, and who reads them; what Kafka Streams does record for record is in the conformance cases.
@Suite struct TableOperatorTests {
    private func configuration(isCached: Bool) -> TestDriverConfiguration {
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = isCached ? 1 << 20 : 0
        return configuration
    }

    private func text(_ bytes: [UInt8]?) -> String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

    /// Changes that came out of a topic since the last look, as "key=value".
    private func changes(_ driver: TopologyTestDriver, _ topic: String = "out") throws -> [String] {
        try driver.takeRecords().filter { $0.topic == topic }
            .map { "\(text($0.record.key) ?? "")=\(text($0.record.value) ?? "-")" }
    }

    private func pipe(_ driver: TopologyTestDriver, _ topic: String, _ key: String, _ value: String?) throws {
        try driver.pipe(topic: topic, key: Array(key.utf8), value: value.map { Array($0.utf8) }, timestamp: 5)
    }

    @Test(arguments: [false, true], [false, true])
    func `a filtered table deletes rows that no longer fit, and says nothing of those that never did`(
        isCached: Bool, isKept: Bool
    ) throws {
        let builder = StreamsBuilder()
        builder.table("in", key: .string, value: .string, as: "rows")
            .filter(as: isKept ? "kept" : nil) { _, value in value.hasPrefix("a") }
            .toStream().to("out")
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration(isCached: isCached))
        defer { driver.close() }
        for (key, value) in [("1", "a"), ("2", "b"), ("1", "b"), ("1", "c"), ("2", "ab"), ("2", nil)] {
            try pipe(driver, "in", key, value)
        }
        #expect(try changes(driver) == ["1=a", "1=-", "2=ab", "2=-"])
        if isKept { #expect(try driver.rows(ofStore: "kept").isEmpty) }
    }

    @Test func `what is not kept is read through the tables before it`() throws {
        let builder = StreamsBuilder()
        let sizes = builder.table("table", key: .string, value: .string)
            .filterNot { key, _ in key == "hidden" }
            .mapValuesWithKey { key, value in "\(key)\(value.utf8.count)" }
        builder.stream("in", key: .string, value: .string)
            .leftJoin(sizes) { $0 + ($1 ?? "-") }
            .to("out", value: .string)
        let driver = try TopologyTestDriver(builder.build())
        defer { driver.close() }
        try pipe(driver, "table", "a", "xyz")
        try pipe(driver, "table", "hidden", "xyz")
        for key in ["a", "hidden", "c"] { try pipe(driver, "in", key, "v") }
        #expect(try changes(driver) == ["a=va3", "hidden=v-", "c=v-"])
        #expect(driver.storeNames.count == 1, "only the first table's rows are kept")
    }

    @Test func `a row that loses its match is of what is left, and the delete only made it happen`() throws {
        let builder = StreamsBuilder()
        let left = builder.table("left", key: .string, value: .string)
        left.leftJoin(builder.table("right", key: .string, value: .string)) { $0 + ($1 ?? "-") }
            .toStream().to("out")
        var configuration = configuration(isCached: false)
        configuration.runtime.lineage.sendsCells = true
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration)
        defer { driver.close() }
        for (topic, value) in [("left", "l"), ("right", "r"), ("right", nil)] { try pipe(driver, topic, "k", value) }
        let arena = CellArena()
        let cells = try driver.log.records(in: TopicPartition("out", 0)).map { record in
            try #require(try CellHeader.decode(record.cell.span.bytes, into: arena))
        }
        #expect(cells.map(\.count) == [1, 2, 1])
        let reads = LinkTests.spans(driver).filter { $0.links.contains { $0.type == .joined } }
        #expect(reads.map { $0.span.flags & SpanRecord.parentIsTrigger != 0 } == [false, true])
    }

    @Test func `a join of a join is read through both`() throws {
        let builder = StreamsBuilder()
        let left = builder.table("left", key: .string, value: .string)
        let right = builder.table("right", key: .string, value: .string)
        let both = left.outerJoin(right) { "\($0 ?? "-")\($1 ?? "-")" }
        builder.table("third", key: .string, value: .string)
            .join(both, as: "all", value: .string) { $0 + $1 }
            .toStream().to("out")
        let driver = try TopologyTestDriver(builder.build())
        defer { driver.close() }
        try pipe(driver, "left", "k", "l")
        try pipe(driver, "third", "k", "t")
        try pipe(driver, "right", "k", "r")
        try pipe(driver, "left", "k", nil)
        try pipe(driver, "right", "k", nil)
        #expect(try changes(driver) == ["k=tl-", "k=tlr", "k=t-r", "k=-"])
    }

    @Test(arguments: [false, true])
    func `a joined row's cell is that of both rows, and a delete's that of the delete`(isKept: Bool) throws {
        let builder = StreamsBuilder()
        let left = builder.table("left", key: .string, value: .string)
        let right = builder.table("right", key: .string, value: .string).mapValues { $0 + "!" }
        left.join(right, as: isKept ? "joined" : nil, value: .string) { $0 + $1 }.toStream().to("out")
        var settings = configuration(isCached: false)
        settings.runtime.lineage.sendsCells = true
        let driver = try TopologyTestDriver(builder.build(), configuration: settings)
        defer { driver.close() }
        try pipe(driver, "left", "k", "1")
        try pipe(driver, "right", "k", "2")
        try pipe(driver, "left", "k", "3")
        try pipe(driver, "right", "k", nil)
        let arena = CellArena()
        let counts = try driver.takeRecords().filter { $0.topic == "out" }.map { item in
            try CellHeader.decode(item.record.cell.span.bytes, into: arena)?.count ?? 0
        }
        #expect(counts == [2, 2, 1])
    }

    @Test func `a table that throws asks the handler, and its row stays`() throws {
        let builder = StreamsBuilder()
        struct Refused: Error {}
        builder.table("in", key: .string, value: .string)
            .mapValues(as: "mapped", value: .string) { value in
                if value == "bad" { throw Refused() }
                return value
            }
            .toStream().to("out")
        var settings = configuration(isCached: false)
        settings.runtime.processingHandler = { _ in .continue }
        let driver = try TopologyTestDriver(builder.build(), configuration: settings)
        defer { driver.close() }
        for value in ["one", "bad", "two"] { try pipe(driver, "in", "k", value) }
        #expect(try changes(driver) == ["k=one", "k=two"])
        #expect(driver.dropped[.processing] == 1)
    }
}
