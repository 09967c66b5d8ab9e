import Testing
import TributaryCore
import TributaryLineage
import TributaryRuntime
import TributaryTesting

@testable import TributaryDSL

/// Tables grouped by another key; what Kafka Streams does record for record is in the conformance cases.
@Suite struct GroupedTableTests {
    private func configuration(isCached: Bool = false) -> TestDriverConfiguration {
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = isCached ? 1 << 20 : 0
        configuration.runtime.lineage.sendsCells = true
        return configuration
    }

    private func pipe(_ driver: TopologyTestDriver, _ key: String, _ value: String?) throws {
        try driver.pipe(topic: "in", key: Array(key.utf8), value: value.map { Array($0.utf8) }, timestamp: 5)
    }

    private func cells(_ driver: TopologyTestDriver, _ topic: String) throws -> [Cell] {
        let arena = CellArena()
        return try driver.log.records(in: TopicPartition(topic, 0)).map { record in
            try #require(try CellHeader.decode(record.cell.span.bytes, into: arena))
        }
    }

    @Test(arguments: [false, true])
    func `a row that changes its group is in the new one, and in the cell of that alone`(isCached: Bool) throws {
        let builder = StreamsBuilder()
        builder.table("in", key: .string, value: .string)
            .groupBy(key: .string, value: .string) { _, value in (String(value.prefix(1)), value) }
            .aggregate(
                into: "", as: "groups", value: .string, adding: { $0 += $1 + " " },
                subtracting: { groups, value in
                    groups = groups.split(separator: " ").filter { $0 != value }.map { $0 + " " }.joined()
                }
            )
            .toStream().to("out")
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration(isCached: isCached))
        defer { driver.close() }
        for (key, value) in [("1", "a1"), ("2", "a2"), ("1", "b1"), ("1", "b2"), ("2", nil)] {
            try pipe(driver, key, value)
        }
        let out = try driver.takeRecords(from: "out", .string, .string)
        #expect(out.map(\.key) == ["a", "a", "a", "b", "b", "a"])
        #expect(out.map(\.value) == ["a1 ", "a1 a2 ", "a2 ", "b1 ", "b2 ", ""])
        let cells = try cells(driver, "out")
        #expect(cells.map(\.count) == [1, 2, 1, 1, 1, 0])
        #expect(cells.map { $0.has(flags: Cell.loose) } == [false, false, true, false, true, true])
        #expect(!cells.contains { $0.has(flags: Cell.gap) })
    }

    @Test func `a count of no rows stays, and a reduced group without its first value begins anew`() throws {
        let builder = StreamsBuilder()
        let grouped = builder.table("in", key: .string, value: .string)
            .groupBy(named: "by-group", key: .string, value: .string) { _, value in ("g", value) }
        grouped.count(as: "counts").toStream().to("counts-out")
        grouped.reduce(as: "texts", adding: { $0 + $1 }, subtracting: { $0 + "-" + $1 }).toStream().to("texts-out")
        let topology = try builder.build()
        #expect(topology.internalTopics.filter { $0.kind == .repartition }.map(\.name) == ["by-group-repartition"])
        let driver = try TopologyTestDriver(topology, configuration: configuration())
        defer { driver.close() }
        for value in ["x", nil, "y"] { try pipe(driver, "1", value) }
        #expect(try driver.takeRecords(from: "counts-out", .string, .int64).map(\.value) == [1, 0, 1])
        #expect(try driver.takeRecords(from: "texts-out", .string, .string).map(\.value) == ["x", "x-x", "x-xy"])
    }

    @Test func `a row is read as it was in the store before, also through a join`() throws {
        let builder = StreamsBuilder()
        let left = builder.table("in", key: .string, value: .string)
        let right = builder.table("other", key: .string, value: .string)
        left.leftJoin(right) { $0 + ($1 ?? "") }
            .groupBy(key: .string, value: .string) { _, value in ("all", value) }
            .aggregate(
                into: "", value: .string, adding: { $0 += "+" + $1 }, subtracting: { $0 += "-" + $1 }
            )
            .toStream().to("out")
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration())
        defer { driver.close() }
        try pipe(driver, "k", "l")
        try driver.pipe(topic: "other", key: Array("k".utf8), value: Array("r".utf8), timestamp: 6)
        try pipe(driver, "k", nil)
        let out = try driver.takeRecords(from: "out", .string, .string)
        #expect(out.map(\.value) == ["+l", "+l-l+lr", "+l-l+lr-lr"])
        #expect(try cells(driver, "out").map(\.count) == [1, 2, 0])
    }

    @Test func `bytes that are no change are refused, whatever they are`() throws {
        for count in 0..<5 {
            for byte: UInt8 in [0, 1, 2, 3, 4, 5, 6, 0x7f, 0x80, 0xff] {
                let bytes = [UInt8](repeating: byte, count: count)
                guard let places = try? TableChange.read(bytes.span.bytes) else { continue }
                for place in [places.new, places.old].compactMap(\.self) {
                    #expect(place.lowerBound >= 0 && place.upperBound < count)
                }
            }
        }
        func isRefused(_ bytes: [UInt8]) -> Bool { (try? TableChange.read(bytes.span.bytes)) == nil }
        #expect(isRefused([]) && isRefused([9]) && isRefused([3]) && isRefused([2]) && isRefused([8, 1, 2]))
    }

    @Test(
        arguments: [(["n"], nil), (nil, ["o"]), (["n", "ew"], ["o", "ld"]), ([], []), (["é"], [])]
            as [([String]?, [String]?)])
    func `a change is what was written`(new: [String]?, old: [String]?) throws {
        let one = new.map { Array($0.joined().utf8) }
        let other = old.map { Array($0.joined().utf8) }
        var writer = ByteWriter()
        TableChange.write(one?.span.bytes, other?.span.bytes, into: &writer)
        let bytes = writer.copy()
        let places = try TableChange.read(bytes.span.bytes)
        #expect(places.new.map { Array(bytes[$0]) } == one && places.old.map { Array(bytes[$0]) } == other)
    }
}
