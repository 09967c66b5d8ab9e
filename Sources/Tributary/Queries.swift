public import TributaryCore
internal import TributaryDSL
public import TributaryLineage
public import TributaryRuntime
public import TributaryState

/// What a query found: a value, and where it came from.
public struct QueryResult<Key, Value> {
    /// The key.
    public let key: Key
    /// The value.
    public let value: Value
    /// The value's timestamp, ms.
    public let timestamp: Int64
    /// The context of the write that made it.
    public let context: TraceContext
    /// How many source records made it, which ranges hold them, and the digest; nil if cells are off.
    public let cell: CellReport?
}

/// Asks the stores of a running application, from any thread.
public struct StoreQueries<Key, Value>: Sendable {
    let name: String
    let application: StreamsApplication
    let key: Serde<Key>
    let value: Serde<Value>

    /// The row of a key; nil if there is none.
    ///
    /// - Parameters:
    ///   - key: the row's key.
    ///   - mode: `.current` sees what the stream thread sees, `.committed` what was last made durable.
    /// - Throws: `StoreError` if the application doesn't run, or has no such store.
    public func get(_ key: Key, _ mode: QueryMode = .current) async throws -> QueryResult<Key, Value>? {
        let bytes = try self.key.bytes(key) ?? []
        return try await rows(.key(bytes), mode).first.map { try result($0, key: key) }
    }

    /// All rows, by key within each task; from the greatest one down if `reverse`.
    public func all(
        reverse: Bool = false, _ mode: QueryMode = .current
    ) async throws -> [QueryResult<Key, Value>] {
        try await range(from: nil, through: nil, reverse: reverse, mode)
    }

    /// Rows from one key through another (nil: open-ended), by key within each task; from the greatest one down if `reverse`.
    public func range(
        from lower: Key?, through upper: Key?, reverse: Bool = false, _ mode: QueryMode = .current
    ) async throws -> [QueryResult<Key, Value>] {
        let low = try lower.flatMap { try key.bytes($0) }
        let high = try upper.flatMap { try key.bytes($0) }
        return try await rows(.range(low, high, reverse: reverse), mode).map {
            try result($0, key: try key.decode($0.key.span.bytes))
        }
    }

    private func rows(_ query: StoreQuery, _ mode: QueryMode) async throws -> [QueriedRow] {
        try await application.rows(name, query, mode)
    }

    private func result(_ row: QueriedRow, key: Key) throws -> QueryResult<Key, Value> {
        try QueryResult(row, key: key, value, application)
    }
}

extension QueryResult {
    init(_ row: QueriedRow, key: Key, _ value: Serde<Value>, _ application: StreamsApplication) throws {
        self.init(
            key: key, value: try value.decode(row.value.span.bytes), timestamp: row.timestamp, context: row.context,
            cell: try application.report(row.cell))
    }
}

extension StreamsApplication {
    /// Queries of a store by name, with the serdes that it was made with.
    ///
    /// Of a store that keeps versions they answer with the newest ones.
    ///
    /// - Throws: `StoreError` if there is no such store, if it keeps windows or sessions (``StreamsApplication/windowStore(_:key:value:)`` and
    ///   ``StreamsApplication/sessionStore(_:key:value:)`` ask those), or if a serde isn't the store's.
    public func store<Key, Value>(
        _ name: String, key: Serde<Key>, value: Serde<Value>
    ) throws(StoreError) -> StoreQueries<Key, Value> {
        let store = try description(ofStore: name, key.name, value.name)
        guard store.keys == .plain else { throw store.askedWrongly }
        return StoreQueries(name: name, application: self, key: key, value: value)
    }

    /// Queries of a window store by name, with the serdes that it was made with.
    ///
    /// - Throws: `StoreError` if there is no such store, if it keeps no windows, or if a serde isn't the store's.
    public func windowStore<Key, Value>(
        _ name: String, key: Serde<Key>, value: Serde<Value>
    ) throws(StoreError) -> WindowStoreQueries<Key, Value> {
        let store = try description(ofStore: name, key.name, value.name)
        guard let size = store.windowSize else { throw store.askedWrongly }
        return WindowStoreQueries(name: name, size: size, application: self, key: key, value: value)
    }

    /// Queries of a session store by name, with the serdes that it was made with.
    ///
    /// - Throws: `StoreError` if there is no such store, if it keeps no sessions, or if a serde isn't the store's.
    public func sessionStore<Key, Value>(
        _ name: String, key: Serde<Key>, value: Serde<Value>
    ) throws(StoreError) -> SessionStoreQueries<Key, Value> {
        let store = try description(ofStore: name, key.name, value.name)
        guard store.keys == .session else { throw store.askedWrongly }
        return SessionStoreQueries(name: name, application: self, key: key, value: value)
    }

    /// Queries of a store that keeps versions by name, with the serdes that it was made with.
    ///
    /// - Throws: `StoreError` if there is no such store, if it keeps no versions, or if a serde isn't the store's.
    public func versionedStore<Key, Value>(
        _ name: String, key: Serde<Key>, value: Serde<Value>
    ) throws(StoreError) -> VersionedStoreQueries<Key, Value> {
        let store = try description(ofStore: name, key.name, value.name)
        guard store.history != nil else { throw store.askedWrongly }
        return VersionedStoreQueries(name: name, application: self, key: key, value: value)
    }

    /// The description of a store, if it is the topology's and has these serdes.
    private func description(
        ofStore name: String, _ key: String, _ value: String
    ) throws(StoreError) -> StoreDescription {
        guard let store = topology.stores[name] else {
            let names = topology.stores.keys.sorted().joined(separator: ", ")
            let known = names.isEmpty ? "none" : "only: \(names)"
            throw StoreError(.unknownStore, "the topology has no such store, \(known)", store: name)
        }
        // Stores that processors were given need not say theirs.
        let own = store.serdes.split(separator: " ", maxSplits: 1).map { String($0) }
        guard own.count == 2 else { return store }
        for (what, wanted, asked) in [("keys", own[0], key), ("values", own[1], value)]
        where wanted != "?" && wanted != asked {
            throw StoreError(
                .invalidRequest, "its \(what) are of the serde '\(wanted)', not '\(asked)'", store: name)
        }
        return store
    }

    func rows(_ store: String, _ query: StoreQuery, _ mode: QueryMode) async throws -> [QueriedRow] {
        var rows: [QueriedRow] = []
        for thread in try runningThreads(store) { rows += try await thread.query(store, query, mode) }
        return rows
    }

    /// Queries of a store by name, with the serdes that its types name.
    ///
    /// - Throws: `StoreError` as ``StreamsApplication/store(_:key:value:)`` does.
    public func store<Key: Recordable, Value: Recordable>(
        _ name: String, keyedBy key: Key.Type = String.self, of value: Value.Type
    ) throws(StoreError) -> StoreQueries<Key, Value> { try store(name, key: Key.serde, value: Value.serde) }

    /// Queries of a window store by name, with the serdes that its types name.
    public func windowStore<Key: Recordable, Value: Recordable>(
        _ name: String, keyedBy key: Key.Type = String.self, of value: Value.Type
    ) throws(StoreError) -> WindowStoreQueries<Key, Value> { try windowStore(name, key: Key.serde, value: Value.serde) }

    /// Queries of a session store by name, with the serdes that its types name.
    public func sessionStore<Key: Recordable, Value: Recordable>(
        _ name: String, keyedBy key: Key.Type = String.self, of value: Value.Type
    ) throws(StoreError) -> SessionStoreQueries<Key, Value> {
        try sessionStore(name, key: Key.serde, value: Value.serde)
    }

    /// Queries of a store that keeps versions by name, with the serdes that its types name.
    public func versionedStore<Key: Recordable, Value: Recordable>(
        _ name: String, keyedBy key: Key.Type = String.self, of value: Value.Type
    ) throws(StoreError) -> VersionedStoreQueries<Key, Value> {
        try versionedStore(name, key: Key.serde, value: Value.serde)
    }

    /// All rows of a store as the stream threads see them: keys in the store's layout, values as bytes.
    package func rows(ofStore name: String) async throws -> [QueriedRow] {
        var query = StoreQuery.range(nil, nil)
        if let keys = topology.stores[name]?.keys, keys != .plain {
            query = .windows(WindowRange())
        }
        return try await rows(name, query, .current)
    }

    /// Waits until each stream thread has made a whole round: a test's way to wait without a clock.
    package func finishRounds() async throws {
        for thread in runningThreads() { try await thread.finishRound() }
    }
}

extension StoreDescription {
    /// That it was asked as what it isn't.
    fileprivate var askedWrongly: StoreError {
        let (rows, way) =
            switch keys {
            case .plain where history != nil: ("keys and times", "versionedStore")
            case .plain: ("keys alone", "store")
            case .window, .windowed: ("keys and windows", "windowStore")
            case .session: ("keys and sessions", "sessionStore")
            }
        return StoreError(.invalidRequest, "its rows are of \(rows): ask \(way) for it", store: name)
    }
}
