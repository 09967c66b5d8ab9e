internal import TributaryCore

/// What a compaction found in the part of a partition that was never compacted.
struct DirtyPart: ~Copyable {
    /// A batch of the part.
    struct Batch: BitwiseCopyable {
        var base: Int64
        var end: Int64
        var byteCount: Int
    }

    /// Where the part begins.
    let from: Int64
    var keys: KeyTable
    var batches: [Batch] = []
    /// A bit for each offset from the first batch's on: whether it is the newest of its key.
    private var newest: [UInt64] = []
    private var end: Int64 = 0
    private let most: Int

    /// Makes an empty part that takes so many bytes, roughly.
    init(from: Int64, memory: Int) {
        self.from = from
        keys = KeyTable(memory: memory)
        most = max(memory, 1 << 16)
    }

    private var base: Int64 { batches.first?.base ?? from }

    /// Whether no more batches should be added: a bit an offset takes memory, too.
    var isFull: Bool {
        keys.isFull || ((batches.last?.end ?? from) - base) / 8 + Int64(batches.count * 24) > Int64(most)
    }

    /// Closes the part at `end`: which records of it stay is known from here on.
    mutating func finish(_ end: Int64) {
        self.end = end
        newest = [UInt64](repeating: 0, count: Int((end - base + 63) / 64))
        var bits: [UInt64] = []
        swap(&bits, &newest)
        let base = base
        keys.forEachOffset { offset in
            let place = Int(offset - base)
            if place >= 0 && place / 64 < bits.count { bits[place / 64] |= 1 << UInt64(place % 64) }
        }
        newest = bits
    }

    /// Whether no newer record has the key of the one at an offset.
    func isNewest(_ key: RawSpan, _ offset: Int64) -> Bool {
        guard offset >= base && offset < end else { return keys.newest(key).map { $0 <= offset } ?? true }
        let place = Int(offset - base)
        return newest[place / 64] & (1 << UInt64(place % 64)) != 0
    }

    /// Whether any record of a batch stays.
    func holdsAny(_ batch: Batch) -> Bool {
        var place = Int(batch.base - base)
        let last = Int(batch.end - base)
        while place < last {
            let word = newest[place / 64] >> UInt64(place % 64)
            let left = min(64 - place % 64, last - place)
            if left == 64 ? word != 0 : word & ((1 << UInt64(left)) - 1) != 0 { return true }
            place += left
        }
        return false
    }
}
