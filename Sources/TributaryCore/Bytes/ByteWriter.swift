/// A growable buffer of bytes that is written front to back and reused.
///
/// The hot path encodes every key, value, envelope and batch into one of these: ``removeAll()`` keeps the memory, so that a
/// writer that has seen its largest record never allocates again. Integers are written big-endian unless said otherwise.
///
/// - Complexity: appending is amortised O(1) per byte.
@safe public struct ByteWriter: ~Copyable {
    // Raw memory owned by this value alone; every access below stays inside 0..<capacity.
    @usableFromInline var base: UnsafeMutableRawPointer
    @usableFromInline var capacity: Int
    @usableFromInline var length: Int

    /// Makes an empty writer with room for `capacity` bytes.
    @inlinable
    public init(capacity: Int = 256) {
        let size = max(capacity, 16)
        unsafe base = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
        self.capacity = size
        length = 0
    }

    @inlinable
    deinit { unsafe base.deallocate() }

    /// The number of bytes written.
    @inlinable public var count: Int { length }

    /// The bytes written so far; the view ends at the next write.
    @inlinable public var bytes: RawSpan {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(RawSpan(_unsafeStart: base, byteCount: length), borrowing: self) }
    }

    /// The bytes from `start` up to the end; empty if `start` is beyond it.
    @inlinable
    @_lifetime(borrow self)
    public func bytes(from start: Int) -> RawSpan {
        let from = min(max(start, 0), length)
        let span = unsafe RawSpan(_unsafeStart: base + from, byteCount: length - from)
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    /// The bytes in `range`, clamped to what was written.
    @inlinable
    @_lifetime(borrow self)
    public func bytes(in range: Range<Int>) -> RawSpan {
        let from = min(max(range.lowerBound, 0), length)
        let to = min(max(range.upperBound, from), length)
        let span = unsafe RawSpan(_unsafeStart: base + from, byteCount: to - from)
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    /// Forgets what was written and keeps the memory.
    @inlinable public mutating func removeAll() { length = 0 }

    /// Cuts the content to its first `count` bytes; does nothing if it is not longer.
    @inlinable public mutating func truncate(to count: Int) { length = min(length, max(count, 0)) }

    /// Gives the memory back if the buffer has grown beyond `limit` bytes, and forgets the content.
    public mutating func shrink(over limit: Int) {
        length = 0
        guard capacity > limit else { return }
        unsafe base.deallocate()
        capacity = max(limit, 16)
        unsafe base = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
    }

    @inlinable
    @inline(__always)
    mutating func reserve(_ more: Int) {
        if capacity - length < more { grow(more) }
    }

    @usableFromInline
    @inline(never)
    mutating func grow(_ more: Int) {
        let size = max(capacity &* 2, length + more)
        let next = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
        unsafe next.copyMemory(from: base, byteCount: length)
        unsafe base.deallocate()
        unsafe base = next
        capacity = size
    }

    /// Appends one byte.
    @inlinable
    @inline(__always)
    public mutating func append(_ byte: UInt8) {
        reserve(1)
        unsafe base.storeBytes(of: byte, toByteOffset: length, as: UInt8.self)
        length &+= 1
    }

    /// Appends a copy of `bytes`.
    @inlinable
    @inline(__always)
    public mutating func append(_ bytes: RawSpan) {
        let size = bytes.byteCount
        reserve(size)
        let target = unsafe base + length
        unsafe bytes.withUnsafeBytes { source in
            if let from = source.baseAddress { unsafe target.copyMemory(from: from, byteCount: size) }
        }
        length &+= size
    }

    /// Appends a copy of `bytes`.
    @inlinable
    public mutating func append(_ bytes: [UInt8]) { unsafe append(bytes.span.bytes) }

    /// Appends the UTF-8 form of `text`, without a length.
    @inlinable
    public mutating func append(utf8 text: String) {
        let done: Void? = unsafe text.utf8.withContiguousStorageIfAvailable { source in
            let size = source.count
            reserve(size)
            if let from = source.baseAddress {
                unsafe (base + length).copyMemory(from: from, byteCount: size)
            }
            length &+= size
        }
        if done == nil { for byte in text.utf8 { append(byte) } }
    }

    /// Appends a fixed-width integer, big-endian.
    @inlinable
    @inline(__always)
    public mutating func append<Value: FixedWidthInteger & BitwiseCopyable>(bigEndian value: Value) {
        let size = MemoryLayout<Value>.size
        reserve(size)
        unsafe base.storeBytes(of: value.bigEndian, toByteOffset: length, as: Value.self)
        length &+= size
    }

    /// Appends an unsigned LEB128 integer: 1 byte below 128, at most 10.
    @inlinable
    @inline(__always)
    public mutating func append(varint value: UInt64) {
        if value < 0x80 { append(UInt8(truncatingIfNeeded: value)) } else { appendLong(varint: value) }
    }

    @usableFromInline
    mutating func appendLong(varint value: UInt64) {
        reserve(10)
        unsafe base.storeBytes(of: spreadVarint(value).littleEndian, toByteOffset: length, as: UInt64.self)
        if value < 1 << 56 {
            length &+= varintSize(value)
            return
        }
        // The ninth byte holds bits 56 to 62, the tenth bit 63.
        let high = UInt8(truncatingIfNeeded: value >> 56)
        unsafe base.storeBytes(
            of: (0x8080_8080_8080_8080 | spreadVarint(value)).littleEndian, toByteOffset: length, as: UInt64.self)
        length &+= 8
        append(high)
        if high & 0x80 != 0 { append(1) }
    }

    /// Appends a signed integer as zig-zag LEB128.
    @inlinable
    @inline(__always)
    public mutating func append(zigZag value: Int64) {
        append(varint: UInt64(bitPattern: (value &<< 1) ^ (value &>> 63)))
    }

    /// Appends `count` zero bytes and returns where they begin, to be filled by ``overwrite(at:bigEndian:)``.
    @inlinable
    public mutating func appendZeros(_ count: Int) -> Int {
        reserve(count)
        let start = length
        unsafe (base + length).initializeMemory(as: UInt8.self, repeating: 0, count: count)
        length &+= count
        return start
    }

    /// Appends what `body` writes to the address it is given: at most `count` bytes, as many as it returns.
    ///
    /// For formats of many small fields, which then need one check of the room for all.
    @inlinable
    @inline(__always)
    @unsafe public mutating func append(upTo count: Int, _ body: (UnsafeMutableRawPointer) -> Int) {
        reserve(count)
        let written = unsafe body(base + length)
        precondition(written >= 0 && written <= count, "more bytes written than there was room for")
        length &+= written
    }

    /// Replaces the bytes at `offset` by `value`, big-endian.
    ///
    /// - Precondition: the bytes have been written.
    @inlinable
    @inline(__always)
    public mutating func overwrite<Value: FixedWidthInteger & BitwiseCopyable>(at offset: Int, bigEndian value: Value) {
        precondition(
            offset >= 0 && offset + MemoryLayout<Value>.size <= length, "overwrite outside of what was written")
        unsafe base.storeBytes(of: value.bigEndian, toByteOffset: offset, as: Value.self)
    }

    /// Replaces the byte at `offset`.
    ///
    /// - Precondition: the byte has been written.
    @inlinable
    @inline(__always)
    public mutating func overwrite(at offset: Int, byte: UInt8) {
        precondition(offset >= 0 && offset < length, "overwrite outside of what was written")
        unsafe base.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
    }

    /// A copy of the bytes written.
    public func copy() -> [UInt8] { [UInt8](copying: bytes) }
}

/// The number of bytes of an unsigned LEB128 integer, 1 to 10.
@inlinable
@inline(__always)
public func varintSize(_ value: UInt64) -> Int { max((70 &- value.leadingZeroBitCount) / 7, 1) }

/// The low 56 bits of `value` as 8 groups of 7, lowest first, with the continuation bits that a varint of its length has.
@inlinable
@inline(__always)
public func spreadVarint(_ value: UInt64) -> UInt64 {
    var word = value & 0x00ff_ffff_ffff_ffff
    word = (word & 0x00ff_ffff_f000_0000) &<< 4 | (word & 0x0000_0000_0fff_ffff)
    word = (word & 0x0fff_c000_0fff_c000) &<< 2 | (word & 0x0000_3fff_0000_3fff)
    word = (word & 0x3f80_3f80_3f80_3f80) &<< 1 | (word & 0x007f_007f_007f_007f)
    let following = min(varintSize(value) &- 1, 8)
    return word | (0x8080_8080_8080_8080 & ~(following == 8 ? 0 : UInt64.max &<< UInt64(following &* 8)))
}
