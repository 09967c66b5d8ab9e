public import TributaryCore
public import TributaryLineage
internal import TributaryState

/// Something that was read from a store, to be given as `from:` of what it was used for.
public protocol StoredLineage {
    /// The context and cell of the write that made it.
    var lineage: Lineage { get }
    /// The callback of the processor that read it.
    var callback: Int { get }
}

extension StoredLineage {
    var entryLineage: EntryLineage { EntryLineage(lineage: lineage, callback: callback) }
}

/// A row of a store: the value and where it came from.
public struct StoreEntry<Key, Value>: StoredLineage {
    /// The key.
    public let key: Key
    /// The value.
    public let value: Value
    /// The value's timestamp, ms; in a store without timestamps, that of the record that wrote it.
    public let timestamp: Int64
    /// The context and cell of the write that made it.
    public let lineage: Lineage
    /// The callback of the processor that read it.
    public let callback: Int
}

/// Walks over entries of a store as they were when the walk began.
public final class StoreIterator<Key, Value>: IteratorProtocol, Sequence {
    private let scan: StoreScan
    private let core: ProcessorCore
    private let decode: (StoreRow) throws -> StoreEntry<Key, Value>
    /// What ended the walk early, if something did.
    public private(set) var error: (any Error)?

    init(
        _ scan: StoreScan, _ core: ProcessorCore, _ decode: @escaping (StoreRow) throws -> StoreEntry<Key, Value>
    ) {
        self.scan = scan
        self.core = core
        self.decode = decode
    }

    /// The next entry; nil at the end, or after an error, which ``error`` then holds.
    ///
    /// After an error of the state itself the task ends, whether the error is looked at or not: a walk that ended early must not
    /// pass for a whole one.
    public func next() -> StoreEntry<Key, Value>? {
        do { return try nextEntry() } catch {
            self.error = error
            core.noteFailure(error)
            return nil
        }
    }

    /// The next entry; nil at the end.
    public func nextEntry() throws -> StoreEntry<Key, Value>? {
        try scan.next().map { try decode($0) }
    }

    /// Ends the walk; needed where it is not walked to the end.
    public func close() { scan.close() }
}

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
            lineage: lineage,
            callback: core.callback)
    }

    /// Writes a value; one that is null deletes.
    ///
    /// - Parameters:
    ///   - key: the row's key.
    ///   - value: what the row is to hold.
    ///   - timestamp: of the value, ms; the record's by default.
    ///   - from: the entries that it was made from besides the record; without, everything read in this callback counts.
    public func put(_ key: Key, _ value: Value, timestamp: Int64? = nil, from: [any StoredLineage]? = nil) throws {
        try encode(key, into: keyBuffer)
        if let nulls = valueSerde.nullability, nulls.isNull(value) {
            return try write(nil, timestamp, from)
        }
        valueBuffer.writer.removeAll()
        try valueSerde.encode(value, &valueBuffer.writer)
        try write(valueBuffer.bytes, timestamp, from)
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
            lineage: lineage, callback: core.callback)
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
                timestamp: row.timestamp, lineage: row.lineage, callback: core.callback)
        }
    }

    private func encode(_ key: Key, into keyBuffer: ByteBuffer) throws {
        keyBuffer.writer.removeAll()
        if let nulls = keySerde.nullability, nulls.isNull(key) {
            throw StoreError(.invalidRequest, "a null key", store: store.name)
        }
        try keySerde.encode(key, &keyBuffer.writer)
    }

    private func write(_ value: RawSpan?, _ timestamp: Int64?, _ from: [any StoredLineage]?) throws {
        let lineage = try core.derived(from: from?.map(\.entryLineage))
        let row = value == nil ? try core.deletedRow(of: store, keyBuffer.bytes, lineage.context) : nil
        let held = CollectionOfOne(lineage)
        _ = try store.write(
            keyBuffer.bytes, value, after: last.value, timestamp: timestamp ?? core.timestamp, cell: lineage.cell,
            link: .bound,
            row: row, core.meta(held.span))
    }
}

extension StoreIterator {
    static func prefixed(_ scan: StoreScan, _ prefix: [UInt8]) throws -> StoreScan {
        var rows: [StoreRow] = []
        while let row = try scan.next(), row.key.span.bytes.hasPrefix(prefix.span.bytes) { rows.append(row) }
        scan.close()
        return scan.replaced(by: rows)
    }
}

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
    public func put(_ key: Key, _ value: Value, windowStart: Int64, from: [any StoredLineage]? = nil) throws {
        try encode(key, windowStart, isWrite: true, into: keyBuffer)
        let lineage = try core.derived(from: from?.map(\.entryLineage))
        let held = CollectionOfOne(lineage)
        if let nulls = valueSerde.nullability, nulls.isNull(value) {
            // Where duplicates are kept no row has this sequence number: only the changelog sees it, as in Kafka Streams.
            let row = retainsDuplicates ? nil : try core.deletedRow(of: store, keyBuffer.bytes, lineage.context)
            _ = try store.write(
                keyBuffer.bytes, nil, after: last.value, timestamp: core.timestamp, cell: lineage.cell, link: .bound,
                row: row,
                window: (windowStart, windowStart.addingSaturated(size)), core.meta(held.span))
            return
        }
        valueBuffer.writer.removeAll()
        try valueSerde.encode(value, &valueBuffer.writer)
        _ = try store.write(
            keyBuffer.bytes, valueBuffer.bytes, after: last.value, timestamp: core.timestamp, cell: lineage.cell,
            link: .bound,
            row: nil, window: (windowStart, windowStart.addingSaturated(size)), core.meta(held.span))
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
            lineage: lineage,
            callback: core.callback)
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
                callback: core.callback)
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
