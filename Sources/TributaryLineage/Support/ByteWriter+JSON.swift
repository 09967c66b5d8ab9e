package import TributaryCore

/// JSON text, piece by piece: strings with their escapes, numbers, hexadecimal ids.
extension ByteWriter {
    /// Appends text as a JSON string with quotes.
    package mutating func append(json text: String) {
        append(0x22)
        for byte in text.utf8 {
            switch byte {
            case 0x22, 0x5c:
                append(0x5c)
                append(byte)
            case 0x0a: append(ascii: "\\n")
            case 0x0d: append(ascii: "\\r")
            case 0x09: append(ascii: "\\t")
            case 0..<0x20:
                append(ascii: "\\u00")
                append(hex: UInt64(byte), digits: 2)
            default: append(byte)
            }
        }
        append(0x22)
    }

    /// Appends text that is known when compiling.
    @inline(__always)
    package mutating func append(ascii text: StaticString) {
        guard text.hasPointerRepresentation else { return }
        append(unsafe RawSpan(_unsafeStart: text.utf8Start, byteCount: text.utf8CodeUnitCount))
    }

    /// Appends an integer in decimal digits.
    package mutating func append(decimal value: Int64) {
        if value < 0 { append(0x2d) }
        append(decimal: value.magnitude)
    }

    /// Appends an integer in decimal digits.
    package mutating func append(decimal value: UInt64) {
        var divisor: UInt64 = 1
        while value / divisor >= 10 { divisor &*= 10 }
        while divisor > 0 {
            append(0x30 + UInt8(truncatingIfNeeded: value / divisor % 10))
            divisor /= 10
        }
    }

    /// Appends the last `digits` hexadecimal digits of a word, lower case.
    package mutating func append(hex value: UInt64, digits: Int) {
        var shift = UInt64(digits * 4)
        while shift > 0 {
            shift -= 4
            let digit = UInt8(truncatingIfNeeded: value >> shift) & 15
            append(digit < 10 ? 0x30 + digit : 0x61 - 10 + digit)
        }
    }

    /// The bytes as text; only for content that was written as text.
    package var text: String { String(decoding: copy(), as: UTF8.self) }
}
