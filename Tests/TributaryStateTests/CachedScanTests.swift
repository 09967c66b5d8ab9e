import Testing
import TributaryCore
import TributaryLineage
import TributaryState

/// Walks over stores whose newest rows are in their cache.
@Suite struct CachedScanTests {
    private final class NoTopics: TopicNames {
        func nameLength(ofTopic number: Int32) -> Int { 0 }
    }

    private func put(_ store: StateStore, _ key: String, _ value: String?) throws {
        let key = Array(key.utf8)
        let value = value.map { Array($0.utf8) }
        let held = CollectionOfOne(Lineage.none)
        let meta = RecordMeta(
            key: key.span.bytes, hasKey: true, keyIsStale: false, timestamp: 0, origin: .none, headers: RawSpan.empty,
            lineage: held.span)
        if let value {
            _ = try store.write(
                key.span.bytes, value.span.bytes, timestamp: 0, cell: .empty, link: .superseded, row: nil, meta)
        } else {
            _ = try store.write(key.span.bytes, nil, timestamp: 0, cell: .empty, link: .deleted, row: nil, meta)
        }
    }

    @Test(arguments: [false, true], [false, true])
    func `a walk leaves out what is deleted in the cache, and gives what is newer there`(
        _ isCached: Bool, _ reverse: Bool
    ) throws {
        let store = try StateStore(
            StoreDescription(name: "rows", kind: .keyValue, isCached: isCached), engine: MemoryEngine(),
            recorder: LineageRecorder(mode: .off), changelog: nil, budget: CacheBudget(limit: 1 << 20),
            topics: NoTopics())
        for key in ["a", "b", "c", "d"] { try put(store, key, "old") }
        try store.flush()
        try put(store, "b", nil)
        try put(store, "c", "new")
        try put(store, "e", nil)
        var seen: [String] = []
        let scan = try store.scan(from: nil, through: nil, reverse: reverse)
        while let row = try scan.next() {
            seen.append(String(decoding: row.key, as: UTF8.self) + "=" + String(decoding: row.value, as: UTF8.self))
        }
        #expect(seen == (reverse ? ["d=old", "c=new", "a=old"] : ["a=old", "c=new", "d=old"]))
    }
}
