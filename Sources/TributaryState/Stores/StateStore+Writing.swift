public import TributaryCore
public import TributaryLineage

extension StateStore {
    // MARK: Writing

    /// Writes the next aggregate of a key (nil: deletes), derived from the record and the row that the last read found.
    ///
    /// - Parameters:
    ///   - key: the row's key.
    ///   - value: the aggregate; nil deletes.
    ///   - read: what ``read(_:)`` of this key found. If the store has been read or written since, the row is read again.
    ///   - window: start and end, for the span.
    ///   - meta: of the record that causes the write.
    /// - Returns: the value's timestamp. Its lineage is ``writtenLineage``.
    @inline(__always)
    public func writeAggregate(
        _ key: RawSpan, _ value: RawSpan?, after read: RowHandle, window: (start: Int64, end: Int64)? = nil,
        _ meta: borrowing RecordMeta
    ) throws -> Int64 {
        try writeAggregate(key, value, isHeld: false, after: read, window: window, meta)
    }

    /// Writes the next aggregate of a key whose value is held, and doesn't encode it: for the entry that
    /// ``unencodedEntry(after:_:)`` gave, and right after that.
    @inline(__always)
    public func writeHeldAggregate(
        _ key: RawSpan, after read: RowHandle, window: (start: Int64, end: Int64)?, _ meta: borrowing RecordMeta
    ) throws {
        _ = try writeAggregate(key, RawSpan.empty, isHeld: true, after: read, window: window, meta)
    }

    @inline(__always)
    private func writeAggregate(
        _ key: RawSpan, _ value: RawSpan?, isHeld: Bool, after read: RowHandle, window: (start: Int64, end: Int64)?,
        _ meta: borrowing RecordMeta
    ) throws -> Int64 {
        let read = isCurrent(read) ? read : try readAgain(key)
        let exists = read.exists
        let timestamp = exists ? max(meta.timestamp, state.value.timestamp) : meta.timestamp
        if exists { passHeaders(to: meta.origin) }
        guard isCached else {
            let cell = exists && keepsCells ? arena.add(rowCell, meta.lineage.cell) : meta.lineage.cell
            let row = exists && recorder.isRecording ? rowContext : nil
            state.value.written = try write(
                key, value, timestamp: timestamp, cell: cell, link: .previous, row: row, window: window, meta)
            return timestamp
        }
        let row = exists ? state.value.lineageFrom : -1
        guard keepsLineage else {
            _ = putCached(key, value, isHeld: isHeld, read.entry, timestamp: timestamp, meta)
            if cache.budget.usedBytes > cache.budget.limit { try evict(cache) }
            return timestamp
        }
        guard recorder.makesSpan(meta.lineage.context) else {
            putAggregate(
                key, value, isHeld: isHeld, read, timestamp: timestamp, row: row, meta.lineage.context, meta)
            if cache.budget.usedBytes > cache.budget.limit { try evict(cache) }
            return timestamp
        }
        let span = beginWrite(value, link: .previous, row: exists ? rowContext : nil, window: window, meta)
        putAggregate(key, value, isHeld: isHeld, read, timestamp: timestamp, row: row, span.context, meta)
        try endCachedWrite(span)
        return timestamp
    }

    /// Puts an aggregate into the cache, its cell made of the record's and that of the row that was read from entry `row` (-1: none).
    @inline(__always)
    private func putAggregate(
        _ key: RawSpan, _ value: RawSpan?, isHeld: Bool, _ read: RowHandle, timestamp: Int64, row: Int32,
        _ context: TraceContext, _ meta: borrowing RecordMeta
    ) {
        // What was read in no entry (a window's row, which stays out of the cache) is added before it is written.
        let index = putCached(key, value, isHeld: isHeld, read.entry, timestamp: timestamp, meta)
        cache.setContext(index, context)
        if !read.exists && cache.keepsFolds { cache.table.value.folds.beginAnew(index) }
        guard keepsCells else { return }
        if !read.exists {
            cache.setCell(index, meta.lineage.cell)
        } else if row == index || (row >= 0 && row == state.value.replaced) {
            cache.addCell(index, meta.lineage.cell)
        } else {
            cache.setCell(index, arena.add(state.value.lineage.cell, meta.lineage.cell))
        }
    }

    /// Begins the span of a write; only where the recorder makes one.
    @inline(never)
    func beginWrite(
        _ value: RawSpan?, link: LinkType, row: TraceContext?, window: (start: Int64, end: Int64)?,
        parentIsTrigger: Bool = false, _ meta: borrowing RecordMeta
    ) -> SpanRecord {
        if let row { recorder.link(value == nil ? .deleted : link, row) }
        if let window { recorder.window(start: window.start, end: window.end) }
        var span = recorder.begin(
            value == nil ? operations.delete : operations.put, parent: meta.lineage.context,
            flags: parentIsTrigger ? SpanRecord.parentIsTrigger : 0)
        if recorder.capturesHeaders { recorder.add(recorder.captured(recorder.headers(of: meta)), to: &span) }
        return span
    }

    /// Evicts what has no room after a write into the cache, and ends the write's span: without that it has taken no time.
    @inline(never)
    func endCachedWrite(_ span: SpanRecord) throws {
        guard cache.budget.usedBytes > cache.budget.limit else { return recorder.end(span, isInstant: true) }
        do { try evict(cache) } catch {
            recorder.end(span, error: error)
            throw error
        }
        recorder.end(span)
    }

    /// The lineage to forward after ``writeAggregate(_:_:after:window:_:)``, where there is no cache.
    public var writtenLineage: Lineage { state.value.written }

    /// Writes a value (nil: deletes), and returns the lineage that the operator forwards: the write's own context and `cell`.
    ///
    /// - Parameters:
    ///   - key: the row's key.
    ///   - value: the value; nil deletes.
    ///   - read: what a ``read(_:)`` found, which spares looking the key up once more if it was of this key and the last.
    ///   - timestamp: of the value, ms.
    ///   - cell: what the new value came from.
    ///   - link: how the row that was there is used, if there was one.
    ///   - row: the context of that row's write; nil if there was no row.
    ///   - window: start and end, for the span.
    ///   - parentIsTrigger: whether the record only made the write happen now, and the value came from elsewhere.
    ///   - meta: of the record that causes the write.
    @inline(__always)
    public func write(
        _ key: RawSpan, _ value: RawSpan?, after read: RowHandle = .none, timestamp: Int64, cell: Cell, link: LinkType,
        row: TraceContext?, window: (start: Int64, end: Int64)? = nil, parentIsTrigger: Bool = false,
        _ meta: borrowing RecordMeta
    ) throws -> Lineage {
        if recorder.makesSpan(meta.lineage.context), isCached || !followsSource {
            let span = beginWrite(
                value, link: link, row: row, window: window, parentIsTrigger: parentIsTrigger, meta)
            return try write(key, value, read, timestamp: timestamp, cell: cell, span, meta)
        }
        let lineage = Lineage(context: meta.lineage.context, cell: cell)
        if isCached {
            cache.setLineage(putCached(key, value, entry(of: read), timestamp: timestamp, meta), lineage)
            if cache.budget.usedBytes > cache.budget.limit { try evict(cache) }
        } else {
            if keepsHeaders { encodeHeaders(recorder.headers(of: meta)) }
            try writeThrough(
                key, value, timestamp: timestamp, recordTime: meta.timestamp, lineage,
                headers: loggedHeaders(meta, isDelete: value == nil))
        }
        return lineage
    }

    /// A write whose span has begun.
    @inline(never)
    private func write(
        _ key: RawSpan, _ value: RawSpan?, _ read: RowHandle, timestamp: Int64, cell: Cell, _ span: SpanRecord,
        _ meta: borrowing RecordMeta
    ) throws -> Lineage {
        let lineage = Lineage(context: span.context, cell: cell)
        if isCached {
            cache.setLineage(putCached(key, value, entry(of: read), timestamp: timestamp, meta), lineage)
            try endCachedWrite(span)
            return lineage
        }
        if keepsHeaders { encodeHeaders(recorder.headers(of: meta)) }
        do {
            try writeThrough(
                key, value, timestamp: timestamp, recordTime: meta.timestamp, lineage,
                headers: loggedHeaders(meta, isDelete: value == nil))
        } catch {
            recorder.end(span, error: error)
            throw error
        }
        recorder.end(span)
        return lineage
    }

    /// Puts a value into the cache and returns its entry, whose lineage is for the caller to set.
    ///
    /// `entry` is the key's where a read that still counts found it; -1 for none. Of a value that is only held the bytes don't count.
    @inline(__always)
    func putCached(
        _ key: RawSpan, _ value: RawSpan?, isHeld: Bool = false, _ entry: Int32, timestamp: Int64,
        _ meta: borrowing RecordMeta
    ) -> Int32 {
        var index = entry
        state.value.lineageFrom = -1
        if !cache.isEntry(index, of: key) { index = lookUp(key) }
        if state.value.isFlushing && cache.isTaken(index) { index = replaceTaken(index, of: key) }
        state.value.writes &+= 1
        if cache.keepsFolds { cache.foldIn(index) }
        cache.markDirty(index)
        let source = cache.source(meta.origin, topics)
        let charge = meta.headers.isEmpty ? 0 : StateStore.residentSize(ofHeaders: meta.headers)
        if isHeld {
            cache.setUnencoded(
                index, timestamp: timestamp, recordTime: meta.timestamp, source: source, offset: meta.origin.offset,
                headers: recorder.markedHeaders(of: meta), charge: charge)
        } else {
            cache.set(
                index, value, timestamp: timestamp, recordTime: meta.timestamp, source: source,
                offset: meta.origin.offset, headers: recorder.markedHeaders(of: meta), charge: charge)
        }
        state.value.wroteEntry = index
        state.value.wroteVersion = version
        return index
    }

    // A write to a row that the flush under way has yet to send: what was there is sent, and then, by the next flush, this.
    @inline(never)
    private func replaceTaken(_ index: Int32, of key: RawSpan) -> Int32 {
        state.value.replaced = index
        return cache.replaceTaken(index, of: key)
    }

    /// The cache's entry of a key that wasn't read just before, made if there is none.
    @inline(never)
    private func lookUp(_ key: RawSpan) -> Int32 {
        let probe = StoreCache.probe(key)
        let index = cache.find(key, probe)
        return index >= 0 ? index : cache.insert(key, probe)
    }

    /// What the changelog gets of a record's headers: those that are stored, which it has been asked for, or all.
    @_lifetime(immortal)
    @inline(__always)
    func loggedHeaders(_ meta: borrowing RecordMeta, isDelete: Bool) -> RawSpan {
        guard description.logsHeaders || isDelete && description.keepsHeaders else { return storedHeaders() }
        return allHeaders(meta)
    }

    @_lifetime(immortal)
    @inline(never)
    func allHeaders(_ meta: borrowing RecordMeta) -> RawSpan {
        entryHeaders.writer.removeAll()
        entryHeaders.writer.append(recorder.headers(of: meta))
        return entryHeaders.bytes
    }

    /// Writes to engine and changelog.
    func writeThrough(
        _ key: RawSpan, _ value: RawSpan?, timestamp: Int64, recordTime: Int64, _ lineage: Lineage, headers: RawSpan
    ) throws {
        state.value.writes &+= 1
        if value == nil { state.value.deletes &+= 1 }
        encodeCell(lineage)
        do {
            if try !writeEngine(key, value, timestamp: timestamp, recordTime: recordTime, lineage) { onExpired?() }
            let isOfRecord = !isTimestamped || value == nil && versions == nil
            try log(key, value, timestamp: isOfRecord ? recordTime : timestamp, lineage, headers: headers)
        } catch {
            throw failed(by: error)
        }
    }

    @inline(__always)
    func encodeCell(_ lineage: Lineage) {
        cell.writer.removeAll()
        if recorder.mode == .off { return }
        cell.writer.append(CellHeader.version)
        if recorder.mode == .cells { arena.encode(lineage.cell, into: &cell.writer) }
    }

    /// Writes a row to the engine; false for a value that is older than what a window store keeps.
    // The cell's bytes are in state.cell: version byte, then the cell.
    func writeEngine(
        _ key: RawSpan, _ value: RawSpan?, timestamp: Int64, recordTime: Int64, _ lineage: Lineage
    ) throws(StoreError) -> Bool {
        envelope.writer.removeAll()
        if let versions { return try writeVersion(versions, key, value, timestamp: timestamp, lineage) }
        guard let value else {
            guard !description.retainsDuplicates else { return try deleteNothing(key) }
            _ = try layout.delete(key)
            guard let graves, layout.accepts(key) else { return true }
            guard keepsLineage else {
                try clearGrave(key)
                return true
            }
            encodeGrave(
                timestamp: recordTime, context: lineage.context, tracestate: recorder.tracestate(of: lineage.context),
                cell: cell.bytes(from: 1))
            try graves.put(key, envelope.bytes)
            state.value.hasGraves = true
            // Without lineage there would be no grave.
            state.value.lineageBytes &+= Int64(key.byteCount &+ envelope.count)
            return true
        }
        Envelope.encode(
            timestamp: keepsTimestamps ? timestamp : -1, context: lineage.context,
            tracestate: recorder.tracestate(of: lineage.context), headers: storedHeaders(),
            cell: cell.bytes(from: 1), elements: storedElements(), payload: value, into: &envelope.writer)
        guard try layout.put(key, envelope.bytes) else { return false }
        if state.value.hasGraves { try clearGrave(key) }
        state.value.lineageBytes &+= Int64(envelope.count &- value.byteCount &- Envelope.plainSize)
        return true
    }

    /// The delete of a row that is kept beside others is of none: it only says what time it is, in memory.
    private func deleteNothing(_ key: RawSpan) throws(StoreError) -> Bool {
        guard !description.isPersistent else { return true }
        try layout.advance(to: layout.keys.time(of: key))
        return layout.accepts(key)
    }

    func log(
        _ key: RawSpan, _ value: RawSpan?, timestamp: Int64, _ lineage: Lineage, headers: RawSpan
    ) throws {
        guard let changelog else { return }
        guard !holdsElements || elements.count == 0 else {
            return try logElements(key, value, timestamp: timestamp, lineage, headers: headers)
        }
        try changelog.append(
            OutgoingRecord(
                timestamp: timestamp, key: key, value: value, headers: headers, context: lineage.context,
                cell: cell.bytes, lineageHeaders: recorder.lineageHeaders(of: lineage.context)))
    }
}
