public import TributaryCore
internal import TributaryLineage
internal import TributaryState

/// A window store as a processor uses it: values by key and window start.
public final class WindowStore<Key, Value> {
    private let store: StateStore
    private let core: ProcessorCore
    private let keySerde: Serde<Key>
    private let valueSerde: Serde<Value>
    private let keyBuffer = ByteBuffer()
    private let scratch = ScratchBuffer()
    private let valueBuffer = ByteBuffer()
    // What the last read found: a processor often writes the key that it has just read.
    private let last = Owned(RowHandle.none)
    private let size: Int64
    private let retainsDuplicates: Bool

    init(_ store: StateStore, _ core: ProcessorCore, _ key: Serde<Key>, _ value: Serde<Value>) {
        self.store = store
        self.core = core
        keySerde = key
        valueSerde = value
        size = store.description.windowSize ?? 0
        retainsDuplicates = store.description.retainsDuplicates
    }

    /// Writes a value for a key and a window's start; one that is null deletes (in a store that keeps duplicates: is only logged).
    ///
    /// - Parameters:
    ///   - key: the row's key.
    ///   - value: what the row is to hold.
    ///   - windowStart: the window's start, ms.
    ///   - timestamp: of the value, ms; the record's by default.
    ///   - headers: of the value, in a store that keeps them; the record's by default. A delete has the record's.
    ///   - from: the entries that it was made from besides the record; without, everything read in this callback counts.
    public func put(
        _ key: Key, _ value: Value, windowStart: Int64, timestamp: Int64? = nil, headers: Headers? = nil,
        from: [any StoredLineage]? = nil
    ) throws {
        try core.checkWritable(store)
        try encode(key, windowStart, isWrite: true, into: keyBuffer)
        let lineage = try core.derived(from: from?.map(\.entryLineage))
        let held = CollectionOfOne(lineage)
        let window = (windowStart, windowStart.addingSaturated(size))
        if let nulls = valueSerde.nullability, nulls.isNull(value) {
            // Where duplicates are kept no row has this sequence number: only the changelog sees it, as in Kafka Streams.
            let row = retainsDuplicates ? nil : try core.deletedRow(of: store, keyBuffer.bytes, lineage.context)
            _ = try store.write(
                keyBuffer.bytes, nil, after: last.value, timestamp: timestamp ?? core.timestamp, cell: lineage.cell,
                link: .bound, row: row, window: window, core.meta(held.span))
            return
        }
        valueBuffer.writer.removeAll()
        try valueSerde.encode(value, &valueBuffer.writer)
        _ = try store.write(
            keyBuffer.bytes, valueBuffer.bytes, after: last.value, timestamp: timestamp ?? core.timestamp,
            cell: lineage.cell, link: .bound, row: nil, window: window, core.meta(held.span, headers, for: store))
    }

    /// The entry of a key's window; nil if there is none.
    public func fetch(_ key: Key, windowStart: Int64) throws -> StoreEntry<Windowed<Key>, Value>? {
        let keyBuffer = scratch.take()
        defer { scratch.give(keyBuffer) }
        try encode(key, windowStart, isWrite: false, into: keyBuffer)
        let row = try store.read(keyBuffer.bytes)
        last.value = row
        guard row.exists else { return nil }
        let lineage = store.valueLineage
        _ = store.readSpan(core.lineage.context, link: .previous, lineage.context)
        core.noteRead(lineage)
        store.passHeaders(to: core.origin)
        return StoreEntry(
            key: Windowed(key: key, window: Window(start: windowStart, end: windowStart.addingSaturated(size))),
            value: try store.decodedValue(valueSerde, key: keyBuffer.bytes), timestamp: store.valueTimestamp,
            lineage: lineage, headers: store.headersOfRow(), callback: core.callback)
    }

    /// A key's windows that start from `start` through `end` (ms, both included), by start.
    public func fetch(
        _ key: Key, from start: Int64, through end: Int64, reverse: Bool = false
    ) throws -> StoreIterator<Windowed<Key>, Value> {
        let bytes = try keySerde.bytes(key) ?? []
        return try iterate { try store.scanWindows(key: bytes, start: start, end: end, reverse: reverse) }
    }

    /// The windows of all keys between two (nil: open-ended) that start from `start` through `end`.
    public func fetch(
        keysFrom lower: Key?, through upper: Key?, from start: Int64, through end: Int64, reverse: Bool = false
    ) throws -> StoreIterator<Windowed<Key>, Value> {
        let low = try lower.flatMap { try keySerde.bytes($0) }
        let high = try upper.flatMap { try keySerde.bytes($0) }
        return try iterate {
            try store.scanWindows(key: nil, from: low, through: high, start: start, end: end, reverse: reverse)
        }
    }

    /// The windows of all keys that start from `start` through `end`.
    public func fetchAll(
        from start: Int64, through end: Int64, reverse: Bool = false
    ) throws -> StoreIterator<Windowed<Key>, Value> {
        try iterate { try store.scanWindows(key: nil, start: start, end: end, reverse: reverse) }
    }

    /// All windows.
    public func all(reverse: Bool = false) throws -> StoreIterator<Windowed<Key>, Value> {
        try iterate { try store.scanWindows(key: nil, start: 0, end: Int64.max, reverse: reverse) }
    }

    private func iterate(_ open: () throws -> StoreScan) throws -> StoreIterator<Windowed<Key>, Value> {
        let scan = try store.withScanSpan(core.lineage.context, open)
        return StoreIterator(scan, core) { [core, keySerde, valueSerde, size] row in
            core.noteRead(row.lineage)
            let key = row.key.span.bytes
            let start = KeySchema.window.time(of: key)
            return StoreEntry(
                key: Windowed(
                    key: try keySerde.decode(KeySchema.window.recordKey(of: key)),
                    window: Window(start: start, end: start.addingSaturated(size))),
                value: try valueSerde.decode(row.value.span.bytes), timestamp: row.timestamp, lineage: row.lineage,
                headers: row.headers, callback: core.callback)
        }
    }

    private func encode(_ key: Key, _ start: Int64, isWrite: Bool, into keyBuffer: ByteBuffer) throws {
        keyBuffer.writer.removeAll()
        if let nulls = keySerde.nullability, nulls.isNull(key) {
            throw StoreError(.invalidRequest, "a null key", store: store.name)
        }
        try keySerde.encode(key, &keyBuffer.writer)
        keyBuffer.writer.append(bigEndian: start)
        keyBuffer.writer.append(bigEndian: isWrite && retainsDuplicates ? store.nextSequence() : 0)
    }
}
