/// A text to scan, with zeros behind it, that can be read at any index.
///
/// A zero ends every token of JSON with an error, so that the scanner needs no check of its own: it stops at the first one.
/// Safe because each index is cut to the size of the memory, a power of two with a word to spare, before it is used: an
/// index that is wrong reads wrong bytes, but never others than those of the buffer. ``ScanBuffer`` makes one, and a
/// ``DecodingState`` drops it when the buffer takes the next text.
@safe struct ScanInput: BitwiseCopyable {
    private let base: UnsafeRawPointer
    private let mask: Int
    let count: Int

    fileprivate init(base: UnsafeRawPointer, mask: Int, count: Int) {
        unsafe self.base = base
        self.mask = mask
        self.count = count
    }

    /// The byte at `index`, zero from the end on.
    @inline(__always)
    subscript(index: Int) -> UInt8 { unsafe base.load(fromByteOffset: index & mask, as: UInt8.self) }

    /// Eight bytes from `index` on, the first in the lowest bits, zeros from the end on.
    @inline(__always)
    func word(at index: Int) -> UInt64 {
        unsafe UInt64(littleEndian: base.loadUnaligned(fromByteOffset: index & mask, as: UInt64.self))
    }

    /// The `size` bytes from `start` on, cut at the end.
    @inline(__always)
    func slice(_ start: Int, _ size: Int) -> RawInput {
        unsafe RawInput(UnsafeRawBufferPointer(start: base, count: count)).slice(start, size)
    }
}

/// The memory of a text to scan, reused for the next.
@safe struct ScanBuffer: ~Copyable {
    private let memory: Cell<UnsafeMutableRawBufferPointer>

    init() { unsafe memory = unsafe Cell(Self.allocate(1024)) }

    deinit { unsafe memory.value.deallocate() }

    // A power of two and a word, all zeros.
    private static func allocate(_ size: Int) -> UnsafeMutableRawBufferPointer {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: size &+ 8, alignment: 8)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
        return unsafe memory
    }

    private var size: Int {
        @inline(__always) get { unsafe memory.value.count &- 8 }
    }

    /// A copy of `bytes`, which ends the one before.
    @inline(__always)
    func load(_ bytes: RawInput) -> ScanInput {
        let count = bytes.count
        if count &+ 16 > size { grow(count &+ 16) }
        guard let base = unsafe memory.value.baseAddress else { preconditionFailure("a buffer without memory") }
        unsafe bytes.copy(to: base)
        unsafe (base + count).storeBytes(of: 0, as: UInt64.self)
        unsafe (base + count + 8).storeBytes(of: 0, as: UInt64.self)
        return unsafe ScanInput(base: base, mask: size &- 1, count: count)
    }

    @inline(never)
    private func grow(_ needed: Int) {
        var size = size
        while size < needed { size *= 2 }
        unsafe memory.value.deallocate()
        unsafe memory.value = Self.allocate(size)
    }

    /// Gives memory back that only a giant text needed, and answers what to read then.
    @inline(__always)
    func shrink() -> ScanInput {
        if size > 1 << 20 { replace() }
        return load(.none)
    }

    @inline(never)
    private func replace() {
        unsafe memory.value.deallocate()
        unsafe memory.value = Self.allocate(1024)
    }
}
