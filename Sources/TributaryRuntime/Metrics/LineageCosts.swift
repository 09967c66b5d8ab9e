internal import TributaryCore
internal import TributaryLineage
internal import TributaryState

/// What each piece of lineage takes on this machine, ns: the difference that a mode makes to the code which records go through.
///
/// Measured once a process for each mode, on a thread of its own that starts when metrics are first read: who reads them doesn't wait.
struct LineageCosts: Sendable {
    /// Context and cell of a record that is read.
    var record = 0.0
    /// A read and a write of a key in a cache of few entries.
    var cached = 0.0
    /// The same in one of ``manyEntries``, which the processor has to fetch from farther away.
    var cachedFar = 0.0
    /// Reading a row from an engine.
    var read = 0.0
    /// Writing a row to an engine.
    var write = 0.0
    /// A span, the mean of those of a count: one that is begun and ended, one that takes time, one that takes none.
    var span = 0.0
    /// A link.
    var link = 0.0

    static let fewEntries = 1 << 6
    static let manyEntries = 1 << 15

    /// What is known; nil while it is being measured.
    private static let known = Guarded<[LineageMode: LineageCosts?]>([:])

    /// The costs of a mode; nil for the tenth of a second or two that follow the first call for it.
    static func measured(_ mode: LineageMode) -> LineageCosts? {
        guard mode != .off else { return LineageCosts() }
        return known.withLock { known in
            if let costs = known[mode] { return costs }
            known[mode] = .some(nil)
            let status = OSThread.start("lineage-costs") {
                // Stores in memory that nobody else has don't fail; if they did, the meter would say too little.
                let costs = (try? LineageCosts(measuring: mode)) ?? LineageCosts()
                Self.known.withLock { $0[mode] = costs }
            }
            // Without a thread the next reading tries again.
            if status != 0 { known[mode] = nil }
            return nil
        }
    }

    private init() {}

    private init(measuring mode: LineageMode) throws {
        func added(_ entries: Int, rounds: Int, _ piece: (CostProbe) throws -> Void) throws -> Double {
            let (with, without) = try CostProbe.least(
                try CostProbe(mode, entries), try CostProbe(.off, entries), rounds: rounds, piece)
            return max(with - without, 0)
        }
        record = try added(1024, rounds: 15) { $0.receive() }
        cached = try added(Self.fewEntries, rounds: 50) { try $0.aggregate() }
        cachedFar = try added(Self.manyEntries, rounds: 5) { try $0.aggregate() }
        write = try added(1024, rounds: 15) { try $0.write() }
        read = try added(1024, rounds: 15) { try $0.read() }
        let probe = try CostProbe(mode, 1024)
        let plain = try CostProbe.least(probe, probe, rounds: 15) { $0.makeSpans(links: false) }.0
        let linked = try CostProbe.least(probe, probe, rounds: 15) { $0.makeSpans(links: true) }.0
        span = plain / 3
        link = max(linked - plain, 0)
    }

    /// How much of the way from ``cached`` to ``cachedFar`` an access to a cache of so many entries is.
    static func farShare(entries: Int) -> Double {
        let (few, many) = (fewEntries.leadingZeroBitCount, manyEntries.leadingZeroBitCount)
        return min(max(Double(few - max(entries, 1).leadingZeroBitCount) / Double(few - many), 0), 1)
    }
}

/// The pieces, each for so many keys in an order that the processor can't guess.
private final class CostProbe {
    private let recorder: LineageRecorder
    private let traced: LineageRecorder
    private let operation: Int32
    private let cached: StateStore
    private let plain: StateStore
    private let entries: Int
    private let key = ByteBuffer(capacity: 16)
    private let value: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 1]
    private let source = SourcePartition(cluster: "", topic: "", partition: 0)
    private let context = TraceContext(traceHigh: 1, traceLow: 2, span: 3, flags: 1)

    private final class NoTopics: TopicNames {
        func nameLength(ofTopic number: Int32) -> Int { 0 }
    }

    private struct NoExporter: SpanExporter {
        func export(_ batch: SpanBatch) {}
        func flush(timeout: Duration) {}
    }

    init(_ mode: LineageMode, _ entries: Int) throws {
        self.entries = entries
        let recorder = LineageRecorder(mode: mode)
        // Spans cost the same whatever else is kept.
        traced = LineageRecorder(mode: .context, exporter: NoExporter())
        operation = traced.operation("probe", kind: .internal)
        let engine = MemoryEngine()
        func store(_ name: String, isCached: Bool) throws -> StateStore {
            try StateStore(
                StoreDescription(
                    name: name, kind: .timestampedKeyValue, isPersistent: false, isCached: isCached, isLogged: false),
                engine: engine, recorder: recorder, changelog: nil,
                budget: isCached ? CacheBudget(limit: 1 << 30) : nil, topics: NoTopics())
        }
        self.recorder = recorder
        cached = try store("cached", isCached: true)
        plain = try store("plain", isCached: false)
        recorder.current.value = Lineage(
            context: mode == .off ? .none : context,
            cell: mode == .cells
                ? recorder.arena.source(source, offset: 1, timestamp: 1, fingerprint: 1) : .empty)
    }

    /// The least time of one key in the rounds of two probes, which take turns, ns.
    static func least(
        _ one: CostProbe, _ other: CostProbe, rounds: Int, _ piece: (CostProbe) throws -> Void
    ) throws -> (Double, Double) {
        func round(_ probe: CostProbe, _ least: inout Double) throws {
            let start = ThreadClock.nanoseconds
            try piece(probe)
            least = min(least, Double(ThreadClock.nanoseconds - start) / Double(probe.entries))
        }
        var least = (Double.infinity, Double.infinity)
        for _ in 0..<rounds {
            try round(one, &least.0)
            try round(other, &least.1)
        }
        return least
    }

    func receive() {
        for number in 0..<entries {
            recorder.showCurrent()
            if recorder.mode == .off { continue }
            recorder.current.value.context = recorder.received(.none, key: RawSpan.empty)
            if recorder.mode == .cells {
                recorder.current.value.cell = recorder.arena.source(
                    source, offset: Int64(number), timestamp: 1, fingerprint: 1)
            }
        }
    }

    /// Makes the 16 bytes of a key; all of them come once in each round.
    private func makeKey(_ number: Int) {
        let word = UInt64(number &* 7919 & (entries &- 1))
        key.writer.removeAll()
        key.writer.append(bigEndian: word)
        key.writer.append(bigEndian: word &* 0x9e37_79b9_7f4a_7c15)
    }

    func aggregate() throws {
        let value = value
        for number in 0..<entries {
            makeKey(number)
            let key = key.bytes
            let row = try cached.read(key)
            let meta = RecordMeta(
                key: key, hasKey: true, keyIsStale: false, timestamp: 1, origin: .none, headers: RawSpan.empty,
                lineage: recorder.current.span)
            _ = try cached.writeAggregate(key, value.span.bytes, after: row, meta)
        }
    }

    func write() throws {
        let value = value
        for number in 0..<entries {
            makeKey(number)
            let key = key.bytes
            let meta = RecordMeta(
                key: key, hasKey: true, keyIsStale: false, timestamp: 1, origin: .none, headers: RawSpan.empty,
                lineage: recorder.current.span)
            _ = try plain.write(
                key, value.span.bytes, timestamp: 1, cell: meta.lineage.cell, link: .superseded, row: nil, meta)
        }
    }

    func read() throws {
        for number in 0..<entries {
            makeKey(number)
            _ = try plain.read(key.bytes)
        }
    }

    /// Makes three spans for each key, and hands them over as after a round of records.
    func makeSpans(links: Bool) {
        for _ in 0..<entries {
            let span = traced.begin(operation, parent: context, origin: .none, followsRecord: true)
            if links { traced.link(.previous, context) }
            _ = traced.span(operation, parent: span.context)
            traced.end(traced.begin(operation, parent: span.context), isInstant: true)
            traced.end(span)
        }
        traced.export()
    }
}
