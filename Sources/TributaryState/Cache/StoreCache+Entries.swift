internal import TributaryCore
internal import TributaryLineage

extension StoreCache {
    // MARK: Reading an entry

    func copyKey(_ index: Int32, into writer: inout ByteWriter) {
        copyKey(table.value.entries[Int(index)], into: &writer)
    }

    func copyKey(_ entry: Entry, into writer: inout ByteWriter) {
        if entry.keyCount > 16 {
            return writer.append(pool.bytes(of: entry.keyBlob, at: 0, count: Int(entry.keyCount)))
        }
        StoreCache.append(entry.first, min(Int(entry.keyCount), 8), to: &writer)
        if entry.keyCount > 8 { StoreCache.append(entry.second, Int(entry.keyCount) - 8, to: &writer) }
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

    func copyValue(_ index: Int32, into writer: inout ByteWriter) {
        if isLong(index) { writer.append(longValue(index)) } else { copyShort(index, into: &writer) }
    }

    /// Whether a value doesn't lie in the entry.
    @inline(__always)
    func isLong(_ index: Int32) -> Bool { table.value.entries[Int(index)].form >= Form.long }

    @inline(__always)
    func copyShort(_ index: Int32, into writer: inout ByteWriter) {
        StoreCache.append(
            table.value.entries[Int(index)].content, Int(table.value.entries[Int(index)].form), to: &writer)
    }

    /// A value that doesn't lie in the entry, as a view of the cache's memory that ends when the entry is written or released.
    @inline(__always)
    @_lifetime(immortal)
    func longValue(_ index: Int32) -> RawSpan {
        let content = table.value.entries[Int(index)].content
        let blob = Blob(word: UInt32(truncatingIfNeeded: content &>> 32))
        let count = Int(UInt32(truncatingIfNeeded: content))
        if table.value.entries[Int(index)].form == Form.long { return pool.bytes(of: blob, at: 0, count: count) }
        return pool.bytes(of: blob, at: 4 &+ headersCount(blob), count: count)
    }

    private func headersCount(_ blob: Blob) -> Int {
        Int(pool.bytes(of: blob, at: 0, count: 4).integer(at: 0, as: UInt32.self) ?? 0)
    }

    func copyHeaders(_ index: Int32, into writer: inout ByteWriter) { writer.append(headers(index)) }

    /// The headers beside a value, as a view of the cache's memory like ``longValue(_:)``.
    @_lifetime(immortal)
    func headers(_ index: Int32) -> RawSpan {
        let entry = table.value.entries[Int(index)]
        guard entry.hasHeaders else { return RawSpan.empty }
        return pool.bytes(of: entry.valueBlob, at: 4, count: headersCount(entry.valueBlob))
    }

    /// The length of a value that is there.
    @inline(__always)
    func valueCount(_ index: Int32) -> Int {
        isLong(index)
            ? Int(UInt32(truncatingIfNeeded: table.value.entries[Int(index)].content))
            : Int(table.value.entries[Int(index)].form)
    }

    @inline(__always)
    func hasValue(_ index: Int32) -> Bool { table.value.entries[Int(index)].form >= 0 }

    @inline(__always)
    func timestamp(_ index: Int32) -> Int64 { table.value.entries[Int(index)].timestamp }

    @inline(__always)
    func entry(_ index: Int32) -> Entry { table.value.entries[Int(index)] }

    /// The record that wrote an entry.
    func origin(_ entry: Entry) -> RecordOrigin {
        let source = table.value.sources[Int(entry.source)]
        return RecordOrigin(topic: source.topic, partition: source.partition, offset: entry.offset)
    }

    // MARK: Lineage

    /// The lineage of an entry, its cell in the recorder's arena.
    @inline(__always)
    func lineage(_ index: Int32) -> Lineage {
        guard keepsLineage else { return .none }
        return Lineage(context: context(index), cell: keepsCells ? cell(index) : .empty)
    }

    /// The context of an entry's write; only where lineage is kept.
    @inline(__always)
    func context(_ index: Int32) -> TraceContext {
        let trace = table.value.traces[Int(index)]
        return TraceContext(
            traceHigh: trace.high, traceLow: trace.low, span: trace.span,
            flags: table.value.entries[Int(index)].contextFlags)
    }

    /// Sets the context of an entry; only where lineage is kept.
    @inline(__always)
    func setContext(_ index: Int32, _ context: TraceContext) {
        table.value.entries[Int(index)].contextFlags = context.flags
        table.value.traces[Int(index)] = Trace(high: context.traceHigh, low: context.traceLow, span: context.span)
    }

    /// Looks at an entry's lineage, so that it is on its way from memory while the entry itself is: the write that follows
    /// would else wait for it alone.
    @inline(__always)
    func fetchLineage(_ index: Int32) -> Bool {
        guard keepsLineage else { return false }
        let isEven = table.value.traces[Int(index)].span & 1 == 0
        return keepsCells ? isEven != table.value.cells[Int(index)].isHere : isEven
    }

    /// The cell of an entry, in the recorder's arena; only where cells are kept.
    @inline(__always)
    func cell(_ index: Int32) -> Cell { table.value.cells[Int(index)].cell ?? largeCell(index) }

    @inline(never)
    private func largeCell(_ index: Int32) -> Cell {
        let kept = table.value.largeCells[Int(index)]
        let bytes = pool.bytes(of: kept.blob, at: 0, count: Int(kept.count))
        return (try? arena.decode(bytes)) ?? .empty
    }

    /// Sets the lineage of an entry.
    @inline(__always)
    func setLineage(_ index: Int32, _ lineage: Lineage) {
        guard keepsLineage else { return }
        setContext(index, lineage.context)
        if keepsCells { setCell(index, lineage.cell) }
    }

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
    private func keepCell(_ index: Int32, _ cell: Cell) {
        cellBytes.writer.removeAll()
        arena.encode(cell, into: &cellBytes.writer)
        let size = cellBytes.count
        if Int(index) >= table.value.largeCells.count {
            let room = max(Int(index) + 1, 2 * table.value.largeCells.count)
            table.value.largeCells.grow(to: room, filling: LargeCell())
        }
        if pool.capacity(of: table.value.largeCells[Int(index)].blob) < size {
            pool.deallocate(table.value.largeCells[Int(index)].blob)
            table.value.largeCells[Int(index)].blob = pool.allocate(size)
        }
        pool.write(cellBytes.bytes, to: table.value.largeCells[Int(index)].blob, at: 0)
        table.value.largeCells[Int(index)].count = Int32(size)
    }
}
