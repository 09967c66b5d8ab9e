internal import TributaryCore
internal import TributaryLineage

extension StoreCache {
    // MARK: Order

    func linkNewest(_ index: Int32) {
        let newest = table.value.newest
        table.value.entries[Int(index)].older = newest
        table.value.entries[Int(index)].newer = -1
        if newest >= 0 { table.value.entries[Int(newest)].newer = index } else { table.value.oldest = index }
        table.value.newest = index
    }

    func unlink(_ index: Int32) {
        let newer = table.value.entries[Int(index)].newer
        let older = table.value.entries[Int(index)].older
        if newer >= 0 { table.value.entries[Int(newer)].older = older } else { table.value.newest = older }
        if older >= 0 { table.value.entries[Int(older)].newer = newer } else { table.value.oldest = newer }
    }

    func markDirty(_ index: Int32) {
        if table.value.entries[Int(index)].isDirty {
            if table.value.lastDirty == index { return }
            unlinkDirty(index)
        }
        let last = table.value.lastDirty
        table.value.entries[Int(index)].dirtyBefore = last
        table.value.entries[Int(index)].dirtyAfter = -1
        if last >= 0 { table.value.entries[Int(last)].dirtyAfter = index } else { table.value.firstDirty = index }
        table.value.lastDirty = index
        table.value.dirtyCount += 1
    }

    func unlinkDirty(_ index: Int32) {
        let before = table.value.entries[Int(index)].dirtyBefore
        let after = table.value.entries[Int(index)].dirtyAfter
        if before >= 0 { table.value.entries[Int(before)].dirtyAfter = after } else { table.value.firstDirty = after }
        if after >= 0 { table.value.entries[Int(after)].dirtyBefore = before } else { table.value.lastDirty = before }
        table.value.entries[Int(index)].dirtyBefore = Entry.clean
        table.value.dirtyCount -= 1
    }

    // MARK: Flushing and evicting

    /// Appends the dirty entries in the order of their last write to `list` and makes them clean.
    func takeDirty(into list: inout [Int32]) {
        var index = table.value.firstDirty
        while index >= 0 {
            list.append(index)
            let after = table.value.entries[Int(index)].dirtyAfter
            table.value.entries[Int(index)].dirtyBefore = Entry.clean
            index = after
        }
        table.value.firstDirty = -1
        table.value.lastDirty = -1
        table.value.dirtyCount = 0
    }

    /// An entry's earlier writes are flushed: forgets them.
    func flushed(_ index: Int32) {
        if recorder.isRecording { table.value.folds.remove(index) }
    }

    /// The least recently used entry, or -1.
    var oldest: Int32 { table.value.oldest }

    /// Takes an entry out of the table and the orders; its memory stays until ``release(_:)``.
    func remove(_ index: Int32) {
        let entry = table.value.entries[Int(index)]
        var slot = Int(entry.hash) & table.value.mask
        let wanted = UInt64(entry.hash) << 32 | UInt64(UInt32(bitPattern: index &+ 1))
        while table.value.slots[slot] != wanted { slot = (slot &+ 1) & table.value.mask }
        closeGap(slot)
        if entry.isDirty { unlinkDirty(index) }
        unlink(index)
        table.value.live -= 1
        budget.used.value -= Int(entry.charged)
        table.value.entries[Int(index)].charged = 0
    }

    // Linear probing without tombstones: entries behind the gap move up if their home slot allows.
    func closeGap(_ start: Int) {
        var gap = start
        var slot = (start &+ 1) & table.value.mask
        while true {
            let word = table.value.slots[slot]
            if word == 0 { break }
            let home = Int(word >> 32) & table.value.mask
            if ((slot &- home) & table.value.mask) >= ((slot &- gap) & table.value.mask) {
                table.value.slots[gap] = word
                gap = slot
            }
            slot = (slot &+ 1) & table.value.mask
        }
        table.value.slots[gap] = 0
    }

    /// Gives back the memory of an entry that ``remove(_:)`` took out.
    func release(_ index: Int32) {
        flushed(index)
        pool.deallocate(table.value.entries[Int(index)].blob)
        table.value.entries[Int(index)].blob = .none
        if Int(index) < table.value.largeCells.count {
            pool.deallocate(table.value.largeCells[Int(index)].blob)
            table.value.largeCells[Int(index)].blob = .none
        }
        table.value.entries[Int(index)].keyCount = -1
        table.value.entries[Int(index)].older = table.value.freeEntry
        table.value.freeEntry = index
    }

    /// All entries whose keys lie between the bounds (both included), in no order.
    func indices(from lower: RawSpan?, through upper: RawSpan?) -> [Int32] {
        var list: [Int32] = []
        var index = table.value.newest
        let buffer = ByteBuffer()
        while index >= 0 {
            let entry = table.value.entries[Int(index)]
            buffer.writer.removeAll()
            copyKey(index, into: &buffer.writer)
            let key = buffer.bytes
            var inside = true
            if let lower { inside = key.compare(to: lower) >= 0 }
            if inside, let upper { inside = key.compare(to: upper) <= 0 }
            if inside { list.append(index) }
            index = entry.older
        }
        return list
    }

    /// 8 bytes of an entry's key from `offset` on as a word that orders as they do; nil if the key ends before.
    func keyWord(_ index: Int32, at offset: Int) -> UInt64? {
        let entry = table.value.entries[Int(index)]
        guard offset < Int(entry.keyCount) else { return nil }
        if offset == 0 { return entry.first }
        if offset == 8 { return entry.second }
        return pool.bytes(of: entry.blob, at: 0, count: Int(entry.keyCount)).prefixWord(at: offset)
    }

    /// The order of the keys of two entries.
    func compareKeys(_ left: Int32, _ right: Int32) -> Int {
        let one = table.value.entries[Int(left)]
        let other = table.value.entries[Int(right)]
        if one.first != other.first { return one.first < other.first ? -1 : 1 }
        if one.second != other.second { return one.second < other.second ? -1 : 1 }
        if one.keyCount <= 16 || other.keyCount <= 16 { return Int(one.keyCount) - Int(other.keyCount) }
        return pool.bytes(of: one.blob, at: 0, count: Int(one.keyCount)).compare(
            to: pool.bytes(of: other.blob, at: 0, count: Int(other.keyCount)))
    }
}
