internal import TributaryCore
public import TributaryDSL
internal import TributaryLineage
public import TributaryRuntime

/// Asks the session stores of a running application, from any thread.
///
/// A session's first and last times, in ms, are both part of it; sessions that were kept their time are gone. Answers are in the order of each
/// task's store, of the opposite one with `reverse`: one key's by end, those of several keys by segment of time and key, or by end in memory.
public struct SessionStoreQueries<Key, Value>: Sendable {
    let name: String
    let application: StreamsApplication
    let key: Serde<Key>
    let value: Serde<Value>

    /// The row of one session; nil if there is none.
    ///
    /// - Parameters:
    ///   - key: its key.
    ///   - start: its first time, ms.
    ///   - end: its last time, ms.
    ///   - mode: `.current` sees what the stream thread sees, `.committed` what was last made durable.
    /// - Throws: `StoreError` if the application doesn't run.
    public func get(
        _ key: Key, start: Int64, end: Int64, _ mode: QueryMode = .current
    ) async throws -> QueryResult<Windowed<Key>, Value>? {
        let bytes = try self.key.bytes(key) ?? []
        // Its start is the latest of those that end then, or it isn't there.
        let range = WindowRange(key: bytes, from: end, through: end, startingThrough: start)
        return try await rows(range, mode).first { $0.key.window.start == start }
    }

    /// All sessions of a key.
    public func fetch(
        _ key: Key, reverse: Bool = false, _ mode: QueryMode = .current
    ) async throws -> [QueryResult<Windowed<Key>, Value>] {
        try await sessions(of: key, endingFrom: 0, startingThrough: .max, reverse: reverse, mode)
    }

    /// A key's sessions that reach into a time: those that end at `earliestEnd` or later and start at `latestStart` or earlier, ms.
    public func sessions(
        of key: Key, endingFrom earliestEnd: Int64, startingThrough latestStart: Int64, reverse: Bool = false,
        _ mode: QueryMode = .current
    ) async throws -> [QueryResult<Windowed<Key>, Value>] {
        let bytes = try self.key.bytes(key) ?? []
        return try await rows(
            WindowRange(key: bytes, from: earliestEnd, startingThrough: latestStart, reverse: reverse), mode)
    }

    /// The sessions of the keys from one through another (nil: open-ended) that reach into a time.
    public func sessions(
        keysFrom lower: Key?, through upper: Key?, endingFrom earliestEnd: Int64 = 0,
        startingThrough latestStart: Int64 = .max, reverse: Bool = false, _ mode: QueryMode = .current
    ) async throws -> [QueryResult<Windowed<Key>, Value>] {
        let low = try lower.flatMap { try key.bytes($0) }
        let high = try upper.flatMap { try key.bytes($0) }
        return try await rows(
            WindowRange(
                keysFrom: low, keysThrough: high, from: earliestEnd, startingThrough: latestStart, reverse: reverse),
            mode)
    }

    /// All sessions that are kept, of all keys.
    public func all(
        reverse: Bool = false, _ mode: QueryMode = .current
    ) async throws -> [QueryResult<Windowed<Key>, Value>] {
        try await rows(WindowRange(reverse: reverse), mode)
    }

    private func rows(
        _ range: WindowRange, _ mode: QueryMode
    ) async throws -> [QueryResult<Windowed<Key>, Value>] {
        let serde = Serde<Windowed<Key>>.sessionWindowed(key)
        return try await application.rows(name, .windows(range), mode).map { row in
            try QueryResult(row, key: try serde.decode(row.key.span.bytes), value, application)
        }
    }
}
