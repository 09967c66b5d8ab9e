internal import TributaryCore

/// Writes fields one after the other into room that was made for all of them.
///
/// Unchecked: `append(upTo:)` has made room for the largest form of every field, which also covers the 8 bytes that a
/// shorter varint stores, since a varint's largest form is 10 bytes.
@safe struct FieldCursor {
    var next: UnsafeMutableRawPointer

    @inline(__always)
    init(_ start: UnsafeMutableRawPointer) { unsafe next = start }

    @inline(__always)
    mutating func put(_ byte: UInt8) {
        unsafe next.storeBytes(of: byte, as: UInt8.self)
        unsafe next += 1
    }

    @inline(__always)
    mutating func put<Value: FixedWidthInteger & BitwiseCopyable>(bigEndian value: Value) {
        unsafe next.storeBytes(of: value.bigEndian, as: Value.self)
        unsafe next += MemoryLayout<Value>.size
    }

    @inline(__always)
    mutating func put(varint value: UInt64) {
        if value < 0x80 {
            put(UInt8(truncatingIfNeeded: value))
        } else if value < 1 << 56 {
            unsafe next.storeBytes(of: spreadVarint(value).littleEndian, as: UInt64.self)
            unsafe next += varintSize(value)
        } else {
            putLong(value)
        }
    }

    @inline(never)
    private mutating func putLong(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            put(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        put(UInt8(truncatingIfNeeded: rest))
    }

    @inline(__always)
    mutating func put(zigZag value: Int64) { put(varint: UInt64(bitPattern: (value &<< 1) ^ (value &>> 63))) }
}
