import Testing
import TributaryCore
import TributaryState

@Suite struct ByteTreeTests {
    private func key(_ number: Int) -> [UInt8] {
        // Scattered, so that puts land everywhere.
        let word = UInt32(truncatingIfNeeded: number) &* 2_654_435_769
        return [UInt8(word >> 24), UInt8(word >> 16 & 0xff), UInt8(word >> 8 & 0xff), UInt8(word & 0xff)]
    }

    private func put(_ tree: inout ByteTree, _ number: Int, _ value: [UInt8]) -> Bool {
        let key = key(number)
        return tree.put(key.span.bytes, value.span.bytes)
    }

    private func delete(_ tree: inout ByteTree, _ number: Int) -> Bool {
        let key = key(number)
        return tree.delete(key.span.bytes)
    }

    /// The keys in the order of a walk, and whether every value has the length that belongs to its key.
    private func walk(_ tree: ByteTree, reverse: Bool = false) -> [[UInt8]] {
        var cursor = ByteTreeCursor(tree, from: nil, through: nil, reverse: reverse)
        var keys: [[UInt8]] = []
        var key = ByteWriter()
        var value = ByteWriter()
        while cursor.next(appendKeyTo: &key, appendValueTo: &value) {
            keys.append(key.copy())
            key.removeAll()
            value.removeAll()
        }
        return keys
    }

    @Test func `fifty thousand entries keep their order through deletes, and snapshots stay as they were`() {
        var tree = ByteTree()
        let total = 50_000
        for number in 0..<total { #expect(put(&tree, number, [UInt8](repeating: 1, count: number % 30))) }
        let sorted = (0..<total).map(key).sorted { $0.lexicographicallyPrecedes($1) }
        let full = tree
        #expect(walk(full) == sorted)
        for number in 0..<total where number % 10 != 0 { #expect(delete(&tree, number)) }
        #expect(!delete(&tree, 1))
        let left = (0..<total).filter { $0 % 10 == 0 }.map(key).sorted { $0.lexicographicallyPrecedes($1) }
        #expect(tree.count == left.count)
        #expect(walk(tree) == left)
        #expect(walk(tree, reverse: true) == left.reversed())
        for number in 0..<total where number % 10 == 1 {
            #expect(put(&tree, number, [UInt8](repeating: 2, count: 500)))
        }
        #expect(walk(tree).count == left.count * 2)
        for number in 0..<total where number % 10 < 2 { #expect(delete(&tree, number)) }
        #expect(tree.isEmpty && walk(tree).isEmpty)
        #expect(full.count == total && walk(full) == sorted)
    }

    @Test func `ascending and descending puts, and large values, keep order`() {
        for ascending in [true, false] {
            var tree = ByteTree()
            for number in 0..<5000 {
                let chosen = UInt16(ascending ? number : 4999 - number)
                let key = [UInt8(chosen >> 8), UInt8(chosen & 0xff)]
                let value = [UInt8](repeating: 7, count: number % 500 == 0 ? 100_000 : 3)
                tree.put(key.span.bytes, value.span.bytes)
            }
            #expect(walk(tree) == (0..<5000).map { [UInt8($0 >> 8), UInt8($0 & 0xff)] })
        }
    }
}
