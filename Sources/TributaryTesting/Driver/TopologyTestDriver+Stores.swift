public import TributaryCore
public import TributaryDSL
internal import TributaryLineage
internal import TributaryRuntime
public import TributaryState

/// A row of a store, with its lineage.
public struct DriverRow: Sendable, Hashable {
    /// The key in the store's layout.
    public var key: [UInt8]
    /// The value's bytes.
    public var value: [UInt8]
    /// The value's timestamp, ms.
    public var timestamp: Int64
    /// The context of the write that made it.
    public var context: TraceContext
    /// The cell's bytes; empty if cells are off.
    public var cell: [UInt8]
    /// The headers of the record that wrote it, where the store keeps them.
    public var headers = Headers()
}

/// The topology's stores: as bytes, and by the types that processors use.
///
/// What a typed store is given here belongs to no record: rows that a test writes, to be there before the first record, have an empty cell unless the
/// test has read others since the last record; without a time of their own they have the stream time, or 0. They are logged, and committed with
/// the next record. A typed store serves until the driver restarts.
extension TopologyTestDriver {
    /// The names of the topology's stores, sorted.
    public var storeNames: [String] { topology.stores.keys.sorted() }

    /// What a store is; nil if there is none of that name.
    public func description(ofStore name: String) -> StoreDescription? { topology.stores[name] }

    /// What a store and its cache have counted since the task was started.
    public func statistics(ofStore name: String) throws -> StoreStatistics { try task.store(name).statistics }

    /// How many entries have left a store's cache for want of room since the task was started; 0 for a store without one.
    public func evictions(ofStore name: String) throws -> Int64 {
        try statistics(ofStore: name).cache?.evictions ?? 0
    }

    /// The rows of a store, in its own order: keys in the store's layout, values as bytes, each with its cell's bytes.
    public func rows(ofStore name: String) throws -> [DriverRow] {
        let store = try task.store(name)
        let scan: StoreScan
        if store.description.keys != .plain {
            scan = try store.scanWindows(key: nil, start: 0, end: Int64.max, reverse: false)
        } else {
            scan = try store.scan(from: nil, through: nil, reverse: false)
        }
        defer { scan.close() }
        let mark = task.recorder.arena.mark
        defer { task.recorder.arena.release(to: mark) }
        var rows: [DriverRow] = []
        while let row = try scan.next() {
            var cell = ByteWriter()
            if task.recorder.mode == .cells { task.recorder.arena.encode(row.lineage.cell, into: &cell) }
            rows.append(
                DriverRow(
                    key: row.key, value: row.value, timestamp: row.timestamp, context: row.lineage.context,
                    cell: cell.copy(), headers: row.headers))
        }
        return rows
    }

    /// The store behind a handle that `StreamsBuilder.store` gave.
    ///
    /// - Throws: `StoreError` if the topology has no such store.
    public func store<Store>(_ handle: StoreHandle<Store>) throws -> Store { try opener().open(handle) }

    /// A store of values by key, with timestamps or without.
    ///
    /// - Throws: `StoreError` if the topology has no such store; ``DriverError`` if it is of another kind.
    public func keyValueStore<Key, Value>(
        _ name: String, key: Serde<Key>, value: Serde<Value>
    ) throws -> KeyValueStore<Key, Value> {
        try check(name, "a key-value store") { $0.keys == .plain && $0.history == nil }
        return try opener().keyValue(name, key, value)
    }

    /// A store of values by key whose types name their serdes.
    public func keyValueStore<Key: Recordable, Value: Recordable>(
        _ name: String, keyedBy key: Key.Type = String.self, of value: Value.Type
    ) throws -> KeyValueStore<Key, Value> { try keyValueStore(name, key: Key.serde, value: Value.serde) }

    /// A store of values by key and window.
    ///
    /// - Throws: `StoreError` if the topology has no such store; ``DriverError`` if it is of another kind.
    public func windowStore<Key, Value>(
        _ name: String, key: Serde<Key>, value: Serde<Value>
    ) throws -> WindowStore<Key, Value> {
        try check(name, "a window store") { $0.keys == .window }
        return try opener().window(name, key, value)
    }

    /// A store of values by key and window whose types name their serdes.
    public func windowStore<Key: Recordable, Value: Recordable>(
        _ name: String, keyedBy key: Key.Type = String.self, of value: Value.Type
    ) throws -> WindowStore<Key, Value> { try windowStore(name, key: Key.serde, value: Value.serde) }

    /// A store of values by key and session.
    ///
    /// - Throws: `StoreError` if the topology has no such store; ``DriverError`` if it is of another kind.
    public func sessionStore<Key, Value>(
        _ name: String, key: Serde<Key>, value: Serde<Value>
    ) throws -> SessionStore<Key, Value> {
        try check(name, "a session store") { $0.keys == .session }
        return try opener().session(name, key, value)
    }

    /// A store of values by key and session whose types name their serdes.
    public func sessionStore<Key: Recordable, Value: Recordable>(
        _ name: String, keyedBy key: Key.Type = String.self, of value: Value.Type
    ) throws -> SessionStore<Key, Value> { try sessionStore(name, key: Key.serde, value: Value.serde) }

    /// A store of versions by key.
    ///
    /// - Throws: `StoreError` if the topology has no such store; ``DriverError`` if it is of another kind.
    public func versionedStore<Key, Value>(
        _ name: String, key: Serde<Key>, value: Serde<Value>
    ) throws -> VersionedKeyValueStore<Key, Value> {
        try check(name, "a store of versions") { $0.history != nil }
        return try opener().versioned(name, key, value)
    }

    /// A store of versions by key whose types name their serdes.
    public func versionedStore<Key: Recordable, Value: Recordable>(
        _ name: String, keyedBy key: Key.Type = String.self, of value: Value.Type
    ) throws -> VersionedKeyValueStore<Key, Value> { try versionedStore(name, key: Key.serde, value: Value.serde) }

    private func check(_ name: String, _ what: String, _ fits: (StoreDescription) -> Bool) throws {
        guard let store = topology.stores[name] else { return }
        guard fits(store), !store.isBuffer else { throw DriverError("the store '\(name)' is not \(what)") }
    }

    private func opener() throws -> StoreOpener {
        let made = storeOpener ?? StoreOpener(task, task.recorder)
        storeOpener = made
        made.begin(at: task.streamTime)
        return made
    }
}
