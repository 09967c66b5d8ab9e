/// Views of bytes: comparing, copying, reading fixed-width integers. All reads are checked against the view's end.
extension RawSpan {
    /// A view of no bytes.
    @inlinable public static var empty: RawSpan {
        @_lifetime(immortal)
        get { RawSpan() }
    }

    /// The byte at `offset`, or nil beyond the end.
    @inlinable
    @inline(__always)
    public func byte(at offset: Int) -> UInt8? {
        guard offset >= 0 && offset < byteCount else { return nil }
        return unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
    }

    /// The big-endian integer at `offset`, or nil if the view ends before it does.
    @inlinable
    @inline(__always)
    public func integer<Value: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: Value.Type) -> Value? {
        guard offset >= 0 && offset <= byteCount - MemoryLayout<Value>.size else { return nil }
        return Value(bigEndian: unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: Value.self))
    }

    /// Up to 8 bytes from `offset` as a big-endian word, missing ones zero: orders as the bytes do.
    @inlinable
    @inline(__always)
    public func prefixWord(at offset: Int = 0) -> UInt64 {
        if let word = integer(at: offset, as: UInt64.self) { return word }
        var word: UInt64 = 0
        var shift: UInt64 = 56
        var index = offset
        while index < byteCount {
            word |= UInt64(byte(at: index) ?? 0) << shift
            shift &-= 8
            index &+= 1
        }
        return word
    }

    /// The first `count` bytes, or all if there are fewer.
    @inlinable
    @inline(__always)
    @_lifetime(copy self)
    public func prefix(_ count: Int) -> RawSpan { extracting(first: min(max(count, 0), byteCount)) }

    /// All bytes but the first `count`; empty if there are fewer.
    @inlinable
    @inline(__always)
    @_lifetime(copy self)
    public func dropping(_ count: Int) -> RawSpan { extracting(droppingFirst: min(max(count, 0), byteCount)) }

    /// Whether both views hold the same bytes.
    @inlinable
    @inline(__always)
    public func isEqual(to other: RawSpan) -> Bool {
        guard byteCount == other.byteCount else { return false }
        return compare(to: other) == 0
    }

    /// Unsigned lexicographic order: below 0 if these bytes come first, 0 if they are equal, above 0 otherwise.
    @inlinable
    public func compare(to other: RawSpan) -> Int {
        let common = min(byteCount, other.byteCount)
        var offset = 0
        while offset &+ 8 <= common {
            let mine = UInt64(bigEndian: unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
            let its = UInt64(
                bigEndian: unsafe other.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
            if mine != its { return mine < its ? -1 : 1 }
            offset &+= 8
        }
        while offset < common {
            let mine = unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
            let its = unsafe other.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
            if mine != its { return mine < its ? -1 : 1 }
            offset &+= 1
        }
        return byteCount &- other.byteCount
    }

    /// Whether all bytes are below 128: most text is, and that it is UTF-8 is then known much sooner.
    @inlinable
    public var isASCII: Bool {
        var high: UInt64 = 0
        var offset = 0
        while offset &+ 32 <= byteCount {
            let one = unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: SIMD4<UInt64>.self)
            high |= one.x | one.y | one.z | one.w
            offset &+= 32
        }
        while offset &+ 8 <= byteCount {
            high |= unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
            offset &+= 8
        }
        if offset < byteCount {
            high |= byteCount < 8 ? prefixWord(at: 0) : prefixWord(at: byteCount &- 8)
        }
        return high & 0x8080_8080_8080_8080 == 0
    }

    /// Whether these bytes begin with `prefix`.
    @inlinable
    public func hasPrefix(_ prefix: RawSpan) -> Bool {
        byteCount >= prefix.byteCount && self.prefix(prefix.byteCount).isEqual(to: prefix)
    }

    /// The bytes as lower-case hexadecimal text, for messages and files.
    public var hexadecimal: String {
        let digits: [UInt8] = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(byteCount * 2)
        for offset in byteOffsets {
            let byte = byte(at: offset) ?? 0
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}

extension Array where Element == UInt8 {
    /// A copy of the bytes of a view.
    @inlinable
    public init(copying span: RawSpan) {
        self = unsafe span.withUnsafeBytes { unsafe [UInt8]($0) }
    }

    /// The bytes that hexadecimal text stands for, or nil if it is not hexadecimal or of odd length.
    public init?(hexadecimal text: String) {
        var bytes: [UInt8] = []
        var high: UInt8?
        for character in text.utf8 {
            guard let digit = hexadecimalDigit(character) else { return nil }
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        guard high == nil else { return nil }
        self = bytes
    }
}

/// The value of a hexadecimal digit of either case, or nil.
@inlinable
public func hexadecimalDigit(_ character: UInt8) -> UInt8? {
    switch character {
    case 0x30...0x39: character - 0x30
    case 0x61...0x66: character - 0x61 + 10
    case 0x41...0x46: character - 0x41 + 10
    default: nil
    }
}

extension String {
    /// Decodes UTF-8, or returns nil if the bytes are not UTF-8.
    ///
    /// Nothing is repaired.
    @inlinable
    public init?(strictUTF8 span: RawSpan) {
        if span.isASCII {
            self = unsafe String(copying: UTF8Span(unchecked: Span(_bytes: span), isKnownASCII: true))
            return
        }
        guard let text = try? UTF8Span(validating: Span(_bytes: span)) else { return nil }
        self = String(copying: text)
    }
}
