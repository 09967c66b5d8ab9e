public import TributaryCore

/// The lineage of each record of a value that holds several: section 2 of the stored value, header `tributary-elements`.
///
/// Layout: varint count; each: 25 bytes of context (all zero for none), varint length, cell (empty for none).
public enum Elements {
    /// Writes how many elements follow.
    public static func append(count: Int, to writer: inout ByteWriter) { writer.append(varint: UInt64(max(count, 0))) }

    /// Writes one element with the bytes of its cell.
    public static func append(context: TraceContext, cell: RawSpan, to writer: inout ByteWriter) {
        context.store(into: &writer)
        writer.append(varint: UInt64(cell.byteCount))
        writer.append(cell)
    }

    /// Writes one element; an empty cell takes no bytes.
    public static func append(_ lineage: Lineage, of arena: CellArena, to writer: inout ByteWriter) {
        lineage.context.store(into: &writer)
        if lineage.cell.isEmpty {
            writer.append(varint: 0)
        } else {
            writer.append(varint: UInt64(arena.encodedSize(lineage.cell)))
            arena.encode(lineage.cell, into: &writer)
        }
    }
}

/// Reads elements front to back.
public struct ElementsReader: ~Escapable {
    private var reader: ByteReader
    /// How many elements are left.
    public private(set) var remaining: Int

    /// Begins before the first element; no bytes mean no elements.
    ///
    /// - Throws: `MalformedBytes` if there can't be as many as the count says.
    @_lifetime(copy bytes)
    public init(_ bytes: RawSpan) throws(MalformedBytes) {
        var reader = ByteReader(bytes)
        let count = bytes.isEmpty ? 0 : try reader.varint()
        // An element has at least 26 bytes.
        guard count <= UInt64(reader.remaining / (TraceContext.storedSize + 1)) else {
            throw .badLength(offset: 0, length: count)
        }
        self.reader = reader
        remaining = Int(count)
    }

    /// The next element's lineage; nil after the last.
    ///
    /// - Throws: `MalformedBytes` for a malformed element, and for bytes behind the last.
    @_lifetime(self: copy self)
    public mutating func next(into arena: CellArena) throws(MalformedBytes) -> Lineage? {
        guard remaining > 0 else {
            guard reader.remaining == 0 else {
                throw .badValue(offset: reader.offset, what: "bytes after the last element")
            }
            return nil
        }
        remaining -= 1
        let at = reader.offset
        guard let context = TraceContext(stored: try reader.span(TraceContext.storedSize)) else {
            throw .truncated(offset: at)
        }
        let bytes = try reader.lengthPrefixed()
        return Lineage(context: context, cell: bytes.isEmpty ? .empty : try arena.decode(bytes))
    }
}
