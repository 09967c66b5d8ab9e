internal import TributaryCore
internal import TributaryLineage

extension StoreCache {
    // MARK: Writing

    /// Marks an entry as the most recently used.
    @inline(__always)
    func touch(_ index: Int32) {
        guard table.value.newest != index else { return }
        unlink(index)
        linkNewest(index)
    }

    /// Writes a value (nil: a delete) for a key and returns the entry.
    ///
    /// The key may be there or not. The entry's lineage is for the caller to set.
    func put(
        _ key: RawSpan, hash: UInt32, found: Int32, value: RawSpan?, dirty: Bool, timestamp: Int64, recordTime: Int64,
        origin: RecordOrigin, headers: RawSpan, topicSize: Int, timestampSize: Int
    ) -> Int32 {
        var index = found
        if index < 0 {
            index = insert(key, hash: hash)
        } else if recorder.isRecording && dirty {
            foldIn(index)
        }
        let valueCount = value?.byteCount ?? 0
        if key.byteCount <= 16 && valueCount <= 8 && headers.isEmpty
            && table.value.entries[Int(index)].blob.capacity == 0
        {
            table.value.entries[Int(index)].short = value?.prefixWord(at: 0) ?? 0
        } else {
            let needed = key.byteCount &+ headers.byteCount &+ valueCount
            if Int(table.value.entries[Int(index)].blob.capacity) < needed { enlarge(index, key, needed) }
            let blob = table.value.entries[Int(index)].blob
            if !headers.isEmpty { pool.write(headers, to: blob, at: key.byteCount) }
            if let value { pool.write(value, to: blob, at: key.byteCount &+ headers.byteCount) }
        }
        let charge =
            key.byteCount &+ overhead &+ (value == nil ? 0 : valueCount &+ timestampSize) &+ topicSize
            &+ headers.byteCount
        let before = table.value.entries[Int(index)].charged
        budget.used.value += charge - Int(before)
        table.value.entries[Int(index)].charged = Int32(truncatingIfNeeded: charge)
        table.value.entries[Int(index)].valueCount = value == nil ? -1 : Int32(truncatingIfNeeded: valueCount)
        table.value.entries[Int(index)].headersCount = Int32(truncatingIfNeeded: headers.byteCount)
        table.value.entries[Int(index)].timestamp = timestamp
        table.value.entries[Int(index)].recordTime = recordTime
        table.value.entries[Int(index)].origin = origin
        if dirty { markDirty(index) }
        touch(index)
        return index
    }

    /// Remembers the context of an entry's write before another write replaces it, for the links of the flush.
    @inline(__always)
    func foldIn(_ index: Int32) {
        guard table.value.entries[Int(index)].isDirty else { return }
        table.value.folds.add(index, table.value.contexts[Int(index)])
    }

    @inline(never)
    func insert(_ key: RawSpan, hash: UInt32) -> Int32 {
        if (table.value.live + 1) * 4 > table.value.slots.count * 3 { growSlots() }
        var index = table.value.freeEntry
        if index >= 0 {
            table.value.freeEntry = table.value.entries[Int(index)].older
        } else {
            if table.value.usedEntries == table.value.entries.count {
                let size = table.value.entries.count * 2
                table.value.entries.grow(to: size, filling: Entry())
                growLineage(to: size)
            }
            index = Int32(table.value.usedEntries)
            table.value.usedEntries += 1
        }
        var entry = Entry()
        entry.hash = hash
        entry.keyCount = Int32(key.byteCount)
        entry.first = key.prefixWord(at: 0)
        entry.second = key.byteCount > 8 ? key.prefixWord(at: 8) : 0
        if key.byteCount > 16 {
            entry.blob = pool.allocate(key.byteCount + 16)
            pool.write(key, to: entry.blob, at: 0)
        }
        table.value.entries[Int(index)] = entry
        if keepsLineage { table.value.contexts[Int(index)] = .none }
        if keepsCells { table.value.cells[Int(index)] = CompactCell() }
        flushed(index)
        place(hash, index)
        table.value.live += 1
        linkNewest(index)
        return index
    }

    func growLineage(to size: Int) {
        if keepsLineage { table.value.contexts.grow(to: size, filling: .none) }
        if keepsCells { table.value.cells.grow(to: size, filling: CompactCell()) }
        if recorder.isRecording { table.value.folds.grow(to: size) }
    }

    @inline(never)
    func enlarge(_ index: Int32, _ key: RawSpan, _ size: Int) {
        let old = table.value.entries[Int(index)].blob
        let blob = pool.allocate(size)
        pool.write(key, to: blob, at: 0)
        pool.deallocate(old)
        table.value.entries[Int(index)].blob = blob
    }

    func place(_ hash: UInt32, _ index: Int32) {
        var slot = Int(hash) & table.value.mask
        while table.value.slots[slot] != 0 { slot = (slot &+ 1) & table.value.mask }
        table.value.slots[slot] = UInt64(hash) << 32 | UInt64(UInt32(bitPattern: index &+ 1))
    }

    func growSlots() {
        let size = table.value.slots.count * 2
        table.value.slots = FlatArray(repeating: 0, count: size)
        table.value.mask = size - 1
        var index = table.value.newest
        while index >= 0 {
            place(table.value.entries[Int(index)].hash, index)
            index = table.value.entries[Int(index)].older
        }
    }
}
