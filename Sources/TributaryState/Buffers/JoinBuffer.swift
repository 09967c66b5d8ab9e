internal import TributaryCore
public import TributaryLineage

/// The records of a stream that wait to be joined with a table, in the order of their times.
///
/// They lie in the store, under their time, key and a number, with Kafka Streams' bytes (Docs/Formats.md). Used by the task's thread.
public final class JoinBuffer {
    private struct State {
        /// The greatest time of a record that was put, ms; -1 before the first.
        var time: Int64 = -1
        /// The time of the first record that waits; the greatest if none does.
        var oldest = Int64.max
        var sequence: UInt32 = 0
    }

    private let store: StateStore
    private let recorder: LineageRecorder
    private let grace: Int64
    private let state = Owned(State())
    private let key = ByteBuffer()
    private let content = ByteBuffer()
    private var spare: Row?

    private struct Row {
        let key = ByteBuffer()
        let value = ByteBuffer()
        let headers = ByteBuffer()
        /// The key of the row before.
        let last = ByteBuffer()
    }

    /// What is before and behind the record's key in the key of a row: a zero byte and the time; a number.
    private static let prefixSize = 9
    private static let suffixSize = 4

    /// Takes over what is in the store.
    ///
    /// - Parameters:
    ///   - store: of the kind ``StoreDescription/Kind/joinBuffer``.
    ///   - recorder: the task's.
    ///   - grace: how long a record waits, ms of stream time.
    public init(_ store: StateStore, _ recorder: LineageRecorder, grace: Int64) throws(StoreError) {
        self.store = store
        self.recorder = recorder
        self.grace = grace
        for table in store.layout.tables(from: Int64.min, through: Int64.max) {
            let cursor = try table.cursor(from: nil, through: nil, reverse: false)
            defer { cursor.close() }
            while try cursor.next(key: &key.writer, value: &content.writer) {
                state.value.oldest = min(state.value.oldest, Self.time(of: key.bytes))
                let number = key.bytes.integer(at: key.count - Self.suffixSize, as: UInt32.self) ?? 0
                state.value.sequence = max(state.value.sequence, number)
            }
        }
    }

    private static func time(of row: RawSpan) -> Int64 { row.integer(at: 1, as: Int64.self) ?? 0 }

    /// Keeps a record, with its key's bytes; false if it is too old to wait.
    public func put(_ value: RawSpan, _ meta: borrowing RecordMeta) throws -> Bool {
        if meta.timestamp < state.value.time.subtractingSaturated(grace) { return false }
        state.value.time = max(state.value.time, meta.timestamp)
        state.value.oldest = min(state.value.oldest, meta.timestamp)
        state.value.sequence = (state.value.sequence &+ 1) & 0x7fff_ffff
        key.writer.removeAll()
        key.writer.append(0 as UInt8)
        key.writer.append(bigEndian: meta.timestamp)
        key.writer.append(meta.key)
        key.writer.append(bigEndian: state.value.sequence)
        content.writer.removeAll()
        BufferedContext.append(
            timestamp: meta.timestamp, origin: meta.origin, topic: store.topics.name(ofTopic: meta.origin.topic),
            headers: meta.headers, to: &content.writer)
        _ = BufferedChange.append(prior: nil, old: nil, new: value, to: &content.writer)
        content.writer.append(bigEndian: 0 as Int64)
        let held = CollectionOfOne(meta.lineage)
        _ = try store.write(
            key.bytes, content.bytes, timestamp: meta.timestamp, cell: meta.lineage.cell, link: .superseded, row: nil,
            meta.with(timestamp: recorder.time.wall.milliseconds, held.span))
        return true
    }

    /// Gives away the records that have waited long enough, each as it was put, in the order of time, key and arrival.
    public func emitDue(
        because trigger: borrowing RecordMeta, _ body: (RawSpan, borrowing RecordMeta) throws -> Void
    ) throws {
        let due = state.value.time.subtractingSaturated(grace)
        guard state.value.oldest <= due else { return }
        let row = spare ?? Row()
        spare = nil
        defer { spare = row }
        // Rows are deleted as they go: a cursor would keep them for itself, at the price of copies.
        guard let table = store.layout.onlyTable else { return }
        row.last.writer.removeAll()
        var isFirst = true
        while try table.neighbour(of: row.last.bytes, before: false, orEqual: isFirst, into: &row.key.writer) {
            let time = Self.time(of: row.key.bytes)
            if time > due {
                state.value.oldest = time
                return
            }
            guard try table.get(row.key.bytes, into: &row.value.writer) else { break }
            isFirst = false
            row.last.writer.removeAll()
            row.last.writer.append(row.key.bytes)
            try emit(row, because: trigger, body)
        }
        state.value.oldest = Int64.max
    }

    private func emit(
        _ row: Row, because trigger: borrowing RecordMeta, _ body: (RawSpan, borrowing RecordMeta) throws -> Void
    ) throws {
        let mark = recorder.arena.mark
        defer { recorder.arena.release(to: mark) }
        let view: EnvelopeView
        let fields: BufferedContext.Fields
        let change: BufferedChange
        let start: Int
        do {
            view = try EnvelopeView(row.value.bytes)
            guard let payload = view.payload else { throw MalformedBytes.truncated(offset: 0) }
            var reader = ByteReader(payload)
            fields = try BufferedContext.read(&reader, headers: &row.headers.writer)
            start = row.value.count - reader.remaining
            change = try BufferedChange(reader.rest())
        } catch {
            throw StoreError(
                .corrupt, "a record that waits for its join: \(error)", store: store.name,
                key: row.key.bytes.hexadecimal)
        }
        var lineage = Lineage(context: view.context, cell: try store.storedCell(view.cell))
        if !view.tracestate.isEmpty { recorder.know(view.tracestate, of: &lineage.context) }
        let kept = lineage.context
        let origin = RecordOrigin(
            topic: fields.topic.isEmpty ? -1 : store.topics.number(ofTopic: fields.topic), partition: fields.partition,
            offset: fields.offset)
        let saved = store.keepsHeaders ? recorder.saveHeaders() : nil
        defer { if store.keepsHeaders { recorder.restoreHeaders(saved) } }
        if store.keepsHeaders {
            recorder.beginHeaders(origin, row.headers.bytes)
            recorder.addHeaders(view.headers, to: origin)
        }
        try recorder.emit(store.operations.emit, &lineage, because: trigger.lineage.context) { lineage in
            let held = CollectionOfOne(lineage)
            let meta = RecordMeta(
                key: row.key.bytes(in: Self.prefixSize..<(row.key.count - Self.suffixSize)), hasKey: true,
                keyIsStale: false, timestamp: fields.timestamp, origin: origin, headers: row.headers.bytes,
                lineage: held.span)
            guard let new = change.new else { return }
            try body(row.value.bytes(in: (start + new.lowerBound)..<(start + new.upperBound)), meta)
        }
        let held = CollectionOfOne(trigger.lineage)
        _ = try store.write(
            row.key.bytes, nil, timestamp: fields.timestamp, cell: lineage.cell, link: .deleted, row: kept,
            trigger.with(timestamp: recorder.time.wall.milliseconds, held.span))
    }
}

extension StateStore {
    /// The cell of stored bytes, where cells are kept.
    func storedCell(_ bytes: RawSpan) throws(StoreError) -> Cell {
        guard keepsCells else { return .empty }
        do throws(EnvelopeError) { return try readCell(bytes) } catch {
            throw StoreError(.corrupt, "\(error)", store: name)
        }
    }
}

extension LineageRecorder {
    /// Runs what sends on something that waited, within a span of its own where there is one: a child of what it was, linked to what made it go.
    func emit(
        _ operation: Int32, _ lineage: inout Lineage, because trigger: TraceContext, flags: UInt8 = 0,
        _ body: (Lineage) throws -> Void
    ) throws {
        guard makesSpan(lineage.context) else {
            let seen = show(lineage)
            defer { show(again: seen) }
            return try body(lineage)
        }
        if trigger.isValid && trigger.span != lineage.context.span { link(.trigger, trigger) }
        let span = begin(operation, parent: lineage.context, flags: flags)
        let around = startNotes()
        lineage.context = span.context
        let seen = show(lineage)
        defer { show(again: seen) }
        do { try body(lineage) } catch {
            end(span, around: around, error: error)
            throw error
        }
        end(span, around: around)
    }
}
