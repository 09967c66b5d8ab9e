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
            input: { $0.count() })
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
            input: { $0.reduce(reducer) })
    }

    /// Groups the records of each key by windows of time.
    public func windowedBy(_ windows: TimeWindows) -> TimeWindowedKStream<Key, Value> {
        TimeWindowedKStream(grouped: self, windows: .time(windows))
    }

    /// Groups the records of each key by windows around them.
    public func windowedBy(_ windows: SlidingWindows) -> TimeWindowedKStream<Key, Value> {
        TimeWindowedKStream(grouped: self, windows: .sliding(windows))
    }

    /// Groups the records of each key by sessions.
    public func windowedBy(_ windows: SessionWindows) -> SessionWindowedKStream<Key, Value> {
        SessionWindowedKStream(grouped: self, windows: windows)
    }

    /// An aggregation by key alone.
    @inlinable
    func aggregation<Aggregate>(
        _ prefix: String, _ settings: Materialized<Key, Aggregate>, _ value: Serde<Aggregate>?, _ named: String?,
        input: @escaping @Sendable (GroupedAggregation<Key, Aggregate>) -> NodeInput<Key, Value>
    ) -> KTable<Key, Aggregate> {
        aggregation(
            prefix, settings, value, named, kind: .timestampedKeyValue, rowKey: { $0 },
            input: { input(GroupedAggregation($0)) })
    }

    /// Declares an aggregation of any grouping.
    ///
    /// - Parameters:
    ///   - prefix: begins generated names.
    ///   - settings: the store's.
    ///   - value: the aggregate's serde.
    ///   - named: the node's name.
    ///   - kind: the store's.
    ///   - emit: when results go on.
    ///   - cachesClosing: whether the store is cached where they wait for their windows.
    ///   - rowKey: the serde of the table's keys.
    ///   - input: makes the receiving end for a task.
    @inlinable
    func aggregation<RowKey, Aggregate>(
        _ prefix: String, _ settings: Materialized<Key, Aggregate>, _ value: Serde<Aggregate>?, _ named: String?,
        kind: StoreDescription.Kind, emit: EmitStrategy = .onWindowUpdate, cachesClosing: Bool = true,
        rowKey: (Serde<Key>) -> Serde<RowKey>,
        input makeInput: @escaping @Sendable (AggregateStore<RowKey, Aggregate>) -> NodeInput<Key, Value>
    ) -> KTable<RowKey, Aggregate> {
        let graph = stream.graph
        let storeName = graph.storeName(prefix, settings.name)
        let name = graph.name(prefix, named)
        let input = repartitioned(storeName, generated: settings.name == nil)
        let id = graph.add(name, parents: [input.node])
        let output = TableOutput<RowKey, Aggregate>()
        let key = settings.key ?? input.keySerde
        let value = value ?? .standard
        let tableKey = key.map(rowKey)
        var description = settings.description(
            graph, storeName, kind, generated: settings.name == nil,
            serdes: "\(key?.name ?? "?") \(value?.name ?? "?")", of: .records)
        if emit == .onWindowClose {
            description.isOrderedByTime = true
            description.isCached = description.isCached && cachesClosing
        }
        let state = TableStoreState(description, node: id, graph: graph, isMaterialized: true)
        if key == nil || value == nil { graph.failWithoutSerde("the aggregation '\(name)'", key, value) }
        input.encoded(key: key, value: nil).output.attach(id, name) { context in
            guard let value else {
                throw TopologyError(.missingSerde, "the aggregation '\(name)' has no serde for its values")
            }
            let forwarder = TableForwarder(
                try output.sink(in: context), tableKey, value, try context.services.store(state.name),
                UserCode(name, context.services), sendsOld: state.sendsOld)
            return makeInput(AggregateStore(forwarder, context.recorder, emit))
        }
        return KTable(
            graph: graph, node: id, output: output, keySerde: tableKey, valueSerde: value,
            source: TableSource(state, value), sources: input.sources)
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
