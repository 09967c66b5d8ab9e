public import TributaryCore
internal import TributaryLineage
public import TributaryState

/// A grouped stream cut into windows of time, to be aggregated, as Kafka Streams' `TimeWindowedKStream`.
///
/// Records with a null key are dropped and counted; null values are not (Docs/Semantics.md, Windows). A window takes records until stream
/// time has passed its end by the grace.
public struct TimeWindowedKStream<Key, Value> {
    @usableFromInline let grouped: KGroupedStream<Key, Value>
    @usableFromInline let windows: TimeWindows

    @usableFromInline
    init(grouped: KGroupedStream<Key, Value>, windows: TimeWindows) {
        self.grouped = grouped
        self.windows = windows
    }

    /// How many records each key has had in each window.
    @inlinable
    public func count(
        as name: String? = nil, materialized: Materialized<Key, Int64>? = nil, named: String? = nil
    ) -> KTable<Windowed<Key>, Int64> {
        if let materialized, materialized.name == nil { _ = grouped.stream.graph.newUniqueName("unused-") }
        return aggregation("KSTREAM-AGGREGATE-", materialized ?? Materialized(as: name), .int64, named) { $0.count() }
    }

    /// Combines the values of each key in each window; the first value is the first aggregate.
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

    /// An aggregation by key and window.
    @inlinable
    func aggregation<Aggregate>(
        _ prefix: String, _ settings: Materialized<Key, Aggregate>, _ value: Serde<Aggregate>?, _ named: String?,
        _ input: @escaping @Sendable (WindowedAggregation<Key, Aggregate>) -> NodeInput<Key, Value>
    ) -> KTable<Windowed<Key>, Aggregate> {
        let windows = self.windows
        let retention = grouped.stream.graph.checkWindows(windows, retention: settings.retention?.milliseconds)
        let table = grouped.aggregation(
            prefix, settings, value, named,
            kind: .window(retention: retention, size: windows.sizeTime, retainsDuplicates: false, timestamped: true),
            rowKey: { .timeWindowed($0, size: windows.size) }, input: { input(WindowedAggregation($0, windows)) })
        grouped.stream.graph.windowGraces[table.node] = windows.graceTime
        return table
    }
}

extension TopologyGraph {
    /// Checks windows and retention; returns how long the store keeps them.
    @usableFromInline
    func checkWindows(_ windows: TimeWindows, retention: Int64?) -> Int64 {
        if let problem = windows.problem {
            fail(.invalidSetting, problem)
            return 0
        }
        let needed = windows.sizeTime.addingSaturated(windows.graceTime)
        guard let retention else { return needed }
        if retention < needed {
            fail(
                .invalidSetting,
                "the retention of \(retention) ms is below the windows' size and grace of \(needed) ms: raise it")
        }
        return retention
    }
}
