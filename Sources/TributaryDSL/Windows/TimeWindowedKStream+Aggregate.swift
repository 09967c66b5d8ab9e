public import TributaryCore

extension TimeWindowedKStream {
    /// Aggregates the values of each key in each window: the closure changes the aggregate in place, as in `reduce(into:)`.
    ///
    /// - Parameters:
    ///   - initial: the aggregate before the first record.
    ///   - name: the store's name, which makes the table queryable.
    ///   - value: the aggregate's serde.
    ///   - materialized: the store's settings, if more than its name is to be said.
    ///   - named: the node's name.
    ///   - update: changes the aggregate by a value; an aggregate that is null afterwards is deleted.
    @inlinable
    public func aggregate<Aggregate>(
        into initial: @autoclosure @escaping @Sendable () -> Aggregate, as name: String? = nil,
        value: Serde<Aggregate>? = nil, materialized: Materialized<Key, Aggregate>? = nil, named: String? = nil,
        _ update: @escaping @Sendable (_ aggregate: inout Aggregate, _ value: Value) throws -> Void
    ) -> KTable<Windowed<Key>, Aggregate> {
        aggregation(materialized ?? Materialized(as: name), value, named, initial, update)
    }

    /// Aggregates the values of each key in each window: the closure returns the new aggregate, as in `reduce`.
    ///
    /// One that is null is deleted. ``aggregate(into:as:value:materialized:named:_:)`` copies no arrays and dictionaries.
    @inlinable
    public func aggregate<Aggregate>(
        _ initial: @autoclosure @escaping @Sendable () -> Aggregate, as name: String? = nil,
        value: Serde<Aggregate>? = nil, materialized: Materialized<Key, Aggregate>? = nil, named: String? = nil,
        @Returning<Aggregate> _ next: @escaping @Sendable (_ aggregate: Aggregate, _ value: Value) throws -> Aggregate
    ) -> KTable<Windowed<Key>, Aggregate> {
        aggregation(materialized ?? Materialized(as: name), value, named, initial) { $0 = try next($0, $1) }
    }

    /// Aggregates the values of each key in each window in place; the closure sees the key too.
    @inlinable
    public func aggregateWithKey<Aggregate>(
        into initial: @autoclosure @escaping @Sendable () -> Aggregate, as name: String? = nil,
        value: Serde<Aggregate>? = nil, materialized: Materialized<Key, Aggregate>? = nil, named: String? = nil,
        _ update: @escaping @Sendable (_ aggregate: inout Aggregate, _ key: Key, _ value: Value) throws -> Void
    ) -> KTable<Windowed<Key>, Aggregate> {
        aggregationWithKey(materialized ?? Materialized(as: name), value, named, initial, update)
    }

    /// Aggregates the values of each key in each window; the closure sees the key too, and returns the new aggregate.
    @inlinable
    public func aggregateWithKey<Aggregate>(
        _ initial: @autoclosure @escaping @Sendable () -> Aggregate, as name: String? = nil,
        value: Serde<Aggregate>? = nil, materialized: Materialized<Key, Aggregate>? = nil, named: String? = nil,
        @Returning<Aggregate> _ next:
            @escaping @Sendable (_ aggregate: Aggregate, _ key: Key, _ value: Value) throws -> Aggregate
    ) -> KTable<Windowed<Key>, Aggregate> {
        aggregationWithKey(materialized ?? Materialized(as: name), value, named, initial) { $0 = try next($0, $1, $2) }
    }

    @inlinable
    func aggregation<Aggregate>(
        _ settings: Materialized<Key, Aggregate>, _ value: Serde<Aggregate>?, _ named: String?,
        _ initial: @escaping @Sendable () -> Aggregate,
        _ update: @escaping @Sendable (inout Aggregate, Value) throws -> Void
    ) -> KTable<Windowed<Key>, Aggregate> {
        aggregation(
            "KSTREAM-AGGREGATE-", settings, settings.value ?? value, named, { $0.aggregate(initial, update) },
            sliding: { $0.aggregate(initial, update) })
    }

    @inlinable
    func aggregationWithKey<Aggregate>(
        _ settings: Materialized<Key, Aggregate>, _ value: Serde<Aggregate>?, _ named: String?,
        _ initial: @escaping @Sendable () -> Aggregate,
        _ update: @escaping @Sendable (inout Aggregate, Key, Value) throws -> Void
    ) -> KTable<Windowed<Key>, Aggregate> {
        aggregation(
            "KSTREAM-AGGREGATE-", settings, settings.value ?? value, named, { $0.aggregateWithKey(initial, update) },
            sliding: { $0.aggregateWithKey(initial, update) })
    }
}
