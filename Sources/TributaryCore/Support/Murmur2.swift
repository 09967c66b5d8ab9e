/// The hash of Kafka's default partitioner (`org.apache.kafka.common.utils.Utils.murmur2`): Murmur2, 32 bits, seed 0x9747b28c.
@inlinable
public func murmur2(_ bytes: RawSpan) -> Int32 {
    let multiplier: UInt32 = 0x5bd1_e995
    let count = bytes.byteCount
    var hash = UInt32(0x9747_b28c) ^ UInt32(truncatingIfNeeded: count)
    var offset = 0
    while offset &+ 4 <= count {
        var word = (bytes.integer(at: offset, as: UInt32.self) ?? 0).byteSwapped
        word = word &* multiplier
        word ^= word >> 24
        word = word &* multiplier
        hash = hash &* multiplier
        hash ^= word
        offset &+= 4
    }
    let left = count &- offset
    if left >= 3 { hash ^= UInt32(bytes.byte(at: offset + 2) ?? 0) << 16 }
    if left >= 2 { hash ^= UInt32(bytes.byte(at: offset + 1) ?? 0) << 8 }
    if left >= 1 {
        hash ^= UInt32(bytes.byte(at: offset) ?? 0)
        hash = hash &* multiplier
    }
    hash ^= hash >> 13
    hash = hash &* multiplier
    hash ^= hash >> 15
    return Int32(bitPattern: hash)
}

/// The partition that Java's producer, and so every producer here, gives a key: `(murmur2 & 0x7fffffff) mod count`.
///
/// - Precondition: `count` is above 0.
@inlinable
public func partition(forKey key: RawSpan, count: Int32) -> Int32 {
    (murmur2(key) & 0x7fff_ffff) % count
}
