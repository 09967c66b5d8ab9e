internal import TributaryCore
internal import TributaryLineage

/// For each key the newest offset it was seen at, in memory that is bounded.
///
/// A key is known by a hash of 128 bits whose seed is chosen at random each time, so that nobody can make two keys that are
/// taken for one; by chance a billion keys meet with a probability of 10^-21.
struct KeyTable: ~Copyable {
    struct Entry: BitwiseCopyable {
        var low: UInt64 = 0
        var high: UInt64 = 0
        var offset: Int64 = -1
    }
    private var entries = FlatArray(repeating: Entry(), count: 1024)
    private var mask = 1023
    private let seed = UInt64.random(in: 0...(.max))
    private let most: Int
    private(set) var count = 0

    /// Makes a table that takes so many bytes, roughly, but some keys in any case.
    init(memory: Int) {
        most = max(memory, 64 << 10) / MemoryLayout<Entry>.stride
    }

    /// Whether it is time to stop; more keys are taken all the same.
    var isFull: Bool { count * 10 >= entries.count * 7 && entries.count * 2 > most }

    /// Notes that a key was seen at an offset, which is above all noted before.
    mutating func note(_ key: RawSpan, _ offset: Int64) {
        let (low, high) = checksum128(key, seed: seed)
        let slot = find(low, high)
        if entries[slot].offset < 0 {
            entries[slot] = Entry(low: low, high: high, offset: offset)
            count += 1
            if count * 4 > entries.count * 3 { grow() }
        } else {
            entries[slot].offset = offset
        }
    }

    /// The newest offset of a key; nil if it wasn't noted.
    func newest(_ key: RawSpan) -> Int64? {
        let (low, high) = checksum128(key, seed: seed)
        let offset = entries[find(low, high)].offset
        return offset < 0 ? nil : offset
    }

    /// Calls `body` with all offsets, in no order.
    func forEachOffset(_ body: (Int64) -> Void) {
        for slot in 0..<entries.count where entries[slot].offset >= 0 { body(entries[slot].offset) }
    }

    @inline(__always)
    private func find(_ low: UInt64, _ high: UInt64) -> Int {
        var slot = Int(truncatingIfNeeded: low) & mask
        while true {
            let entry = entries[slot]
            if entry.offset < 0 || (entry.low == low && entry.high == high) { return slot }
            slot = (slot &+ 1) & mask
        }
    }

    @inline(never)
    private mutating func grow() {
        var larger = FlatArray(repeating: Entry(), count: entries.count * 2)
        let mask = larger.count - 1
        for old in 0..<entries.count where entries[old].offset >= 0 {
            var slot = Int(truncatingIfNeeded: entries[old].low) & mask
            while larger[slot].offset >= 0 { slot = (slot + 1) & mask }
            larger[slot] = entries[old]
        }
        entries = larger
        self.mask = mask
    }
}
