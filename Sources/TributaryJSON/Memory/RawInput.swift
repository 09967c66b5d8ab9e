/// A borrowed run of bytes that can be read at any index: beyond the end there are zeros.
///
/// Safe because each access compares with `count` first. Whoever makes one keeps the bytes alive as long as it is used.
@safe struct RawInput: BitwiseCopyable {
    // Of no bytes any address, which is not read.
    private let base: UnsafeRawPointer
    let count: Int

    static var none: RawInput { unsafe RawInput(UnsafeRawBufferPointer(start: nil, count: 0)) }

    @inline(__always)
    private init(base: UnsafeRawPointer, count: Int) {
        unsafe self.base = unsafe base
        self.count = count
    }

    /// Views `bytes`, which must stay where they are as long as the view is used.
    @inline(__always)
    init(_ bytes: UnsafeRawBufferPointer) {
        let nowhere: StaticString = ""
        unsafe base = bytes.baseAddress ?? UnsafeRawPointer(nowhere.utf8Start)
        count = unsafe bytes.baseAddress == nil ? 0 : bytes.count
    }

    /// Views a literal, which stays as long as the process.
    @inline(__always)
    init(_ literal: StaticString) {
        unsafe self.init(UnsafeRawBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    /// The byte at `index`, zero from the end on.
    @inline(__always)
    subscript(index: Int) -> UInt8 {
        guard UInt(bitPattern: index) < UInt(bitPattern: count) else { return 0 }
        return unsafe base.load(fromByteOffset: index, as: UInt8.self)
    }

    /// Eight bytes from `index` on, the first in the lowest bits, zeros from the end on.
    @inline(__always)
    func word(at index: Int) -> UInt64 {
        // `count - 8` cannot overflow, since a count is never negative.
        guard index >= 0, index <= count &- 8 else { return lastWord(at: index) }
        return unsafe UInt64(littleEndian: base.loadUnaligned(fromByteOffset: index, as: UInt64.self))
    }

    /// The bytes before the end, which fewer than eight follow.
    @inline(__always)
    private func lastWord(at index: Int) -> UInt64 {
        guard index >= 0, index < count, count >= 8 else { return shortWord(at: index) }
        // The last eight bytes of all, from which those before `index` are shifted out.
        let word = unsafe base.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
        return UInt64(littleEndian: word) &>> UInt64(8 &* (index &- (count &- 8)))
    }

    @inline(never)
    private func shortWord(at index: Int) -> UInt64 {
        guard index >= 0, index < count else { return 0 }
        var word: UInt64 = 0
        for offset in 0..<min(count &- index, 8) { word |= UInt64(self[index &+ offset]) &<< UInt64(8 &* offset) }
        return word
    }

    /// True if the `other.count` bytes from `start` on are those of `other`.
    ///
    /// Loads of 8, 4, 2 or 1 bytes, of which the last overlaps the one before; all lie within both counts.
    @inline(__always)
    func matches(_ other: RawInput, at start: Int) -> Bool {
        let size = other.count
        guard start >= 0, start <= count &- size else { return false }
        guard size > 0 else { return true }
        let other = unsafe other.base
        let mine = unsafe base + start
        if size >= 8 {
            var offset = 0
            while offset < size &- 8 {
                guard unsafe Self.areEqual(mine, other, offset, UInt64.self) else { return false }
                offset &+= 8
            }
            return unsafe Self.areEqual(mine, other, size &- 8, UInt64.self)
        }
        if size >= 4 {
            let isHead = unsafe Self.areEqual(mine, other, 0, UInt32.self)
            return unsafe isHead && Self.areEqual(mine, other, size &- 4, UInt32.self)
        }
        if size == 1 { return unsafe Self.areEqual(mine, other, 0, UInt8.self) }
        let isHead = unsafe Self.areEqual(mine, other, 0, UInt16.self)
        return unsafe isHead && Self.areEqual(mine, other, size &- 2, UInt16.self)
    }

    @inline(__always)
    private static func areEqual<Word: FixedWidthInteger & BitwiseCopyable>(
        _ one: UnsafeRawPointer, _ other: UnsafeRawPointer, _ offset: Int, _ type: Word.Type
    ) -> Bool {
        let first = unsafe one.loadUnaligned(fromByteOffset: offset, as: type)
        return unsafe first == other.loadUnaligned(fromByteOffset: offset, as: type)
    }

    /// The `size` bytes from `start` on, cut at the end.
    @inline(__always)
    func slice(_ start: Int, _ size: Int) -> RawInput {
        let from = min(max(start, 0), count)
        let length = min(max(size, 0), count &- from)
        return unsafe RawInput(base: base + from, count: length)
    }

    /// The text of bytes that were found to be UTF-8.
    @inline(__always)
    var string: String {
        // What is short is copied word by word into the text itself.
        if count <= 15 {
            return unsafe String(unsafeUninitializedCapacity: 15) { bytes in
                let count = count
                guard let target = UnsafeMutableRawPointer(bytes.baseAddress) else { return 0 }
                if count >= 8 {
                    let head = unsafe base.loadUnaligned(as: UInt64.self)
                    let last = unsafe base.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
                    unsafe target.storeBytes(of: head, as: UInt64.self)
                    unsafe target.storeBytes(of: last, toByteOffset: count &- 8, as: UInt64.self)
                } else if count > 0 {
                    unsafe target.copyMemory(from: base, byteCount: count)
                }
                return count
            }
        }
        return unsafe String(decoding: UnsafeRawBufferPointer(start: base, count: count), as: UTF8.self)
    }

    /// Copies the bytes to `target`, which has room for `count` of them and lies elsewhere.
    @inline(__always)
    @unsafe func copy(to target: UnsafeMutableRawPointer) {
        unsafe target.copyMemory(from: base, byteCount: count)
    }

    /// A copy of the bytes.
    var array: [UInt8] { unsafe [UInt8](UnsafeRawBufferPointer(start: base, count: count)) }

    /// Calls `body` with a view of the UTF-8 of `text`, which ends with the call.
    @inline(__always)
    static func withUTF8<Result>(of text: String, _ body: (RawInput) -> Result) -> Result {
        let direct = unsafe text.utf8.withContiguousStorageIfAvailable { (bytes) -> Result in
            unsafe body(RawInput(UnsafeRawBufferPointer(bytes)))
        }
        if let direct { return direct }
        var copy = text
        return copy.withUTF8 { unsafe body(RawInput(UnsafeRawBufferPointer($0))) }
    }
}

extension RawSpan {
    /// Calls `body` with a view of the bytes, which ends with the call.
    @inline(__always)
    func withInput<Result>(_ body: (RawInput) throws -> Result) rethrows -> Result {
        try unsafe withUnsafeBytes { try unsafe body(RawInput($0)) }
    }
}
