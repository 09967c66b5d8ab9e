public import TributaryCore

/// The bytes of a cell: `Docs/Formats.md`, "Cell".
extension CellArena {
    /// The most bytes that the fields before the entries take, and that one entry takes.
    private static let largestHead = 21 + 3 * 10 + 1
    private static let largestEntry = 4 + 5 + 3 * 10

    /// Writes the bytes of a cell, without a version byte.
    public func encode(_ cell: Cell, into writer: inout ByteWriter) {
        unsafe writer.append(upTo: CellArena.largestHead + CellArena.largestEntry) { start in
            var cursor = unsafe FieldCursor(start)
            cursor.put(cell.flags)
            cursor.put(bigEndian: cell.fingerprint)
            cursor.put(bigEndian: cell.digest)
            cursor.put(varint: cell.count)
            cursor.put(zigZag: cell.earliest)
            cursor.put(varint: UInt64(bitPattern: cell.latest &- cell.earliest))
            cursor.put(cell.entries)
            if cell.entries > 0 { cursor.put(cell.first) }
            return unsafe cursor.next - start
        }
        if cell.entries > 1 { encodeTail(cell, into: &writer) }
    }

    @inline(never)
    private func encodeTail(_ cell: Cell, into writer: inout ByteWriter) {
        let count = Int(cell.entries)
        unsafe writer.append(upTo: (count - 1) * CellArena.largestEntry) { start in
            var cursor = unsafe FieldCursor(start)
            for index in 1..<count { cursor.put(stack.value.entry(cell, index)) }
            return unsafe cursor.next - start
        }
    }

    /// The number of bytes that ``encode(_:into:)`` writes.
    public func encodedSize(_ cell: Cell) -> Int {
        var size = 21 + varintSize(cell.count) + zigZagSize(cell.earliest)
        size += varintSize(UInt64(bitPattern: cell.latest &- cell.earliest)) + 1
        for index in 0..<Int(cell.entries) {
            let entry = stack.value.entry(cell, index)
            size += 4 + zigZagSize(Int64(entry.partition)) + varintSize(entry.count)
            if entry.partition >= 0 {
                size += varintSize(UInt64(bitPattern: entry.first))
                size += varintSize(UInt64(bitPattern: entry.last &- entry.first))
            }
        }
        return size
    }

    /// Reads the bytes of one cell and nothing else.
    ///
    /// - Throws: `MalformedBytes` for bytes that no cell has: cut or trailing ones, more than 16 entries, entries out of
    ///   order, ranges beyond 64 bits, counts that don't add up.
    public func decode(_ bytes: RawSpan) throws(MalformedBytes) -> Cell {
        var reader = ByteReader(bytes)
        var cell = Cell.empty
        cell.flags = try reader.byte()
        cell.fingerprint = try reader.integer()
        cell.digest = try reader.integer()
        cell.count = try reader.varint()
        cell.earliest = try reader.zigZag()
        let spanAt = reader.offset
        let span = try reader.varint()
        // The distance up to the largest integer, as an unsigned number, never overflows.
        guard span <= UInt64(bitPattern: Int64.max &- cell.earliest) else {
            throw .badValue(offset: spanAt, what: "the latest timestamp is beyond 64 bits")
        }
        cell.latest = cell.earliest &+ Int64(bitPattern: span)
        let countAt = reader.offset
        let count = try reader.varint()
        if count == 1 {
            cell.entries = 1
            cell.first = try CellArena.decodeEntry(&reader, flags: cell.flags)
            guard cell.first.count == cell.count else {
                throw .badValue(offset: countAt, what: "the counts of a cell don't add up")
            }
        } else if count == 0 {
            guard cell.count == 0 && cell.digest == 0 && cell.earliest == 0 && span == 0 else {
                throw .badValue(offset: countAt, what: "a cell without sources has contributions")
            }
        } else {
            guard count <= UInt64(CellArena.maximumEntries) else {
                throw .badValue(offset: countAt, what: "a cell of more than 16 sources")
            }
            try decodeEntries(Int(count), &reader, &cell, at: countAt)
        }
        guard reader.remaining == 0 else {
            throw .badValue(offset: reader.offset, what: "bytes after the end of a cell")
        }
        return cell
    }

    @inline(never)
    private func decodeEntries(
        _ count: Int, _ reader: inout ByteReader, _ cell: inout Cell, at countAt: Int
    ) throws(MalformedBytes) {
        let start = stack.value.used
        stack.value.reserve(count)
        var last: UInt64 = 0
        var sum: UInt64 = 0
        for index in 0..<count {
            let at = reader.offset
            let entry = try CellArena.decodeEntry(&reader, flags: cell.flags)
            let order = entry.order
            guard index == 0 || order > last else {
                throw .badValue(offset: at, what: "the sources of a cell are not in order")
            }
            last = order
            sum = sum &+ entry.count
            stack.value.slots[start &+ index] = entry
        }
        guard sum == cell.count else {
            throw .badValue(offset: countAt, what: "the counts of a cell don't add up")
        }
        stack.value.finish(start, start &+ count, &cell)
    }

    @inline(__always)
    private static func decodeEntry(_ reader: inout ByteReader, flags: UInt8) throws(MalformedBytes) -> CellEntry {
        let at = reader.offset
        let source: UInt32 = try reader.integer()
        let partition = try reader.zigZag()
        guard partition >= -1 && partition <= Int64(Int32.max) else {
            throw .badValue(offset: at, what: "a partition is out of range")
        }
        var entry = CellEntry(
            source: source, partition: Int32(truncatingIfNeeded: partition), first: 0, last: 0, count: 0)
        if partition >= 0 {
            let first = try reader.varint()
            let span = try reader.varint()
            guard first <= UInt64(Int64.max) && span <= UInt64(Int64.max) &- first else {
                throw .badValue(offset: at, what: "an offset is beyond 63 bits")
            }
            entry.first = Int64(bitPattern: first)
            entry.last = Int64(bitPattern: first &+ span)
        } else if flags & Cell.collapsed == 0 {
            throw .badValue(offset: at, what: "a collapsed source in a cell that isn't marked so")
        }
        entry.count = try reader.varint()
        return entry
    }
}

/// The number of bytes of a zig-zag LEB128 integer.
@inline(__always)
private func zigZagSize(_ value: Int64) -> Int { varintSize(UInt64(bitPattern: (value &<< 1) ^ (value &>> 63))) }

extension FieldCursor {
    @inline(__always)
    fileprivate mutating func put(_ entry: CellEntry) {
        put(bigEndian: entry.source)
        put(zigZag: Int64(entry.partition))
        if entry.partition >= 0 {
            put(varint: UInt64(bitPattern: entry.first))
            put(varint: UInt64(bitPattern: entry.last &- entry.first))
        }
        put(varint: entry.count)
    }
}
