internal import TributaryCore
internal import TributaryLineage
public import TributaryRuntime

/// A version of a row that a query found.
public struct VersionResult<Key, Value> {
    /// The row as it was from its timestamp on.
    public let row: QueryResult<Key, Value>
    /// When a newer version, or a delete, replaced it, ms; nil for the newest.
    public let validTo: Int64?
}

/// Asks the stores of a running application that keep versions, from any thread.
public struct VersionedStoreQueries<Key, Value>: Sendable {
    let name: String
    let application: StreamsApplication
    let key: Serde<Key>
    let value: Serde<Value>

    /// The newest version of a key; nil if there is none, or if it is a delete.
    ///
    /// - Throws: `StoreError` if the application doesn't run.
    public func get(_ key: Key, _ mode: QueryMode = .current) async throws -> VersionResult<Key, Value>? {
        let bytes = try self.key.bytes(key) ?? []
        return try await results(key, .key(bytes), mode).first
    }

    /// The version of a key that was the newest at a time, ms; nil if there was none, or if it was a delete.
    ///
    /// Of a time longer ago, in stream time, than versions are kept only a newest version is found that is no younger.
    public func get(
        _ key: Key, at time: Int64, _ mode: QueryMode = .current
    ) async throws -> VersionResult<Key, Value>? {
        let bytes = try self.key.bytes(key) ?? []
        return try await results(key, .version(bytes, at: time), mode).first
    }

    /// The versions of a key that counted at any time from one through another (ms, both included), by their times; deletes are left out.
    ///
    /// - Parameters:
    ///   - key: the row's key.
    ///   - start: when the range of times begins, ms.
    ///   - end: when it ends, ms.
    ///   - reverse: the newest first.
    ///   - mode: `.current` sees what the stream thread sees, `.committed` what was last made durable.
    public func versions(
        of key: Key, from start: Int64 = 0, through end: Int64 = .max, reverse: Bool = false,
        _ mode: QueryMode = .current
    ) async throws -> [VersionResult<Key, Value>] {
        let bytes = try self.key.bytes(key) ?? []
        return try await results(key, .versions(bytes, from: start, through: end, reverse: reverse), mode)
    }

    /// The newest versions of all keys, by key within each task; from the greatest one down if `reverse`.
    public func all(
        reverse: Bool = false, _ mode: QueryMode = .current
    ) async throws -> [VersionResult<Key, Value>] {
        try await range(from: nil, through: nil, reverse: reverse, mode)
    }

    /// The newest versions of the keys from one through another (nil: open-ended).
    public func range(
        from lower: Key?, through upper: Key?, reverse: Bool = false, _ mode: QueryMode = .current
    ) async throws -> [VersionResult<Key, Value>] {
        let low = try lower.flatMap { try key.bytes($0) }
        let high = try upper.flatMap { try key.bytes($0) }
        return try await application.rows(name, .range(low, high, reverse: reverse), mode).map { row in
            try result(row, key: try key.decode(row.key.span.bytes))
        }
    }

    private func results(
        _ key: Key, _ query: StoreQuery, _ mode: QueryMode
    ) async throws -> [VersionResult<Key, Value>] {
        try await application.rows(name, query, mode).map { try result($0, key: key) }
    }

    private func result(_ row: QueriedRow, key: Key) throws -> VersionResult<Key, Value> {
        VersionResult(row: try QueryResult(row, key: key, value, application), validTo: row.validTo)
    }
}
