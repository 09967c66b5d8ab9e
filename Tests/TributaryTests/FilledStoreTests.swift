import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryLMDB
import TributaryLineage
import TributaryTesting

/// Stores that a processor of the user's own fills from a topic: in each thread whole, or with the topic for a changelog.
@Suite struct FilledStoreTests {
    private func driver(_ topology: Topology, keptIn folder: String?) throws -> TopologyTestDriver {
        var configuration = TestDriverConfiguration()
        configuration.runtime.lineage.sendsCells = true
        if let folder {
            configuration.persistentEngine = { task in
                try LMDBStateEngine(
                    directory: "\(folder)/\(task)",
                    options: LMDBStateOptions(mapSize: 1 << 26, maximumTables: 16, durability: .fast))
            }
        }
        return try TopologyTestDriver(topology, configuration: configuration)
    }

    private func problem(_ describe: (StreamsBuilder) -> Void) -> String {
        let builder = StreamsBuilder()
        describe(builder)
        do { _ = try builder.build() } catch { return "\(error)" }
        return "none"
    }

    private func pipe(_ driver: TopologyTestDriver, _ topic: String, _ key: String?, _ value: String?) throws {
        try driver.pipe(
            topic: topic, key: key.map { Array($0.utf8) }, value: value.map { Array($0.utf8) }, timestamp: 5)
    }

    private func cells(_ driver: TopologyTestDriver, of topic: String) throws -> [[Int64]] {
        let arena = CellArena()
        return try driver.log.records(in: TopicPartition(topic, 0)).map { record in
            let cell = try #require(try CellHeader.decode(record.cell.span.bytes, into: arena))
            return arena.entries(of: cell).map(\.first).sorted()
        }
    }

    // MARK: Global

    // The lengths of a topic's values by their first letters; records of "in" find the length of theirs.
    private func global(_ fills: @escaping @Sendable (StoreHandle<KeyValueStore<String, Int>>) -> LengthKeeper) throws
        -> Topology
    {
        let builder = StreamsBuilder()
        let lengths = builder.store(.keyValue("lengths", timestamped: true), of: Int.self)
        builder.addGlobalStore(lengths, from: "words", named: "keep") { fills(lengths) }
        builder.stream("in", of: String.self).processValues { LengthFinder(lengths) }.to("out", value: .string)
        return try builder.build()
    }

    @Test(arguments: [false, true])
    func `a global store has what its processor made of the topic, after a restart, too`(isKept: Bool) throws {
        let folder = try TemporaryFolder()
        let driver = try driver(global { LengthKeeper($0) }, keptIn: isKept ? folder.path : nil)
        defer { driver.close() }
        try pipe(driver, "in", "1", "n")
        for word in ["norway", "sweden"] { try pipe(driver, "words", "k", word) }
        try pipe(driver, "words", nil, "nothing")
        try pipe(driver, "in", "2", "n")
        try driver.restart()
        try pipe(driver, "words", "k", "nor")
        try pipe(driver, "words", "s", nil)
        try driver.crash()
        for word in ["n", "s"] { try pipe(driver, "in", "3", word) }
        let out = try driver.takeRecords(from: "out", .string, .string)
        #expect(out.map(\.value) == ["n -", "n 6@5", "n 3@5", "s -"])
        // Each result is of its own record and of the one that the row was made from: what the processor read for a row counts with it.
        let cells = try cells(driver, of: "out")
        #expect(cells.map(\.count) == [1, 2, 2, 1])
        #expect(cells[2] == [2, 3])
        #expect(driver.dropped == (isKept ? [:] : [.nullKey: 1]))
        #expect(driver.storeNames == ["lengths"])
    }

    @Test func `a global store has a part of the topology to itself, and no changelog`() throws {
        let topology = try global { LengthKeeper($0) }
        let text = topology.describe()
        #expect(text.contains("Sub-topology: 0 for global store (will not generate tasks)"))
        #expect(text.contains("Source: keep-source (topics: [words])\n      --> keep\n"))
        #expect(text.contains("Processor: keep (stores: [lengths])\n      --> none\n      <-- keep-source\n"))
        #expect(topology.internalTopics.isEmpty && topology.sourceChangelogs.isEmpty)
    }

    @Test func `nobody else writes a global store`() throws {
        let builder = StreamsBuilder()
        let lengths = builder.store(.keyValue("lengths"), of: Int.self)
        builder.addGlobalStore(lengths, from: "words") { LengthKeeper(lengths) }
        builder.stream("in", of: String.self).process { LengthKeeper(lengths) }
        let driver = try driver(builder.build(), keptIn: nil)
        defer { driver.close() }
        #expect { try pipe(driver, "in", "k", "x") } throws: { "\($0)".contains("read-only") }
    }

    @Test func `windows, sessions and versions are global, too`() throws {
        let builder = StreamsBuilder()
        let windows = builder.store(.window("w", retention: .seconds(60), size: .seconds(1)), of: String.self)
        let sessions = builder.store(.session("s", retention: .seconds(60)), of: String.self)
        let versions = builder.store(.versioned("v", history: .seconds(60)), of: String.self)
        builder.addGlobalStore(windows, from: "ws") {
            Keeper { record, context in
                try context.store(windows).put(record.key, record.value, windowStart: record.timestamp)
            }
        }
        builder.addGlobalStore(sessions, from: "ss") {
            Keeper { record, context in
                let window = Window(start: record.timestamp, end: record.timestamp + 1)
                try context.store(sessions).put(Windowed(key: record.key, window: window), record.value)
            }
        }
        builder.addGlobalStore(versions, from: "vs") {
            Keeper { record, context in
                try context.store(versions).put(record.key, record.value, timestamp: record.timestamp)
            }
        }
        builder.stream("in", of: String.self).processValues { AllFinder(windows, sessions, versions) }
            .to("out", value: .string)
        let driver = try driver(builder.build(), keptIn: nil)
        defer { driver.close() }
        for topic in ["ws", "ss", "vs"] { try pipe(driver, topic, "k", topic) }
        try pipe(driver, "in", "k", "x")
        try driver.restart()
        try pipe(driver, "in", "k", "x")
        #expect(try driver.takeRecords(from: "out", .string, .string).map(\.value) == ["ws ss vs", "ws ss vs"])
    }

    @Test func `a punctuation of what fills a global store is refused at the start`() throws {
        let topology = try global { LengthKeeper($0, schedules: true) }
        #expect { try driver(topology, keptIn: nil) } throws: { "\($0)".contains("can't schedule") }
    }

    @Test func `what can't be a global store is refused by build`() {
        #expect(
            problem { builder in
                let lengths = builder.store(.keyValue("lengths", timeToLive: .seconds(1)), of: Int.self)
                builder.addGlobalStore(lengths, from: "words") { LengthKeeper(lengths) }
            }.contains("can't have a time to live"))
        #expect(
            problem { builder in
                let lengths = builder.store(.keyValue("lengths"), of: Int.self)
                builder.addGlobalStore(lengths, from: "words") { LengthKeeper(lengths) }
                builder.stream("in", of: String.self).processValues(stores: [lengths]) { LengthFinder(lengths) }
            }.contains("leave it out of stores:"))
        #expect(
            problem { builder in
                let lengths = builder.store(.keyValue("lengths"), of: Int.self)
                builder.addGlobalStore(lengths, from: "words") { LengthKeeper(lengths) }
                builder.addGlobalStore(lengths, from: "more") { LengthKeeper(lengths) }
            }.contains("have it filled before it is, and once"))
        #expect(
            problem { builder in
                let lengths = builder.store(.keyValue("lengths"), of: Int.self)
                builder.addGlobalStore(lengths, from: "words") { LengthKeeper(lengths) }
                builder.stream("words", of: String.self).to("out")
            }.contains("topic 'words' is read by both"))
    }

    // MARK: Read-only

    private func readOnly() throws -> Topology {
        let builder = StreamsBuilder()
        let names = builder.store(.keyValue("names", timestamped: true), of: String.self)
        builder.addReadOnlyStateStore(names, from: "countries", named: "keep") { RowKeeper(names) }
        builder.stream("in", of: String.self).processValues(stores: [names]) { RowFinder(names) }
            .to("out", value: .string)
        return try builder.build()
    }

    @Test(arguments: [false, true])
    func `a read-only store has its topic for a changelog`(isKept: Bool) throws {
        let topology = try readOnly()
        #expect(topology.internalTopics.isEmpty)
        #expect(topology.sourceChangelogs.map(\.name) == ["countries"])
        #expect(topology.describe().contains("Processor: keep (stores: [names])\n      --> none"))
        #expect(topology.subTopologies.count == 1)
        let folder = try TemporaryFolder()
        let driver = try driver(topology, keptIn: isKept ? folder.path : nil)
        defer { driver.close() }
        try pipe(driver, "countries", "n", "Norway")
        try pipe(driver, "countries", "s", "Sweden")
        try pipe(driver, "in", "1", "n")
        try pipe(driver, "countries", "s", nil)
        try driver.restart()
        for word in ["n", "s"] { try pipe(driver, "in", "2", word) }
        try pipe(driver, "countries", "n", "Norge")
        try driver.crash()
        try pipe(driver, "in", "3", "n")
        try driver.restoreFromChangelogs()
        try pipe(driver, "in", "4", "n")
        let out = try driver.takeRecords(from: "out", .string, .string)
        #expect(out.map(\.value) == ["n Norway@5", "n Norway@5", "s -", "n Norge@5", "n Norge@5"])
        // A row is of its record, whether the processor put it or a restore did.
        #expect(try cells(driver, of: "out") == [[0, 0], [0, 1], [2], [3, 3], [3, 4]])
    }

    @Test func `nobody else writes a read-only store, and what can't be one is refused by build`() throws {
        let builder = StreamsBuilder()
        let names = builder.store(.keyValue("names"), of: String.self)
        builder.addReadOnlyStateStore(names, from: "countries") { RowKeeper(names) }
        builder.stream("in", of: String.self).process(stores: [names]) { RowKeeper(names) }
        let driver = try driver(builder.build(), keptIn: nil)
        defer { driver.close() }
        #expect { try pipe(driver, "in", "k", "x") } throws: { "\($0)".contains("read-only") }
        #expect(
            problem { builder in
                let names = builder.store(.leastRecentlyUsed("names", maximum: 2), of: String.self)
                builder.addReadOnlyStateStore(names, from: "countries") { RowKeeper(names) }
            }.contains("keeps all of its records"))
        #expect(
            problem { builder in
                let names = builder.store(.keyValue("names"), key: .string, value: .string)
                builder.addReadOnlyStateStore(names, from: "countries", key: .string, value: .json()) {
                    RowKeeper(names)
                }
            }.contains("by the topic's serdes"))
    }
}

/// Keeps how long words are, by their first letters; under "longest" the length of the longest.
private final class LengthKeeper: Processor {
    private let handle: StoreHandle<KeyValueStore<String, Int>>
    private let schedules: Bool
    private var store: KeyValueStore<String, Int>?

    init(_ handle: StoreHandle<KeyValueStore<String, Int>>, schedules: Bool = false) {
        self.handle = handle
        self.schedules = schedules
    }

    func initialize(_ context: ProcessorContext<Never, Never>) throws {
        store = try context.store(handle)
        if schedules { context.schedule(every: .seconds(1), .wallClock) { _ in } }
    }

    func process(_ record: Record<String, String>) throws {
        try store?.put(String(record.value.prefix(1)), record.value.count)
    }

    func processTombstone(_ record: Record<String, Void>) throws { try store?.delete(record.key) }
}

private final class LengthFinder: FixedKeyProcessor {
    private let handle: StoreHandle<KeyValueStore<String, Int>>
    private var found: (FixedKeyProcessorContext<String, String>, KeyValueStore<String, Int>)?

    init(_ handle: StoreHandle<KeyValueStore<String, Int>>) { self.handle = handle }

    func initialize(_ context: FixedKeyProcessorContext<String, String>) throws {
        found = (context, try context.store(handle))
    }

    func process(_ record: Record<String, String>) throws {
        let text = try found?.1.get(record.value).map { "\($0.value)@\($0.timestamp)" } ?? "-"
        try found?.0.forward(record.with(value: "\(record.value) \(text)"))
    }
}

/// Puts its records as they are.
private final class RowKeeper: Processor {
    private let handle: StoreHandle<KeyValueStore<String, String>>
    private var store: KeyValueStore<String, String>?

    init(_ handle: StoreHandle<KeyValueStore<String, String>>) { self.handle = handle }

    func initialize(_ context: ProcessorContext<Never, Never>) throws { store = try context.store(handle) }

    func process(_ record: Record<String, String>) throws { try store?.put(record.key, record.value) }

    func processTombstone(_ record: Record<String, Void>) throws { try store?.delete(record.key) }
}

private final class RowFinder: FixedKeyProcessor {
    private let handle: StoreHandle<KeyValueStore<String, String>>
    private var found: (FixedKeyProcessorContext<String, String>, KeyValueStore<String, String>)?

    init(_ handle: StoreHandle<KeyValueStore<String, String>>) { self.handle = handle }

    func initialize(_ context: FixedKeyProcessorContext<String, String>) throws {
        found = (context, try context.store(handle))
    }

    func process(_ record: Record<String, String>) throws {
        let text = try found?.1.get(record.value).map { "\($0.value)@\($0.timestamp)" } ?? "-"
        try found?.0.forward(record.with(value: "\(record.value) \(text)"))
    }
}

/// Does with each record what a closure says.
private final class Keeper: Processor {
    private let keep: @Sendable (Record<String, String>, ProcessorContext<Never, Never>) throws -> Void
    private var context: ProcessorContext<Never, Never>?

    init(_ keep: @escaping @Sendable (Record<String, String>, ProcessorContext<Never, Never>) throws -> Void) {
        self.keep = keep
    }

    func initialize(_ context: ProcessorContext<Never, Never>) throws { self.context = context }

    func process(_ record: Record<String, String>) throws {
        if let context { try keep(record, context) }
    }
}

private final class AllFinder: FixedKeyProcessor {
    private let windows: StoreHandle<WindowStore<String, String>>
    private let sessions: StoreHandle<SessionStore<String, String>>
    private let versions: StoreHandle<VersionedKeyValueStore<String, String>>
    private var context: FixedKeyProcessorContext<String, String>?

    init(
        _ windows: StoreHandle<WindowStore<String, String>>, _ sessions: StoreHandle<SessionStore<String, String>>,
        _ versions: StoreHandle<VersionedKeyValueStore<String, String>>
    ) {
        self.windows = windows
        self.sessions = sessions
        self.versions = versions
    }

    func initialize(_ context: FixedKeyProcessorContext<String, String>) throws { self.context = context }

    func process(_ record: Record<String, String>) throws {
        guard let context else { return }
        let window = try context.store(windows).fetch(record.key, windowStart: 5)?.value ?? "-"
        let session = try context.store(sessions).fetch(record.key, start: 5, end: 6)?.value ?? "-"
        let version = try context.store(versions).get(record.key)?.value ?? "-"
        try context.forward(record.with(value: "\(window) \(session) \(version)"))
    }
}
