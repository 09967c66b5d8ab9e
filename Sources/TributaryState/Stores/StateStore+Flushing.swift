internal import TributaryCore
internal import TributaryLineage

extension StateStore {
    // MARK: Flushing

    /// Whether ``flush()`` has something to do.
    public var hasDirtyEntries: Bool {
        isCached ? cache.dirtyCount > 0 : isBuffer && buffer?.hasChanges == true
    }

    /// Flushes the cache: on commit, and at close.
    ///
    /// Does nothing without one. What nodes behind write into this store meanwhile waits for the next call, also under a key that
    /// this one has yet to send: the old value is sent once, and the new one once. A read sees the new one at once.
    public func flush() throws {
        guard hasDirtyEntries else { return }
        guard isCached else {
            do { try buffer?.flush() } catch { throw failed(by: error) }
            return
        }
        try encodeHeld()
        cache.takeDirty()
        try flushTaken(isCommit: true)
    }

    func evict(_ cache: StoreCache) throws {
        // A flush under way keeps its entries; what it adds goes at the next write.
        if state.value.isFlushing { return }
        while cache.budget.usedBytes > cache.budget.limit {
            if cache.budget.takeFromOthers(for: cache) { continue }
            let index = cache.oldest
            guard index >= 0 else { return }
            if cache.hasUnencoded, cache.isDirty(index) {
                // All dirty ones go with it. Their sizes may be others now.
                try encodeHeld()
                continue
            }
            cache.remove(index)
            cache.table.value.evictions &+= 1
            if cache.isDirty(index) {
                // The session that was deleted just now is merged into one that is only then put into the cache.
                if layout.keys == .session && cache.newestIsDelete { changelog?.holdUntilCommit() }
                cache.takeDirty(first: index)
                try flushTaken()
            }
            cache.release(index)
        }
    }

    /// Writes what the cache took for this flush to the engine sorted by key, then logs and forwards it in order.
    private func flushTaken(isCommit: Bool = false) throws {
        do { try sendTaken(isCommit) } catch { throw failed(by: error) }
    }

    private func sendTaken(_ isCommit: Bool) throws {
        state.value.isFlushing = true
        let key = ByteBuffer(capacity: 256)
        let value = ByteBuffer(capacity: 256)
        flushes.begin(self)
        flushBuffers = (key, value)
        let saved = keepsHeaders ? recorder.saveHeaders() : nil
        defer {
            if keepsHeaders { recorder.restoreHeaders(saved) }
            state.value.isFlushing = false
            state.value.flushedKeySize = -1
            flushBuffers = nil
            flushes.end()
        }
        do { try flushRows(key, value, isCommit: isCommit) } catch { throw onFlushFailure?(error) ?? error }
        cache.dropTakenDeletes()
    }

    /// The row being flushed; nil where none is at hand.
    var rowInFlush: FlushedRow? {
        guard let flushBuffers, state.value.flushedKeySize >= 0 else { return nil }
        return FlushedRow(
            store: name, key: [UInt8](copying: flushBuffers.key.bytes(in: 0..<state.value.flushedKeySize)),
            value: state.value.flushedIsDelete ? nil : [UInt8](copying: flushBuffers.value.bytes),
            origin: state.value.flushedOrigin)
    }

    private func flushRows(_ key: ByteBuffer, _ value: ByteBuffer, isCommit: Bool) throws {
        let mark = arena.mark
        try dropVainDeletes(key)
        state.value.flushed &+= Int64(cache.takenCount)
        let prepared = recorder.preparedCount
        if recorder.isRecording {
            // Of a commit: all dirty entries. An eviction's one entry is not worth sorting what the others keep.
            if isCommit { cache.sortFolds() }
            for place in 0..<cache.takenCount { prepareFlushSpan(cache.taken(place)) }
            if isCommit { cache.removeFolds() }
        }
        defer { forgetFlushSpans(from: prepared) }
        try writeSorted(key, value)
        let onFlush = self.onFlush
        for place in 0..<cache.takenCount {
            let index = cache.taken(place)
            let entry = cache.entry(index)
            let lineage = cache.lineage(index)
            key.writer.removeAll()
            cache.copyKey(index, into: &key.writer)
            let keySize = key.count
            if keepsHeaders {
                entryHeaders.writer.removeAll()
                cache.copyHeaders(index, into: &entryHeaders.writer)
                key.writer.append(recorder.ownHeaders(entryHeaders.bytes))
            } else {
                cache.copyHeaders(index, into: &key.writer)
            }
            value.writer.removeAll()
            cache.copyValue(index, into: &value.writer)
            let isAnew = cache.keepsFolds && cache.table.value.folds.isAnew(index)
            cache.flushed(index)
            cache.sent(index)
            let isDelete = entry.isDelete
            state.value.flushedKeySize = keySize
            state.value.flushedIsDelete = isDelete
            let origin = cache.origin(entry)
            state.value.flushedOrigin = origin
            let time = isDelete || !isTimestamped ? entry.recordTime : entry.timestamp
            encodeCell(lineage)
            if keepsHeaders {
                // The entry's own record goes on, with what it had: nothing of another's, nor of the one being processed.
                encodeHeaders(entryHeaders.bytes)
                recorder.beginHeaders(origin, entryHeaders.bytes)
            }
            try withFlushSpan(index) {
                try log(
                    key.bytes(in: 0..<keySize), isDelete ? nil : value.bytes, timestamp: time, lineage,
                    headers: description.keepsHeaders
                        ? loggedHeaders(ofEntry: key.bytes(from: keySize), isDelete: isDelete) : storedHeaders())
                if let onFlush {
                    let seen = recorder.show(lineage)
                    defer { recorder.show(again: seen) }
                    let old = flushesOldValues ? try replacedLineage(index, key.bytes(in: 0..<keySize)) : .none
                    let held: InlineArray<2, Lineage> = [lineage, old]
                    let meta = RecordMeta(
                        key: key.bytes(in: 0..<keySize), hasKey: true, keyIsStale: false, timestamp: time,
                        origin: origin, headers: key.bytes(from: keySize),
                        lineage: flushesOldValues ? held.span : held.span.extracting(first: 1), isAnew: isAnew)
                    try onFlush(
                        isDelete ? nil : value.bytes, flushesOldValues ? oldValues.value(of: index) : nil, meta)
                }
            }
            arena.release(to: mark)
            if isCommit { recorder.exportWhenFull() }
        }
    }

    /// Takes out the deletes of what neither store nor changelog ever had, where they would be forwarded (Docs/Semantics.md, The cache).
    private func dropVainDeletes(_ key: ByteBuffer) throws(StoreError) {
        guard onFlush != nil else { return }
        try cache.filterTaken { index throws(StoreError) in
            if cache.hasValue(index) { return true }
            key.writer.removeAll()
            cache.copyKey(index, into: &key.writer)
            if try layout.get(key.bytes, into: &found.writer) { return true }
            cache.flushed(index)
            return false
        }
    }

    /// Notes what the engine has for an entry before it is overwritten.
    private func keepOldValue(_ index: Int32, _ key: RawSpan) throws(StoreError) {
        guard try layout.get(key, into: &peeked.writer) else { return oldValues.note(index, nil) }
        do throws(EnvelopeError) {
            let view = try EnvelopeView(peeked.bytes)
            oldValues.note(index, view.payload, view.context, cell: keepsCells ? view.cell : .empty)
        } catch {
            throw StoreError(.corrupt, "\(error)", store: name, key: key.hexadecimal)
        }
    }

    private func replacedLineage(_ index: Int32, _ key: RawSpan) throws(StoreError) -> Lineage {
        do throws(MalformedBytes) { return try oldValues.lineage(of: index, arena) } catch {
            throw StoreError(.corrupt, "its cell: \(error)", store: name, key: key.hexadecimal)
        }
    }

    private func writeSorted(_ key: ByteBuffer, _ value: ByteBuffer) throws {
        let mark = arena.mark
        let time = layout.streamTime
        var hasRefused = false
        recorder.pause()
        sorter.value.removeAll()
        if flushesOldValues { oldValues.removeAll() }
        for place in 0..<cache.takenCount {
            let index = cache.taken(place)
            sorter.value.append(word: cache.entry(index).first, index: UInt32(index))
        }
        sorter.value.sort(
            word: { cache.keyWord(Int32($0), at: $1) },
            isBefore: { cache.compareKeys(Int32($0), Int32($1)) < 0 })
        for place in 0..<sorter.value.count {
            let index = Int32(sorter.value[place])
            let entry = cache.entry(index)
            let lineage = cache.lineage(index)
            key.writer.removeAll()
            cache.copyKey(index, into: &key.writer)
            value.writer.removeAll()
            cache.copyValue(index, into: &value.writer)
            encodeCell(lineage)
            if keepsHeaders { encodeHeaders(ofEntry: index) }
            if flushesOldValues { try keepOldValue(index, key.bytes) }
            try timed(index) {
                let isTaken = try writeEngine(
                    key.bytes, entry.isDelete ? nil : value.bytes, timestamp: entry.timestamp,
                    recordTime: entry.recordTime, lineage)
                if !isTaken { hasRefused = true }
            }
            arena.release(to: mark)
        }
        if hasRefused { countExpired(since: time, key) }
    }

    /// Counts the writes that came too late when they were made: in the order of keys newer windows may be written first, so that the engine
    /// refuses what was in time, and what the newer ones then made old.
    private func countExpired(since streamTime: Int64, _ key: ByteBuffer) {
        var time = streamTime
        for place in 0..<cache.takenCount {
            let index = cache.taken(place)
            key.writer.removeAll()
            cache.copyKey(index, into: &key.writer)
            time = max(time, layout.keys.time(of: key.bytes))
            if !cache.entry(index).isDelete && layout.isExpired(key.bytes, at: time) { onExpired?() }
        }
    }
}
