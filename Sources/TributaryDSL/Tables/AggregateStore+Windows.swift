public import TributaryCore
public import TributaryLineage
public import TributaryState

/// A row as it was when it was read, but for its value's bytes, which lie in a buffer.
@usableFromInline
struct SavedRow {
    @usableFromInline let timestamp: Int64
    @usableFromInline let lineage: Lineage
    @usableFromInline let headers: [UInt8]?

    @inlinable
    init(timestamp: Int64, lineage: Lineage, headers: [UInt8]?) {
        self.timestamp = timestamp
        self.lineage = lineage
        self.headers = headers
    }
}

/// How a row is written that isn't made of what it had.
@usableFromInline
struct RowOrigin {
    /// What the value came from.
    @usableFromInline var cell: Cell
    @usableFromInline var timestamp: Int64
    /// How the rows that it was made of were used.
    @usableFromInline var link = LinkType.previous
    /// The contexts of their writes, where a span will link to them.
    @usableFromInline var rows: [TraceContext] = []
    /// Whether the record only made the write happen now.
    @usableFromInline var parentIsTrigger = false
    /// What the row that is replaced came from, if anything.
    @usableFromInline var replaced = Lineage.none

    @inlinable
    init(cell: Cell, timestamp: Int64) {
        self.cell = cell
        self.timestamp = timestamp
    }
}

extension AggregateStore {
    /// Reads a row, its value into a buffer; nil if there is none.
    @inlinable
    func save(_ row: RawSpan, into buffer: ByteBuffer) throws -> SavedRow? {
        guard try store.read(row).exists else { return nil }
        buffer.writer.removeAll()
        buffer.writer.append(store.value)
        return SavedRow(
            timestamp: store.valueTimestamp, lineage: store.valueLineage, headers: store.propagatedRowHeaders())
    }

    /// Writes a row whatever it had, and forwards it unless a flush will, or has to wait for its window.
    ///
    /// - Parameters:
    ///   - result: the value; one that is null deletes.
    ///   - old: what goes on as the old value where that is asked for.
    /// - Returns: false if something threw and the handler lets the record pass.
    @inlinable
    func put(
        _ row: RawSpan, window: Window, _ key: () -> Key?, _ result: Aggregate?, old: Aggregate?, _ origin: RowOrigin,
        _ meta: borrowing RecordMeta
    ) throws -> Bool {
        let buffer = scratch.take()
        defer { scratch.give(buffer) }
        var result = result
        if let value = result, let nulls, nulls.isNull(value) { result = nil }
        let written: Lineage
        do {
            if let result { try value.encode(result, &buffer.writer) }
            let isTracing = recorder.makesSpan(meta.lineage.context)
            if isTracing {
                for context in origin.rows.dropFirst() {
                    recorder.link(result == nil ? .deleted : origin.link, context)
                }
            }
            written = try store.write(
                row, result == nil ? nil : buffer.bytes, timestamp: origin.timestamp, cell: origin.cell,
                link: origin.link, row: isTracing ? origin.rows.first : nil, window: (window.start, window.end),
                parentIsTrigger: origin.parentIsTrigger, meta)
        } catch {
            try user.failed(error, meta)
            return false
        }
        if isCached {
            if let decoded, let result { decoded.hold(result, store.writtenEntry(of: row)) }
            return true
        }
        guard !waitsForClose else { return true }
        // Kafka Streams loses the headers of sessions that no cache has seen.
        let isSession = keys == .session
        let lineage: InlineArray<2, Lineage> = [written, origin.replaced]
        let changed = RecordMeta(
            key: keys.recordBytes(of: row), hasKey: true, keyIsStale: false,
            timestamp: isSession ? window.end : origin.timestamp, origin: meta.origin,
            headers: isSession ? RawSpan.empty : meta.headers,
            lineage: readsOld ? lineage.span : lineage.span.extracting(first: 1))
        try forwarder.send(
            key, result, bytes: result == nil ? nil : buffer.bytes, old: readsOld ? old : nil, changed)
        return true
    }

    /// Emits the rows whose times lie in a range, since their windows have closed.
    ///
    /// - Parameters:
    ///   - times: of windows' starts, or of sessions' ends.
    ///   - step: what all of them are multiples of.
    ///   - size: of the windows, ms; nil for sessions.
    @inlinable
    func emit(
        _ times: ClosedRange<Int64>, step: Int64, size: Int64?, _ list: RowKeys, _ meta: borrowing RecordMeta
    ) throws {
        do { try store.rowKeys(times: times, step: step, into: list) } catch { return try user.failed(error, meta) }
        let buffer = scratch.take()
        defer { scratch.give(buffer) }
        for place in 0..<list.count {
            let mark = recorder.arena.mark
            defer { recorder.arena.release(to: mark) }
            let row = list.key(place)
            do {
                guard try store.readClosing(row) else { continue }
            } catch {
                return try user.failed(error, meta)
            }
            buffer.writer.removeAll()
            buffer.writer.append(store.value)
            let time = keys.time(of: row)
            let start = size == nil ? row.integer(at: row.byteCount &- 8, as: Int64.self) ?? 0 : time
            let end = size.map { time.addingSaturated($0) } ?? time
            let timestamp = size == nil ? time : store.valueTimestamp
            try store.emit(window: (start, end), meta) { lineage in
                let held = CollectionOfOne(copy lineage)
                try forward(
                    buffer.bytes, nil, meta.with(key: keys.recordBytes(of: row), timestamp: timestamp, held.span))
            }
        }
    }
}
