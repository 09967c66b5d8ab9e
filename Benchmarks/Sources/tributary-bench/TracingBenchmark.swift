import CBaselines
import Foundation
import Tributary
import TributaryCore
import TributaryLMDB
import TributaryLineage
import TributaryState

/// What tracing a state store costs: put, get and flush of one row, layer by layer and lineage setting by lineage setting.
///
/// Each layer contains those above it; `added` is what it adds to the one before. 10,000 keys of 16 bytes, 100-byte values, random
/// order; a flush is everything that makes 10,000 puts durable, divided by them.
struct TracingBenchmark {
    struct Cost {
        var put = Double.infinity
        var get = Double.infinity
        var flush = Double.infinity
        var stored = 0

        mutating func lower(to other: Cost) {
            put = min(put, other.put)
            get = min(get, other.get)
            flush = min(flush, other.flush)
            stored = other.stored
        }
    }

    enum Layer: String, CaseIterable {
        case engine = "engine (LMDB)"
        case envelope = "+ envelope"
        case changelog = "+ changelog"
        case cache = "+ cache"

        /// The engine knows nothing of lineage.
        var settings: [Setting] { self == .engine ? [.off] : Setting.allCases }
    }

    enum Setting: String, CaseIterable {
        case off, context, cells, sampled

        var mode: LineageMode {
            switch self {
            case .off: .off
            case .context: .context
            case .cells, .sampled: .cells
            }
        }
    }

    static let keys = 10_000
    static let valueSize = 100
    static let source = SourcePartition(cluster: "bench", topic: "in", partition: 0)

    static func run(_ options: Options) throws {
        var costs: [Layer: [Setting: Cost]] = [:]
        for round in 0..<options.rounds {
            let layers = round.isMultiple(of: 2) ? Layer.allCases : Layer.allCases.reversed()
            for layer in layers {
                for setting in layer.settings {
                    let folder = "\(options.folder)/tracing-\(layer)-\(setting)"
                    defer { try? FileManager.default.removeItem(atPath: folder) }
                    let cost = try measure(layer, setting, folder)
                    costs[layer, default: [:]][setting, default: Cost()].lower(to: cost)
                }
            }
        }
        print(
            "One row: 16 B key, \(valueSize) B value, \(keys) keys; ns, CPU of one thread, least of \(options.rounds) rounds\n"
        )
        print(
            "| Layer | Lineage | put | get | flush | sum | added by the layer | added by lineage | stored B | overhead B |"
        )
        print("|---|---|---|---|---|---|---|---|---|---|")
        var before: [Setting: Double] = [:]
        for layer in Layer.allCases {
            for setting in layer.settings {
                guard let cost = costs[layer]?[setting], let off = costs[layer]?[.off] else { continue }
                let sum = cost.put + cost.get + cost.flush
                let added = (before[setting] ?? before[.off]).map { number(sum - $0) } ?? "-"
                let lineage = setting == .off ? "-" : number(sum - off.put - off.get - off.flush)
                print(
                    "| \(layer.rawValue) | \(setting) | \(number(cost.put)) | \(number(cost.get)) | \(number(cost.flush)) | "
                        + "\(number(sum)) | \(added) | \(lineage) | \(cost.stored) | \(cost.stored - valueSize) |")
                before[setting] = sum
                if options.json {
                    print(
                        "{\"layer\":\"\(layer)\",\"lineage\":\"\(setting)\",\"put\":\(cost.put),\"get\":\(cost.get),"
                            + "\"flush\":\(cost.flush),\"stored\":\(cost.stored)}")
                }
            }
        }
        let overhead = (costs[.envelope]?[.context]?.stored ?? 0) - valueSize
        print("\nA value with its context takes \(overhead) B more than the value alone (at most 37 asked).")
        if options.check, overhead > 37 { throw UsageError(text: "the overhead of a context is \(overhead) B") }
    }

    private static func number(_ value: Double) -> String { String(format: "%.0f", value) }

    private static func measure(_ layer: Layer, _ setting: Setting, _ folder: String) throws -> Cost {
        let engine = try LMDBStateEngine(directory: folder, options: LMDBStateOptions(mapSize: 8 << 30))
        defer { engine.close() }
        // As many as an application keeps that nobody reads; nothing is dropped before.
        let exporter = setting == .sampled ? InMemorySpanExporter(capacity: 100_000) : nil
        let recorder = LineageRecorder(mode: setting.mode, exporter: exporter)
        let subject = try Subject(layer, setting, engine, recorder)
        var cost = Cost()
        var random = FastRandom(seed: 7)
        let order = (0..<keys).map { _ in Int(random.next() % UInt64(keys)) }
        for number in 0..<keys { try subject.put(number) }
        try subject.flush()
        for _ in 0..<10 {
            var start = cb_thread_cpu()
            for number in order { try subject.put(number) }
            cost.put = min(cost.put, Double(cb_thread_cpu() - start) / Double(keys))
            start = cb_thread_cpu()
            try subject.flush()
            cost.flush = min(cost.flush, Double(cb_thread_cpu() - start) / Double(keys))
            start = cb_thread_cpu()
            for number in order { try subject.get(number) }
            cost.get = min(cost.get, Double(cb_thread_cpu() - start) / Double(keys))
        }
        cost.stored = try subject.storedSize()
        return cost
    }
}

/// One layer of a store, with what stands below it.
private final class Subject {
    let layer: TracingBenchmark.Layer
    let engine: LMDBStateEngine
    let table: any StateTable
    let store: StateStore
    let recorder: LineageRecorder
    let operation: Int32
    let isSampled: Bool
    let keys: [[UInt8]]
    let value = [UInt8](repeating: 118, count: TracingBenchmark.valueSize)
    let buffer = ByteBuffer()
    var time: Int64 = 0

    init(
        _ layer: TracingBenchmark.Layer, _ setting: TracingBenchmark.Setting, _ engine: LMDBStateEngine,
        _ recorder: LineageRecorder
    ) throws {
        self.layer = layer
        self.engine = engine
        self.recorder = recorder
        isSampled = setting == .sampled
        operation = recorder.operation("process in", kind: .consumer)
        table = try engine.table("raw")
        store = try StateStore(
            StoreDescription(
                name: "store", kind: .timestampedKeyValue, isPersistent: true, isCached: layer == .cache,
                isLogged: layer != .envelope), engine: engine, recorder: recorder,
            changelog: layer == .changelog || layer == .cache ? DiscardedChangelog() : nil,
            budget: layer == .cache ? CacheBudget(limit: 1 << 30) : nil, topics: OneTopic())
        keys = (0..<TracingBenchmark.keys).map { number in
            var key = [UInt8](repeating: 0, count: 16)
            key.withUnsafeMutableBytes { cb_number_key(UInt64(number), $0.baseAddress) }
            return key
        }
    }

    func put(_ number: Int) throws {
        let (key, value) = (keys[number], value)
        if layer == .engine { return try table.put(key.span.bytes, value.span.bytes) }
        try within(key) { store, meta in
            _ = try store.write(
                key.span.bytes, value.span.bytes, timestamp: meta.timestamp, cell: meta.lineage.cell, link: .superseded,
                row: nil,
                meta)
        }
    }

    func get(_ number: Int) throws {
        let key = keys[number]
        if layer == .engine {
            guard try table.get(key.span.bytes, into: &buffer.writer) else { throw UsageError(text: "a row is gone") }
            return
        }
        try within(key) { store, meta in
            guard try store.read(key.span.bytes).exists else { throw UsageError(text: "a row is gone") }
            store.previousSpan(meta)
        }
    }

    // As a task does around each record; the record's own span is what every traced consumer pays, so it isn't measured here.
    private func within(_ key: [UInt8], _ body: (StateStore, borrowing RecordMeta) throws -> Void) throws {
        time += 1
        let mark = recorder.arena.mark
        if recorder.mode != .off {
            recorder.current.value.context = TraceContext(
                traceHigh: 1, traceLow: UInt64(time), span: UInt64(time), flags: isSampled ? 1 : 0)
        }
        if recorder.mode == .cells {
            recorder.current.value.cell = recorder.arena.source(
                TracingBenchmark.source, offset: time, timestamp: time, fingerprint: 1)
        }
        let meta = RecordMeta(
            key: key.span.bytes, hasKey: true, keyIsStale: false, timestamp: time,
            origin: RecordOrigin(topic: 0, partition: 0, offset: time), headers: RawSpan(),
            lineage: recorder.current.span)
        try body(store, meta)
        if recorder.mode == .cells { recorder.arena.release(to: mark) }
        if isSampled && time % 1000 == 0 { recorder.export() }
    }

    func flush() throws {
        try store.flush()
        recorder.export()
        try store.prepareCommit()
        try engine.commit()
    }

    func storedSize() throws -> Int {
        let name = layer == .engine ? "raw" : "store"
        let key = keys[0]
        guard try engine.table(name).get(key.span.bytes, into: &buffer.writer) else {
            throw UsageError(text: "a row is gone")
        }
        return buffer.count
    }
}
