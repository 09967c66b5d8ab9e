extension ByteWriter {
    /// Replaces the bytes from `offset` on by a copy of `bytes`, without changing the length.
    ///
    /// - Precondition: that many bytes have been written there.
    @inlinable
    public mutating func overwrite(at offset: Int, bytes: RawSpan) {
        let size = bytes.byteCount
        precondition(
            offset >= 0 && offset <= length && size <= length - offset, "overwrite outside of what was written")
        let target = unsafe base + offset
        unsafe bytes.withUnsafeBytes { source in
            if let from = source.baseAddress { unsafe target.copyMemory(from: from, byteCount: size) }
        }
    }

    /// Makes room for `count` further bytes, so that appending them does not move the content.
    @inlinable
    public mutating func reserveCapacity(forAdding count: Int) {
        precondition(count >= 0, "a negative number of bytes")
        reserve(count)
    }

    /// Lets a closure write up to `count` bytes at the end, which returns how many it wrote.
    @unsafe
    public mutating func append<Failure: Error>(
        upTo count: Int, _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) {
        precondition(count >= 0, "a negative number of bytes")
        reserve(count)
        let written = try unsafe body(UnsafeMutableRawBufferPointer(start: base + length, count: count))
        length += min(max(written, 0), count)
    }

    /// The number of bytes the memory holds before it must grow.
    @inlinable public var allocatedCount: Int { capacity }
}

extension FlatArray {
    /// Moves `count` elements from index `source` to index `target`; the ranges may overlap.
    ///
    /// - Precondition: both ranges lie inside the array.
    @inlinable
    public mutating func move(from source: Int, to target: Int, count moved: Int) {
        precondition(
            source >= 0 && target >= 0 && moved >= 0 && source <= count - moved && target <= count - moved,
            "a range outside of the array")
        unsafe (base + target).update(from: base + source, count: moved)
    }

    /// Replaces the elements from index `target` on by `count` elements of another array.
    ///
    /// - Precondition: both ranges lie inside their arrays.
    @inlinable
    public mutating func copy(
        from other: borrowing FlatArray<Element>, at source: Int, to target: Int, count copied: Int
    ) {
        precondition(
            source >= 0 && target >= 0 && copied >= 0 && source <= other.count - copied && target <= count - copied,
            "a range outside of the array")
        unsafe (base + target).update(from: other.base + source, count: copied)
    }
}
