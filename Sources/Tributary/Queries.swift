public import TributaryCore
public import TributaryDSL
public import TributaryLineage
public import TributaryRuntime
internal import TributaryState

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

    /// All rows, by key within each task.
    public func all(_ mode: QueryMode = .current) async throws -> [QueryResult<Key, Value>] {
        try await rows(.range(nil, nil), mode).map { try result($0, key: try key.decode($0.key.span.bytes)) }
    }

    /// Rows from one key through another (nil: open-ended).
    public func range(
        from lower: Key?, through upper: Key?, _ mode: QueryMode = .current
    ) async throws -> [QueryResult<Key, Value>] {
        let low = try lower.flatMap { try key.bytes($0) }
        let high = try upper.flatMap { try key.bytes($0) }
        return try await rows(.range(low, high), mode).map { try result($0, key: try key.decode($0.key.span.bytes)) }
    }

    /// A key's windows that start from one time through another (ms), by start.
    public func fetch(
        _ key: Key, from start: Int64, through end: Int64, _ mode: QueryMode = .current
    ) async throws -> [QueryResult<Windowed<Key>, Value>] {
        let bytes = try self.key.bytes(key) ?? []
        var size: Int64 = 0
        if case .window(_, let length, _, _)? = application.topology.stores[name]?.kind { size = length }
        return try await rows(.windows(key: bytes, from: start, through: end), mode).map { row in
            let begin = KeySchema.window.time(of: row.key.span.bytes)
            return QueryResult(
                key: Windowed(key: key, window: Window(start: begin, end: begin &+ size)),
                value: try value.decode(row.value.span.bytes), timestamp: row.timestamp, context: row.context,
                cell: try application.report(row.cell))
        }
    }

    private func rows(_ query: StoreQuery, _ mode: QueryMode) async throws -> [QueriedRow] {
        var rows: [QueriedRow] = []
        for thread in try application.runningThreads(name) { rows += try await thread.query(name, query, mode) }
        return rows
    }

    private func result(_ row: QueriedRow, key: Key) throws -> QueryResult<Key, Value> {
        QueryResult(
            key: key, value: try value.decode(row.value.span.bytes), timestamp: row.timestamp, context: row.context,
            cell: try application.report(row.cell))
    }
}

extension StreamsApplication {
    /// Queries of a store by name, with the serdes that it was made with.
    public func store<Key, Value>(_ name: String, key: Serde<Key>, value: Serde<Value>) -> StoreQueries<Key, Value> {
        StoreQueries(name: name, application: self, key: key, value: value)
    }

    /// Queries of a store by name, with the serdes that its types name.
    public func store<Key: Recordable, Value: Recordable>(
        _ name: String, keyedBy key: Key.Type = String.self, of value: Value.Type
    ) -> StoreQueries<Key, Value> { store(name, key: Key.serde, value: Value.serde) }

    /// All rows of a store as the stream threads see them: keys in the store's layout, values as bytes.
    package func rows(ofStore name: String) async throws -> [QueriedRow] {
        var query = StoreQuery.range(nil, nil)
        if let keys = topology.stores[name]?.keys, keys != .plain {
            query = .windows(key: nil, from: 0, through: Int64.max)
        }
        var rows: [QueriedRow] = []
        for thread in try runningThreads(name) { rows += try await thread.query(name, query, .current) }
        return rows
    }

    /// Waits until each stream thread has made a whole round: a test's way to wait without a clock.
    package func finishRounds() async throws {
        for thread in runningThreads() { try await thread.finishRound() }
    }
}
