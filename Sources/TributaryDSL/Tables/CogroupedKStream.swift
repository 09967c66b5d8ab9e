public import TributaryCore
internal import TributaryLineage
public import TributaryState

/// Grouped streams of one type of keys, to be aggregated together into one table, as Kafka Streams' `CogroupedKStream`.
///
/// Each stream has a closure of its own that adds its values to the common aggregate.
///
/// ```swift
/// orders.groupByKey()
///     .cogroup(of: Total.self) { total, order in total.add(order) }
///     .cogroup(refunds.groupByKey()) { total, refund in total.subtract(refund) }
///     .aggregate(into: Total.zero, as: "totals")
/// ```
public struct CogroupedKStream<Key, Aggregate> {
    @usableFromInline let parts: [CogroupPart<Key, Aggregate>]

    @usableFromInline
    init(_ parts: [CogroupPart<Key, Aggregate>]) { self.parts = parts }

    /// Adds a grouped stream; its closure changes the aggregate in place.
    ///
    /// One that is there already gets another closure.
    @inlinable
    public func cogroup<Value>(
        _ grouped: KGroupedStream<Key, Value>,
        _ update: @escaping @Sendable (_ aggregate: inout Aggregate, _ value: Value) throws -> Void
    ) -> CogroupedKStream {
        with(CogroupPart(grouped) { aggregation, initial in aggregation.aggregate(initial, update) })
    }

    /// Adds a grouped stream; its closure sees the key too.
    @inlinable
    public func cogroupWithKey<Value>(
        _ grouped: KGroupedStream<Key, Value>,
        _ update: @escaping @Sendable (_ aggregate: inout Aggregate, _ key: Key, _ value: Value) throws -> Void
    ) -> CogroupedKStream {
        with(CogroupPart(grouped) { aggregation, initial in aggregation.aggregateWithKey(initial, update) })
    }

    @usableFromInline
    func with(_ part: CogroupPart<Key, Aggregate>) -> CogroupedKStream {
        var parts = parts
        if let place = parts.firstIndex(where: { $0.id == part.id }) { parts[place] = part } else { parts.append(part) }
        return CogroupedKStream(parts)
    }

    /// Aggregates the values of all streams by key.
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
    ) -> KTable<Key, Aggregate> {
        aggregation(
            materialized ?? Materialized(as: name), value, named, initial, kind: { _, _ in .timestampedKeyValue },
            rowKey: { $0 }, rows: { .byKey(GroupedAggregation($0)) })
    }

    /// Groups the records of each key by windows of time.
    public func windowedBy(_ windows: TimeWindows) -> TimeWindowedCogroupedKStream<Key, Aggregate> {
        TimeWindowedCogroupedKStream(cogrouped: self, windows: .time(windows))
    }

    /// Groups the records of each key by windows around them.
    public func windowedBy(_ windows: SlidingWindows) -> TimeWindowedCogroupedKStream<Key, Aggregate> {
        TimeWindowedCogroupedKStream(cogrouped: self, windows: .sliding(windows))
    }

    /// Groups the records of each key by sessions.
    public func windowedBy(_ windows: SessionWindows) -> SessionWindowedCogroupedKStream<Key, Aggregate> {
        SessionWindowedCogroupedKStream(cogrouped: self, windows: windows)
    }

    /// Declares the nodes: one for each stream, which share a store, and one behind them.
    @inlinable
    func aggregation<RowKey>(
        _ settings: Materialized<Key, Aggregate>, _ value: Serde<Aggregate>?, _ named: String?,
        _ initial: @escaping @Sendable () -> Aggregate,
        kind: (TopologyGraph, Int64?) -> StoreDescription.Kind, rowKey: (Serde<Key>) -> Serde<RowKey>,
        rows makeRows: @escaping @Sendable (AggregateStore<RowKey, Aggregate>) -> CogroupRows<Key, Aggregate>
    ) -> KTable<RowKey, Aggregate> {
        let graph = parts[0].graph
        let storeName = graph.storeName("COGROUPKSTREAM-AGGREGATE-", settings.name)
        let inputs = parts.map { $0.repartitioned(storeName, settings.name == nil) }
        let names = parts.indices.map { place in
            graph.name("COGROUPKSTREAM-AGGREGATE-", named.map { "\($0)-cogroup-agg-\(place)" })
        }
        let mergeName = graph.name("COGROUPKSTREAM-MERGE-", named.map { "\($0)-cogroup-merge" })
        let nodes = zip(inputs, names).map { graph.add($1, parents: [$0.node]) }
        let merge = graph.add(mergeName, parents: nodes)
        let key = settings.key ?? inputs.lazy.compactMap(\.key).first
        let value = settings.value ?? value ?? .standard
        let tableKey = key.map(rowKey)
        let output = TableOutput<RowKey, Aggregate>()
        let merged = TableOutput<RowKey, Aggregate>()
        let state = TableStoreState(
            settings.description(
                graph, storeName, kind(graph, settings.retention?.milliseconds), generated: settings.name == nil,
                serdes: "\(key?.name ?? "?") \(value?.name ?? "?")", of: .records),
            node: nodes[0], graph: graph, isMaterialized: true)
        for node in nodes.dropFirst() { graph.connect(storeName, to: node) }
        if key == nil || value == nil { graph.failWithoutSerde("the aggregation '\(mergeName)'", key, value) }
        // Kafka Streams lists what the streams are read from before they are repartitioned, and nothing for what is behind the table; what
        // they are read from then must fit all the same.
        let shared = inputs.reduce(into: Set<Int>()) { $0.formUnion($1.sources.map(TopologyGraph.unlisted)) }
        graph.copartition(parts.reduce(into: shared) { $0.formUnion($1.sources) })
        output.attach(merge, mergeName) { context in try merged.sink(in: context) }
        for ((input, node), name) in zip(zip(inputs, nodes), names) {
            input.attach(node, name, initial) { context in
                guard let value else {
                    throw TopologyError(.missingSerde, "the aggregation '\(name)' has no serde for its values")
                }
                let forwarder = TableForwarder(
                    try output.sink(in: context), tableKey, value, try context.services.store(state.name),
                    UserCode(name, context.services), sendsOld: state.sendsOld)
                return makeRows(AggregateStore(forwarder, context.recorder))
            }
        }
        return KTable(
            graph: graph, node: merge, output: merged, keySerde: tableKey, valueSerde: value,
            source: TableSource(state, value), sources: shared)
    }
}

extension KGroupedStream {
    /// Begins to aggregate this stream together with others; its closure changes the common aggregate in place.
    ///
    /// - Parameters:
    ///   - aggregate: the aggregate's type.
    ///   - update: changes the aggregate by a value.
    @inlinable
    public func cogroup<Aggregate>(
        of aggregate: Aggregate.Type = Aggregate.self,
        _ update: @escaping @Sendable (_ aggregate: inout Aggregate, _ value: Value) throws -> Void
    ) -> CogroupedKStream<Key, Aggregate> {
        CogroupedKStream([]).cogroup(self, update)
    }

    /// Begins to aggregate this stream together with others; its closure sees the key too.
    @inlinable
    public func cogroupWithKey<Aggregate>(
        of aggregate: Aggregate.Type = Aggregate.self,
        _ update: @escaping @Sendable (_ aggregate: inout Aggregate, _ key: Key, _ value: Value) throws -> Void
    ) -> CogroupedKStream<Key, Aggregate> {
        CogroupedKStream([]).cogroupWithKey(self, update)
    }
}

/// The rows of an aggregation of several streams, by its kind, in one task.
@usableFromInline
enum CogroupRows<Key, Aggregate> {
    case byKey(GroupedAggregation<Key, Aggregate>)
    case time(WindowedAggregation<Key, Aggregate>)
    case sliding(SlidingAggregation<Key, Aggregate>)
    case session(SessionAggregation<Key, Aggregate>, merge: @Sendable (inout Aggregate, Key, Aggregate) throws -> Void)

    /// Changes the aggregate by a value.
    @inlinable
    func aggregate<Value>(
        _ initial: @escaping @Sendable () -> Aggregate,
        _ change: @escaping @Sendable (inout Aggregate, Value) throws -> Void
    ) -> NodeInput<Key, Value> {
        switch self {
        case .byKey(let rows): rows.aggregate(initial, change)
        case .time(let rows): rows.aggregate(initial, change)
        case .sliding(let rows): rows.aggregate(initial, change)
        case .session(let rows, let merge): rows.aggregateWithKey(initial, merge) { try change(&$0, $2) }
        }
    }

    /// Changes the aggregate by a key and value.
    @inlinable
    func aggregateWithKey<Value>(
        _ initial: @escaping @Sendable () -> Aggregate,
        _ change: @escaping @Sendable (inout Aggregate, Key, Value) throws -> Void
    ) -> NodeInput<Key, Value> {
        switch self {
        case .byKey(let rows): rows.aggregateWithKey(initial, change)
        case .time(let rows): rows.aggregateWithKey(initial, change)
        case .sliding(let rows): rows.aggregateWithKey(initial, change)
        case .session(let rows, let merge): rows.aggregateWithKey(initial, merge, change)
        }
    }
}

/// One stream of an aggregation of several, whatever its values are.
@usableFromInline
struct CogroupPart<Key, Aggregate> {
    /// Attaches the stream's node, which is made for a task of the rows that the closure makes.
    @usableFromInline
    typealias Attach = (
        _ node: Int, _ name: String, _ initial: @escaping @Sendable () -> Aggregate,
        _ rows: @escaping @Sendable (NodeContext) throws -> CogroupRows<Key, Aggregate>
    ) -> Void

    /// The stream behind a repartition topic where its key was changed.
    @usableFromInline
    struct Input {
        @usableFromInline let node: Int
        @usableFromInline let sources: Set<Int>
        @usableFromInline let key: Serde<Key>?
        @usableFromInline let attach: Attach

        @inlinable
        init(node: Int, sources: Set<Int>, key: Serde<Key>?, attach: @escaping Attach) {
            self.node = node
            self.sources = sources
            self.key = key
            self.attach = attach
        }
    }

    /// Says which grouping it is.
    @usableFromInline let id: ObjectIdentifier
    @usableFromInline let graph: TopologyGraph
    @usableFromInline let sources: Set<Int>
    @usableFromInline let repartitioned: (_ store: String, _ isGenerated: Bool) -> Input

    @inlinable
    init<Value>(
        _ grouped: KGroupedStream<Key, Value>,
        _ input:
            @escaping @Sendable (CogroupRows<Key, Aggregate>, @escaping @Sendable () -> Aggregate)
            -> NodeInput<Key, Value>
    ) {
        id = ObjectIdentifier(grouped.shared)
        graph = grouped.stream.graph
        sources = grouped.stream.sources
        repartitioned = { store, isGenerated in
            let stream = grouped.repartitioned(store, generated: isGenerated)
            return Input(node: stream.node, sources: stream.sources, key: stream.keySerde) {
                node, name, initial, rows in
                stream.encoded(key: stream.keySerde, value: nil).output.attach(node, name) { context in
                    input(try rows(context), initial)
                }
            }
        }
    }
}
