/// A growable table of plain values behind one pointer.
///
/// A class keeps it in a `let`, so that writing an element costs no exclusivity check; the table frees its memory when the
/// class goes. Safe because each access is checked against `count`, and because the pointers never leave this file.
@safe struct Table<Element: BitwiseCopyable>: ~Copyable {
    @unsafe private struct Header {
        var base: UnsafeMutablePointer<Element>
        var count: Int
        var capacity: Int
    }

    // Owned by this value alone; a header apart, so that methods needn't be mutating.
    private let header: UnsafeMutablePointer<Header>

    init(capacity: Int) {
        let size = max(capacity, 8)
        unsafe header = UnsafeMutablePointer<Header>.allocate(capacity: 1)
        let base = UnsafeMutablePointer<Element>.allocate(capacity: size)
        unsafe header.initialize(to: unsafe Header(base: base, count: 0, capacity: size))
    }

    deinit {
        unsafe header.pointee.base.deallocate()
        unsafe header.deallocate()
    }

    var count: Int {
        @inline(__always) get { unsafe header.pointee.count }
    }

    subscript(index: Int) -> Element {
        @inline(__always) get {
            precondition(UInt(bitPattern: index) < UInt(bitPattern: unsafe header.pointee.count))
            return unsafe header.pointee.base[index]
        }
        @inline(__always) nonmutating _modify {
            precondition(UInt(bitPattern: index) < UInt(bitPattern: unsafe header.pointee.count))
            yield unsafe &header.pointee.base[index]
        }
    }

    @inline(__always)
    func append(_ element: Element) {
        reserve(1)
        let count = unsafe header.pointee.count
        unsafe header.pointee.base[count] = element
        unsafe header.pointee.count = count &+ 1
    }

    /// Forgets the elements and keeps the memory.
    @inline(__always)
    func removeAll() { unsafe header.pointee.count = 0 }

    /// Forgets the elements from `count` on.
    @inline(__always)
    func truncate(to count: Int) {
        if count >= 0, count < self.count { unsafe header.pointee.count = count }
    }

    /// Gives memory back if there is room for more than `limit` elements, and forgets the content.
    func shrink(over limit: Int) {
        removeAll()
        guard unsafe header.pointee.capacity > limit else { return }
        unsafe header.pointee.base.deallocate()
        unsafe header.pointee.base = UnsafeMutablePointer<Element>.allocate(capacity: limit)
        unsafe header.pointee.capacity = limit
    }

    @inline(__always)
    func reserve(_ more: Int) {
        if unsafe header.pointee.capacity &- header.pointee.count < more { grow(more) }
    }

    @inline(never)
    private func grow(_ more: Int) {
        let count = self.count
        let size = unsafe max(header.pointee.capacity * 2, count + more)
        let next = UnsafeMutablePointer<Element>.allocate(capacity: size)
        unsafe next.update(from: header.pointee.base, count: count)
        unsafe header.pointee.base.deallocate()
        unsafe header.pointee.base = next
        unsafe header.pointee.capacity = size
    }

    /// Calls `body` with the elements as they are; they may be reordered in place.
    func withElements<Result>(_ body: (inout MutableSpan<Element>) -> Result) -> Result {
        var span = unsafe MutableSpan(_unsafeStart: header.pointee.base, count: header.pointee.count)
        return body(&span)
    }
}

extension Table where Element == UInt8 {
    /// The bytes written so far; the view ends at the next write.
    var input: RawInput {
        @inline(__always) get {
            unsafe RawInput(UnsafeRawBufferPointer(start: header.pointee.base, count: header.pointee.count))
        }
    }

    /// Calls `body` with the bytes written so far.
    func withBytes<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
        try body(unsafe RawSpan(_unsafeStart: header.pointee.base, byteCount: header.pointee.count))
    }

    /// Appends a copy of `bytes`, which must not lie in this table.
    @inline(__always)
    func append(_ bytes: RawInput) {
        let size = bytes.count
        reserve(size)
        let count = unsafe header.pointee.count
        unsafe bytes.copy(to: UnsafeMutableRawPointer(header.pointee.base + count))
        unsafe header.pointee.count = count &+ size
    }

    /// Appends the bytes of a literal.
    @inline(__always)
    func append(literal: StaticString) {
        let size = literal.utf8CodeUnitCount
        reserve(size)
        let count = unsafe header.pointee.count
        unsafe (header.pointee.base + count).update(from: literal.utf8Start, count: size)
        unsafe header.pointee.count = count &+ size
    }

    /// Appends the `size` bytes from `start` on of another table, cut at its end.
    ///
    /// Blocks of 16 bytes: what is copied beyond the end lies in both tables' memory, and is written over by the next.
    @inline(__always)
    func append(_ other: borrowing Table, _ start: Int, _ size: Int) {
        let (from, length) = unsafe (other.header.pointee.base, other.header.pointee.count)
        guard start >= 0, size >= 0, size <= length &- start else { return }
        reserve(size &+ 16)
        let count = unsafe header.pointee.count
        let source = unsafe UnsafeRawPointer(from + start)
        let target = unsafe UnsafeMutableRawPointer(header.pointee.base + count)
        if unsafe size > 128 || start &+ size &+ 16 > other.header.pointee.capacity {
            unsafe target.copyMemory(from: source, byteCount: size)
        } else {
            var offset = 0
            repeat {
                let block = unsafe source.loadUnaligned(fromByteOffset: offset, as: SIMD2<UInt64>.self)
                unsafe target.storeBytes(of: block, toByteOffset: offset, as: SIMD2<UInt64>.self)
                offset &+= 16
            } while offset < size
        }
        unsafe header.pointee.count = count &+ size
    }

    /// Appends a text of up to 15 bytes between two quotes, with up to 8 bytes before and behind those.
    @inline(__always)
    func append(quoted text: ShortText, before: (UInt64, Int), behind: (UInt64, Int)) {
        reserve(40)
        let count = unsafe header.pointee.count
        let target = unsafe UnsafeMutableRawPointer(header.pointee.base + count)
        let (first, last) = (before.1 & 7, behind.1 & 7)
        let size = text.count & 15
        unsafe target.storeBytes(of: before.0.littleEndian, as: UInt64.self)
        unsafe target.storeBytes(of: UInt8(ascii: "\""), toByteOffset: first, as: UInt8.self)
        unsafe target.storeBytes(of: text.head.littleEndian, toByteOffset: first &+ 1, as: UInt64.self)
        if size > 8 { unsafe target.storeBytes(of: text.tail.littleEndian, toByteOffset: first &+ 9, as: UInt64.self) }
        let end = (behind.0 &<< 8 | 0x22).littleEndian
        unsafe target.storeBytes(of: end, toByteOffset: first &+ 1 &+ size, as: UInt64.self)
        unsafe header.pointee.count = count &+ first &+ size &+ 2 &+ last
    }

    /// Appends the low `size` bytes of `word`, the lowest first; at most 8.
    @inline(__always)
    func append(word: UInt64, size: Int) {
        reserve(8)
        let count = unsafe header.pointee.count
        unsafe UnsafeMutableRawPointer(header.pointee.base + count).storeBytes(of: word.littleEndian, as: UInt64.self)
        unsafe header.pointee.count = count &+ min(max(size, 0), 8)
    }
}
