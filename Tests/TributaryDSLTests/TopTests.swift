import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryTesting

/// The highest rows of groups.
@Suite struct TopTests {
    /// Rows are `group:number`.
    private func driver(
        inMemory: Bool = false, cache: Int = 0, _ count: Int = 2
    ) throws -> TopologyTestDriver {
        let builder = StreamsBuilder(inMemoryStores: inMemory)
        builder.table("in", key: .string, value: .string)
            .groupBy(key: .string, value: .string) { key, value in
                let parts = value.split(separator: ":")
                return (String(parts[0]), "\(key)\(parts[1])")
            }
            .top(count, as: "best") { Int($0.drop { $0.isLetter }) ?? 0 }
            .toStream().mapValues(value: .string) { $0.joined(separator: ",") }.to("out")
        var configuration = TestDriverConfiguration()
        configuration.runtime.lineage.sendsCells = true
        configuration.runtime.cacheBytes = cache
        return try TopologyTestDriver(builder.build(), configuration: configuration)
    }

    private func pipe(_ driver: TopologyTestDriver, _ key: String, _ value: String?, _ timestamp: Int64 = 0) throws {
        try driver.pipe(
            topic: "in", key: Array(key.utf8), value: value.map { Array($0.utf8) }, timestamp: timestamp)
    }

    private func values(_ driver: TopologyTestDriver) throws -> [String] {
        try driver.takeRecords(from: "out", .string, Serde.string.optional).map {
            "\($0.key)=\($0.value ?? "-")@\($0.timestamp)"
        }
    }

    @Test(arguments: [false, true], [0, 1 << 20])
    func `the highest are listed, and one that was cut off comes back`(inMemory: Bool, cache: Int) throws {
        let driver = try driver(inMemory: inMemory, cache: cache)
        defer { driver.close() }
        let steps: [(key: String, value: String?)] = [
            ("a", "g:5"), ("b", "g:7"), ("c", "g:6"), ("d", "g:1"), ("b", "g:2"), ("c", nil), ("a", "h:5"), ("b", nil),
            ("d", nil),
        ]
        for (number, step) in steps.enumerated() { try pipe(driver, step.key, step.value, Int64(number)) }
        #expect(
            try values(driver) == [
                "g=a5@0", "g=b7,a5@1", "g=b7,c6@2", "g=c6,a5@4", "g=a5,b2@5", "g=b2,d1@6", "h=a5@6", "g=d1@7", "g=-@8",
            ])
        #expect(try driver.rows(ofStore: "best").count == 1)
        #expect(try driver.rows(ofStore: "best-members").count == 1)
    }

    @Test func `numbers below zero and texts have their order`() throws {
        func keys<Rank: Rankable>(_ ranks: [Rank]) -> [[UInt8]] {
            ranks.map {
                var writer = ByteWriter()
                $0.appendRank(to: &writer)
                return writer.copy()
            }
        }
        func ascend(_ keys: [[UInt8]]) -> Bool {
            zip(keys, keys.dropFirst()).allSatisfy { $0.lexicographicallyPrecedes($1) }
        }
        #expect(ascend(keys([Int.min, -1, 0, 1, .max])))
        #expect(ascend(keys([Int16.min, -1, 0, 1, .max])))
        #expect(ascend(keys([-Double.infinity, -1.5, -0.0, 0, 1e-300, 2, .infinity, .nan])))
        #expect(ascend(keys([-Float.infinity, -1.5, -0.0, 0, 2, .infinity])))
        #expect(ascend(keys(["", "\u{0}", "\u{0}a", "a", "a\u{0}", "ab", "b", "ä"])))
        #expect(ascend(keys([0, 1, UInt64.max])))
    }

    @Test func `members with the same bytes are counted`() throws {
        let builder = StreamsBuilder()
        builder.table("in", key: .string, value: .string)
            .groupBy(key: .string, value: .string) { _, value in ("g", value) }
            .top(2, as: "best", by: \.count)
            .toStream().mapValues(value: .string) { $0.joined(separator: ",") }.to("out")
        var configuration = TestDriverConfiguration()
        configuration.runtime.lineage.sendsCells = true
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration)
        defer { driver.close() }
        for key in ["a", "b", "c"] { try pipe(driver, key, "x") }
        try pipe(driver, "d", "yy")
        for key in ["a", "b"] { try pipe(driver, key, nil) }
        #expect(
            try values(driver) == [
                "g=x@0", "g=x,x@0", "g=x,x@0", "g=yy,x@0", "g=yy,x@0", "g=yy,x@0",
            ])
    }

    @Test(arguments: [false, true])
    func `members are all there after a restart and after a crash`(inMemory: Bool) throws {
        let driver = try driver(inMemory: inMemory, 1)
        defer { driver.close() }
        for (key, value) in [("a", "g:1"), ("b", "g:2"), ("c", "g:3")] {
            try pipe(driver, key, value)
            try driver.restart()
        }
        try pipe(driver, "c", nil)
        try driver.crash()
        try pipe(driver, "b", nil)
        #expect(try values(driver).suffix(2) == ["g=b2@0", "g=a1@0"])
    }

    @Test func `a list's cell is the sum of its members', and it links them`() throws {
        let driver = try driver()
        defer { driver.close() }
        for (key, value) in [("a", "g:1"), ("b", "g:2"), ("c", "g:3"), ("b", nil)] as [(String, String?)] {
            try pipe(driver, key, value)
        }
        let arena = CellArena()
        let cells = try driver.log.records(in: TopicPartition("out", 0)).map { record in
            try #require(try CellHeader.decode(record.cell.span.bytes, into: arena))
        }
        #expect(cells.map(\.count) == [1, 2, 2, 2])
        #expect(cells.map { arena.entries(of: $0).map(\.first) } == [[0], [0], [1], [0]])
        #expect(!cells.contains { $0.has(flags: Cell.gap | Cell.loose) })
        let spans = LinkTests.spans(driver)
        let members = spans.filter { $0.name.hasSuffix(" best-members") && $0.name.hasPrefix("put") }
        let lists = spans.filter { $0.name == "put best" }
        try #require(members.count == 3 && lists.count == 4)
        let merged = lists.map { $0.links.filter { $0.type == .merged }.map(\.context) }
        let (a, b, c) = (members[0].span.context, members[1].span.context, members[2].span.context)
        #expect(merged == [[a], [b, a], [c, b], [c, a]])
        #expect(
            lists.map { $0.links.map(\.type).filter { $0 != .merged } } == [
                [], [.superseded], [.superseded], [.retracted, .superseded],
            ])
        #expect(lists.map { $0.span.flags & SpanRecord.parentIsTrigger != 0 } == [false, false, false, true])
    }

    @Test func `what doesn't concern the list says nothing`() throws {
        let driver = try driver(1)
        defer { driver.close() }
        for (key, value) in [("a", "g:9"), ("b", "g:2"), ("b", "g:3"), ("b", nil)] as [(String, String?)] {
            try pipe(driver, key, value)
        }
        #expect(try values(driver) == ["g=a9@0"])
    }

    @Test func `a list of no members is refused, and lists are read back as they were written`() throws {
        let builder = StreamsBuilder()
        builder.table("in", of: String.self).groupBy { ($0, $1) }.top(0) { $0 }.toStream().to("out")
        #expect(throws: TopologyError.self) { _ = try builder.build() }
        let serde = Serde.array(of: Serde.string.optional)
        for list in [[], ["", nil, "abc"]] as [[String?]] {
            #expect(try serde.value(serde.bytes(list)) == list)
        }
        #expect(throws: (any Error).self) { try serde.value([1, 0, 0, 0, 2, 0, 0, 0, 0]) }
        #expect(throws: (any Error).self) { try serde.value([1, 0, 0, 0, 0, 9]) }
    }
}
