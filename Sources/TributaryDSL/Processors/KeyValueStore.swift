public import TributaryCore
internal import TributaryLineage
internal import TributaryState

/// A key-value store as a processor uses it.
///
/// Keys are in the byte order of their serde.
public final class KeyValueStore<Key, Value> {
    private let store: StateStore
    private let core: ProcessorCore
    private let keySerde: Serde<Key>
    private let valueSerde: Serde<Value>
    private let keyBuffer = ByteBuffer()
    private let scratch = ScratchBuffer()
    private let valueBuffer = ByteBuffer()
    // What the last read found: a processor often writes the key that it has just read.
    private let last = Owned(RowHandle.none)

    init(_ store: StateStore, _ core: ProcessorCore, _ key: Serde<Key>, _ value: Serde<Value>) {
        self.store = store
        self.core = core
        keySerde = key
        valueSerde = value
    }

    /// The entry of a key; nil if there is none.
    public func get(_ key: Key) throws -> StoreEntry<Key, Value>? {
        let keyBuffer = scratch.take()
        defer { scratch.give(keyBuffer) }
        try encode(key, into: keyBuffer)
        let row = try store.read(keyBuffer.bytes)
        last.value = row
        guard row.exists else { return nil }
        let lineage = store.valueLineage
        _ = store.readSpan(core.lineage.context, link: .previous, lineage.context)
        core.noteRead(lineage)
        store.passHeaders(to: core.origin)
        return StoreEntry(
            key: key, value: try store.decodedValue(valueSerde, key: keyBuffer.bytes), timestamp: store.valueTimestamp,
            lineage: lineage, headers: store.headersOfRow(), callback: core.callback)
    }

    /// Writes a value; one that is null deletes.
    ///
    /// - Parameters:
    ///   - key: the row's key.
    ///   - value: what the row is to hold.
    ///   - timestamp: of the value, ms; the record's by default.
    ///   - headers: of the value, in a store that keeps them; the record's by default. A delete has the record's.
    ///   - from: the entries that it was made from besides the record; without, everything read in this callback counts.
    public func put(
        _ key: Key, _ value: Value, timestamp: Int64? = nil, headers: Headers? = nil,
        from: [any StoredLineage]? = nil
    ) throws {
        try encode(key, into: keyBuffer)
        if let nulls = valueSerde.nullability, nulls.isNull(value) {
            return try write(nil, timestamp, nil, from)
        }
        valueBuffer.writer.removeAll()
        try valueSerde.encode(value, &valueBuffer.writer)
        try write(valueBuffer.bytes, timestamp, headers, from)
    }

    /// Writes a value if the key has none; returns the entry that is there already.
    public func putIfAbsent(_ key: Key, _ value: Value) throws -> StoreEntry<Key, Value>? {
        if let entry = try get(key) { return entry }
        try put(key, value)
        return nil
    }

    /// Deletes a key; returns the entry that was there.
    @discardableResult
    public func delete(_ key: Key) throws -> StoreEntry<Key, Value>? {
        try core.checkWritable(store)
        let keyBuffer = scratch.take()
        defer { scratch.give(keyBuffer) }
        try encode(key, into: keyBuffer)
        let row = try store.read(keyBuffer.bytes)
        guard row.exists else {
            try delete(keyBuffer.bytes, after: row, context: nil)
            return nil
        }
        let lineage = store.valueLineage
        let old = StoreEntry(
            key: key, value: try store.decodedValue(valueSerde, key: keyBuffer.bytes), timestamp: store.valueTimestamp,
            lineage: lineage, headers: store.headersOfRow(), callback: core.callback)
        let headers = store.propagatedRowHeaders()
        try delete(keyBuffer.bytes, after: row, context: lineage.context)
        // From here on the row may be used for something: it is no part of its own end.
        core.noteRead(lineage)
        if let headers { core.recorder.addHeaders(headers.span.bytes, to: core.origin) }
        return old
    }

    // A tombstone comes from the record alone; the row that was there is its history.
    private func delete(_ key: RawSpan, after row: RowHandle, context: TraceContext?) throws {
        let held = CollectionOfOne(core.lineage)
        _ = try store.write(
            key, nil, after: row, timestamp: core.timestamp, cell: core.lineage.cell, link: .deleted, row: context,
            core.meta(held.span))
    }

    /// Entries from one key through another (nil: open-ended), ascending, or descending if `reverse`.
    public func range(
        from lower: Key?, through upper: Key?, reverse: Bool = false
    ) throws -> StoreIterator<Key, Value> {
        let low = try lower.flatMap { try keySerde.bytes($0) }
        let high = try upper.flatMap { try keySerde.bytes($0) }
        return try iterate {
            try store.scan(from: low?.span.bytes, through: high?.span.bytes, reverse: reverse)
        }
    }

    /// All entries, ascending, or descending if `reverse`.
    public func all(reverse: Bool = false) throws -> StoreIterator<Key, Value> {
        try iterate { try store.scan(from: nil, through: nil, reverse: reverse) }
    }

    /// Entries whose keys' bytes begin with those of `prefix`.
    public func prefixScan<Prefix>(_ prefix: Prefix, _ serde: Serde<Prefix>) throws -> StoreIterator<Key, Value> {
        let bytes = try serde.bytes(prefix) ?? []
        return try iterate {
            let scan = try store.scan(from: bytes.span.bytes, through: nil, reverse: false)
            return try StoreIterator<Key, Value>.prefixed(scan, bytes)
        }
    }

    /// About how many entries there are.
    public var approximateCount: Int { get throws { try store.approximateCount() } }

    private func iterate(_ open: () throws -> StoreScan) throws -> StoreIterator<Key, Value> {
        let scan = try store.withScanSpan(core.lineage.context, open)
        return StoreIterator(scan, core) { [core, keySerde, valueSerde] row in
            core.noteRead(row.lineage)
            return StoreEntry(
                key: try keySerde.decode(row.key.span.bytes), value: try valueSerde.decode(row.value.span.bytes),
                timestamp: row.timestamp, lineage: row.lineage, headers: row.headers, callback: core.callback)
        }
    }

    private func encode(_ key: Key, into keyBuffer: ByteBuffer) throws {
        keyBuffer.writer.removeAll()
        if let nulls = keySerde.nullability, nulls.isNull(key) {
            throw StoreError(.invalidRequest, "a null key", store: store.name)
        }
        try keySerde.encode(key, &keyBuffer.writer)
    }

    private func write(
        _ value: RawSpan?, _ timestamp: Int64?, _ headers: Headers?, _ from: [any StoredLineage]?
    ) throws {
        try core.checkWritable(store)
        let lineage = try core.derived(from: from?.map(\.entryLineage))
        let row = value == nil ? try core.deletedRow(of: store, keyBuffer.bytes, lineage.context) : nil
        let held = CollectionOfOne(lineage)
        _ = try store.write(
            keyBuffer.bytes, value, after: last.value, timestamp: timestamp ?? core.timestamp, cell: lineage.cell,
            link: .bound, row: row, core.meta(held.span, headers, for: store))
    }
}
