import Testing
import TributaryCore
import TributaryDSL
import TributaryRuntime
import TributaryState
import TributaryTesting

/// Stores that keep headers.
@Suite struct StoreFormatTests {
    private func driver(
        _ format: StoreFormat, cache: Int = 0, propagated: [String] = [], _ describe: (StreamsBuilder) -> Void
    ) throws -> TopologyTestDriver {
        let builder = StreamsBuilder(storeFormat: format)
        describe(builder)
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = cache
        configuration.runtime.lineage.propagatedHeaders = propagated
        return try TopologyTestDriver(builder.build(), configuration: configuration)
    }

    private func header(_ value: String, _ name: String = "h") -> Headers { Headers([(name, Array(value.utf8))]) }

    private func text(_ headers: Headers) -> String {
        headers.list.map { "\($0.name)=\(String(decoding: $0.value ?? [], as: UTF8.self))" }.joined(separator: " ")
    }

    private func logged(_ driver: TopologyTestDriver, _ store: String) -> [String] {
        driver.log.records(in: TopicPartition("app-\(store)-changelog", 0)).map { record in
            let value = record.value.map { String(decoding: $0, as: UTF8.self) } ?? "-"
            return record.headers.isEmpty ? value : "\(value) \(text(record.headers))"
        }
    }

    private func table(_ builder: StreamsBuilder) {
        builder.table("in", of: String.self, as: "rows").toStream().to("out")
    }

    private func joined(_ builder: StreamsBuilder) {
        let left = builder.stream("left", of: String.self)
        let right = builder.stream("right", of: String.self)
        left.join(right, within: .within(.seconds(10)), as: "j") { $0 + $1 }.to("out", value: .string)
    }

    @Test(arguments: [0, 1 << 20])
    func `a table's tombstones are logged with the headers of what deleted, its rows without`(_ cache: Int) throws {
        let driver = try driver(.headers, cache: cache, table)
        defer { driver.close() }
        try driver.pipe("in", "a", Optional("x"), timestamp: 1, headers: header("1"))
        try driver.pipe("in", "a", String?.none, timestamp: 2, headers: header("2"))
        #expect(logged(driver, "rows") == ["x", "- h=2"])
        #expect(try driver.takeRecords(from: "out", of: String?.self).map { text($0.headers) } == ["h=1", "h=2"])
    }

    @Test(arguments: [0, 1 << 20])
    func `in the standard format tombstones have no headers`(_ cache: Int) throws {
        let driver = try driver(.standard, cache: cache, table)
        defer { driver.close() }
        try driver.pipe("in", "a", Optional("x"), timestamp: 1, headers: header("1"))
        try driver.pipe("in", "a", String?.none, timestamp: 2, headers: header("2"))
        #expect(logged(driver, "rows") == ["x", "-"])
    }

    @Test(arguments: [0, 1 << 20])
    func `headers that go through rows are beside those of a tombstone once`(_ cache: Int) throws {
        let driver = try driver(.headers, cache: cache, propagated: ["user"], table)
        defer { driver.close() }
        try driver.pipe("in", "a", Optional("x"), timestamp: 1, headers: header("eve", "user"))
        let both = Headers([("h", Array("2".utf8)), ("user", Array("bob".utf8))])
        try driver.pipe("in", "a", String?.none, timestamp: 2, headers: both)
        #expect(logged(driver, "rows") == ["x user=eve", "- h=2 user=bob"])
    }

    @Test(arguments: [StoreFormat.standard, .headers])
    func `a join keeps its records' headers, over a restart, too`(_ format: StoreFormat) throws {
        let driver = try driver(format, joined)
        defer { driver.close() }
        try driver.pipe("left", "a", "x", timestamp: 1, headers: header("1"))
        let expected = format == .headers ? ["h=1"] : [""]
        func kept() throws -> [String] { try driver.rows(ofStore: "j-this-join-store").map { text($0.headers) } }
        #expect(try kept() == expected)
        #expect(logged(driver, "j-this-join-store") == ["x h=1"])
        // The driver's state is gone: it is restored.
        try driver.restart()
        #expect(try kept() == expected)
        try driver.pipe("right", "a", "y", timestamp: 2, headers: header("2"))
        let results = try driver.takeRecords(from: "out", of: String.self)
        #expect(results.map(\.value) == ["xy"])
        #expect(results.map { text($0.headers) } == ["h=2"])
    }

    @Test(arguments: [(StoreFormat.standard, ["h=1"]), (.headers, [""])])
    func `a session that a cache sends on has the headers of its row`(_ format: StoreFormat, _ expected: [String])
        throws
    {
        let driver = try driver(format, cache: 1 << 20) { builder in
            builder.stream("in", of: String.self).groupByKey().windowedBy(SessionWindows(gap: .seconds(5)))
                .count(as: "sessions").toStream().to("out")
        }
        defer { driver.close() }
        try driver.pipe("in", "a", "x", timestamp: 1, headers: header("1"))
        let results = driver.log.records(in: TopicPartition("out", 0))
        #expect(results.map { text($0.headers) } == expected)
    }

    @Test func `stores that Kafka Streams has by suppliers keep no headers`() throws {
        let builder = StreamsBuilder(storeFormat: .headers)
        let types: [(String, Materialized<String, String>.StoreType)] = [
            ("persistent", .persistent), ("inMemory", .inMemory), ("plain", .withoutTimestamps),
            ("few", .leastRecentlyUsed(maximum: 1)), ("versions", .versioned(history: .seconds(1))),
        ]
        for (name, type) in types {
            _ = builder.table(name, key: .string, value: .string, materialized: Materialized(as: name, type: type))
        }
        _ = builder.store(.keyValue("own"), of: String.self)
        let stores = try builder.build().stores.values
        #expect(stores.filter(\.keepsHeaders).map(\.name).sorted() == ["inMemory", "persistent"])
    }
}
