public import TributaryCore
public import TributaryLineage

/// An unbounded stream of records, as Kafka Streams' `KStream`.
///
/// A value that describes: nothing runs until the topology does. Keys and values are typed; a type with a null of its own
/// (`Serde.optional`) sees nulls as data, any other gets tombstones passed by (`NullableValue`). Closures are `@Sendable`,
/// run on stream threads one record at a time per task, and may throw: the processing handler then decides.
///
/// A name stands for closures of one number of parameters: what also sees the key is called so (``mapValuesWithKey(named:value:_:)``).
public struct KStream<Key, Value> {
    @usableFromInline let graph: TopologyGraph
    @usableFromInline let node: Int
    @usableFromInline let output: Output<Key, Value>
    @usableFromInline let keySerde: Serde<Key>?
    @usableFromInline let valueSerde: Serde<Value>?
    @usableFromInline let needsRepartition: Bool
    @usableFromInline let sources: Set<Int>

    @usableFromInline
    init(
        graph: TopologyGraph, node: Int, output: Output<Key, Value>, keySerde: Serde<Key>?, valueSerde: Serde<Value>?,
        needsRepartition: Bool, sources: Set<Int>
    ) {
        self.graph = graph
        self.node = node
        self.output = output
        self.keySerde = keySerde ?? Serde<Key>.standard
        self.valueSerde = valueSerde ?? Serde<Value>.standard
        graph.check(keySerde, valueSerde)
        self.needsRepartition = needsRepartition
        self.sources = sources
    }

    @usableFromInline var nodeName: String { graph.nodes[node].name }

    /// A node below this one, made anew for each task from what follows it.
    @inlinable
    func child<NewKey, NewValue>(
        _ name: String, key: Serde<NewKey>?, value: Serde<NewValue>?, changesKey: Bool = false,
        changesValue: Bool = false,
        _ make: @escaping @Sendable (_ next: NodeInput<NewKey, NewValue>, _ user: UserCode) -> NodeInput<Key, Value>
    ) -> KStream<NewKey, NewValue> {
        let id = graph.add(name, parents: [node])
        let output = Output<NewKey, NewValue>()
        if changesKey { graph.noteKeyChange(id, output, key, value) }
        if changesValue { graph.noteValueChange(id) }
        self.output.attach(id, name) { context in
            make(try output.sink(in: context), UserCode(name, context.services))
        }
        return KStream<NewKey, NewValue>(
            graph: graph, node: id, output: output, keySerde: key, valueSerde: value,
            needsRepartition: needsRepartition || changesKey, sources: sources)
    }

    // MARK: Filtering

    /// Keeps the records for which `predicate` is true.
    ///
    /// Tombstones of a type without null pass.
    @inlinable
    public func filter(
        named: String? = nil, @Returning<Bool> _ predicate: @escaping @Sendable (Key, Value) throws -> Bool
    ) -> KStream<Key, Value> {
        filter(named, keeps: true, predicate)
    }

    /// Keeps the records for which `predicate` is false.
    ///
    /// Tombstones of a type without null pass.
    @inlinable
    public func filterNot(
        named: String? = nil, @Returning<Bool> _ predicate: @escaping @Sendable (Key, Value) throws -> Bool
    ) -> KStream<Key, Value> {
        filter(named, keeps: false, predicate)
    }

    @inlinable
    func filter(
        _ named: String?, keeps: Bool, _ predicate: @escaping @Sendable (Key, Value) throws -> Bool
    ) -> KStream<Key, Value> {
        child(graph.name("KSTREAM-FILTER-", named), key: keySerde, value: valueSerde) { next, user in
            NodeInput(
                call: { key, value, meta in
                    let passes = try user.run(meta) { try predicate(key, value) }
                    if passes == keeps { try next.call(key, value, meta) }
                },
                delete: { key, meta in try next.delete(key, meta) })
        }
    }

    // MARK: Values

    /// Replaces each value.
    @inlinable
    public func mapValues<Result>(
        named: String? = nil, value serde: Serde<Result>? = nil,
        @Returning<Result> _ transform: @escaping @Sendable (Value) throws -> Result
    ) -> KStream<Key, Result> {
        child(graph.name("KSTREAM-MAPVALUES-", named), key: keySerde, value: serde, changesValue: true) { next, user in
            var keyless: ((Value, borrowing RecordMeta) throws -> Void)?
            if let following = next.keyless {
                keyless = { value, meta in
                    guard let result = try user.run(meta, { try transform(value) }) else { return }
                    try following(result, meta)
                }
            }
            return NodeInput(
                call: { key, value, meta in
                    guard let result = try user.run(meta, { try transform(value) }) else { return }
                    try next.call(key, result, meta)
                },
                delete: { key, meta in try next.delete(key, meta) }, keyless: keyless,
                keylessDelete: keyless == nil ? nil : next.keylessDelete)
        }
    }

    /// Replaces each value, seeing the key too.
    @inlinable
    public func mapValuesWithKey<Result>(
        named: String? = nil, value serde: Serde<Result>? = nil,
        @Returning<Result> _ transform: @escaping @Sendable (Key, Value) throws -> Result
    ) -> KStream<Key, Result> {
        child(graph.name("KSTREAM-MAPVALUES-", named), key: keySerde, value: serde, changesValue: true) { next, user in
            NodeInput(
                call: { key, value, meta in
                    guard let result = try user.run(meta, { try transform(key, value) }) else { return }
                    try next.call(key, result, meta)
                },
                delete: { key, meta in try next.delete(key, meta) })
        }
    }

    /// Replaces each value by any number of values, in order.
    @inlinable
    public func flatMapValues<Results: Sequence>(
        named: String? = nil, value serde: Serde<Results.Element>? = nil,
        @Returning<Results> _ transform: @escaping @Sendable (Value) throws -> Results
    ) -> KStream<Key, Results.Element> {
        child(graph.name("KSTREAM-FLATMAPVALUES-", named), key: keySerde, value: serde, changesValue: true) {
            next, user in
            var keyless: ((Value, borrowing RecordMeta) throws -> Void)?
            if let following = next.keyless {
                keyless = { value, meta in
                    guard let results = try user.run(meta, { try transform(value) }) else { return }
                    for result in results { try following(result, meta) }
                }
            }
            return NodeInput(
                call: { key, value, meta in
                    guard let results = try user.run(meta, { try transform(value) }) else { return }
                    for result in results { try next.call(key, result, meta) }
                },
                delete: { key, meta in try next.delete(key, meta) }, keyless: keyless,
                keylessDelete: keyless == nil ? nil : next.keylessDelete)
        }
    }

    /// Replaces each value by any number of values, in order, seeing the key too.
    @inlinable
    public func flatMapValuesWithKey<Results: Sequence>(
        named: String? = nil, value serde: Serde<Results.Element>? = nil,
        @Returning<Results> _ transform: @escaping @Sendable (Key, Value) throws -> Results
    ) -> KStream<Key, Results.Element> {
        child(graph.name("KSTREAM-FLATMAPVALUES-", named), key: keySerde, value: serde, changesValue: true) {
            next, user in
            NodeInput(
                call: { key, value, meta in
                    guard let results = try user.run(meta, { try transform(key, value) }) else { return }
                    for result in results { try next.call(key, result, meta) }
                },
                delete: { key, meta in try next.delete(key, meta) })
        }
    }

    // MARK: Watching

    /// Calls `action` with each record and passes it on.
    @inlinable
    public func peek(
        named: String? = nil, @Doing _ action: @escaping @Sendable (Key, Value) throws -> Void
    ) -> KStream<Key, Value> {
        child(graph.name("KSTREAM-PEEK-", named), key: keySerde, value: valueSerde) { next, user in
            NodeInput(
                call: { key, value, meta in
                    guard try user.run(meta, { try action(key, value) }) != nil else { return }
                    try next.call(key, value, meta)
                },
                delete: { key, meta in try next.delete(key, meta) })
        }
    }

    /// Calls `action` with each record; nothing follows.
    @inlinable
    public func forEach(named: String? = nil, @Doing _ action: @escaping @Sendable (Key, Value) throws -> Void) {
        let name = graph.name("KSTREAM-FOREACH-", named)
        let id = graph.add(name, parents: [node])
        output.attach(id, name) { context in
            let user = UserCode(name, context.services)
            return NodeInput(
                call: { key, value, meta in _ = try user.run(meta) { try action(key, value) } }, delete: { _, _ in })
        }
    }

    // MARK: Merging

    /// One stream of the records of both; their order among each other is the order of processing.
    @inlinable
    public func merge(_ other: KStream<Key, Value>, named: String? = nil) -> KStream<Key, Value> {
        let name = graph.name("KSTREAM-MERGE-", named)
        let id = graph.add(name, parents: [node, other.node])
        let output = Output<Key, Value>()
        graph.noteMerge(id, output, keySerde ?? other.keySerde, valueSerde ?? other.valueSerde)
        self.output.attach(id, name) { context in try output.sink(in: context) }
        other.encoded(key: keySerde, value: valueSerde).output.attach(id, name) { context in
            try output.sink(in: context)
        }
        return KStream(
            graph: graph, node: id, output: output, keySerde: keySerde ?? other.keySerde,
            valueSerde: valueSerde ?? other.valueSerde, needsRepartition: needsRepartition || other.needsRepartition,
            sources: sources.union(other.sources))
    }
}
