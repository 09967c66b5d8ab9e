internal import TributaryCore
public import TributaryDSL
internal import TributaryLineage
public import TributaryRuntime

/// Asks the window stores of a running application, from any thread.
///
/// Times are the starts of windows, in ms; windows that were kept their time are gone.
public struct WindowStoreQueries<Key, Value>: Sendable {
    let name: String
    let size: Int64
    let application: StreamsApplication
    let key: Serde<Key>
    let value: Serde<Value>

    /// The row of a key's window that starts at a time; nil if there is none.
    ///
    /// - Throws: `StoreError` if the application doesn't run.
    public func get(
        _ key: Key, windowStart start: Int64, _ mode: QueryMode = .current
    ) async throws -> QueryResult<Windowed<Key>, Value>? {
        try await fetch(key, from: start, through: start, mode).first
    }

    /// A key's windows that start from one time through another, by start.
    public func fetch(
        _ key: Key, from start: Int64, through end: Int64, _ mode: QueryMode = .current
    ) async throws -> [QueryResult<Windowed<Key>, Value>] {
        let bytes = try self.key.bytes(key) ?? []
        return try await rows(bytes, start, end, mode)
    }

    /// The windows of all keys that start from one time through another; within each task by segment and key.
    public func fetchAll(
        from start: Int64, through end: Int64, _ mode: QueryMode = .current
    ) async throws -> [QueryResult<Windowed<Key>, Value>] {
        try await rows(nil, start, end, mode)
    }

    /// All rows that are kept, of all keys and windows; within each task by segment and key.
    public func all(_ mode: QueryMode = .current) async throws -> [QueryResult<Windowed<Key>, Value>] {
        try await rows(nil, 0, .max, mode)
    }

    private func rows(
        _ key: [UInt8]?, _ start: Int64, _ end: Int64, _ mode: QueryMode
    ) async throws -> [QueryResult<Windowed<Key>, Value>] {
        try await application.rows(name, .windows(key: key, from: start, through: end), mode).map { row in
            let bytes = row.key.span.bytes
            let begin = KeySchema.window.time(of: bytes)
            let own = try self.key.decode(KeySchema.window.recordKey(of: bytes))
            let window = Window(start: begin, end: begin.addingSaturated(size))
            return try QueryResult(row, key: Windowed(key: own, window: window), value, application)
        }
    }
}
