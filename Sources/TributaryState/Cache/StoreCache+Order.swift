internal import TributaryCore
internal import TributaryLineage

extension StoreCache {
    // MARK: Order

    /// Marks an entry as the most recently used.
    @inline(__always)
    func touch(_ index: Int32) {
        if table.value.newest != index { moveToNewest(index) }
    }

    private func moveToNewest(_ index: Int32) {
        unlink(index)
        linkNewest(index)
    }

    @inline(__always)
    func linkNewest(_ index: Int32) {
        let newest = table.value.newest
        table.value.links[Int(index)].older = newest
        table.value.links[Int(index)].newer = -1
        if newest >= 0 { table.value.links[Int(newest)].newer = index } else { table.value.oldest = index }
        table.value.newest = index
    }

    @inline(__always)
    private func unlink(_ index: Int32) {
        let newer = table.value.links[Int(index)].newer
        let older = table.value.links[Int(index)].older
        if newer >= 0 { table.value.links[Int(newer)].older = older } else { table.value.newest = older }
        if older >= 0 { table.value.links[Int(older)].newer = newer } else { table.value.oldest = newer }
    }

    @inline(__always)
    func isDirty(_ index: Int32) -> Bool { table.value.links[Int(index)].note >= 0 }

    /// Makes an entry that is about to be written dirty, or the last of the dirty ones.
    @inline(__always)
    func markDirty(_ index: Int32) {
        let note = table.value.links[Int(index)].note
        if note >= 0 && Int(note) == table.value.noted &- 1 { return }
        if table.value.noted == table.value.notes.count { makeRoomForNotes() }
        if note < 0 {
            table.value.dirtyCount &+= 1
            table.value.cleanBytes &-= Int(table.value.entries[Int(index)].charged)
        }
        table.value.links[Int(index)].note = Int32(truncatingIfNeeded: table.value.noted)
        table.value.notes[table.value.noted] = index
        table.value.noted &+= 1
    }

    /// Counts an entry that was made of what the engine has.
    func noteClean(_ index: Int32) { table.value.cleanBytes &+= Int(table.value.entries[Int(index)].charged) }

    @inline(never)
    private func makeRoomForNotes() {
        settle()
        if table.value.noted > table.value.notes.count / 2 {
            table.value.notes.grow(to: table.value.notes.count * 2, filling: 0)
        }
    }

    /// Visits the dirty entries in the order of their last writes.
    func forEachDirty(_ body: (Int32) throws(StoreError) -> Void) throws(StoreError) {
        for place in 0..<table.value.noted {
            let index = table.value.notes[place]
            if Int(table.value.links[Int(index)].note) == place { try body(index) }
        }
    }

    /// Throws out the notes that don't count, so that the others are the order.
    private func settle() {
        var kept = 0
        for place in 0..<table.value.noted {
            let index = table.value.notes[place]
            guard Int(table.value.links[Int(index)].note) == place else { continue }
            table.value.notes[kept] = index
            table.value.links[Int(index)].note = Int32(truncatingIfNeeded: kept)
            kept &+= 1
        }
        table.value.noted = kept
    }

    // MARK: Flushing and evicting

    /// Makes all dirty entries clean and hands them to the flush in the order of their last writes, but for one that comes first.
    func takeDirty(first: Int32 = -1) {
        settle()
        swap(&table.value.notes, &table.value.taken)
        table.value.takenCount = table.value.noted
        table.value.takenTotal &+= Int64(table.value.noted)
        table.value.cleanBytes = table.value.bytes
        table.value.noted = 0
        table.value.dirtyCount = 0
        if first >= 0 {
            let place = Int(table.value.links[Int(first)].note)
            table.value.taken.move(from: 0, to: 1, count: place)
            table.value.taken[0] = first
        }
        for place in 0..<table.value.takenCount { table.value.links[Int(table.value.taken[place])].note = Note.taken }
    }

    /// The entry at a place of the order that the flush took.
    @inline(__always)
    func taken(_ place: Int) -> Int32 { table.value.taken[place] }

    /// How many entries the flush took.
    var takenCount: Int { table.value.takenCount }

    /// Keeps the taken entries for which the closure says so.
    func filterTaken(_ isKept: (Int32) throws(StoreError) -> Bool) throws(StoreError) {
        var kept = 0
        for place in 0..<table.value.takenCount {
            let index = table.value.taken[place]
            guard try isKept(index) else {
                table.value.links[Int(index)].note = Note.clean
                table.value.vain.append(index)
                continue
            }
            table.value.taken[kept] = index
            kept += 1
        }
        table.value.takenCount = kept
    }

    /// Forgets the deletes that a flush took, now that it is over: as long as it was under way they took room, as in Kafka Streams.
    func dropTakenDeletes() {
        for place in 0..<table.value.takenCount { dropDelete(table.value.taken[place]) }
        for place in 0..<table.value.vain.count { dropDelete(table.value.vain[place]) }
        table.value.vain.removeAll()
    }

    // Whatever an entry was taken as: it may have been written since, or be another key's.
    @inline(__always)
    private func dropDelete(_ index: Int32) {
        let entry = table.value.entries[Int(index)]
        guard entry.isDelete, entry.charged > 0, table.value.links[Int(index)].note == Note.clean else { return }
        remove(index)
        release(index)
    }

    /// Whether a flush took an entry and hasn't sent it yet.
    @inline(__always)
    func isTaken(_ index: Int32) -> Bool { table.value.links[Int(index)].note <= Note.taken }

    /// A taken entry is about to be sent, and its content was copied: from here on it may be written.
    func sent(_ index: Int32) {
        let isReplaced = table.value.links[Int(index)].note == Note.replaced
        table.value.links[Int(index)].note = Note.clean
        if isReplaced { release(index) }
    }

    /// Makes another entry for the key of a taken one, which keeps what is still to be sent, and returns it.
    ///
    /// The new one has the old one's lineage, for a write that adds to it, and is clean.
    @inline(never)
    func replaceTaken(_ index: Int32, of key: RawSpan) -> Int32 {
        remove(index)
        table.value.links[Int(index)].note = Note.replaced
        let new = insert(key, StoreCache.probe(key))
        if keepsLineage { setLineage(new, lineage(index)) }
        return new
    }

    /// An entry's earlier writes are flushed: forgets them.
    func flushed(_ index: Int32) {
        if keepsFolds { table.value.folds.remove(index) }
    }

    /// Before the spans of a flush of all dirty entries: brings what was folded into each together.
    func sortFolds() { table.value.folds.sort(table.value.taken, table.value.takenCount) }

    /// After them: forgets all that was folded.
    func removeFolds() { table.value.folds.removeAll(table.value.taken, table.value.takenCount) }

    /// The least recently used entry, or -1.
    var oldest: Int32 { table.value.oldest }

    /// Whether the entry that was used last is a delete.
    var newestIsDelete: Bool {
        let index = table.value.newest
        return index >= 0 && entry(index).isDelete
    }

    /// What all entries are charged, and those that are clean.
    var byteCount: Int { table.value.bytes }
    var cleanByteCount: Int { table.value.cleanBytes }

    /// Forgets the least recently used entry if it is clean, no flush is about to send it, and more than `share` bytes are here.
    ///
    /// The most recently used one, which may be looked at, stays.
    func dropOldestClean(above share: Int) -> Bool {
        let index = table.value.oldest
        guard index >= 0, index != table.value.newest, table.value.bytes > share,
            table.value.links[Int(index)].note == Note.clean
        else { return false }
        remove(index)
        table.value.evictions &+= 1
        release(index)
        return true
    }

    /// Takes an entry out of the table and out of the order of use; its memory stays until ``release(_:)``.
    func remove(_ index: Int32) {
        let hash = hash(ofEntry: Int(index))
        let mask = table.value.mask
        let wanted = hash & ~mask | UInt32(index &+ 1)
        var slot = hash & mask
        while table.value.slots[Int(slot)] != wanted { slot = (slot &+ 1) & mask }
        closeGap(slot)
        families?.remove(index)
        unlink(index)
        table.value.live -= 1
        let charged = Int(table.value.entries[Int(index)].charged)
        budget.used.value -= charged
        table.value.bytes -= charged
        if !isDirty(index) { table.value.cleanBytes -= charged }
        table.value.entries[Int(index)].charged = 0
    }

    // Linear probing without tombstones: entries behind the gap move up if their home slot allows.
    private func closeGap(_ start: UInt32) {
        let mask = table.value.mask
        var gap = start
        var slot = (start &+ 1) & mask
        while true {
            let word = table.value.slots[Int(slot)]
            if word == 0 { break }
            let home = hash(ofEntry: Int(word & mask) &- 1) & mask
            if ((slot &- home) & mask) >= ((slot &- gap) & mask) {
                table.value.slots[Int(gap)] = word
                gap = slot
            }
            slot = (slot &+ 1) & mask
        }
        table.value.slots[Int(gap)] = 0
    }

    /// Gives back the memory of an entry that ``remove(_:)`` took out.
    func release(_ index: Int32) {
        flushed(index)
        pool.deallocate(table.value.entries[Int(index)].keyBlob)
        pool.deallocate(table.value.entries[Int(index)].valueBlob)
        table.value.entries[Int(index)].form = Form.deleted
        if Int(index) < table.value.largeCells.count {
            pool.deallocate(table.value.largeCells[Int(index)].blob)
            table.value.largeCells[Int(index)].blob = .none
        }
        table.value.entries[Int(index)].keyCount = -1
        table.value.links[Int(index)].older = table.value.freeEntry
        table.value.freeEntry = index
    }

    /// All entries whose keys lie between the bounds (both included), in no order.
    func indices(from lower: RawSpan?, through upper: RawSpan?) -> [Int32] {
        var list: [Int32] = []
        var index = table.value.newest
        let buffer = ByteBuffer()
        while index >= 0 {
            buffer.writer.removeAll()
            copyKey(index, into: &buffer.writer)
            let key = buffer.bytes
            var inside = true
            if let lower { inside = key.compare(to: lower) >= 0 }
            if inside, let upper { inside = key.compare(to: upper) <= 0 }
            if inside { list.append(index) }
            index = table.value.links[Int(index)].older
        }
        return list
    }

    /// 8 bytes of an entry's key from `offset` on as a word that orders as they do; nil if the key ends before.
    func keyWord(_ index: Int32, at offset: Int) -> UInt64? {
        let entry = table.value.entries[Int(index)]
        guard offset < Int(entry.keyCount) else { return nil }
        if offset == 0 { return entry.first }
        if entry.keyCount <= 16 { return entry.second }
        return pool.bytes(of: entry.keyBlob, at: 0, count: Int(entry.keyCount)).prefixWord(at: offset)
    }

    /// The order of the keys of two entries.
    func compareKeys(_ left: Int32, _ right: Int32) -> Int {
        let one = table.value.entries[Int(left)]
        let other = table.value.entries[Int(right)]
        if one.first != other.first { return one.first < other.first ? -1 : 1 }
        if one.keyCount <= 16 && other.keyCount <= 16 {
            if one.second != other.second { return one.second < other.second ? -1 : 1 }
            return Int(one.keyCount) - Int(other.keyCount)
        }
        var offset = 8
        while let mine = keyWord(left, at: offset), let its = keyWord(right, at: offset) {
            if mine != its { return mine < its ? -1 : 1 }
            offset += 8
        }
        // Zeros fill the last word of a key: the shorter of two that are the same so far is the beginning of the other.
        return Int(one.keyCount) - Int(other.keyCount)
    }
}
