import Testing
import TributaryCore
import TributaryLineage

/// Cells as caches keep them are those that were given in.
@Suite struct CompactCellTests {
    let arena = CellArena()
    let orders = SourcePartition(cluster: "c", topic: "orders", partition: 0)

    func source(_ offset: Int64, at timestamp: Int64 = 0) -> Cell {
        arena.source(orders, offset: offset, timestamp: timestamp, fingerprint: 7)
    }

    func bytes(_ cell: Cell?) -> [UInt8]? {
        var writer = ByteWriter()
        guard let cell else { return nil }
        arena.encode(cell, into: &writer)
        return writer.copy()
    }

    @Test func `a sum in place is that of the arena, flags and all`() {
        let cells = [source(5, at: 50), source(3, at: 70).with(flags: Cell.gap), source(9, at: 10)]
        var compact = CompactCell()
        var fits = [compact.set(cells[0])]
        for cell in cells.dropFirst() { fits.append(compact.add(cell)) }
        #expect(fits == [true, true, true])
        #expect(bytes(compact.cell) == bytes(cells.reduce(.empty) { arena.add($0, $1) }))
        #expect(compact.cell?.flags == Cell.gap)
    }

    @Test(arguments: [(1 << 32, 0), (0, 1 << 32), (1 << 32, 1 << 32)] as [(Int64, Int64)])
    func `ranges of more than 32 bits are kept elsewhere`(_ offsets: Int64, _ times: Int64) {
        let (near, far) = (source(0), source(offsets, at: times))
        var compact = CompactCell()
        var fits = [compact.set(near), compact.add(far)]
        #expect(fits == [true, false])
        #expect(bytes(compact.cell) == bytes(near))
        fits = [compact.set(arena.add(near, far))]
        #expect(fits == [false] && !compact.isHere && compact.cell == nil)
        let nearer = source(max(offsets - 1, 0), at: max(times - 1, 0))
        fits = [compact.set(near), compact.add(nearer)]
        #expect(fits == [true, true])
        #expect(bytes(compact.cell) == bytes(arena.add(near, nearer)))
    }
}
