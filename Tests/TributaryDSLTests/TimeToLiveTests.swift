import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryState
import TributaryTesting

/// Rows that expire by stream time.
@Suite struct TimeToLiveTests {
    private func driver(
        inMemory: Bool = false, cache: Int = 0, _ change: (inout RuntimeConfiguration) -> Void = { _ in },
        _ describe: (StreamsBuilder) -> Void
    ) throws -> TopologyTestDriver {
        let builder = StreamsBuilder(inMemoryStores: inMemory)
        describe(builder)
        var configuration = TestDriverConfiguration()
        configuration.runtime.lineage.sendsCells = true
        configuration.runtime.cacheBytes = cache
        change(&configuration.runtime)
        return try TopologyTestDriver(builder.build(), configuration: configuration)
    }

    private func pipe(
        _ driver: TopologyTestDriver, _ topic: String, _ key: String, _ value: String?, _ timestamp: Int64
    ) throws {
        try driver.pipe(topic: topic, key: Array(key.utf8), value: value.map { Array($0.utf8) }, timestamp: timestamp)
    }

    private func values(_ driver: TopologyTestDriver, _ topic: String = "out") throws -> [String] {
        try driver.takeRecords(from: topic, .string, Serde.string.optional).map {
            "\($0.key)\($0.value ?? "-")@\($0.timestamp)"
        }
    }

    /// A table whose rows live for 10 ms, its changes, and a stream that reads it.
    private func table(inMemory: Bool = false, cache: Int = 0) throws -> TopologyTestDriver {
        try driver(inMemory: inMemory, cache: cache) { builder in
            let table = builder.table(
                "table", key: .string, value: .string,
                materialized: Materialized(as: "rows", timeToLive: .milliseconds(10)))
            table.toStream().to("out")
            builder.stream("in", of: String.self).leftJoin(table) { "\($0)\($1 ?? "-")" }.to("joined")
        }
    }

    @Test(arguments: [false, true], [0, 1 << 20])
    func `a row is there until stream time is past its timestamp by the time to live`(inMemory: Bool, cache: Int) throws
    {
        let driver = try table(inMemory: inMemory, cache: cache)
        defer { driver.close() }
        try pipe(driver, "table", "a", "1", 100)
        try pipe(driver, "table", "b", "1", 105)
        try pipe(driver, "in", "a", ">", 109)
        #expect(try values(driver) == ["a1@100", "b1@105"])
        try pipe(driver, "in", "a", ">", 110)
        #expect(try values(driver) == ["a-@110"], "before the record that moved time sees the table")
        try pipe(driver, "in", "b", ">", 110)
        #expect(try values(driver, "joined") == ["a>1@109", "a>-@110", "b>1@110"])
        try pipe(driver, "in", "b", ">", 200)
        #expect(try values(driver) == ["b-@115"], "at the time when it expired")
        #expect(try driver.rows(ofStore: "rows").isEmpty)
    }

    @Test func `a row that is written again lives on, one that is deleted expires no more, and one may get younger`()
        throws
    {
        let driver = try table()
        defer { driver.close() }
        for (key, value, time) in [
            ("a", "1", 100), ("b", "1", 100), ("c", "1", 108), ("a", "2", 107), ("b", nil, 107), ("c", "2", 101),
        ] as [(String, String?, Int64)] {
            try pipe(driver, "table", key, value, time)
        }
        _ = try values(driver)
        try pipe(driver, "in", "x", ">", 111)
        #expect(try values(driver) == ["c-@111"])
        try pipe(driver, "in", "x", ">", 117)
        #expect(try values(driver) == ["a-@117"])
        try pipe(driver, "in", "x", ">", 1000)
        #expect(try values(driver) == [])
    }

    @Test func `at the greatest time all expire but those that would at that time`() throws {
        let driver = try table()
        defer { driver.close() }
        try pipe(driver, "table", "a", "1", 5)
        try pipe(driver, "table", "b", "1", .max - 10)
        try pipe(driver, "table", "c", "1", .max - 11)
        try pipe(driver, "in", "x", ">", .max)
        try pipe(driver, "in", "x", ">", .max)
        let changes = try driver.takeRecords(from: "out", .string, Serde.string.optional)
        #expect(changes.filter { $0.value == nil }.map(\.key) == ["a", "c"])
        #expect(try driver.rows(ofStore: "rows").map(\.key) == [Array("b".utf8)])
    }

    @Test func `what is written too late to live is passed on, and expires at once`() throws {
        let driver = try table()
        defer { driver.close() }
        try pipe(driver, "in", "x", ">", 1000)
        try pipe(driver, "table", "a", "1", 5)
        #expect(try values(driver) == ["a1@5", "a-@15"])
        #expect(try driver.rows(ofStore: "rows").isEmpty)
    }

    @Test(arguments: [false, true])
    func `rows expire after a restart and after a crash as they would have, and none twice`(inMemory: Bool) throws {
        let driver = try table(inMemory: inMemory)
        defer { driver.close() }
        for (key, time) in [("a", 100), ("b", 103), ("c", 106)] as [(String, Int64)] {
            try pipe(driver, "table", key, "1", time)
        }
        try driver.restart()
        try pipe(driver, "in", "x", ">", 110)
        try driver.crash()
        try pipe(driver, "in", "x", ">", 113)
        try driver.restart()
        try pipe(driver, "in", "x", ">", 120)
        #expect(try values(driver) == ["a1@100", "b1@103", "c1@106", "a-@110", "b-@113", "c-@116"])
    }

    @Test func `the changelog has the delete, and it says when the row expired`() throws {
        let driver = try table()
        defer { driver.close() }
        try pipe(driver, "table", "a", "1", 100)
        try pipe(driver, "in", "x", ">", 150)
        let logged = driver.log.records(in: TopicPartition("app-rows-changelog", 0))
        try #require(logged.count == 2)
        #expect(logged[1].value == nil && logged[1].timestamp == 110)
        #expect(logged[1].headers.last("expired") == Array("110".utf8))
        let sent = driver.log.records(in: TopicPartition("out", 0))
        #expect(sent.map { $0.headers.last("expired") } == [nil, Array("110".utf8)])
    }

    @Test func `a delete is of the row that expired, and what moved time is its trigger`() throws {
        let driver = try table()
        defer { driver.close() }
        try pipe(driver, "table", "a", "1", 100)
        try pipe(driver, "in", "x", ">", 110)
        let arena = CellArena()
        let cells = try driver.log.records(in: TopicPartition("out", 0)).map { record in
            try #require(try CellHeader.decode(record.cell.span.bytes, into: arena))
        }
        try #require(cells.count == 2)
        #expect(cells[1].digest == cells[0].digest && cells[1].count == 1)
        let spans = LinkTests.spans(driver)
        let put = try #require(spans.first { $0.name == "put rows" })
        let expiry = try #require(spans.first { $0.name == "expire rows" })
        let trigger = try #require(spans.first { $0.name == "process in" })
        let send = try #require(spans.last { $0.name == "send out" })
        #expect(expiry.span.parent == put.span.context.span)
        #expect(expiry.links.map(\.type) == [.deleted, .trigger])
        #expect(expiry.links.map(\.context) == [put.span.context, trigger.span.context])
        #expect(send.span.parent == expiry.span.context.span)
    }

    @Test func `who asked for old values gets that of the row that expired`() throws {
        let driver = try driver { builder in
            builder.table(
                "table", key: .string, value: .string,
                materialized: Materialized(as: "rows", timeToLive: .milliseconds(10))
            )
            .groupBy { _, value in (value, value) }.count(as: "counts").toStream().to("out", value: .int64)
            builder.stream("in", of: String.self).to("else")
        }
        defer { driver.close() }
        for key in ["a", "b"] { try pipe(driver, "table", key, "x", 100) }
        try pipe(driver, "table", "c", "x", 105)
        try pipe(driver, "in", "x", ">", 110)
        #expect(try driver.takeRecords(from: "out", .string, .int64).map(\.value) == [1, 2, 3, 2, 1])
        let arena = CellArena()
        let row = try #require(try driver.rows(ofStore: "counts").first)
        let cell = try arena.decode(row.cell.span.bytes)
        #expect(cell.count == 1 && !cell.has(flags: Cell.gap))
    }

    @Test(arguments: [0, 1 << 20])
    func `aggregates expire by their own timestamps, and begin anew`(cache: Int) throws {
        let driver = try driver(cache: cache) { builder in
            builder.stream("in", of: String.self).groupByKey()
                .count(materialized: Materialized(as: "counts", timeToLive: .milliseconds(10)))
                .toStream().to("out")
        }
        defer { driver.close() }
        for (key, time) in [("a", 100), ("a", 105), ("b", 114), ("b", 115), ("a", 115)] as [(String, Int64)] {
            try pipe(driver, "in", key, "x", time)
        }
        let out = try driver.takeRecords(from: "out", .string, Serde.int64.optional)
        #expect(
            out.map { "\($0.key)\($0.value ?? -1)@\($0.timestamp)" } == [
                "a1@100", "a2@105", "b1@114", "a-1@115", "b2@115", "a1@115",
            ])
    }

    /// Puts each value.
    final class Keeper: Processor {
        let handle: StoreHandle<KeyValueStore<String, String>>
        var store: KeyValueStore<String, String>?
        var context: ProcessorContext<String, String>?

        init(_ handle: StoreHandle<KeyValueStore<String, String>>) { self.handle = handle }

        func initialize(_ context: ProcessorContext<String, String>) throws {
            store = try context.store(handle)
            self.context = context
        }

        func process(_ record: Record<String, String>) throws {
            let before = try store?.get(record.key)?.value ?? "-"
            try store?.put(record.key, record.value)
            try context?.forward(Record(key: record.key, value: before, timestamp: record.timestamp))
        }
    }

    @Test func `a processor's rows expire, too`() throws {
        let driver = try driver { builder in
            let store = builder.store(.keyValue("kept", timeToLive: .milliseconds(10)), of: String.self, caching: true)
            builder.stream("in", of: String.self)
                .process(stores: [store], key: .string, value: .string) { Keeper(store) }.to("out")
        }
        defer { driver.close() }
        for (value, time) in [("1", 100), ("2", 109), ("3", 118), ("4", 128)] as [(String, Int64)] {
            try pipe(driver, "in", "a", value, time)
        }
        #expect(try values(driver) == ["a-@100", "a1@109", "a2@118", "a-@128"])
    }

    @Test func `a topic is no changelog of a table whose rows expire`() throws {
        let builder = StreamsBuilder()
        builder.table(
            "table", key: .string, value: .string,
            materialized: Materialized(as: "rows", timeToLive: .milliseconds(10))
        ).toStream().to("out")
        let topology = try builder.build(optimization: .reuseSourceTopics)
        #expect(topology.stores["rows"]?.isLogged == true)
    }

    @Test func `a time to live is refused where it has no meaning`() {
        func code(_ describe: (StreamsBuilder) -> Void) -> TopologyError.Code? {
            let builder = StreamsBuilder()
            describe(builder)
            do { _ = try builder.build() } catch { return (error as? TopologyError)?.code }
            return nil
        }
        func settings<Value>(
            _ time: Duration = .seconds(1), type: Materialized<String, Value>.StoreType? = nil
        ) -> Materialized<String, Value> {
            Materialized(as: "rows", type: type, timeToLive: time)
        }
        func table(_ builder: StreamsBuilder, _ settings: Materialized<String, String>) {
            builder.table("table", key: .string, value: .string, materialized: settings).toStream().to("out")
        }
        #expect(code { table($0, settings()) } == nil)
        #expect(code { table($0, settings(.zero)) } == .invalidSetting)
        #expect(code { table($0, settings(type: .versioned(history: .seconds(1)))) } == .invalidSetting)
        #expect(code { table($0, settings(type: .leastRecentlyUsed(maximum: 1))) } == .invalidSetting)
        #expect(code { table($0, settings(type: .withoutTimestamps)) } == .invalidSetting)
        #expect(
            code {
                $0.stream("in", of: String.self).groupByKey().windowedBy(.tumbling(size: .seconds(1)))
                    .count(materialized: settings()).toStream().forEach { _, _ in }
            } == .invalidSetting)
        #expect(
            code {
                $0.table("in", of: String.self).filter(materialized: settings()) { _, _ in true }.toStream().to("out")
            } == .invalidSetting)
        #expect(
            code {
                _ = $0.globalTable("in", key: .string, value: .string, materialized: settings())
                $0.stream("other", of: String.self).to("out")
            } == .invalidSetting)
    }

    @Test func `a refusal says what to do instead`() {
        func problem(_ describe: (StreamsBuilder, Materialized<String, String>) -> Void) -> String {
            let builder = StreamsBuilder()
            describe(builder, Materialized(as: "rows", timeToLive: .seconds(1)))
            do { _ = try builder.build() } catch { return "\(error)" }
            return "none"
        }
        #expect(
            problem { builder, settings in
                builder.table("in", of: String.self).mapValues(materialized: settings) { $0 }.toStream().to("out")
            }.contains("give the table before a time to live"))
        #expect(
            problem { builder, settings in
                _ = builder.globalTable("in", key: .string, value: .string, materialized: settings)
                builder.stream("other", of: String.self).to("out")
            }.contains("have the rows deleted in the topic"))
    }

    @Test func `a table made of one whose rows expire follows it`() throws {
        let builder = StreamsBuilder()
        let rows = builder.table(
            "in", key: .string, value: .string, materialized: Materialized(as: "rows", timeToLive: .milliseconds(10)))
        rows.mapValues(materialized: Materialized(as: "upper", value: .string)) { $0.uppercased() }
            .toStream().to("out")
        let driver = try TopologyTestDriver(builder.build())
        defer { driver.close() }
        try driver.pipe("in", "a", "x", timestamp: 1, .string, .string)
        try driver.pipe("in", "b", "y", timestamp: 20, .string, .string)
        let out = try driver.takeRecords(from: "out", of: String?.self)
        #expect(out.map { "\($0.key)=\($0.value ?? "-")@\($0.timestamp)" } == ["a=X@1", "a=-@11", "b=Y@20"])
        #expect(try driver.rows(ofStore: "upper").count == 1)
    }
}
