/// What was wrong with bytes that came from outside.
public enum MalformedBytes: Error, Equatable, Sendable {
    /// The bytes ended inside a field; `offset` is where the field began.
    case truncated(offset: Int)
    /// A varint is longer than 10 bytes or above 64 bits.
    case badVarint(offset: Int)
    /// A length or count is larger than what is left.
    case badLength(offset: Int, length: UInt64)
    /// A field has a value that its format does not know.
    case badValue(offset: Int, what: StaticString)
}

extension MalformedBytes {
    /// Compares by case and coordinates; the text of ``badValue(offset:what:)`` counts too.
    public static func == (left: MalformedBytes, right: MalformedBytes) -> Bool {
        "\(left)" == "\(right)"
    }
}

/// Reads fields from a view front to back; every length is checked before use.
public struct ByteReader: ~Escapable {
    @usableFromInline let bytes: RawSpan
    @usableFromInline var position: Int

    /// Where the next field begins.
    @inlinable public var offset: Int { position }

    /// Begins at the first byte of `bytes`.
    @inlinable
    @_lifetime(copy bytes)
    public init(_ bytes: RawSpan) {
        self.bytes = bytes
        position = 0
    }

    /// How many bytes are left.
    @inlinable public var remaining: Int { bytes.byteCount - offset }

    /// The next byte.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func byte() throws(MalformedBytes) -> UInt8 {
        guard let byte = bytes.byte(at: offset) else { throw .truncated(offset: offset) }
        advance(1)
        return byte
    }

    @usableFromInline
    @inline(__always)
    @_lifetime(self: copy self)
    mutating func advance(_ count: Int) { position &+= count }

    /// The next fixed-width integer, big-endian.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>(
        _ type: Value.Type = Value.self
    ) throws(MalformedBytes) -> Value {
        guard let value = bytes.integer(at: offset, as: type) else { throw .truncated(offset: offset) }
        advance(MemoryLayout<Value>.size)
        return value
    }

    /// The next unsigned LEB128 integer.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func varint() throws(MalformedBytes) -> UInt64 {
        guard let first = bytes.byte(at: offset) else { throw .truncated(offset: offset) }
        if first < 0x80 {
            advance(1)
            return UInt64(first)
        }
        return try longVarint()
    }

    @usableFromInline
    @inline(never)
    @_lifetime(self: copy self)
    mutating func longVarint() throws(MalformedBytes) -> UInt64 {
        let start = offset
        if let word = bytes.integer(at: start, as: UInt64.self)?.byteSwapped {
            // All of up to 8 bytes at once: the first byte without the top bit is the last one.
            let ends = ~word & 0x8080_8080_8080_8080
            if ends != 0 {
                let bits = UInt64(ends.trailingZeroBitCount &+ 1)
                var value = word & (UInt64.max &>> (64 &- bits)) & 0x7f7f_7f7f_7f7f_7f7f
                value = (value & 0x7f00_7f00_7f00_7f00) &>> 1 | (value & 0x007f_007f_007f_007f)
                value = (value & 0x3fff_0000_3fff_0000) &>> 2 | (value & 0x0000_3fff_0000_3fff)
                value = (value & 0x0fff_ffff_0000_0000) &>> 4 | (value & 0x0000_0000_0fff_ffff)
                advance(Int(bits &>> 3))
                return value
            }
        }
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            guard let next = bytes.byte(at: offset) else { throw .truncated(offset: start) }
            advance(1)
            if shift == 63 && next > 1 { throw .badVarint(offset: start) }
            value |= UInt64(next & 0x7f) << shift
            if next < 0x80 { return value }
            shift += 7
            if shift > 63 { throw .badVarint(offset: start) }
        }
    }

    /// The next signed zig-zag LEB128 integer.
    @inlinable
    @_lifetime(self: copy self)
    public mutating func zigZag() throws(MalformedBytes) -> Int64 {
        let raw = try varint()
        return Int64(bitPattern: (raw &>> 1)) ^ -Int64(bitPattern: raw & 1)
    }

    /// The next `count` bytes.
    @inlinable
    @_lifetime(self: copy self)
    @_lifetime(copy self)
    public mutating func span(_ count: Int) throws(MalformedBytes) -> RawSpan {
        guard count >= 0 && count <= remaining else { throw .badLength(offset: offset, length: UInt64(max(count, 0))) }
        let start = offset
        advance(count)
        return bytes.extracting(start..<(start &+ count))
    }

    /// A varint length and that many bytes.
    @inlinable
    @_lifetime(self: copy self)
    @_lifetime(copy self)
    public mutating func lengthPrefixed() throws(MalformedBytes) -> RawSpan {
        let start = offset
        let length = try varint()
        guard length <= UInt64(remaining) else { throw .badLength(offset: start, length: length) }
        return try span(Int(length))
    }

    /// All bytes that are left.
    @inlinable
    @_lifetime(self: copy self)
    @_lifetime(copy self)
    public mutating func rest() -> RawSpan {
        let start = offset
        advance(remaining)
        return bytes.dropping(start)
    }
}
