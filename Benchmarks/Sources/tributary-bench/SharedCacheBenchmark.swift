import CBaselines
import Foundation
import Tributary
import TributaryCore
import TributaryLMDB
import TributaryLineage
import TributaryState

/// A large table that is read and a small store that is written, in one cache of 10 MiB, against a cache of 5 MiB for each.
///
/// Each operation reads a random row of a table of 200,000 and reads and writes one of 10,000 rows; 16-byte keys, 100-byte values, a flush and a
/// commit each 100,000 operations. In Kafka Streams' rule, by which only the store that is written evicts, the table keeps what it has once got.
func sharedCacheBenchmark(_ options: Options) -> Benchmark {
    func side(_ name: String, _ limits: [Int]) -> Side {
        Side(name: name) { try sharedCacheSample(limits: limits, folder: options.folder + "/shared-cache") }
    }
    return Benchmark(
        name: "shared-cache", unit: "read of a table, and get and put",
        sides: [side("a cache each", [5 << 20, 5 << 20]), side("one cache", [10 << 20])])
}

private func sharedCacheSample(limits: [Int], folder: String) throws -> Sample {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let engine = try LMDBStateEngine(directory: folder, options: LMDBStateOptions(mapSize: 32 << 30))
    defer { engine.close() }
    let recorder = LineageRecorder(mode: .off)
    let budgets = limits.map { CacheBudget(limit: $0) }
    let topics = OneTopic()
    func makeStore(_ name: String, _ budget: CacheBudget) throws -> StateStore {
        try StateStore(
            StoreDescription(
                name: name, kind: .timestampedKeyValue, isPersistent: true, isCached: true, isLogged: true),
            engine: engine, recorder: recorder, changelog: DiscardedChangelog(), budget: budget, topics: topics)
    }
    let table = try makeStore("table", budgets[0])
    let store = try makeStore("store", budgets[budgets.count - 1])
    let value = [UInt8](repeating: 118, count: 100)
    var key = [UInt8](repeating: 0, count: 16)
    let lineage = CollectionOfOne(Lineage(context: .none, cell: .empty))
    func put(_ store: StateStore, _ bytes: RawSpan) throws {
        let meta = RecordMeta(
            key: bytes, hasKey: true, keyIsStale: false, timestamp: 1_000,
            origin: RecordOrigin(topic: 0, partition: 0, offset: 1), headers: RawSpan(), lineage: lineage.span)
        _ = try store.write(
            bytes, value.span.bytes, timestamp: 1_000, cell: .empty, link: .superseded, row: nil, meta)
    }
    for number in 0..<200_000 {
        key.withUnsafeMutableBytes { cb_number_key(UInt64(number), $0.baseAddress) }
        try put(table, key.span.bytes)
    }
    try table.flush()
    try engine.commit()
    var random = FastRandom(seed: 1)
    let operations: Int64 = 500_000
    var wall = cb_wall()
    var cpu = cb_process_cpu()
    // A first tenth isn't measured: the caches fill.
    for operation in -operations / 10...operations {
        if operation == 0 {
            wall = cb_wall()
            cpu = cb_process_cpu()
        }
        key.withUnsafeMutableBytes { cb_number_key(random.next() % 200_000, $0.baseAddress) }
        guard try table.read(key.span.bytes).exists else { throw UsageError(text: "the table lost rows") }
        key.withUnsafeMutableBytes { cb_number_key(random.next() % 10_000, $0.baseAddress) }
        _ = try store.read(key.span.bytes)
        try put(store, key.span.bytes)
        if operation % 100_000 == 0 {
            try store.flush()
            try engine.commit()
        }
    }
    return Sample(
        wall: Double(cb_wall() - wall) / Double(operations), cpu: Double(cb_process_cpu() - cpu) / Double(operations),
        allocations: nil)
}
