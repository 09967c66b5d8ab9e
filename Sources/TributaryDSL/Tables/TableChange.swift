public import TributaryCore

/// A change of a row on its way through a repartition topic: the new value, the old one, or both.
///
/// Layout: Kafka Streams' `ChangedSerializer` (3.5 and later): the new value and 1, or the old one and 0, or the length of the new one as a zig-zag varint, both,
/// and 2. With 3, 4 and 5 a byte that says whether the change is the key's newest lies before the last one.
@usableFromInline
enum TableChange {
    /// Where the values lie in a change's bytes.
    @usableFromInline
    struct Places {
        @usableFromInline var new: Range<Int>?
        @usableFromInline var old: Range<Int>?
    }

    /// Appends a change to a writer.
    @usableFromInline
    static func write(_ new: RawSpan?, _ old: RawSpan?, into writer: inout ByteWriter) {
        guard let new else {
            if let old { writer.append(old) }
            return writer.append(0 as UInt8)
        }
        guard let old else {
            writer.append(new)
            return writer.append(1 as UInt8)
        }
        writer.append(zigZag: Int64(new.byteCount))
        writer.append(new)
        writer.append(old)
        writer.append(2 as UInt8)
    }

    /// Finds the values of a change.
    ///
    /// - Throws: `MalformedBytes` for bytes that are no change.
    @usableFromInline
    static func read(_ bytes: RawSpan) throws(MalformedBytes) -> Places {
        guard let flag = bytes.byte(at: bytes.byteCount - 1), flag <= 5 else {
            throw .badValue(offset: max(bytes.byteCount - 1, 0), what: "no change of a table")
        }
        let end = bytes.byteCount - (flag < 3 ? 1 : 2)
        guard end >= 0 else { throw .truncated(offset: 0) }
        switch flag % 3 {
        case 0: return Places(old: 0..<end)
        case 1: return Places(new: 0..<end)
        default:
            var reader = ByteReader(bytes)
            let count = try reader.zigZag()
            let start = reader.offset
            guard count >= 0, count <= Int64(end - start) else {
                throw .badLength(offset: 0, length: UInt64(bitPattern: count))
            }
            let middle = start + Int(count)
            return Places(new: start..<middle, old: middle..<end)
        }
    }
}
