public import TributaryCore
internal import TributaryLineage
public import TributaryState

/// A grouped stream cut into sessions, to be aggregated, as Kafka Streams' `SessionWindowedKStream`.
///
/// Records with a null key are dropped and counted; null values are not (Docs/Semantics.md, Windows). A session that grows or is merged
/// is deleted under its old key before it goes on under its new one.
public struct SessionWindowedKStream<Key, Value> {
    @usableFromInline let grouped: KGroupedStream<Key, Value>
    @usableFromInline let windows: SessionWindows
    @usableFromInline let emit: EmitStrategy

    @usableFromInline
    init(grouped: KGroupedStream<Key, Value>, windows: SessionWindows, emit: EmitStrategy = .onWindowUpdate) {
        self.grouped = grouped
        self.windows = windows
        self.emit = emit
    }

    /// Says when results go on: with each update, or once when their session has closed.
    public func emitStrategy(_ strategy: EmitStrategy) -> SessionWindowedKStream {
        SessionWindowedKStream(grouped: grouped, windows: windows, emit: strategy)
    }

    /// How many records each session has.
    @inlinable
    public func count(
        as name: String? = nil, materialized: Materialized<Key, Int64>? = nil, named: String? = nil
    ) -> KTable<Windowed<Key>, Int64> {
        if let materialized, materialized.name == nil { _ = grouped.stream.graph.newUniqueName("unused-") }
        return aggregation("KSTREAM-AGGREGATE-", materialized ?? Materialized(as: name), .int64, named) { $0.count() }
    }

    /// Combines the values of each session, and sessions that are merged; the first value is the first aggregate.
    @inlinable
    public func reduce(
        as name: String? = nil, materialized: Materialized<Key, Value>? = nil, named: String? = nil,
        @Returning<Value> _ reducer: @escaping @Sendable (_ aggregate: Value, _ value: Value) throws -> Value
    ) -> KTable<Windowed<Key>, Value> {
        let settings = materialized ?? Materialized(as: name)
        return aggregation("KSTREAM-REDUCE-", settings, settings.value ?? grouped.stream.valueSerde, named) {
            $0.reduce(reducer)
        }
    }

    /// Aggregates the values of each session: the closures change the aggregate in place, as in `reduce(into:)`.
    ///
    /// - Parameters:
    ///   - initial: the aggregate before the first record.
    ///   - name: the store's name, which makes the table queryable.
    ///   - value: the aggregate's serde.
    ///   - materialized: the store's settings, if more than its name is to be said.
    ///   - named: the node's name.
    ///   - merge: adds what another session has; begins with the initial aggregate, and takes the sessions in the order of time.
    ///   - update: changes the aggregate by a value; an aggregate that is null afterwards is deleted.
    @inlinable
    public func aggregate<Aggregate>(
        into initial: @autoclosure @escaping @Sendable () -> Aggregate, as name: String? = nil,
        value: Serde<Aggregate>? = nil, materialized: Materialized<Key, Aggregate>? = nil, named: String? = nil,
        merging merge: @escaping @Sendable (_ aggregate: inout Aggregate, _ other: Aggregate) throws -> Void,
        _ update: @escaping @Sendable (_ aggregate: inout Aggregate, _ value: Value) throws -> Void
    ) -> KTable<Windowed<Key>, Aggregate> {
        let settings = materialized ?? Materialized(as: name)
        return aggregation("KSTREAM-AGGREGATE-", settings, settings.value ?? value, named) {
            $0.aggregate(initial, merge, update)
        }
    }

    /// Aggregates the values of each session in place; the closures see the key too.
    @inlinable
    public func aggregateWithKey<Aggregate>(
        into initial: @autoclosure @escaping @Sendable () -> Aggregate, as name: String? = nil,
        value: Serde<Aggregate>? = nil, materialized: Materialized<Key, Aggregate>? = nil, named: String? = nil,
        merging merge:
            @escaping @Sendable (_ aggregate: inout Aggregate, _ key: Key, _ other: Aggregate) throws -> Void,
        _ update: @escaping @Sendable (_ aggregate: inout Aggregate, _ key: Key, _ value: Value) throws -> Void
    ) -> KTable<Windowed<Key>, Aggregate> {
        let settings = materialized ?? Materialized(as: name)
        return aggregation("KSTREAM-AGGREGATE-", settings, settings.value ?? value, named) {
            $0.aggregateWithKey(initial, merge, update)
        }
    }

    /// An aggregation by key and session.
    @inlinable
    func aggregation<Aggregate>(
        _ prefix: String, _ settings: Materialized<Key, Aggregate>, _ value: Serde<Aggregate>?, _ named: String?,
        _ input: @escaping @Sendable (SessionAggregation<Key, Aggregate>) -> NodeInput<Key, Value>
    ) -> KTable<Windowed<Key>, Aggregate> {
        let windows = self.windows
        let kind = grouped.stream.graph.storeKind(windows, retention: settings.retention?.milliseconds)
        let table = grouped.aggregation(
            prefix, settings, value, named, kind: kind, emit: emit, cachesClosing: false,
            rowKey: { .sessionWindowed($0) }, input: { input(SessionAggregation($0, windows)) })
        grouped.stream.graph.windowGraces[table.node] = windows.leastRetention
        return table
    }
}
