import Testing
import TributaryCore
import TributaryLineage
import TributaryState

/// Lineage switched off and on: state that was kept and state that comes from the changelog say the same, and never "complete".
@Suite struct LineageSwitchTests {
    final class NoTopics: TopicNames {
        func nameLength(ofTopic number: Int32) -> Int { 0 }
    }

    /// Keeps what a changelog would.
    final class Changelog: ChangelogWriter {
        struct Record {
            var key: [UInt8]
            var value: [UInt8]?
            var timestamp: Int64
            var context: TraceContext
            var cell: [UInt8]
        }
        var records: [Record] = []

        func append(_ record: borrowing OutgoingRecord) {
            var content: [UInt8]?
            guard let key = record.key else { return }
            if let value = record.value { content = [UInt8](copying: value) }
            records.append(
                Record(
                    key: [UInt8](copying: key), value: content, timestamp: record.timestamp,
                    context: record.context, cell: [UInt8](copying: record.cell)))
        }
    }

    struct Row: Equatable {
        var value: [UInt8]?
        var timestamp: Int64
        var context: TraceContext
        var flags: UInt8
        var count: UInt64
        var digest: UInt128
    }

    final class Spans: SpanExporter {
        func export(_ batch: SpanBatch) {}
        func flush(timeout: Duration) {}
    }

    func store(
        _ engine: MemoryEngine, _ mode: LineageMode, _ changelog: Changelog?, cached: Bool,
        recorder: LineageRecorder? = nil
    ) throws -> StateStore {
        try StateStore(
            StoreDescription(name: "s", kind: .timestampedKeyValue, isCached: cached), engine: engine,
            recorder: recorder ?? LineageRecorder(mode: mode), changelog: changelog,
            budget: cached ? CacheBudget(limit: 1 << 20) : nil, topics: NoTopics())
    }

    /// Rows and graves of all keys, read with cells on.
    func content(_ engine: MemoryEngine) throws -> [UInt8: Row] {
        let store = try store(engine, .cells, nil, cached: false)
        var rows: [UInt8: Row] = [:]
        for byte in 0..<8 as Range<UInt8> {
            let key = [byte]
            if try store.read(key.span.bytes).exists {
                let lineage = store.valueLineage
                rows[byte] = Row(
                    value: [UInt8](copying: store.value), timestamp: store.valueTimestamp, context: lineage.context,
                    flags: lineage.cell.flags, count: lineage.cell.count, digest: lineage.cell.digest)
                #expect(try store.grave(key.span.bytes) == nil)
            } else if let grave = try store.grave(key.span.bytes) {
                rows[byte] = Row(
                    value: nil, timestamp: grave.timestamp, context: grave.lineage.context,
                    flags: grave.lineage.cell.flags, count: grave.lineage.cell.count, digest: grave.lineage.cell.digest)
            }
        }
        return rows
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>, [false, true])
    func `kept and restored state agree`(_ seed: UInt64, _ cached: Bool) throws {
        var random = FastRandom(seed: seed)
        let engine = MemoryEngine()
        let changelog = Changelog()
        let source = SourcePartition(cluster: "c", topic: "t", partition: 0)
        // How many source records each row stands for, if no lineage was ever missing.
        var truth: [UInt8: UInt64?] = [:]
        for phase in 0..<4 {
            let drawn: LineageMode = [.off, .context, .cells, .cells][Int(random.next() % 4)]
            let mode = phase == 0 ? .cells : drawn
            let recorder = LineageRecorder(mode: mode)
            let store = try store(engine, mode, changelog, cached: cached, recorder: recorder)
            for step in 0..<30 as Range<Int64> {
                let byte = UInt8(random.next() % 8)
                let key = [byte]
                let context =
                    mode == .off
                    ? .none : TraceContext(traceHigh: 1, traceLow: random.next() | 1, span: 5, flags: 2)
                let cell =
                    mode == .cells
                    ? recorder.arena.source(source, offset: Int64(phase) * 100 + step, timestamp: step, fingerprint: 1)
                    : .empty
                let lineage = CollectionOfOne(Lineage(context: context, cell: cell))
                let meta = RecordMeta(
                    key: key.span.bytes, hasKey: true, keyIsStale: false, timestamp: step,
                    origin: RecordOrigin(topic: 0, partition: 0, offset: step), headers: RawSpan(),
                    lineage: lineage.span)
                let row = try store.read(key.span.bytes)
                let isDelete = random.next() % 4 == 0
                let value = [UInt8(truncatingIfNeeded: random.next())]
                if isDelete {
                    _ = try store.writeAggregate(key.span.bytes, nil, after: row, meta)
                    truth[byte] = nil
                } else {
                    _ = try store.writeAggregate(key.span.bytes, value.span.bytes, after: row, meta)
                    let before: UInt64? = row.exists ? truth[byte] ?? nil : 0
                    truth[byte] = .some(mode == .cells ? before.map { $0 + 1 } : nil)
                }
            }
            try store.flush()
        }
        let restoredEngine = MemoryEngine()
        let restored = try store(restoredEngine, .cells, nil, cached: false)
        for record in changelog.records {
            if let value = record.value {
                try restored.restore(
                    record.key.span.bytes, value.span.bytes, timestamp: record.timestamp, context: record.context,
                    cell: record.cell.span.bytes, headers: RawSpan())
            } else {
                try restored.restore(
                    record.key.span.bytes, nil, timestamp: record.timestamp, context: record.context,
                    cell: record.cell.span.bytes, headers: RawSpan())
            }
        }
        let kept = try content(engine)
        #expect(try content(restoredEngine) == kept)
        for (byte, count) in truth {
            let row = try #require(kept[byte])
            if let count {
                #expect(row.count == count && row.flags == 0)
            } else {
                #expect(row.flags & Cell.gap != 0)
            }
        }
    }

    @Test func `a row that was written without lineage leaves its reader's span without a link, and that is said`()
        throws
    {
        let engine = MemoryEngine()
        let (key, value): ([UInt8], [UInt8]) = ([1], [7])
        func write(_ store: StateStore, _ trace: UInt64) throws {
            let context = trace == 0 ? .none : TraceContext(traceHigh: 1, traceLow: trace, span: 5, flags: 1)
            let lineage = CollectionOfOne(Lineage(context: context, cell: .empty))
            let meta = RecordMeta(
                key: key.span.bytes, hasKey: true, keyIsStale: false, timestamp: 1,
                origin: RecordOrigin(topic: 0, partition: 0, offset: 1), headers: RawSpan(), lineage: lineage.span)
            let row = try store.read(key.span.bytes)
            _ = try store.writeAggregate(key.span.bytes, value.span.bytes, after: row, meta)
        }
        try write(store(engine, .off, nil, cached: false), 0)
        let recorder = LineageRecorder(mode: .cells, exporter: Spans())
        let on = try store(engine, .cells, nil, cached: false, recorder: recorder)
        try write(on, 2)
        #expect(recorder.lastSpan.map { $0.links == 0 && $0.flags & SpanRecord.lacksLinks != 0 } == true)
        try write(on, 3)
        #expect(recorder.lastSpan.map { $0.links == 1 && $0.flags & SpanRecord.lacksLinks == 0 } == true)
    }
}
