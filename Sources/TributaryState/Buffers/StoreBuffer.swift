internal import TributaryCore

/// What an operator keeps in memory for a store, which is only its changelog: told at commits, read back when a task is made.
protocol StoreBuffer: AnyObject {
    /// Whether the changelog isn't up to date.
    var hasChanges: Bool { get }
    /// Brings the changelog up to date.
    func flush() throws
}

/// The order in which Java's `HashSet` gives keys back, which is that of Kafka Streams' changelogs of buffers.
struct JavaHashOrder {
    private var buckets = 16

    /// Room for as many keys; there never is less again.
    mutating func makeRoom(_ count: Int) {
        while count > buckets / 4 * 3 { buckets *= 2 }
    }

    /// The bucket of a key; those of one bucket come in the order in which they were added.
    func bucket(of key: RawSpan) -> UInt64 {
        var hash: Int32 = 1
        for offset in key.byteOffsets { hash = hash &* 31 &+ Int32(Int8(bitPattern: key.byte(at: offset) ?? 0)) }
        let word = UInt32(bitPattern: hash)
        return UInt64(word ^ word >> 16) & UInt64(buckets - 1)
    }
}
