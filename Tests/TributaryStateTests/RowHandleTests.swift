import Testing
import TributaryCore
import TributaryLineage
import TributaryState

/// Writes that go on from a read, with other reads and writes in between.
@Suite struct RowHandleTests {
    private final class NoTopics: TopicNames {
        func nameLength(ofTopic number: Int32) -> Int { 0 }
    }

    private let source = SourcePartition(cluster: "c", topic: "in", partition: 0)
    private let recorder = LineageRecorder(mode: .cells)

    private func makeStore(_ isCached: Bool, limit: Int = 1 << 20) throws -> StateStore {
        try StateStore(
            StoreDescription(name: "rows", kind: .timestampedKeyValue, isCached: isCached), engine: MemoryEngine(),
            recorder: recorder, changelog: nil, budget: CacheBudget(limit: limit), topics: NoTopics())
    }

    private func write(_ store: StateStore, _ key: String, after row: RowHandle, at time: Int64) throws -> Int64 {
        let key = Array(key.utf8)
        let held = CollectionOfOne(
            Lineage(
                context: .none, cell: recorder.arena.source(source, offset: time, timestamp: 0, fingerprint: 0)))
        let meta = RecordMeta(
            key: key.span.bytes, hasKey: true, keyIsStale: false, timestamp: time, origin: .none,
            headers: RawSpan.empty, lineage: held.span)
        return try store.writeAggregate(key.span.bytes, key.span.bytes, after: row, meta)
    }

    private func read(_ store: StateStore, _ key: String) throws -> RowHandle {
        try store.read(Array(key.utf8).span.bytes)
    }

    private func count(_ store: StateStore, _ key: String) throws -> UInt64 {
        #expect(try read(store, key).exists)
        return store.valueLineage.cell.count
    }

    enum Between: CaseIterable { case nothing, otherRead, otherWrite, sameWrite, walk, walkBack, sameDelete }

    @Test(arguments: Between.allCases, [false, true])
    func `a write goes on from its row as it is, whatever happened since it was read`(
        _ between: Between, _ isCached: Bool
    ) throws {
        let store = try makeStore(isCached)
        // A row of two records, at 20; another one of one, at 90.
        _ = try write(store, "a", after: try read(store, "a"), at: 10)
        _ = try write(store, "a", after: try read(store, "a"), at: 20)
        _ = try write(store, "b", after: try read(store, "b"), at: 90)
        try store.flush()
        let row = try read(store, "a")
        var expected: (time: Int64, count: UInt64) = (20, 3)
        switch between {
        case .nothing: break
        case .otherRead: _ = try read(store, "b")
        case .otherWrite: _ = try write(store, "c", after: .none, at: 95)
        case .sameWrite:
            _ = try write(store, "a", after: row, at: 30)
            expected = (30, 4)
        case .walk, .walkBack:
            let scan = try store.scan(from: nil, through: nil, reverse: between == .walkBack)
            while try scan.next() != nil {}
        case .sameDelete:
            let key = Array("a".utf8)
            let held = CollectionOfOne(Lineage.none)
            let meta = RecordMeta(
                key: key.span.bytes, hasKey: true, keyIsStale: false, timestamp: 5, origin: .none,
                headers: RawSpan.empty, lineage: held.span)
            _ = try store.write(
                key.span.bytes, nil, timestamp: 5, cell: .empty, link: .deleted, row: nil, meta)
            expected = (15, 1)
        }
        #expect(try write(store, "a", after: row, at: 15) == expected.time)
        #expect(try count(store, "a") == expected.count)
        #expect(store.valueTimestamp == expected.time)
        #expect(try count(store, "b") == 1)
    }

    /// Keys are compared by words where they are short, and else by what lies behind their first.
    @Test(arguments: ["", "all of them begin like this, and are as long as others: "])
    func `a handle of an entry that has left the cache, and was used again, does no harm`(_ beginning: String) throws {
        let store = try makeStore(true, limit: 200)
        let key = beginning + "k99"
        let first = try read(store, key)
        _ = try write(store, key, after: first, at: 1)
        let row = try read(store, key)
        for index in 10..<30 { _ = try write(store, beginning + "k\(index)", after: .none, at: 50) }
        #expect(store.statistics.cache?.evictions ?? 0 > 15)
        #expect(try write(store, key, after: row, at: 0) == 1)
        #expect(try count(store, key) == 2)
        #expect([UInt8](copying: store.value) == Array(key.utf8))
    }

    @Test func `a handle from before a flush is no entry that waits to be sent`() throws {
        let store = try makeStore(true)
        _ = try write(store, "a", after: .none, at: 1)
        _ = try write(store, "b", after: .none, at: 1)
        let row = try read(store, "b")
        var sent: [String] = []
        store.onFlush = { value, _, meta in
            sent.append(String(decoding: [UInt8](copying: meta.key), as: UTF8.self))
            guard sent.count == 1 else { return }
            // Twice with the same one: the second time it isn't the row's any more.
            for _ in 0..<2 { _ = try self.write(store, "b", after: row, at: 2) }
        }
        try store.flush()
        #expect(sent == ["a", "b"])
        #expect(store.statistics.cache?.entries == 2 && store.statistics.cache?.dirtyEntries == 1)
        #expect(try count(store, "b") == 3)
        try store.flush()
        #expect(sent == ["a", "b", "b"])
        #expect(!store.hasDirtyEntries)
    }

    @Test func `a flush gives what the rows were before it`() throws {
        let store = try makeStore(true)
        store.flushesOldValues = true
        var sent: [String] = []
        store.onFlush = { value, old, meta in
            func text(_ bytes: RawSpan?) -> String {
                guard let bytes else { return "-" }
                return String(decoding: [UInt8](copying: bytes), as: UTF8.self)
            }
            sent.append("\(text(meta.key)) \(text(value)) \(text(old))")
        }
        func put(_ key: String, _ value: String?) throws {
            let key = Array(key.utf8)
            let value = value.map { Array($0.utf8) }
            let held = CollectionOfOne(Lineage.none)
            let meta = RecordMeta(
                key: key.span.bytes, hasKey: true, keyIsStale: false, timestamp: 0, origin: .none,
                headers: RawSpan.empty, lineage: held.span)
            if let value {
                _ = try store.write(
                    key.span.bytes, value.span.bytes, timestamp: 0, cell: .empty, link: .superseded, row: nil, meta)
            } else {
                _ = try store.write(
                    key.span.bytes, nil, timestamp: 0, cell: .empty, link: .superseded, row: nil, meta)
            }
        }
        try put("b", "1")
        try put("a", "2")
        try put("a", "3")
        try store.flush()
        try put("c", "4")
        try put("a", nil)
        try put("b", "a longer value")
        try put("d", nil)
        try store.flush()
        try put("a", "5")
        try put("b", "")
        try store.flush()
        #expect(
            sent == [
                "b 1 -", "a 3 -", "c 4 -", "a - 3", "b a longer value 1", "a 5 -", "b  a longer value",
            ])
    }
}
