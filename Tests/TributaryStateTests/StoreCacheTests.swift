import Testing
import TributaryCore
import TributaryLineage
import TributaryState

/// The cache against a model of Kafka Streams' rules: what is read, what a flush gives, in which order, with whose metadata.
@Suite struct StoreCacheTests {
    struct Flushed: Equatable {
        var key: [UInt8]
        var value: [UInt8]?
        var offset: Int64
        var partition: Int32
        var headers: [UInt8]
        var trace: UInt64
    }

    /// Entries by key, in the order of use and of the last writes.
    private struct Model {
        struct Entry {
            var flushed: Flushed
            var size: Int
        }

        let limit: Int
        var entries: [[UInt8]: Entry] = [:]
        var uses: [[UInt8]] = []  // oldest first
        var writes: [[UInt8]] = []
        var engine: [[UInt8]: [UInt8]] = [:]
        var flushed: [Flushed] = []
        var counts = CacheStatistics()

        /// What the store must have counted.
        var statistics: CacheStatistics {
            var counts = counts
            counts.entries = entries.count
            counts.dirtyEntries = writes.count
            counts.bytes = used
            counts.dirtyBytes = writes.reduce(0) { $0 + (entries[$1]?.size ?? 0) }
            return counts
        }

        var used: Int { entries.values.reduce(0) { $0 + $1.size } }

        mutating func touch(_ key: [UInt8]) {
            uses.removeAll { $0 == key }
            uses.append(key)
        }

        mutating func put(_ write: Flushed, isDirty: Bool, topicSize: Int) {
            let headers = Headers(checked: write.headers.span.bytes).list
                .reduce(0) { $0 + $1.name.utf16.count + ($1.value?.count ?? 0) }
            let size = write.key.count + 45 + (write.value.map { $0.count + 8 } ?? 0) + topicSize + headers
            entries[write.key] = Entry(flushed: write, size: size)
            touch(write.key)
            if isDirty {
                if writes.contains(write.key) { counts.merges += 1 }
                writes.removeAll { $0 == write.key }
                writes.append(write.key)
            }
            while used > limit, let oldest = uses.first {
                uses.removeFirst()
                counts.evictions += 1
                let entry = entries[oldest]
                if writes.contains(oldest) {
                    writes.removeAll { $0 == oldest }
                    writes.insert(oldest, at: 0)
                    flush()
                }
                if entry != nil { entries[oldest] = nil }
            }
        }

        mutating func flush() {
            for key in writes {
                guard let entry = entries[key] else { continue }
                if entry.flushed.value == nil && engine[key] == nil { continue }
                engine[key] = entry.flushed.value
                flushed.append(entry.flushed)
            }
            for key in writes where entries[key]?.flushed.value == nil {
                entries[key] = nil
                uses.removeAll { $0 == key }
            }
            writes = []
        }

        mutating func read(_ key: [UInt8]) -> [UInt8]? {
            if let entry = entries[key] {
                counts.hits += 1
                touch(key)
                return entry.flushed.value
            }
            counts.misses += 1
            guard let value = engine[key] else { return nil }
            put(
                Flushed(key: key, value: value, offset: -1, partition: -1, headers: [], trace: 0), isDirty: false,
                topicSize: 0)
            return value
        }
    }

    private final class Topics: TopicNames {
        func nameLength(ofTopic number: Int32) -> Int { number < 0 ? 0 : 3 + Int(number) }
    }

    private func bytes(_ random: inout FastRandom, _ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next() >> 7) }
    }

    @Test func `a row that a read brought into the cache has the lineage of its write`() throws {
        let engine = MemoryEngine()
        func store(isCached: Bool, _ recorder: LineageRecorder) throws -> StateStore {
            try StateStore(
                StoreDescription(name: "store", kind: .timestampedKeyValue, isCached: isCached), engine: engine,
                recorder: recorder, changelog: nil, budget: isCached ? CacheBudget(limit: 1 << 20) : nil,
                topics: Topics())
        }
        let recorder = LineageRecorder(mode: .cells)
        let key: [UInt8] = [1]
        let cell = recorder.arena.source(
            SourcePartition(cluster: "c", topic: "in", partition: 0), offset: 3, timestamp: 5, fingerprint: 7)
        let lineage = CollectionOfOne(
            Lineage(context: TraceContext(traceHigh: 1, traceLow: 4, span: 2, flags: 0), cell: cell))
        let meta = RecordMeta(
            key: key.span.bytes, hasKey: true, keyIsStale: false, timestamp: 5, origin: .none,
            headers: RawSpan.empty, lineage: lineage.span)
        _ = try store(isCached: false, recorder).write(
            key.span.bytes, key.span.bytes, timestamp: 5, cell: cell, link: .superseded, row: nil, meta)
        let cached = try store(isCached: true, LineageRecorder(mode: .cells))
        for hits in [0, 1] {
            #expect(try cached.read(key.span.bytes).exists)
            #expect(cached.statistics.cache?.hits == Int64(hits))
            #expect(cached.valueLineage.context.traceLow == 4 && cached.rowContext.traceLow == 4)
            #expect(cached.valueLineage.cell.count == 1 && cached.valueLineage.cell.first.first == 3)
        }
    }

    @Test(arguments: [(UInt64(1), 2_000), (2, 20_000), (3, 0), (4, 1 << 30)])
    func `random operations agree with the model`(seed: UInt64, limit: Int) throws {
        var random = FastRandom(seed: seed)
        let store = try StateStore(
            StoreDescription(name: "store", kind: .timestampedKeyValue, isCached: true), engine: MemoryEngine(),
            recorder: LineageRecorder(mode: .context), changelog: nil, budget: CacheBudget(limit: limit),
            topics: Topics())
        var flushed: [Flushed] = []
        store.onFlush = { value, _, meta in
            var content: [UInt8]?
            if let value { content = [UInt8](copying: value) }
            flushed.append(
                Flushed(
                    key: [UInt8](copying: meta.key), value: content, offset: meta.origin.offset,
                    partition: meta.origin.partition, headers: [UInt8](copying: meta.headers),
                    trace: meta.lineage.context.traceLow))
        }
        var model = Model(limit: limit)
        // Lengths around those where keys and values leave the entry; some share their first 16 bytes, some their hash: two that
        // differ behind their first 8 bytes, two that differ by a zero byte at the end.
        let sameHash = [
            Array("customer00001527".utf8), Array("customer00209486".utf8),
            [0x9a, 0x36, 0xff, 0x2d, 0xff, 0x54, 0x39], [0x9a, 0x36, 0xff, 0x2d, 0xff, 0x54, 0x39, 0],
        ]
        let keys =
            sameHash + sameHash
            + (0..<200).map { index in
                index % 3 == 0
                    ? Array("a-long-common-prefix".utf8) + [UInt8(index)]
                    : [UInt8(index)] + bytes(&random, Int(random.next() % 17))
            }
        var total = 0
        var row = RowHandle.none
        for step in 0..<6_000 {
            let key = keys[Int(random.next() % UInt64(keys.count))]
            switch random.next() % 20 {
            case 0..<9:
                let isLarge = random.next() % 50 == 0
                let value =
                    random.next() % 5 == 0
                    ? nil : bytes(&random, Int(random.next() % (isLarge ? 70_000 : 24)))
                var headers: [UInt8] = []
                if random.next() % 4 == 0 {
                    let content = bytes(&random, Int(random.next() % 30))
                    headers = Headers([("h\u{e9}\u{1d11e}", content), ("null", nil)]).encoded
                }
                let topic = Int32(random.next() % 3)
                let partition = Int32(random.next() % 2)
                let write = Flushed(
                    key: key, value: value, offset: Int64(step), partition: partition, headers: headers,
                    trace: UInt64(step))
                let lineage = CollectionOfOne(
                    Lineage(
                        context: TraceContext(traceHigh: 1, traceLow: UInt64(step), span: 2, flags: 0), cell: .empty))
                let meta = RecordMeta(
                    key: key.span.bytes, hasKey: true, keyIsStale: false, timestamp: Int64(step),
                    origin: RecordOrigin(topic: topic, partition: partition, offset: Int64(step)),
                    headers: headers.span.bytes, lineage: lineage.span)
                if random.next() % 2 == 0 {
                    row = try store.read(key.span.bytes)
                    let expected = model.read(key) != nil
                    #expect(row.exists == expected)
                }
                if let value {
                    _ = try store.write(
                        key.span.bytes, value.span.bytes, after: row, timestamp: Int64(step), cell: .empty,
                        link: .superseded,
                        row: nil, meta)
                } else {
                    _ = try store.write(
                        key.span.bytes, nil, after: row, timestamp: Int64(step), cell: .empty, link: .superseded,
                        row: nil, meta)
                }
                model.put(write, isDirty: true, topicSize: 3 + Int(topic))
            case 9..<19:
                let expected = model.read(key)
                let found = try store.read(key.span.bytes).exists
                #expect(found == (expected != nil))
                if found {
                    let value = [UInt8](copying: store.value)
                    #expect(value == expected)
                }
            default:
                try store.flush()
                model.flush()
            }
            try #require(flushed == model.flushed, "step \(step)")
            try #require(store.statistics.cache == model.statistics, "step \(step)")
            total += flushed.count
            flushed = []
            model.flushed = []
        }
        try store.flush()
        model.flush()
        #expect(flushed == model.flushed)
        #expect(total > 500)
    }
}
