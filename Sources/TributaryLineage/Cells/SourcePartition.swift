/// One source partition as cells know it: a hash for the entry, and a word that makes the digest of a record cheap.
///
/// Made once when a partition is assigned. ``digest(offset:)`` is H128 of `Docs/Formats.md`, a few multiplications a record.
public struct SourcePartition: BitwiseCopyable, Sendable {
    /// The low half of the FNV-1a hash of cluster and topic.
    public let source: UInt32
    /// The partition, from 0.
    public let partition: Int32
    /// P: the whole hash of cluster, topic and partition.
    @usableFromInline let word: UInt64
    /// What P adds to the low half of every digest.
    @usableFromInline let lowWord: UInt64

    /// Names a partition of a topic of a cluster; `life` is which topic of that name it is, from 1.
    public init(cluster: String, topic: String, partition: Int32, life: UInt64 = 1) {
        let hash = SourcePartition.hash(cluster: cluster, topic: topic, life: life)
        source = UInt32(truncatingIfNeeded: hash)
        self.partition = partition
        word = mix(hash ^ mix(UInt64(truncatingIfNeeded: partition)))
        lowWord = mix(word &+ 0x8cb9_2ba7_2f3d_8dd7)
    }

    /// The hash of one record: H128 of cluster, topic, partition and `offset`.
    @inlinable
    @inline(__always)
    public func digest(offset: Int64) -> UInt128 {
        let number = UInt64(bitPattern: offset)
        let high = mix(word ^ mix(number))
        let low = mix(mix(number &+ 0xd1b5_4a32_d192_ed03) ^ lowWord)
        return UInt128(high) << 64 | UInt128(low)
    }

    /// The 4-byte hash by which entries name the source `topic` of a cluster; `life` is which topic of that name, from 1.
    public static func source(cluster: String, topic: String, life: UInt64 = 1) -> UInt32 {
        UInt32(truncatingIfNeeded: hash(cluster: cluster, topic: topic, life: life))
    }

    /// T: FNV-1a-64 of the cluster id, a zero byte and the topic; from its second life on, a zero byte and the life in decimal.
    private static func hash(cluster: String, topic: String, life: UInt64) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func add(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        for byte in cluster.utf8 { add(byte) }
        add(0)
        for byte in topic.utf8 { add(byte) }
        guard life > 1 else { return hash }
        add(0)
        for byte in String(life).utf8 { add(byte) }
        return hash
    }
}

/// The splitmix64 step (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
@inlinable
@inline(__always)
func mix(_ word: UInt64) -> UInt64 {
    var mixed = word &+ 0x9e37_79b9_7f4a_7c15
    mixed = (mixed ^ (mixed &>> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed &>> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed &>> 31)
}
