import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryTesting

@Suite struct CountTests {
    @Test func `a count keeps the cell of every record it counted`() throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .groupByKey().count(as: "counts").toStream().to("out")
        let driver = try TopologyTestDriver(builder.build())
        for (index, key) in ["a", "b", "a"].enumerated() {
            try driver.pipe("in", key, "x", timestamp: Int64(index * 10), .string, .string)
        }
        let out = try driver.takeRecords().filter { $0.topic == "out" }
        #expect(
            out.map(\.record.value) == [
                [0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 2],
            ])
        let rows = try driver.rows(ofStore: "counts")
        #expect(rows.map(\.timestamp) == [20, 10])
        let arena = CellArena()
        let bytes = rows[0].cell
        let cell = try arena.decode(bytes.span.bytes)
        #expect(cell.count == 2)
        #expect(cell.first.first == 0 && cell.first.last == 2)
        #expect(!driver.finishedSpans.isEmpty)
        driver.close()
    }

    @Test(arguments: [7, 9])
    func `what is no count in a count's store is not counted on from`(_ size: Int) throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).groupByKey().count(as: "counts").toStream().to("out")
        let driver = try TopologyTestDriver(builder.build())
        defer { driver.close() }
        let row = LoggedRecord(offset: 0, timestamp: 0, key: [0x6b], value: [UInt8](repeating: 0, count: size))
        _ = try driver.log.append(row, to: TopicPartition("app-counts-changelog", 0))
        // The store is restored from what the changelog has.
        try driver.crash()
        let error = #expect(throws: (any Error).self) {
            try driver.pipe("in", "k", "x", timestamp: 0, .string, .string)
        }
        #expect(error.map { "\($0)".contains("8 bytes") } == true)
    }

    @Test func `a count with a cache gives the same cells and counts`() throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .groupByKey().count(as: "counts").toStream().to("out")
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = 1 << 20
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration)
        for index in 0..<100 {
            try driver.pipe("in", "k\(index % 7)", "x", timestamp: Int64(index), .string, .string)
        }
        let rows = try driver.rows(ofStore: "counts")
        #expect(rows.count == 7)
        let arena = CellArena()
        var total: UInt64 = 0
        for row in rows {
            let bytes = row.cell
            total += try arena.decode(bytes.span.bytes).count
        }
        #expect(total == 100)
        driver.close()
    }
}
