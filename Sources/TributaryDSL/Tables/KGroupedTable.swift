public import TributaryCore
public import TributaryLineage
public import TributaryState

extension KTable {
    /// Groups the rows by a new key, to be aggregated: a row that changes is taken out of its old group and put into its new one.
    ///
    /// The changes go through a repartition topic. Rows for which key or value is null of its own type are in no group.
    ///
    /// - Parameters:
    ///   - named: begins the topic's name, and is the node's (Kafka Streams' `Grouped.as`).
    ///   - key: the new key's serde.
    ///   - value: the new value's serde.
    ///   - select: the group of a row, and what is aggregated of it; gives the same for the same.
    @inlinable
    public func groupBy<NewKey, NewValue>(
        named: String? = nil, key: Serde<NewKey>? = nil, value: Serde<NewValue>? = nil,
        @Returning<(NewKey, NewValue)> _ select: @escaping @Sendable (Key, Value) throws -> (NewKey, NewValue)
    ) -> KGroupedTable<NewKey, NewValue> {
        let name = graph.name("KTABLE-SELECT-", named)
        let id = graph.add(name, parents: [node])
        _ = source.askForOld(graph, true)
        let dropsOutdated = source.history != nil
        let changes = NodeOutput<ChangeInput<NewKey, NewValue>>()
        let keySerde = key ?? .standard
        let nullKey = Nullability<NewKey>.of()
        let nullValue = Nullability<NewValue>.of()
        output.attach(id, name) { context in
            let next = try changes.sink(in: context)
            let user = UserCode(name, context.services)
            let sameKey = SameKey(keySerde)
            func pair(_ key: Key, _ value: Value?) throws -> (NewKey, NewValue)? {
                guard let value else { return nil }
                let pair = try select(key, value)
                return nullKey?.isNull(pair.0) == true || nullValue?.isNull(pair.1) == true ? nil : pair
            }
            return TableInput(update: { key, new, old, meta in
                if dropsOutdated && meta.isOutdated { return }
                let newPair: (NewKey, NewValue)?
                let oldPair: (NewKey, NewValue)?
                var isSame = false
                do {
                    newPair = try pair(key, new)
                    oldPair = try pair(key, old)
                    if let newPair, let oldPair { isSame = try sameKey.isSame(newPair.0, oldPair.0) }
                } catch {
                    return try user.failed(error, meta)
                }
                func send(_ changed: borrowing RecordMeta) throws {
                    if isSame, let newPair, let oldPair {
                        return try next.update(newPair.0, newPair.1, oldPair.1, changed)
                    }
                    if let oldPair { try next.update(oldPair.0, nil, oldPair.1, changed) }
                    if let newPair { try next.update(newPair.0, newPair.1, nil, changed.withoutOldLineage()) }
                }
                guard let before = meta.oldLineage, before.cell.has(flags: Cell.unseen) else {
                    return try send(meta.withChangedKey(isNull: false))
                }
                // What no group was ever told of is in none: nothing of it is to be taken out.
                let held: InlineArray<2, Lineage> = [meta.lineage, .none]
                try send(meta.with(held.span).withChangedKey(isNull: false))
            })
        }
        return KGroupedTable(
            graph: graph, node: id, output: changes, keySerde: keySerde, valueSerde: value ?? .standard, name: named)
    }
}

/// Compares keys by their bytes, as topics do.
@usableFromInline
final class SameKey<Key> {
    @usableFromInline let serde: Serde<Key>?
    @usableFromInline let one = ByteBuffer()
    @usableFromInline let other = ByteBuffer()

    @inlinable
    init(_ serde: Serde<Key>?) { self.serde = serde }

    @inlinable
    func isSame(_ left: Key, _ right: Key) throws -> Bool {
        guard let serde else { return false }
        one.writer.removeAll()
        other.writer.removeAll()
        try serde.encode(left, &one.writer)
        try serde.encode(right, &other.writer)
        return one.bytes.compare(to: other.bytes) == 0
    }
}

/// A table grouped by another key, to be aggregated, as Kafka Streams' `KGroupedTable`.
///
/// An aggregation has two closures: one puts a row in, the other takes out what the row was before, which comes first. A group never ends but by a null.
public struct KGroupedTable<Key, Value> {
    @usableFromInline let graph: TopologyGraph
    @usableFromInline let node: Int
    @usableFromInline let output: NodeOutput<ChangeInput<Key, Value>>
    @usableFromInline let keySerde: Serde<Key>?
    @usableFromInline let valueSerde: Serde<Value>?
    @usableFromInline let name: String?
    @usableFromInline let shared = BuildBox<SharedChanges<Key, Value>?>(nil)

    @usableFromInline
    init(
        graph: TopologyGraph, node: Int, output: NodeOutput<ChangeInput<Key, Value>>, keySerde: Serde<Key>?,
        valueSerde: Serde<Value>?, name: String?
    ) {
        self.graph = graph
        self.node = node
        self.output = output
        self.keySerde = keySerde
        self.valueSerde = valueSerde
        self.name = name
    }

    /// How many rows are in each group; a group without rows has 0.
    @inlinable
    public func count(
        as name: String? = nil, materialized: Materialized<Key, Int64>? = nil, named: String? = nil
    ) -> KTable<Key, Int64> {
        aggregation(
            "KTABLE-AGGREGATE-", materialized ?? Materialized(as: name), .int64, named,
            TableSteps(from: { 0 }, add: { _, _, count in count += 1 }, subtract: { _, _, count in count -= 1 }))
    }

    /// Combines the values of each group; the first value is the first aggregate.
    ///
    /// - Parameters:
    ///   - name: the store's name, which makes the table queryable.
    ///   - materialized: the store's settings, if more than its name is to be said.
    ///   - named: the node's name.
    ///   - adding: the aggregate with a value.
    ///   - subtracting: the aggregate without a value that it has.
    @inlinable
    public func reduce(
        as name: String? = nil, materialized: Materialized<Key, Value>? = nil, named: String? = nil,
        @Returning<Value> adding: @escaping @Sendable (_ aggregate: Value, _ value: Value) throws -> Value,
        @Returning<Value> subtracting: @escaping @Sendable (_ aggregate: Value, _ value: Value) throws -> Value
    ) -> KTable<Key, Value> {
        let settings = materialized ?? Materialized(as: name)
        return aggregation(
            "KTABLE-REDUCE-", settings, settings.value ?? valueSerde, named,
            TableSteps(
                begin: { _, value in value }, add: { _, value, aggregate in aggregate = try adding(aggregate, value) },
                subtract: { _, value, aggregate in aggregate = try subtracting(aggregate, value) }))
    }

    /// Aggregates the values of each group: both closures change the aggregate in place.
    ///
    /// - Parameters:
    ///   - initial: the aggregate before the first row.
    ///   - name: the store's name, which makes the table queryable.
    ///   - value: the aggregate's serde.
    ///   - materialized: the store's settings, if more than its name is to be said.
    ///   - named: the node's name.
    ///   - adding: puts a row's value in; an aggregate that is null afterwards is deleted.
    ///   - subtracting: takes out what a row's value was.
    @inlinable
    public func aggregate<Aggregate>(
        into initial: @autoclosure @escaping @Sendable () -> Aggregate, as name: String? = nil,
        value: Serde<Aggregate>? = nil, materialized: Materialized<Key, Aggregate>? = nil, named: String? = nil,
        adding: @escaping @Sendable (_ aggregate: inout Aggregate, _ value: Value) throws -> Void,
        subtracting: @escaping @Sendable (_ aggregate: inout Aggregate, _ value: Value) throws -> Void
    ) -> KTable<Key, Aggregate> {
        let settings = materialized ?? Materialized(as: name)
        return aggregation(
            "KTABLE-AGGREGATE-", settings, settings.value ?? value, named,
            TableSteps(
                from: initial, add: { _, value, aggregate in try adding(&aggregate, value) },
                subtract: { _, value, aggregate in try subtracting(&aggregate, value) }))
    }

    /// Aggregates the values of each group in place; both closures see the key too.
    @inlinable
    public func aggregateWithKey<Aggregate>(
        into initial: @autoclosure @escaping @Sendable () -> Aggregate, as name: String? = nil,
        value: Serde<Aggregate>? = nil, materialized: Materialized<Key, Aggregate>? = nil, named: String? = nil,
        adding: @escaping @Sendable (_ aggregate: inout Aggregate, _ key: Key, _ value: Value) throws -> Void,
        subtracting: @escaping @Sendable (_ aggregate: inout Aggregate, _ key: Key, _ value: Value) throws -> Void
    ) -> KTable<Key, Aggregate> {
        let settings = materialized ?? Materialized(as: name)
        return aggregation(
            "KTABLE-AGGREGATE-", settings, settings.value ?? value, named,
            TableSteps(
                from: initial, add: { key, value, aggregate in try adding(&aggregate, key, value) },
                subtract: { key, value, aggregate in try subtracting(&aggregate, key, value) }))
    }

    @inlinable
    func aggregation<Aggregate>(
        _ prefix: String, _ settings: Materialized<Key, Aggregate>, _ value: Serde<Aggregate>?, _ named: String?,
        _ steps: TableSteps<Key, Value, Aggregate>
    ) -> KTable<Key, Aggregate> {
        let storeName = graph.storeName("KTABLE-AGGREGATE-", settings.name)
        let changes = repartitioned(storeName, isGenerated: settings.name == nil, named)
        let name = graph.name(prefix, named)
        let id = graph.add(name, parents: [changes.node])
        let output = TableOutput<Key, Aggregate>()
        let key = settings.key ?? keySerde
        let value = value ?? .standard
        let state = TableStoreState(
            settings.description(
                graph, storeName, .timestampedKeyValue, generated: settings.name == nil,
                serdes: "\(key?.name ?? "?") \(value?.name ?? "?")", of: .records),
            node: id, graph: graph, isMaterialized: true)
        if key == nil || value == nil { graph.failWithoutSerde("the aggregation '\(name)'", key, value) }
        changes.output.attach(id, name) { context in
            guard let value else {
                throw TopologyError(.missingSerde, "the aggregation '\(name)' has no serde for its values")
            }
            let forwarder = TableForwarder(
                try output.sink(in: context), key, value, try context.services.store(state.name),
                UserCode(name, context.services), sendsOld: state.sendsOld)
            return TableAggregation(forwarder, context.recorder, steps).input
        }
        return KTable(
            graph: graph, node: id, output: output, keySerde: key, valueSerde: value,
            source: TableSource(state, value), sources: [changes.node])
    }

    /// The changes behind a repartition topic; a named grouping shares one.
    @inlinable
    func repartitioned(_ storeName: String, isGenerated: Bool, _ named: String?) -> SharedChanges<Key, Value> {
        let sinkName = graph.name("KSTREAM-SINK-", named.map { "\($0)-sink" })
        let sourceName = graph.name("KSTREAM-SOURCE-", named.map { "\($0)-source" })
        if name != nil, let again = shared.get() { return again }
        let topic = "\(name ?? storeName)-repartition"
        let output = NodeOutput<ChangeInput<Key, Value>>()
        graph.addRepartition(topic, partitions: nil, hasGeneratedName: name == nil && isGenerated)
        let sink = graph.add(sinkName, .sink(topic: topic), parents: [node])
        let source = graph.add(sourceName, .source(topics: [topic]))
        let made = SharedChanges(node: source, output: output)
        guard let keySerde, let valueSerde else {
            graph.failWithoutSerde("the repartition topic '\(topic)'", keySerde, valueSerde)
            return made
        }
        self.output.attach(sink, sinkName) { context in
            changeSink(
                UserCode(sinkName, context.services), topic, try context.services.outputTopic(topic), keySerde,
                valueSerde)
        }
        graph.addSource(
            source, topics: [topic], pattern: nil, isTable: false, SourceSettings(), accepts: { _, _ in true }
        ) {
            context in
            changeSource(
                try output.sink(in: context), UserCode(sourceName, context.services), context.recorder, keySerde,
                valueSerde)
        }
        if name != nil { shared.set(made) }
        return made
    }
}

/// Changes behind a repartition topic, while a topology is built.
@usableFromInline
struct SharedChanges<Key, Value>: Sendable {
    @usableFromInline let node: Int
    @usableFromInline let output: NodeOutput<ChangeInput<Key, Value>>

    @inlinable
    init(node: Int, output: NodeOutput<ChangeInput<Key, Value>>) {
        self.node = node
        self.output = output
    }
}
