import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryState
import TributaryTesting

/// What the test driver offers to tests, by Kafka Streams' own page about it and beyond.
@Suite struct TestDriverTests {
    private func driver(
        _ configuration: TestDriverConfiguration = TestDriverConfiguration(), _ describe: (StreamsBuilder) -> Void
    ) throws -> TopologyTestDriver {
        let builder = StreamsBuilder()
        describe(builder)
        return try TopologyTestDriver(builder.build(), configuration: configuration)
    }

    private func passing(_ configuration: TestDriverConfiguration = TestDriverConfiguration()) throws
        -> TopologyTestDriver
    {
        try driver(configuration) { builder in
            builder.stream("in", key: Serde<String>.string.optional, value: .string).to("out")
            builder.stream("other", of: String.self).mapValues { $0 + "!" }.to("out")
        }
    }

    @Test func `an input topic has a time of its own, which goes on with each record that says none`() throws {
        let driver = try passing()
        defer { driver.close() }
        let input = try driver.inputTopic("in", of: String.self, startingAt: 100, advancingBy: .milliseconds(10))
        let output = driver.outputTopic("out", key: Serde<String>.string.optional, value: .string)
        try input.pipe("a", "1")
        try input.pipe("a", "2", timestamp: 7)
        try input.pipe(value: "3", headers: Headers([("h", [1])]))
        try input.advanceTime(by: .seconds(1))
        try input.pipe([("b", "4"), ("b", "5")])
        try input.pipe([("c", "6"), ("c", "7")], startingAt: 50, advancingBy: .milliseconds(5))
        try input.pipe(values: ["8"])
        try input.pipe(values: ["9", "10"], startingAt: 1, advancingBy: .milliseconds(1))
        try input.pipe([Record(key: "d", value: "11", timestamp: 3, headers: Headers([("h", nil)]))])
        #expect(input.time == 1150)
        let records = try output.readRecords()
        #expect(
            records.map { "\($0.key ?? "-")\($0.value)@\($0.timestamp)" } == [
                "a1@100", "a2@7", "-3@110", "b4@1120", "b5@1130", "c6@50", "c7@55", "-8@1140", "-9@1", "-10@2", "d11@3",
            ])
        #expect(records.map(\.headers.count) == [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1])
    }

    @Test func `an input topic begins at the wall clock, refuses to go back, and must be read`() throws {
        var configuration = TestDriverConfiguration()
        configuration.initialWallClock = 5000
        let driver = try passing(configuration)
        defer { driver.close() }
        try driver.advanceWallClock(by: .seconds(1))
        let input = try driver.inputTopic("in", of: String.self)
        #expect(input.time == 6000 && driver.wallClock == 6000 && driver.streamTime == -1)
        try input.pipe("a", "1")
        #expect(input.time == 6000 && driver.streamTime == 6000)
        #expect(throws: DriverError.self) { try input.advanceTime(by: .milliseconds(-1)) }
        #expect(throws: DriverError.self) { try input.pipe(values: ["1"], startingAt: 0, advancingBy: .seconds(-1)) }
        #expect(throws: DriverError.self) { try driver.inputTopic("out", of: String.self) }
        #expect(throws: DriverError.self) { try driver.inputTopic("in", of: String.self, advancingBy: .seconds(-1)) }
    }

    @Test func `an output topic is read as records, keys with values, values and tables`() throws {
        let driver = try passing()
        defer { driver.close() }
        let input = try driver.inputTopic("in", of: String.self)
        let other = try driver.inputTopic("other", of: String.self)
        let output = driver.outputTopic("out", of: String.self)
        #expect(output.isEmpty)
        #expect(throws: DriverError.self) { try output.readValue() }
        try input.pipe([("a", "1"), ("b", "2"), ("a", "3"), ("c", "4"), ("a", "5")])
        try other.pipe("d", "6")
        #expect(output.count == 6)
        #expect(try output.readValue() == "1")
        let pair = try output.readKeyValue()
        #expect(pair.key == "b" && pair.value == "2")
        #expect(try output.readRecord().value == "3")
        #expect(try output.readMap() == ["c": "4", "a": "5", "d": "6!"])
        #expect(output.isEmpty)
        #expect(throws: DriverError.self) { try output.readRecord() }
        try input.pipe([("a", "7"), ("a", "8")])
        #expect(try output.readKeyValues().map(\.value) == ["7", "8"])
        try input.pipe([("a", "9"), ("a", "10")])
        #expect(try output.readValues() == ["9", "10"])
        try input.pipe("a", "11")
        // What was taken otherwise is gone for all.
        #expect(try driver.takeRecords().map(\.topic) == ["out"])
        #expect(output.isEmpty)
        try input.pipe(value: "none")
        #expect(throws: SerdeError.self) { try output.readMap() }
    }

    @Test func `topics that were written to are known by name`() throws {
        let driver = try driver { builder in
            builder.stream("in", of: String.self).selectKey { _, value in value }.groupByKey().count(as: "counts")
                .toStream().to("out")
            builder.stream("in", of: String.self).filter { _, value in value == "never" }.to("never")
        }
        defer { driver.close() }
        #expect(driver.producedTopicNames == [])
        try driver.pipe("in", "a", "x", timestamp: 1)
        let names = ["app-counts-changelog", "app-counts-repartition", "out"]
        #expect(driver.producedTopicNames == names)
        try driver.restart()
        #expect(driver.producedTopicNames == names)
        try driver.pipe("in", "a", "never", timestamp: 1)
        #expect(driver.producedTopicNames == (names + ["never"]).sorted())
        let changelog = driver.outputTopic("app-counts-changelog", of: Int64.self)
        #expect(try changelog.readMap() == ["x": 1, "never": 1])
    }

    private func everyKind(_ configuration: TestDriverConfiguration = TestDriverConfiguration()) throws
        -> TopologyTestDriver
    {
        try driver(configuration) { builder in
            let table = builder.table("rows", of: String.self, as: "rows")
            let stream = builder.stream("in", of: String.self)
            stream.join(table) { (left: String, right: String) in left + right }.to("out", value: .string)
            let grouped = stream.groupByKey()
            _ = grouped.windowedBy(.tumbling(size: .milliseconds(10), grace: .seconds(1))).count(as: "windows")
            _ = grouped.windowedBy(SessionWindows(gap: .milliseconds(5), grace: .seconds(1))).count(as: "sessions")
            _ = builder.table(
                "prices", key: .string, value: .string,
                materialized: Materialized(as: "versions", type: .versioned(history: .seconds(1))))
        }
    }

    @Test func `stores of every kind are read by their types`() throws {
        let driver = try everyKind()
        defer { driver.close() }
        try driver.pipe("rows", "a", "r", timestamp: 1)
        try driver.pipe("in", "a", "x", timestamp: 3)
        try driver.pipe("in", "a", "x", timestamp: 12)
        try driver.pipe("in", "b", "x", timestamp: 13)
        try driver.pipe("prices", "tea", "1", timestamp: 5)
        try driver.pipe("prices", "tea", "2", timestamp: 9)
        #expect(driver.storeNames == ["rows", "sessions", "versions", "windows"])
        #expect(driver.description(ofStore: "windows")?.windowSize == 10)
        #expect(driver.description(ofStore: "none") == nil)
        let rows = try driver.keyValueStore("rows", of: String.self)
        let entry = try #require(try rows.get("a"))
        #expect(entry.value == "r" && entry.timestamp == 1)
        #expect(try rows.get("b") == nil)
        let windows = try driver.windowStore("windows", of: Int64.self)
        #expect(try windows.fetch("a", from: 0, through: 20).map(\.key.window.start) == [0, 10])
        #expect(try windows.fetch("a", windowStart: 10)?.value == 1)
        let sessions = try driver.sessionStore("sessions", of: Int64.self)
        #expect(try sessions.fetch("a").map(\.key.window.end) == [3, 12])
        let versions = try driver.versionedStore("versions", of: String.self)
        #expect(try versions.get("tea")?.value == "2")
        #expect(try versions.get("tea", at: 8)?.value == "1")
        #expect(throws: DriverError.self) { try driver.keyValueStore("windows", of: Int64.self) }
        #expect(throws: DriverError.self) { try driver.keyValueStore("versions", of: String.self) }
        #expect(throws: DriverError.self) { try driver.windowStore("sessions", of: Int64.self) }
        #expect(throws: DriverError.self) { try driver.sessionStore("rows", of: Int64.self) }
        #expect(throws: DriverError.self) { try driver.versionedStore("rows", of: String.self) }
        #expect(throws: StoreError.self) { try driver.keyValueStore("none", of: String.self) }
    }

    @Test func `rows that a test writes are there for records, logged, and of no record`() throws {
        let driver = try everyKind()
        defer { driver.close() }
        try driver.pipe("in", "b", "x", timestamp: 7)
        let rows = try driver.keyValueStore("rows", of: String.self)
        try rows.put("a", "mine")
        try driver.pipe("in", "a", "x", timestamp: 8)
        #expect(try driver.takeRecords(from: "out", of: String.self).map(\.value) == ["xmine"])
        let row = try #require(try driver.rows(ofStore: "rows").first)
        #expect(row.timestamp == 7 && !row.context.isValid)
        #expect(try CellReport(row.cell.span.bytes, names: SourceNames()).count == 0)
        try driver.restoreFromChangelogs()
        #expect(try driver.keyValueStore("rows", of: String.self).get("a")?.value == "mine")
        try driver.keyValueStore("rows", of: String.self).delete("a")
        try driver.restart()
        #expect(try driver.keyValueStore("rows", of: String.self).get("a") == nil)
    }

    @Test func `a store is taken by its handle, and counts what is done with it`() throws {
        let builder = StreamsBuilder()
        let handle = builder.store(.keyValue("own"), of: String.self, caching: true)
        builder.stream("in", of: String.self).processValues(stores: [handle]) { Keep(handle) }
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = 1 << 20
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration)
        defer { driver.close() }
        try driver.pipe("in", "a", "x", timestamp: 1)
        #expect(try driver.store(handle).get("a")?.value == "x")
        let statistics = try driver.statistics(ofStore: "own")
        #expect(statistics.puts == 1 && statistics.gets == 1 && statistics.cache?.entries == 1)
        #expect(throws: StoreError.self) { try driver.statistics(ofStore: "none") }
    }

    @Test func `stores are restored from their changelogs, whatever their engine has kept`() throws {
        var configuration = TestDriverConfiguration()
        let opened = Guarded(0)
        configuration.persistentEngine = { _ in
            opened.withLock { $0 += 1 }
            return SortedArrayEngine(on: SortedArrayEngine.Disk())
        }
        let driver = try everyKind(configuration)
        defer { driver.close() }
        try driver.pipe("rows", "a", "r", timestamp: 1)
        try driver.pipe("in", "a", "x", timestamp: 3)
        let before = try driver.storeNames.map { try driver.rows(ofStore: $0) }
        try driver.restoreFromChangelogs()
        #expect(try driver.storeNames.map { try driver.rows(ofStore: $0) } == before)
        #expect(opened.withLock { $0 } == 1)
        try driver.restart()
        #expect(try driver.storeNames.map { try driver.rows(ofStore: $0) } == before)
        #expect(opened.withLock { $0 } == 2)
    }
}

private final class Keep: FixedKeyProcessor {
    private let handle: StoreHandle<KeyValueStore<String, String>>
    private var store: KeyValueStore<String, String>?

    init(_ handle: StoreHandle<KeyValueStore<String, String>>) { self.handle = handle }

    func initialize(_ context: FixedKeyProcessorContext<String, String>) throws { store = try context.store(handle) }

    func process(_ record: Record<String, String>) throws { try store?.put(record.key, record.value) }
}
