import Testing
import TributaryCore
import TributaryLineage

@testable import TributaryState

/// Which entries of a cache belong to one key, or to one time.
@Suite struct KeyFamilyTests {
    private func row(_ key: String, _ start: Int64) -> [UInt8] {
        var writer = ByteWriter()
        writer.append(utf8: key)
        writer.append(bigEndian: start)
        writer.append(bigEndian: UInt32(0))
        return writer.copy()
    }

    private func cache(ofTimes: Bool) -> StoreCache {
        let recorder = LineageRecorder(mode: .off)
        let cache = StoreCache(budget: CacheBudget(limit: 1 << 30), recorder: recorder, timestampSize: 8)
        cache.families = KeyFamilies(.window, ofTimes: ofTimes)
        return cache
    }

    private let keys = ["a", "aa", "b", "key-of-more-than-16-bytes", "key-of-more-than-17-bytes"]

    @Test func `long keys that begin alike, are as long and have one hash are two keys`() {
        let cache = cache(ofTimes: false)
        let first = Array("customer-0804301154".utf8)
        let second = Array("customer-0185589684".utf8)
        let (one, other) = (first.span.bytes, second.span.bytes)
        let probe = StoreCache.probe(one)
        let isMixedUp = probe.hash == StoreCache.probe(other).hash
        #expect(isMixedUp, "the hash is another one: look for keys that it mixes up")
        let entry = cache.insert(one, probe)
        let found = (cache.find(one, probe), cache.find(other, probe))
        #expect(found == (entry, -1))
        let added = cache.insert(other, probe)
        let isItsOwn = (cache.isEntry(added, of: other), cache.isEntry(added, of: one))
        #expect(added != entry && isItsOwn == (true, false))
    }

    @Test func `the entries of a key come the latest first, whatever was put in and taken out`() {
        let cache = cache(ofTimes: false)
        var random = FastRandom(seed: 5)
        var expected: [String: Set<Int64>] = [:]
        for _ in 0..<4_000 {
            let key = keys[Int(random.next() % UInt64(keys.count))] + String(random.next() % 40)
            let start = Int64(random.next() % 20)
            let bytes = row(key, start)
            let probe = StoreCache.probe(bytes.span.bytes)
            let index = cache.find(bytes.span.bytes, probe)
            if index < 0 {
                _ = cache.insert(bytes.span.bytes, probe)
                expected[key, default: []].insert(start)
            } else if random.next() % 2 == 0 {
                cache.remove(index)
                cache.release(index)
                expected[key]?.remove(start)
            }
        }
        for (key, starts) in expected {
            var found: [Int64] = []
            let name = Array(key.utf8)
            cache.families?.forEach(name.span.bytes, from: 5, through: 15) { _, time in
                found.append(time.start)
                return true
            }
            #expect(found == starts.filter { (5...15).contains($0) }.sorted(by: >))
        }
    }

    @Test func `the entries of a time are those of all keys`() {
        let cache = cache(ofTimes: true)
        for (number, key) in keys.enumerated() {
            for start in [0, 10, 20] as [Int64] where number % 2 == 0 || start != 10 {
                let bytes = row(key, start)
                _ = cache.insert(bytes.span.bytes, StoreCache.probe(bytes.span.bytes))
            }
        }
        for (time, count) in [(0, 5), (10, 3), (20, 5), (5, 0)] as [(Int64, Int)] {
            var found = 0
            cache.families?.forEach(time: time) { _ in found += 1 }
            #expect(found == count)
        }
    }
}
