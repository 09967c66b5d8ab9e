public import TributaryCore
internal import TributaryLineage
public import TributaryState

/// A grouped stream cut into windows of time, to be aggregated, as Kafka Streams' `TimeWindowedKStream`.
///
/// Records with a null key are dropped and counted; null values are not (semantics 1.4). A window takes records until stream
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

    @inlinable
    func aggregation<Aggregate>(
        _ prefix: String, _ settings: Materialized<Key, Aggregate>, _ value: Serde<Aggregate>?, _ named: String?,
        _ sink: @escaping @Sendable (WindowedAggregate<Key, Aggregate>) -> NodeInput<Key, Value>
    ) -> KTable<Windowed<Key>, Aggregate> {
        let graph = grouped.stream.graph
        let windows = self.windows
        let retention = graph.checkWindows(windows, retention: settings.retention?.milliseconds)
        let storeName = graph.storeName(prefix, settings.name)
        let name = graph.name(prefix, named)
        let input = grouped.repartitioned(storeName, generated: settings.name == nil)
        let id = graph.add(name, parents: [input.node])
        let output = Output<Windowed<Key>, Aggregate>()
        let key = settings.key ?? input.keySerde
        let value = value ?? Serde<Aggregate>.standard
        let windowedKey = key.map { Serde<Windowed<Key>>.timeWindowed($0, size: windows.size) }
        let kind = StoreDescription.Kind.window(
            retention: retention, size: windows.sizeTime, retainsDuplicates: false, timestamped: true)
        let state = TableStoreState(
            settings.description(
                graph, storeName, kind, generated: settings.name == nil,
                serdes: "\(key?.name ?? "?") \(value?.name ?? "?")"),
            node: id, graph: graph, isMaterialized: true)
        if key == nil || value == nil { graph.failWithoutSerde("the aggregation '\(name)'", key, value) }
        input.encoded(key: key, value: nil).output.attach(id, name) { context in
            guard let value else { throw TopologyError("the aggregation '\(name)' has no serde for its values") }
            let next = try output.sink(in: context)
            let store = try context.services.store(state.name)
            return sink(WindowedAggregate(store, context, name, windows, next, windowedKey, value))
        }
        return KTable(
            graph: graph, node: id, output: output, keySerde: windowedKey, valueSerde: value, store: state,
            sources: input.sources)
    }
}

extension TopologyGraph {
    /// Checks windows and retention; returns how long the store keeps them.
    @usableFromInline
    func checkWindows(_ windows: TimeWindows, retention: Int64?) -> Int64 {
        if let problem = windows.problem {
            fail(problem)
            return 0
        }
        let needed = windows.sizeTime.addingSaturated(windows.graceTime)
        guard let retention else { return needed }
        if retention < needed {
            fail("the retention of \(retention) ms is below the windows' size and grace of \(needed) ms: raise it")
        }
        return retention
    }
}
