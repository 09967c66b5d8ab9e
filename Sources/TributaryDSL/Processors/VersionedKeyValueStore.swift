public import TributaryCore
internal import TributaryLineage
public import TributaryState

/// A store of versions by key as a processor uses it, as Kafka Streams' class of the same name.
public final class VersionedKeyValueStore<Key, Value> {
    private let store: StateStore
    private let core: ProcessorCore
    private let keySerde: Serde<Key>
    private let valueSerde: Serde<Value>
    private let keyBuffer = ByteBuffer()
    private let valueBuffer = ByteBuffer()

    init(_ store: StateStore, _ core: ProcessorCore, _ key: Serde<Key>, _ value: Serde<Value>) {
        self.store = store
        self.core = core
        keySerde = key
        valueSerde = value
    }

    /// What became of a version that was put.
    public enum Written: Equatable, Sendable {
        /// It is the newest.
        case newest
        /// It counts until the next one's time, ms.
        case until(Int64)
        /// It is older than what is kept, and was not taken.
        case refused
    }

    /// The newest version of a key; nil if there is none, or if it is a delete.
    public func get(_ key: Key) throws -> StoreEntry<Key, Value>? {
        try encode(key)
        return try entry(key, try store.read(keyBuffer.bytes))
    }

    /// The version of a key that was the newest at a time, ms; nil if there was none, or if it was a delete.
    ///
    /// Of a time longer ago, in stream time, than versions are kept only a newest version is found that is no younger.
    public func get(_ key: Key, at time: Int64) throws -> StoreEntry<Key, Value>? {
        try encode(key)
        return try entry(key, try store.read(keyBuffer.bytes, at: time))
    }

    /// Writes a version; nil, or a value that is null of its own type, is a delete.
    ///
    /// - Parameters:
    ///   - key: the row's key.
    ///   - value: what it is from then on.
    ///   - timestamp: since when, ms.
    ///   - from: the entries that it was made from besides the record; without, everything read in this callback counts.
    @discardableResult
    public func put(
        _ key: Key, _ value: Value?, timestamp: Int64, from: [any StoredLineage]? = nil
    ) throws -> Written {
        try core.checkWritable(store)
        try encode(key)
        guard timestamp >= 0 else { throw InvalidTimestamp(timestamp: timestamp) }
        valueBuffer.writer.removeAll()
        let isNull = value.map { valueSerde.nullability?.isNull($0) == true } ?? true
        if let value, !isNull { try valueSerde.encode(value, &valueBuffer.writer) }
        let lineage = isNull ? core.lineage : try core.derived(from: from?.map(\.entryLineage))
        let row = try core.deletedRow(of: store, keyBuffer.bytes, lineage.context)
        let held = CollectionOfOne(lineage)
        _ = try store.write(
            keyBuffer.bytes, isNull ? nil : valueBuffer.bytes, timestamp: timestamp, cell: lineage.cell,
            link: .superseded, row: row, core.meta(held.span))
        if store.wasRefused { return .refused }
        return store.writtenValidTo.map { .until($0) } ?? .newest
    }

    /// Deletes a key from a time on; returns the version that it had then.
    @discardableResult
    public func delete(_ key: Key, timestamp: Int64) throws -> StoreEntry<Key, Value>? {
        let old = try get(key, at: timestamp)
        try put(key, nil, timestamp: timestamp)
        return old
    }

    private func entry(_ key: Key, _ row: RowHandle) throws -> StoreEntry<Key, Value>? {
        guard row.exists else { return nil }
        let lineage = store.valueLineage
        _ = store.readSpan(core.lineage.context, link: .previous, lineage.context)
        core.noteRead(lineage)
        store.passHeaders(to: core.origin)
        return StoreEntry(
            key: key, value: try store.decodedValue(valueSerde, key: keyBuffer.bytes), timestamp: store.valueTimestamp,
            lineage: lineage, callback: core.callback)
    }

    private func encode(_ key: Key) throws {
        keyBuffer.writer.removeAll()
        if let nulls = keySerde.nullability, nulls.isNull(key) {
            throw StoreError(.invalidRequest, "a null key", store: store.name)
        }
        try keySerde.encode(key, &keyBuffer.writer)
    }
}

/// A store of versions by key that is to be made.
public struct VersionedStoreShape: Sendable {
    let name: String
    let kind: StoreDescription.Kind

    /// Values by key and time.
    ///
    /// - Parameters:
    ///   - name: the store's name.
    ///   - history: how long a version is kept after a newer one replaced it, in stream time.
    public static func versioned(_ name: String, history: Duration) -> VersionedStoreShape {
        VersionedStoreShape(name: name, kind: .versioned(history: history.milliseconds))
    }
}

extension StreamsBuilder {
    /// Makes a store of versions for processors, and gives a handle to connect them by.
    public func store<Key, Value>(
        _ shape: VersionedStoreShape, key: Serde<Key>, value: Serde<Value>, supplier: (any StoreSupplier)? = nil,
        logging: Bool = true,
        changelogSettings: [String: String] = [:]
    ) -> StoreHandle<VersionedKeyValueStore<Key, Value>> {
        var description = StoreDescription(name: shape.name, kind: shape.kind, isLogged: logging)
        description.serdes = "\(key.name) \(value.name)"
        description.changelogSettings = changelogSettings
        graph.supply(&description, by: supplier, isDefault: true)
        addStateStore(description)
        return StoreHandle(storeName: shape.name) { store, core in VersionedKeyValueStore(store, core, key, value) }
    }

    /// Makes a store of versions whose types name their serdes.
    public func store<Key: Recordable, Value: Recordable>(
        _ shape: VersionedStoreShape, keyedBy key: Key.Type = String.self, of value: Value.Type,
        supplier: (any StoreSupplier)? = nil, logging: Bool = true,
        changelogSettings: [String: String] = [:]
    ) -> StoreHandle<VersionedKeyValueStore<Key, Value>> {
        store(
            shape, key: Key.serde, value: Value.serde, supplier: supplier, logging: logging,
            changelogSettings: changelogSettings)
    }
}

extension ProcessingContext {
    /// A store of versions that the processor is connected to.
    ///
    /// - Throws: ``ProcessorError`` if it isn't connected.
    public func versionedStore<StoreKey, StoreValue>(
        _ name: String, key: Serde<StoreKey>, value: Serde<StoreValue>
    ) throws -> VersionedKeyValueStore<StoreKey, StoreValue> {
        VersionedKeyValueStore(try core.store(name), core, key, value)
    }
}
