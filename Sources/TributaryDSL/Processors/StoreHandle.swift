public import TributaryCore
public import TributaryState

/// A store that processors are connected to: a ``StoreHandle``, or the name of a table's store.
public protocol StoreReference: Sendable {
    /// The store's name.
    var storeName: String { get }
}

extension String: StoreReference {
    /// The string itself.
    public var storeName: String { self }
}

/// A store as `StreamsBuilder.store` makes it: its name, its serdes and its kind, said once.
///
/// A processor is connected to it by `stores:`, and takes the store itself in `initialize(_:)`.
///
/// ```swift
/// let best = builder.store(.keyValue("best"), of: Double.self)
/// builder.stream("scores", of: Double.self).process(stores: [best]) { Best(best) }
/// // in Best: store = try context.store(best)
/// ```
public struct StoreHandle<Store>: StoreReference {
    /// The store's name.
    public let storeName: String
    let open: @Sendable (StateStore, ProcessorCore) -> Store
}

/// A store of values by key that is to be made.
public struct KeyValueStoreShape: Sendable {
    let name: String
    let kind: StoreDescription.Kind
    let timeToLive: Duration?
    var headers = false

    /// Values by key, in the order of the keys' bytes.
    ///
    /// - Parameters:
    ///   - name: the store's name.
    ///   - timestamped: whether each value is kept with its timestamp, as the stores of tables do.
    ///   - headers: whether each value is kept with its timestamp and headers, as Kafka Streams' `TimestampedKeyValueStoreWithHeaders` does.
    ///   - timeToLive: how long a value is kept behind its timestamp, in the task's stream time; nil for ever. With one values are kept with their
    ///     timestamps, and the store isn't cached.
    public static func keyValue(
        _ name: String, timestamped: Bool = false, headers: Bool = false, timeToLive: Duration? = nil
    ) -> KeyValueStoreShape {
        KeyValueStoreShape(
            name: name, kind: timestamped || headers || timeToLive != nil ? .timestampedKeyValue : .keyValue,
            timeToLive: timeToLive, headers: headers)
    }

    /// Values by key with their timestamps, in memory, at most so many: then the one that was not used for longest is forgotten, which nobody is
    /// told.
    public static func leastRecentlyUsed(_ name: String, maximum: Int) -> KeyValueStoreShape {
        KeyValueStoreShape(name: name, kind: .leastRecentlyUsed(maximum: maximum), timeToLive: nil)
    }
}

/// A store of values by key and window that is to be made.
public struct WindowStoreShape: Sendable {
    let name: String
    let kind: StoreDescription.Kind
    var headers = false

    /// Values by key and window start.
    ///
    /// - Parameters:
    ///   - name: the store's name.
    ///   - retention: how long a window is kept, in stream time.
    ///   - size: the windows' size.
    ///   - retainsDuplicates: whether values of one key and window are kept side by side.
    ///   - timestamped: whether each value is kept with its timestamp, as the stores of windowed aggregations do.
    ///   - headers: whether each value is kept with its timestamp and headers, as Kafka Streams' `TimestampedWindowStoreWithHeaders` does.
    public static func window(
        _ name: String, retention: Duration, size: Duration, retainsDuplicates: Bool = false,
        timestamped: Bool = false, headers: Bool = false
    ) -> WindowStoreShape {
        WindowStoreShape(
            name: name,
            kind: .window(
                retention: retention.milliseconds, size: size.milliseconds, retainsDuplicates: retainsDuplicates,
                timestamped: timestamped || headers), headers: headers)
    }
}

/// A store of values by key and session that is to be made.
public struct SessionStoreShape: Sendable {
    let name: String
    let kind: StoreDescription.Kind
    var headers = false

    /// Values by key and session.
    ///
    /// - Parameters:
    ///   - name: the store's name.
    ///   - retention: how long a session is kept behind its end, in stream time.
    ///   - headers: whether each value is kept with headers, as Kafka Streams' `SessionStoreWithHeaders` does.
    public static func session(_ name: String, retention: Duration, headers: Bool = false) -> SessionStoreShape {
        SessionStoreShape(name: name, kind: .session(retention: retention.milliseconds), headers: headers)
    }
}

extension StreamsBuilder {
    /// Makes a key-value store for processors, and gives a handle to connect them by.
    ///
    /// - Parameters:
    ///   - shape: name and kind.
    ///   - key: the keys' serde.
    ///   - value: the values' serde.
    ///   - inMemory: whether it is kept in memory; nil for the builder's default.
    ///   - supplier: keeps it, whatever `inMemory` says; nil for the builder's default.
    ///   - caching: whether writes are collected in the cache.
    ///   - logging: whether there is a changelog.
    ///   - changelogSettings: settings of the changelog topic.
    public func store<Key, Value>(
        _ shape: KeyValueStoreShape, key: Serde<Key>, value: Serde<Value>, inMemory: Bool? = nil,
        supplier: (any StoreSupplier)? = nil, caching: Bool = false, logging: Bool = true,
        changelogSettings: [String: String] = [:]
    ) -> StoreHandle<KeyValueStore<Key, Value>> {
        add(
            shape.name, shape.kind, "\(key.name) \(value.name)", (inMemory, supplier), caching, logging,
            changelogSettings, headers: shape.headers, timeToLive: shape.timeToLive)
        return StoreHandle(storeName: shape.name) { store, core in KeyValueStore(store, core, key, value) }
    }

    /// Makes a key-value store whose types name their serdes.
    public func store<Key: Recordable, Value: Recordable>(
        _ shape: KeyValueStoreShape, keyedBy key: Key.Type = String.self, of value: Value.Type, inMemory: Bool? = nil,
        supplier: (any StoreSupplier)? = nil, caching: Bool = false, logging: Bool = true,
        changelogSettings: [String: String] = [:]
    ) -> StoreHandle<KeyValueStore<Key, Value>> {
        store(
            shape, key: Key.serde, value: Value.serde, inMemory: inMemory, supplier: supplier, caching: caching,
            logging: logging, changelogSettings: changelogSettings)
    }

    /// Makes a window store for processors, and gives a handle to connect them by.
    public func store<Key, Value>(
        _ shape: WindowStoreShape, key: Serde<Key>, value: Serde<Value>, inMemory: Bool? = nil,
        supplier: (any StoreSupplier)? = nil, caching: Bool = false, logging: Bool = true,
        changelogSettings: [String: String] = [:]
    ) -> StoreHandle<WindowStore<Key, Value>> {
        add(
            shape.name, shape.kind, "\(key.name) \(value.name)", (inMemory, supplier), caching, logging,
            changelogSettings, headers: shape.headers)
        return StoreHandle(storeName: shape.name) { store, core in WindowStore(store, core, key, value) }
    }

    /// Makes a window store whose types name their serdes.
    public func store<Key: Recordable, Value: Recordable>(
        _ shape: WindowStoreShape, keyedBy key: Key.Type = String.self, of value: Value.Type, inMemory: Bool? = nil,
        supplier: (any StoreSupplier)? = nil, caching: Bool = false, logging: Bool = true,
        changelogSettings: [String: String] = [:]
    ) -> StoreHandle<WindowStore<Key, Value>> {
        store(
            shape, key: Key.serde, value: Value.serde, inMemory: inMemory, supplier: supplier, caching: caching,
            logging: logging, changelogSettings: changelogSettings)
    }

    /// Makes a session store for processors, and gives a handle to connect them by.
    public func store<Key, Value>(
        _ shape: SessionStoreShape, key: Serde<Key>, value: Serde<Value>, inMemory: Bool? = nil,
        supplier: (any StoreSupplier)? = nil, caching: Bool = false, logging: Bool = true,
        changelogSettings: [String: String] = [:]
    ) -> StoreHandle<SessionStore<Key, Value>> {
        add(
            shape.name, shape.kind, "\(key.name) \(value.name)", (inMemory, supplier), caching, logging,
            changelogSettings, headers: shape.headers)
        return StoreHandle(storeName: shape.name) { store, core in SessionStore(store, core, key, value) }
    }

    /// Makes a session store whose types name their serdes.
    public func store<Key: Recordable, Value: Recordable>(
        _ shape: SessionStoreShape, keyedBy key: Key.Type = String.self, of value: Value.Type, inMemory: Bool? = nil,
        supplier: (any StoreSupplier)? = nil, caching: Bool = false, logging: Bool = true,
        changelogSettings: [String: String] = [:]
    ) -> StoreHandle<SessionStore<Key, Value>> {
        store(
            shape, key: Key.serde, value: Value.serde, inMemory: inMemory, supplier: supplier, caching: caching,
            logging: logging, changelogSettings: changelogSettings)
    }

    private func add(
        _ name: String, _ kind: StoreDescription.Kind, _ serdes: String,
        _ place: (inMemory: Bool?, supplier: (any StoreSupplier)?), _ caching: Bool, _ logging: Bool,
        _ changelogSettings: [String: String], headers: Bool, timeToLive: Duration? = nil
    ) {
        var description = StoreDescription(
            name: name, kind: kind, isPersistent: !(place.inMemory ?? graph.storesInMemory), isCached: caching,
            isLogged: logging)
        if description.maximumRows == nil {
            graph.supply(&description, by: place.supplier, isDefault: place.inMemory == nil)
        } else {
            description.isPersistent = false
        }
        description.serdes = serdes
        description.changelogSettings = changelogSettings
        description.keepsHeaders = headers
        description.logsHeaders = headers
        if let timeToLive {
            graph.checkLifetime(timeToLive, of: description, .records)
            description.timeToLive = timeToLive.milliseconds
            description.isCached = false
        }
        addStateStore(description)
    }
}

extension ProcessingContext {
    /// The store behind a handle, which the processor must be connected to.
    ///
    /// - Throws: ``ProcessorError`` if it isn't connected.
    public func store<Store>(_ handle: StoreHandle<Store>) throws -> Store {
        handle.open(try core.store(handle.storeName), core)
    }
}
