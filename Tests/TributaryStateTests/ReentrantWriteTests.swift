import Testing
import TributaryCore
import TributaryLineage
import TributaryState

/// What is written into a store while it is flushed, from what its flush forwards.
@Suite struct ReentrantWriteTests {
    private final class NoTopics: TopicNames {
        func nameLength(ofTopic number: Int32) -> Int { 0 }
    }

    private struct Sent: Equatable {
        var key: String
        var value: String?
        var count: UInt64
    }

    private let source = SourcePartition(cluster: "c", topic: "in", partition: 0)

    /// Goes on from the row of a key: its value gets the text, its cell the record of the offset.
    private func add(_ store: StateStore, _ key: String, _ text: String?, _ recorder: LineageRecorder, offset: Int64)
        throws
    {
        let key = Array(key.utf8)
        let row = try store.read(key.span.bytes)
        var value: [UInt8] = row.exists ? [UInt8](copying: store.value) : []
        value += Array((text ?? "").utf8)
        let held = CollectionOfOne(
            Lineage(context: .none, cell: recorder.arena.source(source, offset: offset, timestamp: 0, fingerprint: 0)))
        let meta = RecordMeta(
            key: key.span.bytes, hasKey: true, keyIsStale: false, timestamp: offset, origin: .none,
            headers: RawSpan.empty,
            lineage: held.span)
        if text == nil {
            _ = try store.writeAggregate(key.span.bytes, nil, after: row, meta)
        } else {
            _ = try store.writeAggregate(key.span.bytes, value.span.bytes, after: row, meta)
        }
    }

    @Test(arguments: ["b", "a-key-of-more-than-16-bytes"], ["x", "a value of more than 8 bytes"])
    func `the old value is sent once with its lineage, and the new one once with both`(_ other: String, _ text: String)
        throws
    {
        let recorder = LineageRecorder(mode: .cells)
        let store = try StateStore(
            StoreDescription(name: "rows", kind: .timestampedKeyValue, isCached: true), engine: MemoryEngine(),
            recorder: recorder, changelog: nil, budget: CacheBudget(limit: 1 << 20), topics: NoTopics())
        var sent: [Sent] = []
        store.onFlush = { value, _, meta in
            var bytes: [UInt8]?
            if let value { bytes = [UInt8](copying: value) }
            let name = String(decoding: [UInt8](copying: meta.key), as: UTF8.self)
            sent.append(
                Sent(
                    key: name, value: bytes.map { String(decoding: $0, as: UTF8.self) },
                    count: meta.lineage.cell.count))
            guard name == "first", sent.count == 1 else { return }
            // Waits to be sent in this flush; written twice, and read in between.
            try self.add(store, other, text, recorder, offset: 3)
            try self.add(store, other, "!", recorder, offset: 4)
            // Was sent, or is being sent.
            try self.add(store, "first", "2", recorder, offset: 5)
            // Not written before.
            try self.add(store, "new", "n", recorder, offset: 6)
        }
        try add(store, "first", "1", recorder, offset: 1)
        try add(store, other, text, recorder, offset: 2)
        try store.flush()
        #expect(sent == [Sent(key: "first", value: "1", count: 1), Sent(key: other, value: text, count: 1)])
        #expect(store.hasDirtyEntries)
        #expect(store.statistics.cache?.dirtyEntries == 3)
        sent = [Sent(key: "", value: nil, count: 0)]
        try store.flush()
        #expect(
            sent.dropFirst() == [
                Sent(key: other, value: text + text + "!", count: 3), Sent(key: "first", value: "12", count: 2),
                Sent(key: "new", value: "n", count: 1),
            ])
        #expect(!store.hasDirtyEntries)
        #expect(try store.read(Array(other.utf8).span.bytes).exists)
        #expect([UInt8](copying: store.value) == Array((text + text + "!").utf8))
        #expect(store.statistics.cache?.entries == 3)
    }

    @Test func `a delete of a row that waits in the flush is sent behind it`() throws {
        let recorder = LineageRecorder(mode: .cells)
        let store = try StateStore(
            StoreDescription(name: "rows", kind: .timestampedKeyValue, isCached: true), engine: MemoryEngine(),
            recorder: recorder, changelog: nil, budget: CacheBudget(limit: 1 << 20), topics: NoTopics())
        var sent: [String] = []
        store.onFlush = { value, _, meta in
            let name = String(decoding: [UInt8](copying: meta.key), as: UTF8.self)
            sent.append(name + (value == nil ? " deleted" : ""))
            if sent.count == 1 { try self.add(store, "b", nil, recorder, offset: 3) }
        }
        try add(store, "a", "1", recorder, offset: 1)
        try add(store, "b", "1", recorder, offset: 2)
        try store.flush()
        #expect(try !store.read(Array("b".utf8).span.bytes).exists)
        try store.flush()
        #expect(sent == ["a", "b", "b deleted"])
        #expect(try !store.read(Array("b".utf8).span.bytes).exists)
    }
    @Test func `a deleted row leaves the cache with the flush that sent it, unless it was written again meanwhile`()
        throws
    {
        let recorder = LineageRecorder(mode: .cells)
        let store = try StateStore(
            StoreDescription(name: "rows", kind: .timestampedKeyValue, isCached: true), engine: MemoryEngine(),
            recorder: recorder, changelog: nil, budget: CacheBudget(limit: 1 << 20), topics: NoTopics())
        for key in ["a", "b", "c", "d"] { try add(store, key, "1", recorder, offset: 1) }
        try store.flush()
        var sent: [String] = []
        store.onFlush = { value, _, meta in
            let name = String(decoding: [UInt8](copying: meta.key), as: UTF8.self)
            sent.append(name + (value == nil ? " deleted" : ""))
            guard name == "c" else { return }
            // Sent before: now there, and deleted once more.
            try self.add(store, "a", "2", recorder, offset: 3)
            try self.add(store, "b", "2", recorder, offset: 4)
            try self.add(store, "b", nil, recorder, offset: 5)
        }
        try add(store, "a", nil, recorder, offset: 2)
        try add(store, "b", nil, recorder, offset: 2)
        try add(store, "never", nil, recorder, offset: 2)
        try add(store, "c", nil, recorder, offset: 2)
        try store.flush()
        #expect(sent == ["a deleted", "b deleted", "c deleted"])
        #expect(store.statistics.cache?.entries == 3 && store.statistics.cache?.dirtyEntries == 2)
        try store.flush()
        #expect(sent.dropFirst(3) == ["a"])
        #expect(store.statistics.cache?.entries == 2 && store.statistics.cache?.dirtyEntries == 0)
        #expect(try store.read(Array("a".utf8).span.bytes).exists)
        #expect([UInt8](copying: store.value) == Array("2".utf8))
        #expect(try !store.read(Array("b".utf8).span.bytes).exists)
    }
}
