public import TributaryCore
public import TributaryLineage

extension StateStore {
    // MARK: Writing

    /// Writes the next aggregate of a key (nil: deletes), derived from the record and the row that the last read found.
    ///
    /// - Parameters:
    ///   - key: the row's key.
    ///   - value: the aggregate; nil deletes.
    ///   - exists: whether the last ``read(_:)``, which was of this key, found a row.
    ///   - window: start and end, for the span.
    ///   - meta: of the record that causes the write.
    /// - Returns: the value's timestamp. Its lineage is ``writtenLineage``.
    @inline(__always)
    public func writeAggregate(
        _ key: RawSpan, _ value: RawSpan?, exists: Bool, window: (start: Int64, end: Int64)? = nil,
        _ meta: borrowing RecordMeta
    ) throws -> Int64 {
        let timestamp = exists ? max(meta.timestamp, state.value.timestamp) : meta.timestamp
        guard keepsLineage else {
            if isCached {
                try writeCached(key, value, timestamp: timestamp, .none, meta)
            } else {
                try writeThrough(key, value, timestamp: timestamp, recordTime: meta.timestamp, .none)
            }
            return timestamp
        }
        let cell = exists && keepsCells ? arena.add(rowCell, meta.lineage.cell) : meta.lineage.cell
        let row = exists && recorder.isRecording ? rowContext : .none
        let lineage = try write(
            key, value, timestamp: timestamp, cell: cell, link: .previous, row: row, window: window, meta)
        if !isCached { state.value.written = lineage }
        return timestamp
    }

    /// The lineage to forward after ``writeAggregate(_:_:exists:window:_:)``, where there is no cache.
    public var writtenLineage: Lineage { state.value.written }

    /// Writes a value (nil: deletes), and returns the lineage that the operator forwards: the write's own context and `cell`.
    ///
    /// - Parameters:
    ///   - key: the row's key.
    ///   - value: the value; nil deletes.
    ///   - timestamp: of the value, ms.
    ///   - cell: what the new value came from.
    ///   - link: how the row that was there is used, if there was one.
    ///   - row: the context of that row's write; `TraceContext.none` if there was none.
    ///   - window: start and end, for the span.
    ///   - parentIsTrigger: whether the record only made the write happen now, and the value came from elsewhere.
    ///   - meta: of the record that causes the write.
    @inline(__always)
    public func write(
        _ key: RawSpan, _ value: RawSpan?, timestamp: Int64, cell: Cell, link: LinkType, row: TraceContext,
        window: (start: Int64, end: Int64)? = nil, parentIsTrigger: Bool = false, _ meta: borrowing RecordMeta
    ) throws -> Lineage {
        var lineage = Lineage(context: meta.lineage.context, cell: cell)
        if recorder.makesSpan(lineage.context) {
            if row.isValid { recorder.link(value == nil ? .deleted : link, row) }
            if let window { recorder.window(start: window.start, end: window.end) }
            lineage.context = recorder.span(
                value == nil ? operations.delete : operations.put, parent: lineage.context,
                flags: parentIsTrigger ? SpanRecord.parentIsTrigger : 0)
        }
        if isCached {
            try writeCached(key, value, timestamp: timestamp, lineage, meta)
        } else {
            try writeThrough(key, value, timestamp: timestamp, recordTime: meta.timestamp, lineage)
        }
        return lineage
    }

    @inline(__always)
    func writeCached(
        _ key: RawSpan, _ value: RawSpan?, timestamp: Int64, _ lineage: Lineage, _ meta: borrowing RecordMeta
    ) throws {
        var index = state.value.lookedUp
        var hash: UInt32 = 0
        state.value.lineageFrom = -1
        if !cache.isEntry(index, of: key) {
            hash = StoreCache.hash(key)
            index = cache.find(key, hash: hash)
        }
        if meta.origin.topic != state.value.topic {
            state.value.topic = meta.origin.topic
            state.value.topicSize = topics.nameLength(ofTopic: meta.origin.topic)
        }
        _ = cache.put(
            key, hash: hash, found: index, value: value, dirty: true, timestamp: timestamp,
            recordTime: meta.timestamp, origin: meta.origin, headers: meta.headers,
            topicSize: state.value.topicSize, lineage: lineage, timestampSize: timestampSize)
        if cache.budget.usedBytes > cache.budget.limit { try evict(cache) }
    }

    /// Writes to engine and changelog; returns whether the engine took it.
    func writeThrough(
        _ key: RawSpan, _ value: RawSpan?, timestamp: Int64, recordTime: Int64, _ lineage: Lineage
    ) throws {
        encodeCell(lineage)
        try writeEngine(key, value, timestamp: timestamp, recordTime: recordTime, lineage)
        try log(key, value, timestamp: value == nil || !description.isTimestamped ? recordTime : timestamp, lineage)
    }

    @inline(__always)
    func encodeCell(_ lineage: Lineage) {
        cell.writer.removeAll()
        if recorder.mode == .off { return }
        cell.writer.append(CellHeader.version)
        if recorder.mode == .cells { arena.encode(lineage.cell, into: &cell.writer) }
    }

    // The cell's bytes are in state.cell: version byte, then the cell.
    func writeEngine(
        _ key: RawSpan, _ value: RawSpan?, timestamp: Int64, recordTime: Int64, _ lineage: Lineage
    ) throws(StoreError) {
        envelope.writer.removeAll()
        guard let value else {
            _ = try inner.delete(key)
            if let graves {
                Envelope.encode(
                    timestamp: recordTime, context: lineage.context, tracestate: RawSpan.empty, headers: RawSpan.empty,
                    cell: cell.bytes(from: 1), elements: RawSpan.empty, payload: nil,
                    into: &envelope.writer)
                try graves.put(key, envelope.bytes)
            }
            return
        }
        Envelope.encode(
            timestamp: timestamp, context: lineage.context, tracestate: RawSpan.empty, headers: RawSpan.empty,
            cell: cell.bytes(from: 1), elements: RawSpan.empty, payload: value, into: &envelope.writer)
        if try !inner.put(key, envelope.bytes) { onExpired?() }
    }

    func log(_ key: RawSpan, _ value: RawSpan?, timestamp: Int64, _ lineage: Lineage) throws {
        guard let changelog else { return }
        try changelog.append(
            key: key, value: value, timestamp: timestamp, context: lineage.context, cell: cell.bytes)
    }

    // MARK: Restoring

    /// Puts a changelog record into the engine: the value's timestamp is the record's, its lineage the headers', byte for byte.
    ///
    /// - Parameters:
    ///   - key: the record's key.
    ///   - value: the record's value; nil deletes.
    ///   - timestamp: the record's, ms.
    ///   - context: of the header `traceparent`; `TraceContext.none` without.
    ///   - cell: the value of the header `tributary-cell`, version byte included; empty if the record has none.
    public func restore(
        _ key: RawSpan, _ value: RawSpan?, timestamp: Int64, context: TraceContext, cell: RawSpan
    ) throws(StoreError) {
        guard let value else {
            _ = try inner.delete(key)
            if let graves {
                encodeRestored(nil, timestamp: timestamp, context: context, cell: cell)
                try graves.put(key, envelope.bytes)
            }
            return
        }
        encodeRestored(value, timestamp: timestamp, context: context, cell: cell)
        _ = try inner.put(key, envelope.bytes)
    }

    /// Makes the envelope of a changelog record; the bytes are the store's until its next call.
    @_lifetime(immortal)
    public func restoredEnvelope(
        _ value: RawSpan?, timestamp: Int64, context: TraceContext, cell: RawSpan
    ) -> RawSpan {
        encodeRestored(value, timestamp: timestamp, context: context, cell: cell)
        return envelope.bytes
    }

    func encodeRestored(_ value: RawSpan?, timestamp: Int64, context: TraceContext, cell: RawSpan) {
        envelope.writer.removeAll()
        Envelope.encode(
            timestamp: timestamp, context: context, tracestate: RawSpan.empty, headers: RawSpan.empty,
            cell: cell.dropping(1), elements: RawSpan.empty, payload: value, into: &envelope.writer)
    }
}
