public import TributaryCore
public import TributaryLineage

extension KStream {
    /// Replaces each key.
    ///
    /// What groups or joins by the new key repartitions first.
    @inlinable
    public func selectKey<NewKey>(
        named: String? = nil, key serde: Serde<NewKey>? = nil,
        @Returning<NewKey> _ select: @escaping @Sendable (Key, Value) throws -> NewKey
    ) -> KStream<NewKey, Value> {
        selectKey(graph.name("KSTREAM-KEY-SELECT-", named), serde, select)
    }

    @inlinable
    func selectKey<NewKey>(
        _ name: String, _ serde: Serde<NewKey>?, _ select: @escaping @Sendable (Key, Value) throws -> NewKey
    ) -> KStream<NewKey, Value> {
        let nulls = Nullability<NewKey>.of()
        let nullValues = Nullability<Value>.of()
        return child(name, key: serde, value: valueSerde, changesKey: true) { next, user in
            NodeInput(
                call: { key, value, meta in
                    guard let result = try user.run(meta, { try select(key, value) }) else { return }
                    try next.call(result, value, meta.withChangedKey(isNull: nulls?.isNull(result) ?? false))
                },
                delete: { key, meta in
                    // A tombstone has no value to select by: only types with a null can re-key it.
                    guard let nullValues else { return user.dropped(.nullValue, meta) }
                    guard let result = try user.run(meta, { try select(key, nullValues.null()) }) else { return }
                    try next.delete(result, meta.withChangedKey(isNull: nulls?.isNull(result) ?? false))
                })
        }
    }

    /// Replaces each record by another.
    @inlinable
    public func map<NewKey, NewValue>(
        named: String? = nil, key keySerde: Serde<NewKey>? = nil, value valueSerde: Serde<NewValue>? = nil,
        @Returning<(NewKey, NewValue)> _ transform: @escaping @Sendable (Key, Value) throws -> (NewKey, NewValue)
    ) -> KStream<NewKey, NewValue> {
        let nulls = Nullability<NewKey>.of()
        return child(graph.name("KSTREAM-MAP-", named), key: keySerde, value: valueSerde, changesKey: true) {
            next, user in
            NodeInput(
                call: { key, value, meta in
                    guard let result = try user.run(meta, { try transform(key, value) }) else { return }
                    try next.call(result.0, result.1, meta.withChangedKey(isNull: nulls?.isNull(result.0) ?? false))
                },
                delete: { _, meta in user.dropped(.nullValue, meta) })
        }
    }

    /// Replaces each record by any number of others, in order; each has its timestamp and headers.
    @inlinable
    public func flatMap<NewKey, NewValue, Results: Sequence>(
        named: String? = nil, key keySerde: Serde<NewKey>? = nil, value valueSerde: Serde<NewValue>? = nil,
        @Returning<Results> _ transform: @escaping @Sendable (Key, Value) throws -> Results
    ) -> KStream<NewKey, NewValue> where Results.Element == (NewKey, NewValue) {
        let nulls = Nullability<NewKey>.of()
        return child(graph.name("KSTREAM-FLATMAP-", named), key: keySerde, value: valueSerde, changesKey: true) {
            next, user in
            NodeInput(
                call: { key, value, meta in
                    guard let results = try user.run(meta, { try transform(key, value) }) else { return }
                    for (newKey, newValue) in results {
                        try next.call(newKey, newValue, meta.withChangedKey(isNull: nulls?.isNull(newKey) ?? false))
                    }
                },
                delete: { _, meta in user.dropped(.nullValue, meta) })
        }
    }

    /// Groups by the key that the stream has.
    ///
    /// - Parameters:
    ///   - named: the name of the repartition topic, if one is needed (Kafka Streams' `Grouped.as`).
    ///   - key: replaces the key's serde; needed if the stream lost it by changing the key.
    ///   - value: replaces the value's serde; needed if the stream lost it by changing the value and repartitions.
    @inlinable
    public func groupByKey(
        named: String? = nil, key: Serde<Key>? = nil, value: Serde<Value>? = nil
    ) -> KGroupedStream<Key, Value> {
        KGroupedStream(stream: encoded(key: key, value: value), name: named)
    }

    /// Groups by a new key; repartitions.
    @inlinable
    public func groupBy<NewKey>(
        named: String? = nil, key: Serde<NewKey>? = nil, value: Serde<Value>? = nil,
        @Returning<NewKey> _ select: @escaping @Sendable (Key, Value) throws -> NewKey
    ) -> KGroupedStream<NewKey, Value> {
        let name = graph.name("KSTREAM-KEY-SELECT-", named)
        let keyed = selectKey(name, key, select)
        return keyed.groupByKey(named: named, key: key, value: value)
    }

    /// Sends every record through a repartition topic, so that records of one key come to one task.
    ///
    /// - Parameters:
    ///   - named: begins the topic's name.
    ///   - partitions: how many; as many as the sources by default.
    ///   - key: replaces the key's serde; needed if the stream lost it.
    ///   - value: replaces the value's serde; needed if the stream lost it.
    ///   - partitioner: chooses the partition of each record; by the key's bytes without.
    ///   - multicast: chooses the partitions of each record, instead: several, or none.
    @inlinable
    public func repartition(
        named: String? = nil, partitions: Int32? = nil, key: Serde<Key>? = nil, value: Serde<Value>? = nil,
        partitioner: Partitioner<Key, Value>? = nil, multicast: MulticastPartitioner<Key, Value>? = nil
    ) -> KStream<Key, Value> {
        if let named { graph.check(name: named) }
        let prefix = named ?? graph.newUniqueName("KSTREAM-REPARTITION-")
        return repartitioned(
            prefix, partitions: partitions, key: key ?? keySerde, value: value ?? valueSerde,
            hasGeneratedName: named == nil, graph.partitions(prefix, partitioner, multicast), isMergeable: false)
    }

    /// The stream behind a repartition topic called `<prefix>-repartition`.
    @inlinable
    func repartitioned(
        _ prefix: String, partitions: Int32? = nil, key keySerde: Serde<Key>?, value valueSerde: Serde<Value>?,
        hasGeneratedName: Bool, _ chosen: MulticastPartitioner<Key, Value>? = nil, isMergeable: Bool = true
    ) -> KStream<Key, Value> {
        let names = graph.repartitionNames(prefix)
        guard let keySerde, let valueSerde else {
            graph.failWithoutSerde("the repartition topic '\(names.topic)'", keySerde, valueSerde)
            return self
        }
        graph.addRepartition(names.topic, partitions: partitions, hasGeneratedName: hasGeneratedName)
        let made = RepartitionedStream(
            graph, node, encoded(key: keySerde, value: valueSerde).output, names, keySerde, valueSerde, chosen)
        if isMergeable { graph.addMergeable(made, names, behind: output) }
        return made.stream(graph)
    }
}

/// The nodes that bring a stream's records through a repartition topic, and what is behind it: without the graph, which keeps it.
@usableFromInline
struct RepartitionedStream<Key, Value> {
    @usableFromInline let filter: Int
    @usableFromInline let sink: Int
    @usableFromInline let source: Int
    @usableFromInline let output: Output<Key, Value>
    @usableFromInline let keySerde: Serde<Key>
    @usableFromInline let valueSerde: Serde<Value>

    @inlinable
    init(
        _ graph: TopologyGraph, _ parent: Int, _ input: Output<Key, Value>, _ names: RepartitionNames,
        _ keySerde: Serde<Key>, _ valueSerde: Serde<Value>, _ chosen: MulticastPartitioner<Key, Value>?
    ) {
        let filter = graph.add(names.filter, parents: [parent])
        self.filter = filter
        sink = graph.add(names.sink, .sink(topic: names.topic), parents: [filter])
        let lets = graph.letsNullKeysPass
        let filterOutput = Output<Key, Value>()
        input.attach(filter, names.filter) { context in
            let next = try filterOutput.sink(in: context)
            let passesNulls = lets.contains(filter)
            return NodeInput(
                call: { key, value, meta in if meta.hasKey || passesNulls { try next.call(key, value, meta) } },
                delete: { key, meta in if meta.hasKey || passesNulls { try next.delete(key, meta) } })
        }
        attachSink(
            filterOutput, sink, names.sink, topic: names.topic, key: keySerde, value: valueSerde,
            partitionKeySuffix: 0, chosen)
        source = graph.add(names.source, .source(topics: [names.topic]))
        graph.pair(source: source, filter: filter)
        output = Output<Key, Value>()
        addSourceNode(
            graph, source, topics: [names.topic], name: names.source, isTable: false, SourceSettings(), output: output,
            key: keySerde, value: valueSerde)
        self.keySerde = keySerde
        self.valueSerde = valueSerde
    }

    @inlinable
    func stream(_ graph: TopologyGraph) -> KStream<Key, Value> {
        KStream(
            graph: graph, node: source, output: output, keySerde: keySerde, valueSerde: valueSerde,
            needsRepartition: false, sources: [source])
    }
}

/// Names of the nodes that repartition.
@usableFromInline
struct RepartitionNames {
    @usableFromInline let topic: String
    @usableFromInline let sink: String
    @usableFromInline let filter: String
    @usableFromInline let source: String

    init(topic: String, sink: String, filter: String, source: String) {
        self.topic = topic
        self.sink = sink
        self.filter = filter
        self.source = source
    }

    /// Nodes that are named after their topic.
    init(topic: String) {
        self.init(topic: topic, sink: "\(topic)-sink", filter: "\(topic)-filter", source: "\(topic)-source")
    }
}

/// Filters of repartition topics that let null keys pass, because a left join follows (Docs/Semantics.md, Repartitioning).
@usableFromInline
final class FilterSet: Sendable {
    private let nodes = BuildBox<Set<Int>>([])
    func insert(_ node: Int) { nodes.withValue { _ = $0.insert(node) } }
    @usableFromInline
    func contains(_ node: Int) -> Bool { nodes.withValue { $0.contains(node) } }
}

extension TopologyGraph {
    @usableFromInline
    func newUniqueName(_ prefix: String) -> String { newName(prefix) }

    // Indices are used up in either case; nodes are named after the topic if the user named it (Docs/Semantics.md, Names).
    @usableFromInline
    func repartitionNames(_ prefix: String) -> RepartitionNames {
        let sink = newName("KSTREAM-SINK-")
        let filter = newName("KSTREAM-FILTER-")
        let source = newName("KSTREAM-SOURCE-")
        let topic = prefix.hasSuffix("-repartition") ? prefix : "\(prefix)-repartition"
        if isGenerated(prefix) { return RepartitionNames(topic: topic, sink: sink, filter: filter, source: source) }
        return RepartitionNames(topic: topic)
    }

    @usableFromInline
    func pair(source: Int, filter: Int) { repartitionFilters[source] = filter }

    /// Null keys pass the repartition filters above a left join (Docs/Semantics.md, Repartitioning).
    func markNullKeyFilters() {
        var waiting = relaxedJoins
        var seen: Set<Int> = []
        while let node = waiting.popLast() {
            guard seen.insert(node).inserted else { continue }
            waiting += nodes[node].parents
            if let filter = repartitionFilters[node] {
                letsNullKeysPass.insert(filter)
                waiting.append(filter)
            }
        }
    }

    func isGenerated(_ name: String) -> Bool {
        guard name.hasPrefix("KSTREAM") else { return false }
        let tail = name.utf8.suffix(11)
        return tail.count == 11 && tail.first == 0x2d && tail.dropFirst().allSatisfy { (0x30...0x39).contains($0) }
    }

    @usableFromInline
    func addRepartition(_ topic: String, partitions: Int32?, hasGeneratedName: Bool) {
        if repartitions.contains(where: { $0.name == topic }) {
            fail(
                .conflict,
                "two repartition topics are named '\(topic)': give one of the groupings or joins another name")
            return
        }
        repartitions.append(
            InternalTopic(
                name: topic, kind: .repartition, partitions: partitions,
                settings: [
                    "cleanup.policy": "delete", "retention.ms": "-1", "segment.bytes": "52428800",
                    "message.timestamp.type": "CreateTime",
                ], store: nil, hasGeneratedName: hasGeneratedName))
    }
}
