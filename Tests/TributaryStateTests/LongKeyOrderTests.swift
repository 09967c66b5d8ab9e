import Testing
import TributaryCore
import TributaryLineage

@testable import TributaryState

/// Keys that have much in common, some the beginnings of others.
@Suite struct LongKeyOrderTests {
    private func keys(_ count: Int) -> [[UInt8]] {
        var generator = Generator(state: UInt64(count) + 7)
        return (0..<count).map { _ in
            let length = Int.random(in: 0...40, using: &generator)
            // Zeros most of the time, which are what fills the last word of a key, too.
            return (0..<length).map { _ in UInt8.random(in: 0..<20, using: &generator) == 0 ? 1 : 0 }
        }
    }

    private func isBefore(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.span.bytes.compare(to: right.span.bytes) < 0
    }

    @Test(arguments: [2, 20, 60, 200, 300, 3000])
    func `the radix sort orders keys by further words where the first are the same`(count: Int) {
        let keys = keys(count)
        var sorter = RadixSorter()
        for (index, key) in keys.enumerated() { sorter.append(word: key.span.bytes.prefixWord(), index: UInt32(index)) }
        sorter.sort(
            word: { index, offset in
                let key = keys[Int(index)]
                return offset < key.count ? key.span.bytes.prefixWord(at: offset) : nil
            }, isBefore: { isBefore(keys[Int($0)], keys[Int($1)]) })
        let wanted = keys.indices.sorted {
            keys[$0] == keys[$1] ? $0 < $1 : isBefore(keys[$0], keys[$1])
        }
        #expect((0..<sorter.count).map { Int(sorter[$0]) } == wanted)
    }

    @Test func `the cache compares the keys of its entries as bytes, whatever their lengths`() {
        let cache = StoreCache(
            budget: CacheBudget(limit: 1 << 30), recorder: LineageRecorder(mode: .off), timestampSize: 8)
        let keys = Array(Set(keys(120)))
        let entries = keys.map { key in cache.insert(key.span.bytes, StoreCache.probe(key.span.bytes)) }
        for (one, left) in zip(keys, entries) {
            for (other, right) in zip(keys, entries) {
                let order = cache.compareKeys(left, right)
                #expect((order < 0, order == 0) == (isBefore(one, other), one == other), "\(one) \(other)")
            }
        }
    }
}
