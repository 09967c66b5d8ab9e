import Testing
import TributaryCore
import TributaryLineage
import TributaryState

/// What a window store keeps, and for how long: with a retention of 200 s its tables hold 100 s each.
@Suite struct WindowStoreTests {
    private final class NoTopics: TopicNames {
        func nameLength(ofTopic number: Int32) -> Int { 0 }
    }

    /// An engine in memory whose stores expire as persistent ones do, by whole tables.
    private final class Persistent: StateEngine {
        private let engine = MemoryEngine()
        var isPersistent: Bool { true }
        var dirtyBytes: Int { 0 }

        func table(_ name: String) throws(StoreError) -> any StateTable { try engine.table(name) }
        func tableNames() throws(StoreError) -> [String] { try engine.tableNames() }
        func dropTable(_ name: String) throws(StoreError) { try engine.dropTable(name) }
        func metadata(_ key: String) throws(StoreError) -> [UInt8]? { try engine.metadata(key) }
        func setMetadata(_ key: String, _ value: [UInt8]?) throws(StoreError) { try engine.setMetadata(key, value) }
        func metadataKeys(prefix: String) throws(StoreError) -> [String] { try engine.metadataKeys(prefix: prefix) }
        func commit() throws(StoreError) { try engine.commit() }
        func abort() { engine.abort() }
        func close() { engine.close() }
    }

    private func store(_ engine: any StateEngine, isCached: Bool = false) throws -> StateStore {
        try StateStore(
            StoreDescription(
                name: "s", kind: .window(retention: 200_000, size: 10, retainsDuplicates: false, timestamped: true),
                isCached: isCached),
            engine: engine, recorder: LineageRecorder(mode: .context), changelog: nil,
            budget: isCached ? CacheBudget(limit: 1 << 20) : nil, topics: NoTopics())
    }

    private func key(_ start: Int64) -> [UInt8] {
        var writer = ByteWriter()
        writer.append(UInt8(7))
        writer.append(bigEndian: start)
        writer.append(bigEndian: UInt32(0))
        return writer.copy()
    }

    private func put(_ store: StateStore, _ start: Int64) throws {
        let (key, value) = (key(start), [UInt8(9)])
        let lineage = CollectionOfOne(Lineage.none)
        let meta = RecordMeta(
            key: key.span.bytes, hasKey: true, keyIsStale: false, timestamp: start, origin: .none,
            headers: RawSpan.empty, lineage: lineage.span)
        _ = try store.write(
            key.span.bytes, value.span.bytes, timestamp: start, cell: .empty, link: .superseded, row: nil, meta)
    }

    private func has(_ store: StateStore, _ start: Int64) throws -> Bool {
        try store.read(key(start).span.bytes).exists
    }

    /// The numbers of the tables that hold windows.
    private func segments(_ engine: any StateEngine) throws -> [Int] {
        try engine.tableNames().filter { $0.hasPrefix("s@") }.compactMap { Int($0.dropFirst(2), radix: 16) }.sorted()
    }

    private static let engines: [@Sendable () -> any StateEngine] = [{ MemoryEngine() }, { Persistent() }]

    @Test(arguments: engines.indices)
    func `a table goes when the last of its windows is too old, not later`(_ number: Int) throws {
        let engine = Self.engines[number]()
        let store = try store(engine)
        for start in [0, 100_000, 200_000, 299_999] as [Int64] { try put(store, start) }
        #expect(try segments(engine) == [0, 1, 2])
        try put(store, 300_000)
        #expect(try segments(engine) == [1, 2, 3])
    }

    @Test(arguments: engines.indices)
    func `a write that is too late is refused, which is told`(_ number: Int) throws {
        let engine = Self.engines[number]()
        let store = try store(engine)
        var expired = 0
        store.onExpired = { expired += 1 }
        try put(store, 50_000)
        try put(store, 300_000)
        #expect(expired == 0)
        try put(store, 50_000)
        #expect(expired == 1)
        #expect(try segments(engine) == [3])
        // In a table that is still there, but too old to be seen: only a persistent store takes it.
        try put(store, 100_000)
        #expect(expired == (engine.isPersistent ? 1 : 2))
        #expect(try !has(store, 50_000) && !has(store, 100_000) && has(store, 300_000))
    }

    @Test(arguments: engines.indices)
    func `what is too old to be seen is so after a restart, too`(_ number: Int) throws {
        let engine = Self.engines[number]()
        let before = try store(engine)
        try put(before, 0)
        try put(before, 250_000)
        try before.prepareCommit()
        let after = try store(engine)
        #expect(try !has(after, 0) && has(after, 250_000))
        #expect(try segments(engine) == [0, 2])
    }

    @Test func `a window's row that is read stays out of the cache`() throws {
        let engine = MemoryEngine()
        try put(store(engine), 0)
        let cached = try store(engine, isCached: true)
        #expect(try has(cached, 0) && has(cached, 0))
        #expect(cached.statistics.cache?.entries == 0 && cached.statistics.cache?.bytes == 0)
    }
}
