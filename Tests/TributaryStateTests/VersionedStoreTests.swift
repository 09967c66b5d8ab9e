import Testing
import TributaryCore
import TributaryLineage

@testable import TributaryState

/// Stores of versions against a list of all that was put.
@Suite struct VersionedStoreTests {
    private final class NoTopics: TopicNames {
        func nameLength(ofTopic number: Int32) -> Int { 0 }
    }

    private func store(_ engine: any StateEngine, mode: LineageMode = .cells) throws -> StateStore {
        try StateStore(
            StoreDescription(name: "v", kind: .versioned(history: 100)), engine: engine,
            recorder: LineageRecorder(mode: mode), changelog: nil, budget: CacheBudget(limit: 1 << 20),
            topics: NoTopics())
    }

    @discardableResult
    private func put(_ store: StateStore, _ key: [UInt8], _ value: UInt8?, at time: Int64) throws -> Int64? {
        let held = CollectionOfOne(Lineage.none)
        let bytes = value.map { [$0] }
        _ = try store.write(
            key.span.bytes, bytes?.span.bytes, timestamp: time, cell: .empty, link: .superseded, row: nil,
            RecordMeta(
                key: key.span.bytes, hasKey: true, keyIsStale: false, timestamp: time, origin: .none,
                headers: .empty, lineage: held.span))
        return store.wasRefused ? Int64.min : store.writtenValidTo
    }

    private func get(_ store: StateStore, _ key: [UInt8], at time: Int64? = nil) throws -> UInt8? {
        let row = try time.map { try store.read(key.span.bytes, at: $0) } ?? store.read(key.span.bytes)
        return row.exists ? store.value.byte(at: 0) : nil
    }

    /// What a store of versions says, by looking at all that it was told.
    private struct Model {
        var versions: [[UInt8]: [Int64: UInt8?]] = [:]
        var time: Int64 = -1

        mutating func put(_ key: [UInt8], _ value: UInt8?, at moment: Int64) -> Int64? {
            if time >= 0 && moment < time - 100 { return Int64.min }
            time = max(time, moment)
            versions[key, default: [:]][moment] = .some(value)
            return versions[key]?.keys.filter { $0 > moment }.min()
        }

        func get(_ key: [UInt8], at moment: Int64) -> UInt8? {
            guard let own = versions[key], let newest = own.keys.max() else { return nil }
            if moment < time - 100 && newest > moment { return nil }
            return own.keys.filter { $0 <= moment }.max().flatMap { own[$0] ?? nil }
        }

        /// Those that counted at any time of a range: value, time and end of each.
        func versions(_ key: [UInt8], from first: Int64, through last: Int64) -> [[Int64]] {
            let times = versions[key]?.keys.sorted() ?? []
            return times.enumerated().compactMap { place, moment in
                let end = place + 1 < times.count ? times[place + 1] : nil
                guard let value = versions[key]?[moment] ?? nil, moment <= last else { return nil }
                if let end, end <= max(first, time - 100) || last < time - 100 { return nil }
                return [Int64(value), moment, end ?? -1]
            }
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64], [LineageMode.cells, .off])
    func `any order of puts gives what a list of them says`(seed: UInt64, mode: LineageMode) throws {
        let store = try store(MemoryEngine(), mode: mode)
        var model = Model()
        var random = FastRandom(seed: seed)
        let keys: [[UInt8]] = [[], [1], [1, 0], [1, 0, 0, 0, 0, 0, 0, 0, 5], [2]]
        var now: Int64 = 0
        for _ in 0..<2_000 {
            now += Int64(random.next() % 12)
            let key = keys[Int(random.next() % 5)]
            let time = max(0, now - Int64(random.next() % 130))
            let value: UInt8? = random.next() % 4 == 0 ? nil : UInt8(truncatingIfNeeded: random.next())
            #expect(try put(store, key, value, at: time) == model.put(key, value, at: time))
            let asked = keys[Int(random.next() % 5)]
            let past = max(0, now - Int64(random.next() % 200))
            #expect(try get(store, asked, at: past) == model.get(asked, at: past), "at \(past) of \(asked)")
            #expect(try get(store, asked) == model.get(asked, at: Int64.max))
            for (first, last) in [(past, past + Int64(random.next() % 60)), (0, Int64.max), (past, past)] {
                let found = try store.versions(of: asked, from: first, through: last)
                let told = found.map { [Int64($0.row.value[0]), $0.row.timestamp, $0.validTo ?? -1] }
                #expect(told == model.versions(asked, from: first, through: last), "\(first)...\(last) of \(asked)")
            }
        }
    }

    @Test func `a store without versions says so when it is asked for some`() throws {
        let plain = try StateStore(
            StoreDescription(name: "p", kind: .timestampedKeyValue), engine: MemoryEngine(),
            recorder: LineageRecorder(mode: .off), changelog: nil, budget: nil, topics: NoTopics())
        #expect(throws: StoreError.self) { try plain.versions(of: [1], from: 0, through: 1) }
    }

    @Test func `a purge leaves the deletes that older versions may still come before`() throws {
        let store = try store(MemoryEngine())
        try put(store, [1], 7, at: 10)
        try put(store, [1], nil, at: 20)
        try store.purgeGraves(before: Int64.max)
        #expect(try put(store, [1], 8, at: 15) == 20)
        #expect(try get(store, [1]) == nil)
        try put(store, [2], 1, at: 200)
        try store.purgeGraves(before: Int64.max)
        #expect(try store.grave(([1] as [UInt8]).span.bytes) == nil)
        #expect(try store.grave(([2] as [UInt8]).span.bytes) == nil)
    }

    @Test func `what was replaced goes with its segment, and all is found again when the store is made anew`() throws {
        let engine = MemoryEngine()
        let first = try store(engine)
        for time in stride(from: Int64(0), through: 20_000, by: 10) {
            try put(first, [1], UInt8(time / 10 % 256), at: time)
        }
        #expect(try first.approximateCount() == 1)
        #expect(try first.tableNames(in: engine).count < 6)
        try first.prepareCommit()
        try engine.commit()
        let again = try store(engine)
        #expect(try get(again, [1], at: 19_905) == UInt8(1990 % 256))
        #expect(try put(again, [1], 1, at: 19_899) == Int64.min)
    }
}
