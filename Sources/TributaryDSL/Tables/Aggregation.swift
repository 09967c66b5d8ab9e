public import TributaryCore
public import TributaryLineage
public import TributaryState

/// An aggregation of one task: the rows of its store that a record changes.
///
/// Each way to group (by key; by key and windows of time) has one type that conforms and says which rows those are. How values
/// are combined is written once, for all of them, in the extensions, and specialised where the DSL function is called.
@usableFromInline
protocol Aggregation<Key, RowKey, Aggregate> {
    associatedtype Key
    associatedtype RowKey
    associatedtype Aggregate

    /// Reads, writes and forwards rows.
    var rows: AggregateStore<RowKey, Aggregate> { get }

    /// Whether values that are null are aggregated too (Docs/Semantics.md, Windows).
    static var takesNulls: Bool { get }

    /// Brings the rows of a record up to date; one without key is dropped.
    ///
    /// - Parameters:
    ///   - key: the record's key; nil if nobody decoded it.
    ///   - meta: the record's.
    ///   - initial: the aggregate before the first record; nil where the first value is the first aggregate.
    ///   - step: makes the next aggregate of a row: gets what was read, whose aggregate is `rows.old(_:_:)` if it exists, and its key.
    func update(
        _ key: Key?, _ meta: borrowing RecordMeta, initial: () -> Aggregate?,
        _ step: (_ read: RowHandle, _ row: RawSpan) throws -> Aggregate
    ) throws
}

extension Aggregation {
    /// Counts a record that is left out for its null value, or already for its null key.
    @inlinable
    func skip(_ meta: borrowing RecordMeta) { rows.user.dropped(meta.hasKey ? .nullValue : .nullKey, meta) }

    /// Combines a value with the aggregate; the first one is the aggregate.
    @inlinable
    func reduce(_ reducer: @escaping @Sendable (Aggregate, Aggregate) throws -> Aggregate) -> NodeInput<Key, Aggregate>
    {
        let nulls = Nullability<Aggregate>.of()
        @inline(__always)
        func one(_ key: Key?, _ value: Aggregate, _ meta: borrowing RecordMeta) throws {
            if !Self.takesNulls, let nulls, nulls.isNull(value) { return skip(meta) }
            try update(key, meta, initial: { nil }) { read, row in
                read.exists ? try reducer(try rows.old(read, row), value) : value
            }
        }
        func none(_ key: Key?, _ meta: borrowing RecordMeta) throws {
            guard Self.takesNulls, let nulls else { return skip(meta) }
            try one(key, nulls.null(), meta)
        }
        return NodeInput(
            call: { key, value, meta in try one(key, value, meta) }, delete: { key, meta in try none(key, meta) },
            keyless: { value, meta in try one(nil, value, meta) }, keylessDelete: { meta in try none(nil, meta) })
    }

    /// Changes the aggregate by a value; asks for no key.
    @inlinable
    func aggregate<Value>(
        _ initial: @escaping @Sendable () -> Aggregate,
        _ change: @escaping @Sendable (inout Aggregate, Value) throws -> Void
    ) -> NodeInput<Key, Value> {
        let nulls = Nullability<Value>.of()
        @inline(__always)
        func one(_ key: Key?, _ value: Value, _ meta: borrowing RecordMeta) throws {
            if !Self.takesNulls, let nulls, nulls.isNull(value) { return skip(meta) }
            try update(key, meta, initial: initial) { read, row in
                var result = read.exists ? try rows.old(read, row) : initial()
                try change(&result, value)
                return result
            }
        }
        func none(_ key: Key?, _ meta: borrowing RecordMeta) throws {
            guard Self.takesNulls, let nulls else { return skip(meta) }
            try one(key, nulls.null(), meta)
        }
        return NodeInput(
            call: { key, value, meta in try one(key, value, meta) }, delete: { key, meta in try none(key, meta) },
            keyless: { value, meta in try one(nil, value, meta) }, keylessDelete: { meta in try none(nil, meta) })
    }

    /// Changes the aggregate by a key and value.
    @inlinable
    func aggregateWithKey<Value>(
        _ initial: @escaping @Sendable () -> Aggregate,
        _ change: @escaping @Sendable (inout Aggregate, Key, Value) throws -> Void
    ) -> NodeInput<Key, Value> {
        let nulls = Nullability<Value>.of()
        @inline(__always)
        func one(_ key: Key, _ value: Value, _ meta: borrowing RecordMeta) throws {
            if !Self.takesNulls, let nulls, nulls.isNull(value) { return skip(meta) }
            try update(key, meta, initial: initial) { read, row in
                var result = read.exists ? try rows.old(read, row) : initial()
                try change(&result, key, value)
                return result
            }
        }
        return NodeInput(
            call: { key, value, meta in try one(key, value, meta) },
            delete: { key, meta in
                guard Self.takesNulls, let nulls else { return skip(meta) }
                try one(key, nulls.null(), meta)
            })
    }
}

extension Aggregation where Aggregate == Int64 {
    /// Counts records; asks neither for key nor for value.
    @inlinable
    func count<Value>() -> NodeInput<Key, Value> {
        let nulls = Nullability<Value>.of()
        let countsNull = Self.takesNulls && nulls != nil
        let bytes: (RawSpan?, borrowing RecordMeta) throws -> Void = { content, meta in
            guard content != nil || countsNull else { return skip(meta) }
            try update(nil, meta, initial: { 0 }) { read, row in read.exists ? try rows.oldCount(read, row) &+ 1 : 1 }
        }
        return NodeInput(
            call: { _, value, meta in
                if let nulls, nulls.isNull(value) { try bytes(nil, meta) } else { try bytes(RawSpan.empty, meta) }
            },
            delete: { _, meta in try bytes(nil, meta) },
            keyless: { value, meta in
                if let nulls, nulls.isNull(value) { try bytes(nil, meta) } else { try bytes(RawSpan.empty, meta) }
            },
            keylessDelete: { meta in try bytes(nil, meta) }, bytes: bytes)
    }
}

/// An aggregation by key: one row for a record.
@usableFromInline
struct GroupedAggregation<Key, Aggregate>: Aggregation {
    @usableFromInline let rows: AggregateStore<Key, Aggregate>
    @inlinable static var takesNulls: Bool { false }

    @inlinable
    init(_ rows: AggregateStore<Key, Aggregate>) { self.rows = rows }

    @inlinable
    @inline(__always)
    func update(
        _ key: Key?, _ meta: borrowing RecordMeta, initial: () -> Aggregate?,
        _ step: (_ read: RowHandle, _ row: RawSpan) throws -> Aggregate
    ) throws {
        guard meta.hasKey else { return rows.user.dropped(.nullKey, meta) }
        _ = try rows.update(meta.key, window: nil, { key }, meta, initial: initial, step)
    }
}
