internal import TributaryCore
internal import TributaryLineage

/// Protocol Buffers, piece by piece (protobuf.dev, "Encoding"): a field is its number and wire type, then its value.
///
/// Messages whose size isn't known before they are written get a length of 4 bytes, filled in afterwards: longer than it must
/// be, which the format allows.
extension ByteWriter {
    @inline(__always)
    mutating func append(field: UInt64, wireType: UInt64) { append(varint: field << 3 | wireType) }

    /// Appends an integer, truth value or enum; left out if it is 0, which is what a missing one means.
    mutating func append(field: UInt64, varint value: UInt64) {
        guard value != 0 else { return }
        append(field: field, wireType: 0)
        append(varint: value)
    }

    /// Appends 64 bits, little-endian, also if they are 0.
    mutating func append(field: UInt64, fixed64 value: UInt64) {
        append(field: field, wireType: 1)
        append(bigEndian: value.byteSwapped)
    }

    /// Appends a floating-point number, also if it is 0.
    mutating func append(field: UInt64, double value: Double) { append(field: field, fixed64: value.bitPattern) }

    /// Appends 32 bits, little-endian.
    mutating func append(field: UInt64, fixed32 value: UInt32) {
        append(field: field, wireType: 5)
        append(bigEndian: value.byteSwapped)
    }

    /// Appends text, also if it is empty.
    mutating func append(field: UInt64, string text: String) {
        append(field: field, wireType: 2)
        append(varint: UInt64(text.utf8.count))
        append(utf8: text)
    }

    /// Appends the 16 bytes of a trace id.
    mutating func append(field: UInt64, traceOf context: TraceContext) {
        append(field: field, wireType: 2)
        append(16)
        append(bigEndian: context.traceHigh)
        append(bigEndian: context.traceLow)
    }

    /// Appends the 8 bytes of a span id.
    mutating func append(field: UInt64, span id: UInt64) {
        append(field: field, wireType: 2)
        append(8)
        append(bigEndian: id)
    }

    /// Begins a message; ``endMessage(_:)`` must follow with what this returns.
    mutating func beginMessage(_ field: UInt64) -> Int {
        append(field: field, wireType: 2)
        return appendZeros(4)
    }

    /// Fills in the length of a message, at most 256 MiB.
    mutating func endMessage(_ start: Int) {
        let length = UInt64(count - start - 4)
        overwrite(at: start, byte: UInt8(truncatingIfNeeded: length) | 0x80)
        overwrite(at: start + 1, byte: UInt8(truncatingIfNeeded: length >> 7) | 0x80)
        overwrite(at: start + 2, byte: UInt8(truncatingIfNeeded: length >> 14) | 0x80)
        overwrite(at: start + 3, byte: UInt8(truncatingIfNeeded: length >> 21) & 0x7f)
    }

    /// Appends an OTLP `KeyValue`, with lengths known beforehand.
    mutating func append(field: UInt64, _ key: String, _ value: AttributeValue) {
        let content: Int
        switch value {
        case .string(let text):
            let size = text.utf8.count
            content = 1 + varintSize(UInt64(size)) + size
        case .int(let number): content = 1 + varintSize(UInt64(bitPattern: number))
        case .bool: content = 2
        case .double: content = 9
        }
        let keySize = key.utf8.count
        append(field: field, wireType: 2)
        append(
            varint: UInt64(1 + varintSize(UInt64(keySize)) + keySize + 1 + varintSize(UInt64(content)) + content))
        append(field: 1, string: key)
        append(field: 2, wireType: 2)
        append(varint: UInt64(content))
        // A member of a oneof is written whatever its value.
        switch value {
        case .string(let text): append(field: 1, string: text)
        case .bool(let flag):
            append(field: 2, wireType: 0)
            append(flag ? 1 : 0)
        case .int(let number):
            append(field: 3, wireType: 0)
            append(varint: UInt64(bitPattern: number))
        case .double(let number): append(field: 4, double: number)
        }
    }

    /// Appends attributes by name, so that equal ones have equal bytes.
    mutating func append(field: UInt64, sorted attributes: [String: AttributeValue]) {
        for (name, value) in attributes.sorted(by: { $0.key < $1.key }) { append(field: field, name, value) }
    }
}
