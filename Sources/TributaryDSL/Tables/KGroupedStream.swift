public import TributaryCore
internal import TributaryLineage
public import TributaryState

/// A stream grouped by key, to be aggregated, as Kafka Streams' `KGroupedStream`.
///
/// Records with a null key or a null value are dropped and counted. If the key was changed before, the aggregation reads from
/// a repartition topic.
public struct KGroupedStream<Key, Value> {
    @usableFromInline let stream: KStream<Key, Value>
    @usableFromInline let name: String?
    @usableFromInline let shared: BuildBox<KStream<Key, Value>?>

    @usableFromInline
    init(stream: KStream<Key, Value>, name: String?) {
        self.stream = stream
        self.name = name
        shared = BuildBox(nil)
    }

    /// How many records each key has had.
    ///
    /// - Parameters:
    ///   - name: the store's name, which makes the table queryable.
    ///   - materialized: the store's settings, if more than its name is to be said.
    ///   - named: the node's name.
    @inlinable
    public func count(
        as name: String? = nil, materialized: Materialized<Key, Int64>? = nil, named: String? = nil
    ) -> KTable<Key, Int64> {
        // Kafka Streams uses up an index for a Materialized without a name.
        if let materialized, materialized.name == nil { _ = stream.graph.newUniqueName("unused-") }
        return aggregation(
            "KSTREAM-AGGREGATE-", materialized ?? Materialized(as: name), .int64, named,
            step: { context, store, next, name, services, aggregate in
                AggregateNodes.count(aggregate, next, services, name)
            })
    }

    /// Combines the values of each key; the first value is the first aggregate.
    @inlinable
    public func reduce(
        as name: String? = nil, materialized: Materialized<Key, Value>? = nil, named: String? = nil,
        @Returning<Value> _ reducer: @escaping @Sendable (_ aggregate: Value, _ value: Value) throws -> Value
    ) -> KTable<Key, Value> {
        let settings = materialized ?? Materialized(as: name)
        return aggregation(
            "KSTREAM-REDUCE-", settings, settings.value ?? stream.valueSerde, named,
            step: { context, store, next, name, services, aggregate in
                AggregateNodes.reduce(aggregate, next, services, name, reducer)
            })
    }

    /// Groups the records of each key by windows of time.
    public func windowedBy(_ windows: TimeWindows) -> TimeWindowedKStream<Key, Value> {
        TimeWindowedKStream(grouped: self, windows: windows)
    }

    @inlinable
    func aggregation<Aggregate>(
        _ prefix: String, _ settings: Materialized<Key, Aggregate>, _ value: Serde<Aggregate>?, _ named: String?,
        step:
            @escaping @Sendable (
                NodeContext, StateStore, NodeInput<Key, Aggregate>, String, any TaskServices,
                AggregateStore<Key, Aggregate>
            ) -> NodeInput<Key, Value>
    ) -> KTable<Key, Aggregate> {
        let graph = stream.graph
        let storeName = graph.storeName(prefix, settings.name)
        let name = graph.name(prefix, named)
        let input = repartitioned(storeName, generated: settings.name == nil)
        let id = graph.add(name, parents: [input.node])
        let output = Output<Key, Aggregate>()
        let key = settings.key ?? input.keySerde
        guard let value = value ?? .standard, key != nil else {
            graph.failWithoutSerde("the aggregation '\(name)'", key, value ?? .standard)
            return KTable(
                graph: graph, node: id, output: output, keySerde: key, valueSerde: nil,
                store: TableStoreState(
                    settings.description(graph, storeName, .timestampedKeyValue, generated: true, serdes: ""), node: id,
                    graph: graph, isMaterialized: true), sources: input.sources)
        }
        let state = TableStoreState(
            settings.description(
                graph, storeName, .timestampedKeyValue, generated: settings.name == nil,
                serdes: "\(key?.name ?? "?") \(value.name)"),
            node: id, graph: graph, isMaterialized: true)
        input.encoded(key: key, value: nil).output.attach(id, name) { context in
            let next = try output.sink(in: context)
            let store = try context.services.store(state.name)
            let aggregate = AggregateStore(store, context, name, key, value)
            store.onFlush = FlushForwarder(next, key, value, store, name, context.services).closure()
            return step(context, store, next, name, context.services, aggregate)
        }
        return KTable(
            graph: graph, node: id, output: output, keySerde: key, valueSerde: value, store: state,
            sources: input.sources)
    }

    /// The stream to aggregate: behind a repartition topic if the key was changed.
    ///
    /// A named grouping shares one topic.
    @inlinable
    func repartitioned(_ storeName: String, generated: Bool) -> KStream<Key, Value> {
        guard stream.needsRepartition else { return stream }
        if let name, let again = shared.get() {
            // Kafka Streams makes the nodes again and throws them away, which uses up their indices.
            _ = stream.graph.repartitionNames(name)
            return again
        }
        let made = stream.repartitioned(
            name ?? storeName, key: stream.keySerde, value: stream.valueSerde,
            hasGeneratedName: name == nil && generated)
        if name != nil { shared.set(made) }
        return made
    }
}
