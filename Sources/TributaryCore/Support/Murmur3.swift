/// 128 bits of Murmur3, its variant for 64-bit processors, as Kafka Streams hashes the rows of a foreign-key join.
///
/// - Parameters:
///   - bytes: what is hashed.
///   - seed: Kafka Streams' by default.
public func murmur3(_ bytes: RawSpan, seed: UInt64 = 104_729) -> (high: UInt64, low: UInt64) {
    let count = bytes.byteCount
    var first = seed
    var second = seed
    var offset = 0
    while offset &+ 16 <= count {
        first ^= Murmur3.mixFirst(Murmur3.word(bytes, offset, 8))
        first = (Murmur3.rotated(first, 27) &+ second) &* 5 &+ 0x52dc_e729
        second ^= Murmur3.mixSecond(Murmur3.word(bytes, offset &+ 8, 8))
        second = (Murmur3.rotated(second, 31) &+ first) &* 5 &+ 0x3849_5ab5
        offset &+= 16
    }
    let left = count &- offset
    if left > 8 { second ^= Murmur3.mixSecond(Murmur3.word(bytes, offset &+ 8, left &- 8)) }
    if left > 0 { first ^= Murmur3.mixFirst(Murmur3.word(bytes, offset, min(left, 8))) }
    first ^= UInt64(count)
    second ^= UInt64(count)
    first &+= second
    second &+= first
    first = Murmur3.finished(first)
    second = Murmur3.finished(second)
    first &+= second
    second &+= first
    return (first, second)
}

private enum Murmur3 {
    static let one: UInt64 = 0x87c3_7b91_1142_53d5
    static let other: UInt64 = 0x4cf5_ad43_2745_937f

    static func rotated(_ word: UInt64, _ bits: UInt64) -> UInt64 { word << bits | word >> (64 &- bits) }
    static func mixFirst(_ word: UInt64) -> UInt64 { rotated(word &* one, 31) &* other }
    static func mixSecond(_ word: UInt64) -> UInt64 { rotated(word &* other, 33) &* one }

    /// Up to 8 bytes, the first one lowest.
    static func word(_ bytes: RawSpan, _ offset: Int, _ count: Int) -> UInt64 {
        if count == 8, let word = bytes.integer(at: offset, as: UInt64.self) { return word.byteSwapped }
        var word: UInt64 = 0
        for index in 0..<count { word |= UInt64(bytes.byte(at: offset &+ index) ?? 0) << UInt64(index &* 8) }
        return word
    }

    static func finished(_ word: UInt64) -> UInt64 {
        var word = (word ^ word >> 33) &* 0xff51_afd7_ed55_8ccd
        word = (word ^ word >> 33) &* 0xc4ce_b9fe_1a85_ec53
        return word ^ word >> 33
    }
}
