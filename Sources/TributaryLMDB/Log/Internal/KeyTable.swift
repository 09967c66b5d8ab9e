internal import TributaryCore
internal import TributaryLineage

/// For each key the newest offset it was seen at.
struct KeyTable: ~Copyable {
    private struct Entry {
        var hash: UInt64
        var start: Int
        var count: Int
        var offset: Int64
    }
    private var keys = ByteWriter(capacity: 1 << 16)
    private var entries: [Entry] = []
    private var slots = [Int32](repeating: -1, count: 1024)

    /// How much memory it takes, roughly.
    var byteCount: Int { keys.count + entries.count * 48 }

    /// Notes that a key was seen at an offset, which is above all noted before.
    mutating func note(_ key: RawSpan, _ offset: Int64) {
        let hash = checksum64(key)
        let slot = find(key, hash)
        if slots[slot] >= 0 {
            entries[Int(slots[slot])].offset = offset
            return
        }
        slots[slot] = Int32(entries.count)
        entries.append(Entry(hash: hash, start: keys.count, count: key.byteCount, offset: offset))
        keys.append(key)
        if entries.count * 2 > slots.count { grow() }
    }

    /// The newest offset of a key; nil if it wasn't noted.
    func newest(_ key: RawSpan) -> Int64? {
        let slot = find(key, checksum64(key))
        return slots[slot] >= 0 ? entries[Int(slots[slot])].offset : nil
    }

    private func find(_ key: RawSpan, _ hash: UInt64) -> Int {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot] >= 0 {
            let entry = entries[Int(slots[slot])]
            if entry.hash == hash && keys.bytes(in: entry.start..<(entry.start + entry.count)).isEqual(to: key) {
                break
            }
            slot = (slot + 1) & mask
        }
        return slot
    }

    private mutating func grow() {
        slots = [Int32](repeating: -1, count: slots.count * 2)
        let mask = slots.count - 1
        for (index, entry) in entries.enumerated() {
            var slot = Int(truncatingIfNeeded: entry.hash) & mask
            while slots[slot] >= 0 { slot = (slot + 1) & mask }
            slots[slot] = Int32(index)
        }
    }
}
