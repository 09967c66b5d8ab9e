import Testing
import TributaryCore
import TributaryLineage
import TributaryState

/// What stores of one thread's cache take from each other.
@Suite struct CacheBudgetTests {
    private final class NoTopics: TopicNames {
        func nameLength(ofTopic number: Int32) -> Int { 0 }
    }

    private let recorder = LineageRecorder(mode: .off)

    private func makeStore(_ name: String, _ budget: CacheBudget) throws -> StateStore {
        try StateStore(
            StoreDescription(name: name, kind: .timestampedKeyValue, isCached: true), engine: MemoryEngine(),
            recorder: recorder, changelog: nil, budget: budget, topics: NoTopics())
    }

    private func put(_ store: StateStore, _ key: Int, value: [UInt8]) throws {
        let key = Array("key-\(key)".utf8)
        let lineage = CollectionOfOne(Lineage.none)
        let meta = RecordMeta(
            key: key.span.bytes, hasKey: true, keyIsStale: false, timestamp: 0, origin: .none, headers: RawSpan.empty,
            lineage: lineage.span)
        _ = try store.write(
            key.span.bytes, value.span.bytes, timestamp: 0, cell: Lineage.none.cell, link: .superseded, row: nil, meta)
    }

    private func read(_ store: StateStore, _ key: Int) throws -> Bool {
        try store.read(Array("key-\(key)".utf8).span.bytes).exists
    }

    private func evictions(_ store: StateStore) -> Int64 { store.statistics.cache?.evictions ?? -1 }

    /// A table whose rows fill the cache by being read, and a store of 100 rows that are written again and again.
    private func contend(limit: Int) throws -> (table: StateStore, hot: StateStore) {
        let budget = CacheBudget(limit: limit)
        let table = try makeStore("table", budget)
        let hot = try makeStore("hot", budget)
        for key in 0..<5_000 { try put(table, key, value: [1, 2, 3]) }
        try table.flush()
        for round in 0..<50 {
            for key in 0..<100 {
                #expect(try read(table, (round * 100 + key) % 5_000))
                try put(hot, key, value: [UInt8(round)])
            }
        }
        #expect(budget.usedBytes <= limit)
        return (table, hot)
    }

    @Test func `rows that were only read make way for a small store beside them`() throws {
        let (table, hot) = try contend(limit: 128 << 10)
        #expect(evictions(hot) == 0)
        #expect(evictions(table) > 1_000)
        #expect(hot.statistics.cache?.entries == 100)
        for key in 0..<100 { #expect(try read(hot, key)) }
    }

    @Test func `a store above its share evicts its own`() throws {
        let budget = CacheBudget(limit: 128 << 10)
        let one = try makeStore("one", budget)
        let other = try makeStore("other", budget)
        for key in 0..<600 { try put(other, key, value: [1]) }
        try other.flush()
        for key in 0..<5_000 { try put(one, key, value: [1]) }
        let left = try #require(other.statistics.cache)
        #expect(left.entries > 400, "\(left.entries) of 600")
        #expect(evictions(one) > 2_500)
    }

    @Test func `dirty rows of others stay`() throws {
        let budget = CacheBudget(limit: 128 << 10)
        let one = try makeStore("one", budget)
        let other = try makeStore("other", budget)
        for key in 0..<1_800 { try put(other, key, value: [1]) }
        let before = other.statistics.cache?.dirtyEntries
        for key in 0..<500 { try put(one, key, value: [1]) }
        #expect(other.statistics.cache?.dirtyEntries == before && evictions(one) > 0)
    }

    @Test func `a small budget is Kafka Streams', which the store just written pays for`() throws {
        let (table, hot) = try contend(limit: 32 << 10)
        #expect(evictions(hot) > 1_000)
        #expect(evictions(table) > 1_000)
    }

    @Test func `a window's row is charged its segment beside its key`() throws {
        let budget = CacheBudget(limit: 1 << 20)
        let description = StoreDescription(name: "sessions", kind: .session(retention: 1000), isCached: true)
        let store = try StateStore(
            description, engine: MemoryEngine(), recorder: recorder, changelog: nil, budget: budget, topics: NoTopics())
        let key = [UInt8](repeating: 1, count: 17)
        let lineage = CollectionOfOne(Lineage.none)
        let meta = RecordMeta(
            key: key.span.bytes, hasKey: true, keyIsStale: false, timestamp: 0, origin: .none, headers: RawSpan.empty,
            lineage: lineage.span)
        _ = try store.write(
            key.span.bytes, [UInt8(1)].span.bytes, timestamp: 0, cell: Lineage.none.cell, link: .superseded, row: nil,
            meta)
        #expect(budget.usedBytes == 8 + 17 + 1 + 45)
    }

    @Test func `a cache that ends leaves its budget`() throws {
        let budget = CacheBudget(limit: 128 << 10)
        do {
            let short = try makeStore("short", budget)
            for key in 0..<500 { try put(short, key, value: [1]) }
        }
        #expect(budget.usedBytes == 0)
        let store = try makeStore("store", budget)
        for key in 0..<5_000 { try put(store, key, value: [1]) }
        #expect(evictions(store) > 2_500)
    }
}
