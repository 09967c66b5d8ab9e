import CBaselines
import Foundation
import Tributary
import TributaryCore
import TributaryLMDB
import TributaryLineage
import TributaryState

/// A get and a put of random keys through all layers of a store against the same on a bare LMDB table.
///
/// 16-byte keys, 100-byte values in envelopes with timestamp and context, 100,000 operations a transaction, and a changelog
/// record encoded for each put.
func storeBenchmark(name: String, keys: Int64, _ options: Options) -> Benchmark {
    let operations: Int64 = 500_000
    func swift(_ name: String, cached: Bool) -> Side {
        Side(name: name) {
            try storeSample(keys: keys, operations: operations, cached: cached, folder: options.folder + "/store")
        }
    }
    return Benchmark(
        name: name, unit: "get and put",
        sides: [
            Side(name: "C") {
                let folder = options.folder + "/c-store"
                defer { try? FileManager.default.removeItem(atPath: folder) }
                let result = cb_store(folder, UInt64(keys), operations, 100_000, 137)
                try checked(result.error)
                return Sample(wall: result.wall_ns, cpu: result.cpu_ns, allocations: nil)
            }, swift("all layers", cached: false), swift("cached", cached: true),
        ])
}

/// Encodes changelog records as the log does, and drops them.
final class DiscardedChangelog: ChangelogWriter {
    private let buffer = ByteBuffer(capacity: 256 << 10)

    func append(_ record: borrowing OutgoingRecord) throws {
        if buffer.count > 126_000 { buffer.writer.removeAll() }
        buffer.writer.append(record.value == nil ? 33 : 1)
        buffer.writer.append(zigZag: 0)
        buffer.writer.append(varint: UInt64(record.key?.byteCount ?? 0))
        buffer.writer.append(varint: UInt64(record.value?.byteCount ?? 0))
        record.context.store(into: &buffer.writer)
        buffer.writer.append(varint: UInt64(record.cell.byteCount))
        buffer.writer.append(record.cell)
        if let key = record.key { buffer.writer.append(key) }
        if let value = record.value { buffer.writer.append(value) }
    }
}

final class OneTopic: TopicNames {
    func nameLength(ofTopic number: Int32) -> Int { 5 }
}

private func storeSample(keys: Int64, operations: Int64, cached: Bool, folder: String) throws -> Sample {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let engine = try LMDBStateEngine(directory: folder, options: LMDBStateOptions(mapSize: 32 << 30))
    defer { engine.close() }
    let recorder = LineageRecorder(mode: .context)
    let description = StoreDescription(
        name: "store", kind: .timestampedKeyValue, isPersistent: true, isCached: cached, isLogged: true)
    let topics = OneTopic()
    let store = try StateStore(
        description, engine: engine, recorder: recorder, changelog: DiscardedChangelog(),
        budget: cached ? CacheBudget(limit: 1 << 30) : nil, topics: topics)
    let value = [UInt8](repeating: 118, count: 100)
    var key = [UInt8](repeating: 0, count: 16)
    let lineage = CollectionOfOne(
        Lineage(context: TraceContext(traceHigh: 1, traceLow: 2, span: 3, flags: 0), cell: .empty))
    func put(_ bytes: RawSpan) throws {
        let meta = RecordMeta(
            key: bytes, hasKey: true, keyIsStale: false, timestamp: 1_000,
            origin: RecordOrigin(topic: 0, partition: 0, offset: 1), headers: RawSpan(), lineage: lineage.span)
        _ = try store.write(
            bytes, value.span.bytes, timestamp: 1_000, cell: .empty, link: .superseded, row: nil, meta)
    }
    for number in 0..<keys {
        key.withUnsafeMutableBytes { cb_number_key(UInt64(number), $0.baseAddress) }
        try put(key.span.bytes)
    }
    try store.flush()
    try engine.commit()
    var random = FastRandom(seed: 1)
    var sum = 0
    let wall = cb_wall()
    let cpu = cb_process_cpu()
    for operation in 1...operations {
        let number = random.next() % UInt64(keys)
        key.withUnsafeMutableBytes { cb_number_key(number, $0.baseAddress) }
        if try store.read(key.span.bytes).exists { sum += Int(store.value.byte(at: 99) ?? 0) }
        try put(key.span.bytes)
        if operation % 100_000 == 0 && !cached { try engine.commit() }
    }
    let sample = Sample(
        wall: Double(cb_wall() - wall) / Double(operations), cpu: Double(cb_process_cpu() - cpu) / Double(operations),
        allocations: nil)
    guard sum == Int(operations) * 118 else { throw UsageError(text: "the store lost rows") }
    return sample
}
