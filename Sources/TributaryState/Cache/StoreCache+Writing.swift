internal import TributaryCore
internal import TributaryLineage

extension StoreCache {
    // MARK: Writing

    /// Writes the value (nil: a delete) of an entry, which becomes the most recently used.
    ///
    /// Its lineage is for the caller to set. `charge` is what its headers cost, which are not all of `headers`.
    @inline(__always)
    func set(
        _ index: Int32, _ value: RawSpan?, timestamp: Int64, recordTime: Int64, source: Int32, offset: Int64,
        headers: RawSpan, charge: Int
    ) {
        endHeld(index)
        var size = charge &+ Int(table.value.sources[Int(source)].topicSize)
        if let value {
            let count = value.byteCount
            size &+= count &+ timestampSize
            if count <= 8 && headers.isEmpty && !table.value.entries[Int(index)].hasBlob {
                table.value.entries[Int(index)].content = value.prefixWord(at: 0)
                table.value.entries[Int(index)].form = Int8(truncatingIfNeeded: count)
            } else {
                setLong(index, value, headers)
            }
        } else {
            setDelete(index, headers)
        }
        let more = table.value.entries[Int(index)].written(
            timestamp: timestamp, recordTime: recordTime, source: source, offset: offset, overhead: overhead &+ size)
        budget.used.value &+= more
        table.value.bytes &+= more
        touch(index)
    }

    /// Writes an entry whose value is held: its bytes stay what they were, and count for what it is charged, until
    /// ``encoded(_:_:)``.
    ///
    /// With headers, a value that isn't long must be encoded.
    @inline(__always)
    func setUnencoded(
        _ index: Int32, timestamp: Int64, recordTime: Int64, source: Int32, offset: Int64, headers: RawSpan,
        charge: Int
    ) {
        if table.value.held[Int(index)] != Held.unencoded {
            table.value.held[Int(index)] = Held.unencoded
            table.value.unencodedCount &+= 1
        }
        if !headers.isEmpty || table.value.entries[Int(index)].hasHeaders {
            setLong(index, longValue(index), headers)
        }
        let size = charge &+ Int(table.value.sources[Int(source)].topicSize) &+ valueCount(index) &+ timestampSize
        let more = table.value.entries[Int(index)].written(
            timestamp: timestamp, recordTime: recordTime, source: source, offset: offset, overhead: overhead &+ size)
        budget.used.value &+= more
        table.value.bytes &+= more
        touch(index)
    }

    /// Gives an entry, which is dirty, the bytes of the value that is held; it is charged for them from now on.
    func encoded(_ index: Int32, _ value: RawSpan) {
        let more = value.byteCount &- valueCount(index)
        if value.byteCount <= 8 && !table.value.entries[Int(index)].hasBlob {
            table.value.entries[Int(index)].content = value.prefixWord(at: 0)
            table.value.entries[Int(index)].form = Int8(truncatingIfNeeded: value.byteCount)
        } else {
            setLong(index, value, headers(index))
        }
        table.value.entries[Int(index)].charged &+= Int32(truncatingIfNeeded: more)
        budget.used.value &+= more
        table.value.bytes &+= more
        table.value.held[Int(index)] = Held.decoded
        table.value.unencodedCount &-= 1
    }

    private func setLong(_ index: Int32, _ value: RawSpan, _ headers: RawSpan) {
        let start = headers.isEmpty ? 0 : headers.byteCount &+ 4
        let count = value.byteCount
        let old = table.value.entries[Int(index)].valueBlob
        var blob = old
        if pool.capacity(of: blob) < start &+ count { blob = pool.allocate(start &+ count) }
        // The value may be a view of the old blob, which is given back behind it.
        pool.write(value, to: blob, at: start)
        if start > 0 {
            cellBytes.writer.removeAll()
            cellBytes.writer.append(bigEndian: UInt32(headers.byteCount))
            pool.write(cellBytes.bytes, to: blob, at: 0)
            pool.write(headers, to: blob, at: 4)
        }
        if blob != old { pool.deallocate(old) }
        table.value.entries[Int(index)].content = UInt64(blob.word) &<< 32 | UInt64(UInt32(count))
        table.value.entries[Int(index)].form = start > 0 ? Form.withHeaders : Form.long
    }

    @inline(never)
    private func setDelete(_ index: Int32, _ headers: RawSpan) {
        table.value.deletes &+= 1
        if !headers.isEmpty {
            setLong(index, RawSpan.empty, headers)
            table.value.entries[Int(index)].form = Form.deletedWithHeaders
            return
        }
        pool.deallocate(table.value.entries[Int(index)].valueBlob)
        table.value.entries[Int(index)].content = 0
        table.value.entries[Int(index)].form = Form.deleted
    }

    /// Remembers the context of an entry's write before another write replaces it, for the links of the flush.
    @inline(never)
    func foldIn(_ index: Int32) {
        guard isDirty(index) else { return }
        table.value.folds.add(index, context(index))
        if entry(index).isDelete { table.value.folds.beginAnew(index) }
    }

    /// The number of a topic and partition in `sources`; there are as many as a task reads.
    @inline(__always)
    func source(_ origin: RecordOrigin, _ topics: any TopicNames) -> Int32 {
        let last = table.value.source
        if table.value.sources[Int(last)].topic == origin.topic
            && table.value.sources[Int(last)].partition == origin.partition
        {
            return last
        }
        return otherSource(origin, topics)
    }

    @inline(never)
    private func otherSource(_ origin: RecordOrigin, _ topics: any TopicNames) -> Int32 {
        var number = 0
        while number < table.value.sources.count {
            let source = table.value.sources[number]
            if source.topic == origin.topic && source.partition == origin.partition { break }
            number += 1
        }
        if number == table.value.sources.count {
            table.value.sources.append(
                Source(
                    topic: origin.topic, partition: origin.partition,
                    topicSize: Int32(topics.nameLength(ofTopic: origin.topic))))
        }
        table.value.source = Int32(number)
        return Int32(number)
    }

    /// Makes the entry of a key that has none, of no value yet.
    @inline(never)
    func insert(_ key: RawSpan, _ probe: Probe) -> Int32 {
        if (table.value.live + 1) * 4 > table.value.slots.count * 3 { growSlots() }
        var entry = Entry()
        entry.keyCount = Int32(key.byteCount)
        entry.first = probe.first
        entry.second = probe.second
        if key.byteCount > 16 {
            let blob = pool.allocate(key.byteCount)
            pool.write(key, to: blob, at: 0)
            entry.second = UInt64(blob.word)
        }
        var index = table.value.freeEntry
        if index >= 0 {
            table.value.freeEntry = table.value.links[Int(index)].older
            table.value.entries[Int(index)] = entry
            if keepsLineage { table.value.traces[Int(index)] = Trace() }
            if keepsCells { table.value.cells[Int(index)] = CompactCell() }
            flushed(index)
        } else {
            index = Int32(table.value.entries.count)
            table.value.entries.append(entry)
            table.value.links.append(Links())
            if keepsLineage { table.value.traces.append(Trace()) }
            if keepsCells { table.value.cells.append(CompactCell()) }
            if keepsFolds { table.value.folds.makeRoom(table.value.entries.count) }
            if table.value.held.count > 0, table.value.held.count < table.value.entries.count { noteHeld() }
        }
        place(probe.hash, index)
        families?.insert(index, key)
        table.value.live += 1
        linkNewest(index)
        return index
    }

    private func place(_ hash: UInt32, _ index: Int32) {
        let mask = table.value.mask
        var slot = hash & mask
        while table.value.slots[Int(slot)] != 0 { slot = (slot &+ 1) & mask }
        table.value.slots[Int(slot)] = hash & ~mask | UInt32(index &+ 1)
    }

    private func growSlots() {
        let size = table.value.slots.count * 2
        // The old ones are given back before there are new ones.
        table.value.slots = FlatList()
        table.value.slots = FlatList(repeating: 0, count: size)
        table.value.mask = UInt32(size - 1)
        var index = table.value.newest
        while index >= 0 {
            place(hash(ofEntry: Int(index)), index)
            index = table.value.links[Int(index)].older
        }
    }
}

extension StoreCache.Entry {
    /// Takes in what every write changes but the value; returns how much more is charged than before.
    @inline(__always)
    fileprivate mutating func written(
        timestamp: Int64, recordTime: Int64, source: Int32, offset: Int64, overhead: Int
    ) -> Int {
        let charge = Int(keyCount) &+ overhead
        let more = charge &- Int(charged)
        charged = Int32(truncatingIfNeeded: charge)
        self.timestamp = timestamp
        self.recordTime = recordTime
        self.source = source
        self.offset = offset
        return more
    }
}
