public import TributaryCore
public import TributaryState

/// Grouped streams cut into windows of time, to be aggregated together, as Kafka Streams' `TimeWindowedCogroupedKStream`.
public struct TimeWindowedCogroupedKStream<Key, Aggregate> {
    @usableFromInline let cogrouped: CogroupedKStream<Key, Aggregate>
    @usableFromInline let windows: AnyTimeWindows

    @usableFromInline
    init(cogrouped: CogroupedKStream<Key, Aggregate>, windows: AnyTimeWindows) {
        self.cogrouped = cogrouped
        self.windows = windows
    }

    /// Aggregates the values of all streams by key and window.
    ///
    /// - Parameters:
    ///   - initial: the aggregate before the first record.
    ///   - name: the store's name, which makes the table queryable.
    ///   - value: the aggregate's serde.
    ///   - materialized: the store's settings, if more than its name is to be said.
    ///   - named: begins the nodes' names.
    @inlinable
    public func aggregate(
        into initial: @autoclosure @escaping @Sendable () -> Aggregate, as name: String? = nil,
        value: Serde<Aggregate>? = nil, materialized: Materialized<Key, Aggregate>? = nil, named: String? = nil
    ) -> KTable<Windowed<Key>, Aggregate> {
        let windows = windows
        let size = windows.size
        let table = cogrouped.aggregation(
            materialized ?? Materialized(as: name), value, named, initial,
            kind: { graph, retention in graph.storeKind(windows, .onWindowUpdate, retention: retention) },
            rowKey: { .timeWindowed($0, size: size) },
            rows: { rows in
                switch windows {
                case .time(let windows): .time(WindowedAggregation(rows, windows))
                case .sliding(let windows): .sliding(SlidingAggregation(rows, windows))
                }
            })
        table.graph.windowGraces[table.node] = windows.graceTime
        return table
    }
}

/// Grouped streams cut into sessions, to be aggregated together, as Kafka Streams' `SessionWindowedCogroupedKStream`.
public struct SessionWindowedCogroupedKStream<Key, Aggregate> {
    @usableFromInline let cogrouped: CogroupedKStream<Key, Aggregate>
    @usableFromInline let windows: SessionWindows

    @usableFromInline
    init(cogrouped: CogroupedKStream<Key, Aggregate>, windows: SessionWindows) {
        self.cogrouped = cogrouped
        self.windows = windows
    }

    /// Aggregates the values of all streams by key and session.
    ///
    /// - Parameters:
    ///   - initial: the aggregate before the first record.
    ///   - name: the store's name, which makes the table queryable.
    ///   - value: the aggregate's serde.
    ///   - materialized: the store's settings, if more than its name is to be said.
    ///   - named: begins the nodes' names.
    ///   - merge: adds what another session has.
    @inlinable
    public func aggregate(
        into initial: @autoclosure @escaping @Sendable () -> Aggregate, as name: String? = nil,
        value: Serde<Aggregate>? = nil, materialized: Materialized<Key, Aggregate>? = nil, named: String? = nil,
        merging merge: @escaping @Sendable (_ aggregate: inout Aggregate, _ other: Aggregate) throws -> Void
    ) -> KTable<Windowed<Key>, Aggregate> {
        aggregateWithKey(into: initial(), as: name, value: value, materialized: materialized, named: named) {
            try merge(&$0, $2)
        }
    }

    /// Aggregates the values of all streams by key and session; the closure sees the key too.
    @inlinable
    public func aggregateWithKey(
        into initial: @autoclosure @escaping @Sendable () -> Aggregate, as name: String? = nil,
        value: Serde<Aggregate>? = nil, materialized: Materialized<Key, Aggregate>? = nil, named: String? = nil,
        merging merge:
            @escaping @Sendable (_ aggregate: inout Aggregate, _ key: Key, _ other: Aggregate) throws -> Void
    ) -> KTable<Windowed<Key>, Aggregate> {
        let windows = windows
        let table = cogrouped.aggregation(
            materialized ?? Materialized(as: name), value, named, initial,
            kind: { graph, retention in graph.storeKind(windows, retention: retention) },
            rowKey: { .sessionWindowed($0) }, rows: { .session(SessionAggregation($0, windows), merge: merge) })
        table.graph.windowGraces[table.node] = windows.leastRetention
        return table
    }
}
