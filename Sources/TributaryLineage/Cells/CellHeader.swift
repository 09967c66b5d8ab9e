public import TributaryCore

/// Why the value of a `tributary-cell` header can't be used.
public enum CellHeaderError: Error, Sendable, Equatable {
    /// The header has a value of no bytes.
    case empty
    /// A version that this library doesn't know.
    case unknownVersion(UInt8)
    /// The bytes after the version are not a cell.
    case malformed(MalformedBytes)
}

/// The value of the header `tributary-cell`: a version byte and the bytes of a cell, or the version byte alone.
///
/// The header marks a changelog record as ours; with cells off only that mark is written.
public enum CellHeader {
    /// The version that is written.
    public static let version: UInt8 = 1

    /// Writes version and cell.
    public static func append(_ cell: Cell, of arena: CellArena, to writer: inout ByteWriter) {
        writer.append(version)
        arena.encode(cell, into: &writer)
    }

    /// Writes the version alone: lineage is kept, cells are off.
    public static func appendMark(to writer: inout ByteWriter) { writer.append(version) }

    /// The bytes of the cell in a header's value; empty if cells were off.
    ///
    /// - Throws: ``CellHeaderError`` for an empty value and for an unknown version. The cell itself is not looked at.
    @_lifetime(copy value)
    public static func cellBytes(_ value: RawSpan) throws(CellHeaderError) -> RawSpan {
        guard let first = value.byte(at: 0) else { throw .empty }
        guard first == version else { throw .unknownVersion(first) }
        return value.dropping(1)
    }

    /// Reads a header's value; nil if cells were off.
    public static func decode(_ value: RawSpan, into arena: CellArena) throws(CellHeaderError) -> Cell? {
        let bytes = try cellBytes(value)
        if bytes.isEmpty { return nil }
        do throws(MalformedBytes) {
            return try arena.decode(bytes)
        } catch {
            throw .malformed(error)
        }
    }
}
