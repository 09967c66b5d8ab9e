import Synchronization
import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryState

/// What a delete leaves behind, and until when.
@Suite struct GraveTests {
    final class NoTopics: TopicNames {
        func nameLength(ofTopic number: Int32) -> Int { 0 }
    }

    final class Wall: Sendable {
        let now = Atomic<Int64>(1_000_000)
        var time: TimeSource {
            TimeSource(wall: { self.now.load(ordering: .relaxed) * 1_000_000 }, monotonic: { 0 })
        }
        func set(_ time: Int64) { now.store(time, ordering: .relaxed) }
    }

    static let kinds: [StoreDescription.Kind] = [
        .keyValue, .window(retention: 1_000_000, size: 10, retainsDuplicates: false, timestamped: true),
    ]

    let wall = Wall()
    let engine = MemoryEngine()

    func store(
        _ kind: StoreDescription.Kind, _ mode: LineageMode = .cells, cached: Bool = false
    ) throws -> StateStore {
        try StateStore(
            StoreDescription(name: "s", kind: kind, isCached: cached), engine: engine,
            recorder: LineageRecorder(mode: mode, time: wall.time), changelog: nil,
            budget: cached ? CacheBudget(limit: 1 << 20) : nil, topics: NoTopics())
    }

    /// A key of either kind of store: a byte, a window's start, a sequence number.
    func key(_ byte: UInt8, start: Int64 = 500) -> [UInt8] {
        var writer = ByteWriter()
        writer.append(byte)
        writer.append(bigEndian: start)
        writer.append(bigEndian: UInt32(0))
        return writer.copy()
    }

    func write(_ store: StateStore, _ key: [UInt8], _ value: [UInt8]?, trace: UInt64 = 1, timestamp: Int64 = 7) throws {
        let lineage = CollectionOfOne(
            Lineage(context: TraceContext(traceHigh: 1, traceLow: trace, span: 2, flags: 0), cell: .empty))
        let meta = RecordMeta(
            key: key.span.bytes, hasKey: true, keyIsStale: false, timestamp: timestamp,
            origin: RecordOrigin(topic: 0, partition: 0, offset: 0), headers: RawSpan(), lineage: lineage.span)
        if let value {
            _ = try store.write(
                key.span.bytes, value.span.bytes, timestamp: timestamp, cell: .empty, link: .superseded, row: nil, meta)
        } else {
            _ = try store.write(
                key.span.bytes, nil, timestamp: timestamp, cell: .empty, link: .superseded, row: nil, meta)
        }
    }

    func grave(_ store: StateStore, _ key: [UInt8]) throws -> UInt64? {
        try store.grave(key.span.bytes)?.lineage.context.traceLow
    }

    @Test(arguments: kinds, [false, true])
    func `a delete leaves a grave and a put takes it away`(_ kind: StoreDescription.Kind, _ cached: Bool) throws {
        let store = try store(kind, cached: cached)
        let (one, two) = (key(1), key(2))
        for key in [one, two] {
            try write(store, key, [9])
            try store.flush()
            try write(store, key, nil, trace: 5)
            try store.flush()
        }
        #expect(try grave(store, one) == 5)
        try write(store, one, [8])
        try store.flush()
        #expect(try grave(store, one) == nil)
        #expect(try grave(store, two) == 5)
        try write(store, one, nil, trace: 6)
        try store.flush()
        #expect(try grave(store, one) == 6)
        try store.removeAll()
        #expect(try grave(store, one) == nil)
    }

    @Test(arguments: kinds)
    func `what is written without lineage leaves no older grave behind`(_ kind: StoreDescription.Kind) throws {
        let (deleted, again, kept) = (key(1), key(2), key(3))
        for key in [deleted, again, kept] { try write(store(kind), key, nil, trace: 5) }
        let off = try store(kind, .off)
        try write(off, deleted, [1])
        try write(off, deleted, nil)
        try write(off, again, [1])
        #expect(try store(kind).grave(deleted.span.bytes) == nil)
        #expect(try store(kind).grave(again.span.bytes) == nil)
        #expect(try grave(store(kind), kept) == 5)
    }

    @Test(arguments: kinds)
    func `graves go by when they were dug, whatever the record's time`(_ kind: StoreDescription.Kind) throws {
        let store = try store(kind)
        // A backfill: the tombstone is years old.
        try write(store, key(1), nil, timestamp: 3)
        wall.set(1_000_500)
        try write(store, key(2), nil, timestamp: 9_000_000_000_000)
        try store.purgeGraves(before: 1_000_000)
        #expect(try grave(store, key(1)) == 1)
        #expect(try grave(store, key(2)) == 1)
        try store.purgeGraves(before: 1_000_001)
        #expect(try grave(store, key(1)) == nil)
        #expect(try grave(store, key(2)) == 1)
        try store.purgeGraves(before: 1_000_501)
        #expect(try grave(store, key(2)) == nil)
        #expect(try engine.table("s.graves").count() == 0)
    }

    @Test func `more graves than one pass takes are purged`() throws {
        let store = try store(.keyValue)
        for number in 0..<25_000 { try write(store, key(1, start: Int64(number)), nil) }
        wall.set(2_000_000)
        try write(store, key(0), nil)
        try store.purgeGraves(before: 1_500_000)
        #expect(try engine.table("s.graves").count() == 1)
    }

    @Test func `a window that is too old to be kept gets no grave, and duplicates get none`() throws {
        let store = try store(.window(retention: 100_000, size: 10, retainsDuplicates: false, timestamped: true))
        try write(store, key(1, start: 10_000_000), [1])
        try write(store, key(1, start: 5), nil)
        #expect(try grave(store, key(1, start: 5)) == nil)
        let duplicates = try self.store(
            .window(retention: 100_000, size: 10, retainsDuplicates: true, timestamped: false))
        try write(duplicates, key(1, start: 10_000_000), nil)
        #expect(try duplicates.grave(key(1, start: 10_000_000).span.bytes) == nil)
    }

    func restore(_ store: StateStore, _ key: [UInt8], _ value: [UInt8]?, trace: UInt64, cell: [UInt8] = [1]) throws {
        let context = trace == 0 ? .none : TraceContext(traceHigh: 1, traceLow: trace, span: 2, flags: 0)
        if let value {
            try store.restore(
                key.span.bytes, value.span.bytes, timestamp: 5, context: context, cell: cell.span.bytes,
                headers: RawSpan())
        } else {
            try store.restore(
                key.span.bytes, nil, timestamp: 5, context: context, cell: cell.span.bytes, headers: RawSpan())
        }
    }

    @Test(arguments: kinds, [false, true])
    func `restored graves are those that the store had`(_ kind: StoreDescription.Kind, _ isFilled: Bool) throws {
        let store = try store(kind)
        let records: [(key: UInt8, value: [UInt8]?, trace: UInt64)] = [
            (1, [1], 3), (1, nil, 4), (2, nil, 4), (2, [2], 5), (3, nil, 6), (3, nil, 0), (4, nil, 7), (4, [1], 0),
            (4, nil, 8),
        ]
        wall.set(4_000)
        if isFilled {
            let filler = StoreFiller(store, folder: "/tmp")
            for (byte, value, trace) in records {
                let context = trace == 0 ? .none : TraceContext(traceHigh: 1, traceLow: trace, span: 2, flags: 0)
                let cell: [UInt8] = trace == 0 ? [] : [1]
                let key = key(byte)
                if let value {
                    try filler.add(
                        key.span.bytes, value.span.bytes, timestamp: 5, context: context, cell: cell.span.bytes,
                        headers: RawSpan())
                } else {
                    try filler.add(
                        key.span.bytes, nil, timestamp: 5, context: context, cell: cell.span.bytes, headers: RawSpan())
                }
            }
            try filler.finish(into: engine)
            try store.reload()
        } else {
            for (byte, value, trace) in records {
                try restore(store, key(byte), value, trace: trace, cell: trace == 0 ? [] : [1])
            }
        }
        #expect(try grave(store, key(1)) == 4)
        #expect(try grave(store, key(2)) == nil)
        #expect(try grave(store, key(3)) == nil)
        #expect(try grave(store, key(4)) == 8)
        // Kept as long as if they had been dug now.
        try store.purgeGraves(before: 4_000)
        #expect(try grave(store, key(1)) == 4)
        try write(store, key(1), [1])
        #expect(try grave(store, key(1)) == nil)
    }

    @Test func `a restored tombstone of a window that is too old to be kept leaves no grave`() throws {
        let store = try store(.window(retention: 100_000, size: 10, retainsDuplicates: false, timestamped: true))
        try restore(store, key(1, start: 10_000_000), [1], trace: 3)
        try restore(store, key(1, start: 5), nil, trace: 4)
        #expect(try grave(store, key(1, start: 5)) == nil)
        try restore(store, key(1, start: 10_000_000), nil, trace: 5)
        #expect(try grave(store, key(1, start: 10_000_000)) == 5)
    }

    @Test(arguments: [[2, 0, 0], [1, 0, 0, 0], [1, 255]] as [[UInt8]])
    func `a changelog record whose cell can't be read leaves a gap, and is counted`(_ cell: [UInt8]) throws {
        let store = try store(.keyValue)
        try restore(store, key(1), [9], trace: 3, cell: cell)
        try restore(store, key(2), nil, trace: 4, cell: cell)
        #expect(store.unreadableCells == 2)
        #expect(try store.read(key(1).span.bytes).exists)
        #expect(store.valueLineage.cell.flags == Cell.gap)
        #expect(store.valueLineage.context.traceLow == 3)
        #expect(try grave(store, key(2)) == 4)
    }
}
