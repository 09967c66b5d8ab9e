public import TributaryCore
internal import TributaryLineage
internal import TributaryState

/// A session store as a processor uses it: values by key and session, whose first and last times are both part of it.
public final class SessionStore<Key, Value> {
    private let store: StateStore
    private let core: ProcessorCore
    private let keySerde: Serde<Key>
    private let valueSerde: Serde<Value>
    private let keyBuffer = ByteBuffer()
    private let scratch = ScratchBuffer()
    private let valueBuffer = ByteBuffer()
    // What the last read found: a processor often writes the session that it has just read.
    private let last = Owned(RowHandle.none)

    init(_ store: StateStore, _ core: ProcessorCore, _ key: Serde<Key>, _ value: Serde<Value>) {
        self.store = store
        self.core = core
        keySerde = key
        valueSerde = value
    }

    /// Writes a session's value; one that is null deletes it.
    ///
    /// - Parameters:
    ///   - session: its key, its first time and its last one, ms.
    ///   - value: its value.
    ///   - headers: of the value, in a store that keeps them; the record's by default. A delete has the record's.
    ///   - from: what was used for it besides the record being processed; nil: what the callback has read so far may have been.
    public func put(
        _ session: Windowed<Key>, _ value: Value, headers: Headers? = nil, from: [any StoredLineage]? = nil
    ) throws {
        if let nulls = valueSerde.nullability, nulls.isNull(value) { return try remove(session, from: from) }
        try core.checkWritable(store)
        try encode(session, into: keyBuffer)
        valueBuffer.writer.removeAll()
        try valueSerde.encode(value, &valueBuffer.writer)
        let held = CollectionOfOne(try core.derived(from: from?.map(\.entryLineage)))
        _ = try store.write(
            keyBuffer.bytes, valueBuffer.bytes, after: last.value, timestamp: core.timestamp,
            cell: held.span[0].cell, link: .bound, row: nil, window: (session.window.start, session.window.end),
            core.meta(held.span, headers, for: store))
    }

    /// Deletes a session.
    public func remove(_ session: Windowed<Key>, from: [any StoredLineage]? = nil) throws {
        try core.checkWritable(store)
        try encode(session, into: keyBuffer)
        let lineage = try core.derived(from: from?.map(\.entryLineage))
        let row = try core.deletedRow(of: store, keyBuffer.bytes, lineage.context)
        let held = CollectionOfOne(lineage)
        _ = try store.write(
            keyBuffer.bytes, nil, after: last.value, timestamp: core.timestamp, cell: lineage.cell, link: .bound,
            row: row, window: (session.window.start, session.window.end), core.meta(held.span))
    }

    /// The entry of one session; nil if there is none.
    ///
    /// - Parameters:
    ///   - key: its key.
    ///   - start: its first time, ms.
    ///   - end: its last time, ms.
    public func fetch(_ key: Key, start: Int64, end: Int64) throws -> StoreEntry<Windowed<Key>, Value>? {
        let keyBuffer = scratch.take()
        defer { scratch.give(keyBuffer) }
        let session = Windowed(key: key, window: Window(start: start, end: end))
        try encode(session, into: keyBuffer)
        let row = try store.read(keyBuffer.bytes)
        last.value = row
        guard row.exists else { return nil }
        let lineage = store.valueLineage
        _ = store.readSpan(core.lineage.context, link: .previous, lineage.context)
        core.noteRead(lineage)
        store.passHeaders(to: core.origin)
        return StoreEntry(
            key: session, value: try store.decodedValue(valueSerde, key: keyBuffer.bytes),
            timestamp: store.valueTimestamp, lineage: lineage, headers: store.headersOfRow(), callback: core.callback)
    }

    /// All sessions of a key, by their ends.
    public func fetch(_ key: Key, reverse: Bool = false) throws -> StoreIterator<Windowed<Key>, Value> {
        try sessions(of: key, endingFrom: 0, startingThrough: Int64.max, reverse: reverse)
    }

    /// A key's sessions that reach into a time, by their ends: those that end at `earliestEnd` or later and start at `latestStart` or
    /// earlier, ms.
    public func sessions(
        of key: Key, endingFrom earliestEnd: Int64, startingThrough latestStart: Int64, reverse: Bool = false
    ) throws -> StoreIterator<Windowed<Key>, Value> {
        let bytes = try keySerde.bytes(key) ?? []
        return try iterate {
            try store.scanWindows(
                key: bytes, start: earliestEnd, end: Int64.max, startingThrough: latestStart, reverse: reverse)
        }
    }

    /// The sessions of all keys between two (nil: open-ended) that reach into a time.
    public func sessions(
        keysFrom lower: Key?, through upper: Key?, endingFrom earliestEnd: Int64 = 0,
        startingThrough latestStart: Int64 = Int64.max, reverse: Bool = false
    ) throws -> StoreIterator<Windowed<Key>, Value> {
        let low = try lower.flatMap { try keySerde.bytes($0) }
        let high = try upper.flatMap { try keySerde.bytes($0) }
        return try iterate {
            try store.scanWindows(
                key: nil, from: low, through: high, start: earliestEnd, end: Int64.max, startingThrough: latestStart,
                reverse: reverse)
        }
    }

    private func iterate(_ open: () throws -> StoreScan) throws -> StoreIterator<Windowed<Key>, Value> {
        let scan = try store.withScanSpan(core.lineage.context, open)
        let serde = Serde<Windowed<Key>>.sessionWindowed(keySerde)
        return StoreIterator(scan, core) { [core, valueSerde] row in
            core.noteRead(row.lineage)
            return StoreEntry(
                key: try serde.decode(row.key.span.bytes), value: try valueSerde.decode(row.value.span.bytes),
                timestamp: row.timestamp, lineage: row.lineage, headers: row.headers, callback: core.callback)
        }
    }

    private func encode(_ session: Windowed<Key>, into keyBuffer: ByteBuffer) throws {
        keyBuffer.writer.removeAll()
        if let nulls = keySerde.nullability, nulls.isNull(session.key) {
            throw StoreError(.invalidRequest, "a null key", store: store.name)
        }
        guard session.window.start <= session.window.end else {
            throw StoreError(.invalidRequest, "a session that ends before it starts", store: store.name)
        }
        try keySerde.encode(session.key, &keyBuffer.writer)
        keyBuffer.writer.append(bigEndian: session.window.end)
        keyBuffer.writer.append(bigEndian: session.window.start)
    }
}
