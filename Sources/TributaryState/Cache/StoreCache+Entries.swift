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

    func copyHeaders(_ index: Int32, into writer: inout ByteWriter) {
        let entry = table.value.entries[Int(index)]
        guard entry.hasHeaders else { return }
        writer.append(pool.bytes(of: entry.valueBlob, at: 4, count: headersCount(entry.valueBlob)))
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

    /// The cell of an entry, in the recorder's arena; only where cells are kept.
    @inline(__always)
    func cell(_ index: Int32) -> Cell {
        if table.value.cells[Int(index)].cell.entries <= 1 { return table.value.cells[Int(index)].cell }
        return manySources(index)
    }

    @inline(never)
    func manySources(_ index: Int32) -> Cell {
        let kept = table.value.cells[Int(index)]
        let bytes = pool.bytes(of: kept.blob, at: 0, count: Int(kept.count))
        return (try? arena.decode(bytes)) ?? .empty
    }

    /// Sets the lineage of an entry.
    @inline(__always)
    func setLineage(_ index: Int32, _ lineage: Lineage) {
        guard keepsLineage else { return }
        setContext(index, lineage.context)
        guard keepsCells else { return }
        table.value.cells[Int(index)].cell = lineage.cell
        if lineage.cell.entries > 1 { keepCell(index, lineage.cell) }
    }

    @inline(never)
    func keepCell(_ index: Int32, _ cell: Cell) {
        cellBytes.writer.removeAll()
        arena.encode(cell, into: &cellBytes.writer)
        let size = cellBytes.count
        if pool.capacity(of: table.value.cells[Int(index)].blob) < size {
            pool.deallocate(table.value.cells[Int(index)].blob)
            table.value.cells[Int(index)].blob = pool.allocate(size)
        }
        pool.write(cellBytes.bytes, to: table.value.cells[Int(index)].blob, at: 0)
        table.value.cells[Int(index)].count = Int32(size)
    }

    // MARK: Folded writes

    /// Calls `body` with the contexts of earlier writes folded into an entry, newest first; at most ``keptContributors``.
    func forEachContributor(_ index: Int32, _ body: (TraceContext) -> Void) {
        guard keepsFolds else { return }
        var link = table.value.folds[Int(index)].contributors
        while link >= 0 {
            body(table.value.chain[Int(link)].context)
            link = table.value.chain[Int(link)].next
        }
    }

    /// How many earlier writes an entry has folded in since its last flush.
    func foldedWrites(_ index: Int32) -> Int64 { keepsFolds ? table.value.folds[Int(index)].count : 0 }
}
