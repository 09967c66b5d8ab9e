internal import TributaryCore
public import TributaryDSL
internal import TributaryLineage
public import TributaryRuntime

/// Asks the window stores of a running application, from any thread.
///
/// Times are the starts of windows, in ms, both ends of ranges included; windows that were kept their time are gone. Answers are in the order of
/// each task's store, of the opposite one with `reverse`: one key's by start, those of several keys by segment of time and key, or by start in memory.
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

    /// A key's windows that start from one time through another.
    public func fetch(
        _ key: Key, from start: Int64, through end: Int64, reverse: Bool = false, _ mode: QueryMode = .current
    ) async throws -> [QueryResult<Windowed<Key>, Value>] {
        let bytes = try self.key.bytes(key) ?? []
        return try await rows(WindowRange(key: bytes, from: start, through: end, reverse: reverse), mode)
    }

    /// The windows of the keys from one through another (nil: open-ended) that start from one time through another.
    public func fetch(
        keysFrom lower: Key?, through upper: Key?, from start: Int64, through end: Int64, reverse: Bool = false,
        _ mode: QueryMode = .current
    ) async throws -> [QueryResult<Windowed<Key>, Value>] {
        let low = try lower.flatMap { try key.bytes($0) }
        let high = try upper.flatMap { try key.bytes($0) }
        return try await rows(
            WindowRange(keysFrom: low, keysThrough: high, from: start, through: end, reverse: reverse), mode)
    }

    /// The windows of all keys that start from one time through another.
    public func fetchAll(
        from start: Int64, through end: Int64, reverse: Bool = false, _ mode: QueryMode = .current
    ) async throws -> [QueryResult<Windowed<Key>, Value>] {
        try await rows(WindowRange(from: start, through: end, reverse: reverse), mode)
    }

    /// All rows that are kept, of all keys and windows.
    public func all(
        reverse: Bool = false, _ mode: QueryMode = .current
    ) async throws -> [QueryResult<Windowed<Key>, Value>] {
        try await rows(WindowRange(reverse: reverse), mode)
    }

    private func rows(
        _ range: WindowRange, _ mode: QueryMode
    ) async throws -> [QueryResult<Windowed<Key>, Value>] {
        try await application.rows(name, .windows(range), mode).map { row in
            let bytes = row.key.span.bytes
            let begin = KeySchema.window.time(of: bytes)
            let own = try self.key.decode(KeySchema.window.recordKey(of: bytes))
            let window = Window(start: begin, end: begin.addingSaturated(size))
            return try QueryResult(row, key: Windowed(key: own, window: window), value, application)
        }
    }
}
