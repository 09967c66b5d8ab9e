import Testing
import TributaryCore
import TributaryState

/// Rows that were copied out of a store.
@Suite struct CopiedRowsTests {
    @Test func `only keys of the size that is asked for are taken, and later ones are cut off`() {
        let rows = CopiedRows()
        let value: [UInt8] = [9]
        let late: [UInt8] = [6, 7]
        rows.removeAll(keySize: 2)
        for key in [[1], [1, 2], [1, 2, 3], [4, 5]] as [[UInt8]] { rows.add(key.span.bytes, value.span.bytes) }
        #expect((0..<rows.count).map { [UInt8](copying: rows.key($0)) } == [[1, 2], [4, 5]])
        rows.truncate(to: 1)
        rows.add(late.span.bytes, value.span.bytes)
        #expect((0..<rows.count).map { [UInt8](copying: rows.key($0)) } == [[1, 2], [6, 7]])
    }
}
