/// The bytes of a text of up to 15 bytes as words, without a call or a copy.
///
/// The standard library keeps such a text in its two words: the bytes from the lowest on, the length in the low half of the
/// highest byte, and bits that say so in the other half. Safe because nothing but words is read, and because
/// ``isUsable`` compares with what texts really hold.
@safe struct ShortText: BitwiseCopyable {
    let head: UInt64
    let tail: UInt64
    let count: Int

    /// Nothing if the text is longer, or lies in memory.
    @inline(__always)
    init?(_ text: String) {
        let words = unsafe unsafeBitCast(text, to: (UInt64, UInt64).self)
        let mark = words.1 &>> 56
        guard mark & 0x20 != 0 else { return nil }
        head = words.0
        tail = words.1 & 0x00FF_FFFF_FFFF_FFFF
        count = Int(truncatingIfNeeded: mark & 15)
    }

    /// The last eight bytes, or all.
    var last: UInt64 {
        @inline(__always) get {
            guard count > 8 else { return head }
            let rest = UInt64(truncatingIfNeeded: 8 &* (count &- 8))
            return head &>> rest | tail &<< (64 &- rest)
        }
    }

    /// True if texts look as expected here.
    static var isUsable: Bool {
        guard MemoryLayout<String>.size == 16 else { return false }
        // Made at run time, so that the compiler doesn't know them.
        let letters = (0..<20).map { UInt8(truncatingIfNeeded: $0 &* 2 &+ 65 &+ Int.random(in: 0...3)) }
        for length in [0, 1, 7, 8, 9, 15, 16, 20] {
            let bytes = Array(letters.prefix(length))
            let text = ShortText(String(decoding: bytes, as: UTF8.self))
            guard (text != nil) == (length <= 15) else { return false }
            guard let text else { continue }
            var words: (UInt64, UInt64) = (0, 0)
            for (index, byte) in bytes.enumerated() {
                if index < 8 {
                    words.0 |= UInt64(byte) << (8 * index)
                } else {
                    words.1 |= UInt64(byte) << (8 * (index - 8))
                }
            }
            guard text.head == words.0, text.tail == words.1, text.count == length else { return false }
        }
        return true
    }
}
