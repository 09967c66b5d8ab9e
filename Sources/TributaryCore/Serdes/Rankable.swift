/// A type whose values can be ranked where they are stored: in an order of bytes that is that of the values.
///
/// Numbers and texts are. A type of one's own is made of them: `appendRank` of its parts, one behind the other.
public protocol Rankable: SendableMetatype {
    /// Appends bytes that are less than those of another value, byte by byte, where this one is less.
    ///
    /// No value's bytes may begin with all of another's.
    func appendRank(to writer: inout ByteWriter)
}

extension FixedWidthInteger where Self: BitwiseCopyable {
    @inlinable
    func appendOrdered(to writer: inout ByteWriter) {
        // The sign's bit the other way round: those below 0 come first.
        writer.append(bigEndian: Self.isSigned ? self ^ Self.min : self)
    }
}

extension Int: Rankable {
    /// By value.
    @inlinable public func appendRank(to writer: inout ByteWriter) { Int64(self).appendOrdered(to: &writer) }
}

extension Int64: Rankable {
    /// By value.
    @inlinable public func appendRank(to writer: inout ByteWriter) { appendOrdered(to: &writer) }
}

extension Int32: Rankable {
    /// By value.
    @inlinable public func appendRank(to writer: inout ByteWriter) { appendOrdered(to: &writer) }
}

extension Int16: Rankable {
    /// By value.
    @inlinable public func appendRank(to writer: inout ByteWriter) { appendOrdered(to: &writer) }
}

extension UInt64: Rankable {
    /// By value.
    @inlinable public func appendRank(to writer: inout ByteWriter) { appendOrdered(to: &writer) }
}

extension Double: Rankable {
    /// In the total order of IEEE 754: -0 below 0, and what is no number beyond infinity.
    @inlinable
    public func appendRank(to writer: inout ByteWriter) {
        let bits = bitPattern
        writer.append(bigEndian: bits >> 63 == 1 ? ~bits : bits | 1 << 63)
    }
}

extension Float: Rankable {
    /// In the total order of IEEE 754: -0 below 0, and what is no number beyond infinity.
    @inlinable
    public func appendRank(to writer: inout ByteWriter) {
        let bits = bitPattern
        writer.append(bigEndian: bits >> 31 == 1 ? ~bits : bits | 1 << 31)
    }
}

extension String: Rankable {
    /// By the bytes of UTF-8.
    public func appendRank(to writer: inout ByteWriter) {
        for byte in utf8 {
            writer.append(byte)
            if byte == 0 { writer.append(0xff as UInt8) }
        }
        writer.append(0 as UInt8)
        writer.append(0 as UInt8)
    }
}
