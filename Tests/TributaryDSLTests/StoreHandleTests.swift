import Testing
import TributaryCore
import TributaryDSL
import TributaryRuntime
import TributaryState
import TributaryTesting

/// Stores as values, branches by name, records made of others, partitions that are chosen.
@Suite struct StoreHandleTests {
    private func driver(_ builder: StreamsBuilder) throws -> TopologyTestDriver {
        try TopologyTestDriver(builder.build())
    }

    private func problem(_ describe: (StreamsBuilder) -> Void) -> String {
        let builder = StreamsBuilder()
        describe(builder)
        do { _ = try builder.build() } catch { return "\(error)" }
        return "none"
    }

    @Test func `a processor takes the stores behind its handles`() throws {
        let builder = StreamsBuilder()
        let counts = builder.store(.keyValue("counts"), of: Int.self)
        let seen = builder.store(.window("seen", retention: .seconds(1200), size: .seconds(600)), of: String.self)
        builder.stream("in", of: String.self)
            .processValues(stores: [counts, seen]) { Deduplicate(counts, seen) }
            .to("out")
        let driver = try driver(builder)
        defer { driver.close() }
        for (time, key, value) in [(0, "a", "x"), (1, "a", "x"), (2, "a", "y"), (700_000, "a", "y")] {
            try driver.pipe("in", key, value, timestamp: Int64(time))
        }
        #expect(try driver.takeRecords(from: "out", of: String.self).map(\.value) == ["x1", "y2", "y3"])
        #expect(driver.storeNames == ["counts", "seen"])
    }

    @Test func `a store behind a handle is what its shape and settings say`() throws {
        let builder = StreamsBuilder(inMemoryStores: true)
        let rows = builder.store(
            .keyValue("rows", timestamped: true), key: .int64, value: .string, inMemory: false, caching: true,
            changelogSettings: ["segment.bytes": "1"])
        let windows = builder.store(
            .window("windows", retention: .seconds(2), size: .seconds(1), retainsDuplicates: true), key: .string,
            value: .bytes, logging: false)
        builder.stream("in", of: String.self).processValues(stores: [rows, windows]) { Nothing() }
        let topology = try builder.build()
        let described = try #require(topology.stores["rows"])
        #expect(described.isPersistent && described.isCached && described.isLogged && described.isTimestamped)
        #expect(described.serdes == "int64 string")
        #expect(described.changelogConfiguration["segment.bytes"] == "1")
        let window = try #require(topology.stores["windows"])
        #expect(!window.isPersistent && !window.isCached && !window.isLogged && window.retainsDuplicates)
        #expect(window.retention == 2000)
    }

    @Test func `a handle that a processor isn't connected to is refused`() throws {
        let builder = StreamsBuilder()
        let counts = builder.store(.keyValue("counts"), of: Int.self)
        let seen = builder.store(.window("seen", retention: .seconds(2), size: .seconds(1)), of: String.self)
        builder.stream("in", of: String.self).processValues(stores: [counts]) { Deduplicate(counts, seen) }
        #expect(throws: (any Error).self) { try driver(builder) }
    }

    @Test func `handles of two stores of one name are refused`() {
        let found = problem { builder in
            _ = builder.store(.keyValue("x"), of: Int.self)
            _ = builder.store(.keyValue("x"), of: String.self)
            builder.stream("in", of: String.self).to("out")
        }
        #expect(found.contains("'x'"))
    }

    // MARK: Branches

    @Test func `branches are found by their names`() throws {
        let builder = StreamsBuilder()
        let branches = builder.stream("in", of: Int.self).split(named: "by-")
            .branch("small") { _, value in value < 10 }
            .branch { _, value in value < 100 }
            .defaultBranch("large")
        branches["small"].to("small")
        branches["2"].to("middle")
        branches["by-large"].to("large")
        #expect(branches.names == ["small", "2", "large"])
        let driver = try driver(builder)
        defer { driver.close() }
        for value in [5, 50, 500] { try driver.pipe("in", "k", value, timestamp: 0) }
        for (topic, value) in [("small", 5), ("middle", 50), ("large", 500)] {
            #expect(try driver.takeRecords(from: topic, of: Int.self).map(\.value) == [value])
        }
    }

    @Test func `a branch that there isn't is an error that says what there is`() {
        let found = problem { builder in
            let branches = builder.stream("in", of: Int.self).split(named: "s").branch("a") { _, _ in true }
                .noDefaultBranch()
            branches["b"].mapValues { $0 + 1 }.to("out")
        }
        #expect(found.contains("no branch 'b'") && found.contains("only a"))
    }

    // MARK: Records

    @Test func `a record is made of another one`() {
        let record = Record(key: "k", value: 1, timestamp: 5, headers: Headers())
        let other = record.with(key: 2, value: "v", timestamp: 7)
        #expect(other.key == 2 && other.value == "v" && other.timestamp == 7)
        #expect(record.with(value: "v").timestamp == 5)
        #expect(record.with(value: "v", timestamp: 6).timestamp == 6)
        #expect(record.with(key: 2).key == 2)
        #expect(record.with(timestamp: 9).timestamp == 9)
        #expect(record.with(timestamp: 9).key == "k")
    }

    // MARK: Partitions

    @Test func `a partition that the topic hasn't asks the handler`() throws {
        let builder = StreamsBuilder()
        builder.stream("in", of: Int.self).to("out") { _, value, partitions in
            #expect(partitions == 1)
            return value.map { Int32($0) }
        }
        var configuration = TestDriverConfiguration()
        configuration.runtime.processingHandler = { _ in .continue }
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration)
        defer { driver.close() }
        for value in [0, 1, -1] { try driver.pipe("in", "k", value, timestamp: 0) }
        #expect(try driver.takeRecords(from: "out", of: Int.self).map(\.value) == [0])
        #expect(driver.dropped == [.processing: 2])
    }
}

/// Passes on what it hasn't seen in its window of ten minutes, with the number of such values so far.
private final class Deduplicate: FixedKeyProcessor {
    private let handles:
        (counts: StoreHandle<KeyValueStore<String, Int>>, seen: StoreHandle<WindowStore<String, String>>)
    private var context: FixedKeyProcessorContext<String, String>?
    private var counts: KeyValueStore<String, Int>?
    private var seen: WindowStore<String, String>?

    init(_ counts: StoreHandle<KeyValueStore<String, Int>>, _ seen: StoreHandle<WindowStore<String, String>>) {
        handles = (counts, seen)
    }

    func initialize(_ context: FixedKeyProcessorContext<String, String>) throws {
        self.context = context
        counts = try context.store(handles.counts)
        seen = try context.store(handles.seen)
    }

    func process(_ record: Record<String, String>) throws {
        let start = record.timestamp / 600_000 * 600_000
        if try seen?.fetch(record.key, windowStart: start)?.value == record.value { return }
        try seen?.put(record.key, record.value, windowStart: start)
        let count = (try counts?.get(record.key)?.value ?? 0) + 1
        try counts?.put(record.key, count)
        try context?.forward(record.with(value: record.value + String(count)))
    }
}

private final class Nothing: FixedKeyProcessor {
    func process(_ record: Record<String, String>) throws {}
    typealias ValueOut = String
}
