internal import TributaryCore
internal import TributaryLineage

extension StoreCache {
    // MARK: Reading an entry

    func copyKey(_ index: Int32, into writer: inout ByteWriter) {
        let entry = table.value.entries[Int(index)]
        if entry.blob.capacity == 0 {
            StoreCache.append(entry.first, min(Int(entry.keyCount), 8), to: &writer)
            if entry.keyCount > 8 { StoreCache.append(entry.second, Int(entry.keyCount) - 8, to: &writer) }
            return
        }
        writer.append(pool.bytes(of: entry.blob, at: 0, count: Int(entry.keyCount)))
    }

    /// Appends the first bytes of a word.
    @inline(__always)
    static func append(_ word: UInt64, _ count: Int, to writer: inout ByteWriter) {
        if count == 8 { return writer.append(bigEndian: word) }
        var rest = word
        for _ in 0..<max(count, 0) {
            writer.append(UInt8(truncatingIfNeeded: rest &>> 56))
            rest = rest &<< 8
        }
    }

    func copyHeaders(_ index: Int32, into writer: inout ByteWriter) {
        let entry = table.value.entries[Int(index)]
        guard entry.headersCount > 0 else { return }
        writer.append(
            pool.bytes(of: entry.blob, at: Int(entry.keyCount), count: Int(entry.headersCount)))
    }

    func copyValue(_ index: Int32, into writer: inout ByteWriter) {
        let entry = table.value.entries[Int(index)]
        if entry.blob.capacity == 0 {
            return StoreCache.append(entry.short, Int(max(entry.valueCount, 0)), to: &writer)
        }
        writer.append(
            pool.bytes(
                of: entry.blob, at: Int(entry.keyCount + entry.headersCount), count: Int(max(entry.valueCount, 0))))
    }

    @inline(__always)
    func hasValue(_ index: Int32) -> Bool { table.value.entries[Int(index)].valueCount >= 0 }

    @inline(__always)
    func timestamp(_ index: Int32) -> Int64 { table.value.entries[Int(index)].timestamp }

    @inline(__always)
    func entry(_ index: Int32) -> Entry { table.value.entries[Int(index)] }

    /// The lineage of an entry, its cell in the recorder's arena.
    @inline(__always)
    func lineage(_ index: Int32) -> Lineage {
        guard keepsLineage else { return .none }
        return Lineage(context: table.value.contexts[Int(index)], cell: keepsCells ? cell(index) : .empty)
    }

    /// Looks at an entry's lineage, so that it is on its way from memory while the entry itself is: the write that follows
    /// would else wait for it alone.
    @inline(__always)
    func fetchLineage(_ index: Int32) -> Bool {
        guard keepsLineage else { return false }
        let isSampled = table.value.contexts[Int(index)].isSampled
        return keepsCells ? isSampled != table.value.cells[Int(index)].isHere : isSampled
    }

    /// The context of an entry's write; only where lineage is kept.
    @inline(__always)
    func context(_ index: Int32) -> TraceContext { table.value.contexts[Int(index)] }

    /// The cell of an entry, in the recorder's arena; only where cells are kept.
    @inline(__always)
    func cell(_ index: Int32) -> Cell {
        table.value.cells[Int(index)].cell ?? largeCell(index)
    }

    @inline(never)
    func largeCell(_ index: Int32) -> Cell {
        let kept = table.value.largeCells[Int(index)]
        let bytes = pool.bytes(of: kept.blob, at: 0, count: Int(kept.count))
        return (try? arena.decode(bytes)) ?? .empty
    }

    /// Sets the lineage of an entry, for example to the context of its flush.
    @inline(__always)
    func setLineage(_ index: Int32, _ lineage: Lineage) {
        guard keepsLineage else { return }
        table.value.contexts[Int(index)] = lineage.context
        if keepsCells { setCell(index, lineage.cell) }
    }

    @inline(__always)
    func setContext(_ index: Int32, _ context: TraceContext) { table.value.contexts[Int(index)] = context }

    @inline(__always)
    func setCell(_ index: Int32, _ cell: Cell) {
        if !table.value.cells[Int(index)].set(cell) { keepCell(index, cell) }
    }

    /// Adds a cell to that of an entry.
    @inline(__always)
    func addCell(_ index: Int32, _ cell: Cell) {
        if !table.value.cells[Int(index)].add(cell) { setCell(index, arena.add(self.cell(index), cell)) }
    }

    @inline(never)
    func keepCell(_ index: Int32, _ cell: Cell) {
        cellBytes.writer.removeAll()
        arena.encode(cell, into: &cellBytes.writer)
        let size = cellBytes.count
        if Int(index) >= table.value.largeCells.count {
            table.value.largeCells.grow(to: table.value.cells.count, filling: LargeCell())
        }
        var blob = table.value.largeCells[Int(index)].blob
        if Int(blob.capacity) < size {
            pool.deallocate(blob)
            blob = pool.allocate(size)
            table.value.largeCells[Int(index)].blob = blob
        }
        pool.write(cellBytes.bytes, to: blob, at: 0)
        table.value.largeCells[Int(index)].count = Int32(size)
    }
}
