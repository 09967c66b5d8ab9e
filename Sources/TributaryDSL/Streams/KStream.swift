public import TributaryCore
public import TributaryLineage

/// An unbounded stream of records, as Kafka Streams' `KStream`.
///
/// A value that describes: nothing runs until the topology does. Keys and values are typed; a type with a null of its own
/// (`Serde.optional`) sees nulls as data, any other gets tombstones passed by (`NullableValue`). Closures are `@Sendable`,
/// run on stream threads one record at a time per task, and may throw: the processing handler then decides.
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
        self.keySerde = keySerde
        self.valueSerde = valueSerde
        self.needsRepartition = needsRepartition
        self.sources = sources
    }

    @usableFromInline var nodeName: String { graph.nodes[node].name }

    /// The same keys and values below another node.
    @usableFromInline
    func same(_ node: Int, _ output: Output<Key, Value>) -> KStream<Key, Value> {
        KStream(
            graph: graph, node: node, output: output, keySerde: keySerde, valueSerde: valueSerde,
            needsRepartition: needsRepartition, sources: sources)
    }

    // MARK: Filtering

    /// Keeps the records for which `predicate` is true.
    ///
    /// Tombstones of a type without null pass.
    @inlinable
    public func filter(
        named: String? = nil, _ predicate: @escaping @Sendable (Key, Value) throws -> Bool
    ) -> KStream<Key, Value> {
        filter(named, keeps: true, predicate)
    }

    /// Keeps the records for which `predicate` is false.
    ///
    /// Tombstones of a type without null pass.
    @inlinable
    public func filterNot(
        named: String? = nil, _ predicate: @escaping @Sendable (Key, Value) throws -> Bool
    ) -> KStream<Key, Value> {
        filter(named, keeps: false, predicate)
    }

    @inlinable
    func filter(
        _ named: String?, keeps: Bool, _ predicate: @escaping @Sendable (Key, Value) throws -> Bool
    ) -> KStream<Key, Value> {
        let name = graph.name("KSTREAM-FILTER-", named)
        let id = graph.add(name, parents: [node])
        let output = Output<Key, Value>()
        self.output.attach(id, name) { context in
            let next = try output.sink(in: context)
            let services = context.services
            return Sink(
                call: { key, value, meta in
                    let passes: Bool
                    do { passes = try predicate(key, value) } catch {
                        return try services.processingFailed(node: name, error, meta)
                    }
                    if passes == keeps { try next.call(key, value, meta) }
                },
                delete: { key, meta in try next.delete(key, meta) })
        }
        return same(id, output)
    }

    // MARK: Values

    /// Replaces each value.
    @inlinable
    public func mapValues<Result>(
        named: String? = nil, value serde: Serde<Result>? = nil,
        _ transform: @escaping @Sendable (Value) throws -> Result
    ) -> KStream<Key, Result> {
        let name = graph.name("KSTREAM-MAPVALUES-", named)
        let id = graph.add(name, parents: [node])
        let output = Output<Key, Result>()
        self.output.attach(id, name) { context in
            let next = try output.sink(in: context)
            let services = context.services
            var keyless: ((Value, borrowing RecordMeta) throws -> Void)?
            if let following = next.keyless {
                keyless = { value, meta in
                    let result: Result
                    do { result = try transform(value) } catch {
                        return try services.processingFailed(node: name, error, meta)
                    }
                    try following(result, meta)
                }
            }
            return Sink(
                call: { key, value, meta in
                    let result: Result
                    do { result = try transform(value) } catch {
                        return try services.processingFailed(node: name, error, meta)
                    }
                    try next.call(key, result, meta)
                },
                delete: { key, meta in try next.delete(key, meta) }, keyless: keyless,
                keylessDelete: keyless == nil ? nil : next.keylessDelete)
        }
        return KStream<Key, Result>(
            graph: graph, node: id, output: output, keySerde: keySerde, valueSerde: serde,
            needsRepartition: needsRepartition, sources: sources)
    }

    /// Replaces each value, seeing the key too.
    @inlinable
    public func mapValues<Result>(
        named: String? = nil, value serde: Serde<Result>? = nil,
        _ transform: @escaping @Sendable (Key, Value) throws -> Result
    ) -> KStream<Key, Result> {
        let name = graph.name("KSTREAM-MAPVALUES-", named)
        let id = graph.add(name, parents: [node])
        let output = Output<Key, Result>()
        self.output.attach(id, name) { context in
            let next = try output.sink(in: context)
            let services = context.services
            return Sink(
                call: { key, value, meta in
                    let result: Result
                    do { result = try transform(key, value) } catch {
                        return try services.processingFailed(node: name, error, meta)
                    }
                    try next.call(key, result, meta)
                },
                delete: { key, meta in try next.delete(key, meta) })
        }
        return KStream<Key, Result>(
            graph: graph, node: id, output: output, keySerde: keySerde, valueSerde: serde,
            needsRepartition: needsRepartition, sources: sources)
    }

    /// Replaces each value by any number of values, in order.
    @inlinable
    public func flatMapValues<Results: Sequence>(
        named: String? = nil, value serde: Serde<Results.Element>? = nil,
        _ transform: @escaping @Sendable (Key, Value) throws -> Results
    ) -> KStream<Key, Results.Element> {
        let name = graph.name("KSTREAM-FLATMAPVALUES-", named)
        let id = graph.add(name, parents: [node])
        let output = Output<Key, Results.Element>()
        self.output.attach(id, name) { context in
            let next = try output.sink(in: context)
            let services = context.services
            return Sink(
                call: { key, value, meta in
                    let results: Results
                    do { results = try transform(key, value) } catch {
                        return try services.processingFailed(node: name, error, meta)
                    }
                    for result in results { try next.call(key, result, meta) }
                },
                delete: { key, meta in try next.delete(key, meta) })
        }
        return KStream<Key, Results.Element>(
            graph: graph, node: id, output: output, keySerde: keySerde, valueSerde: serde,
            needsRepartition: needsRepartition, sources: sources)
    }

    // MARK: Watching

    /// Calls `action` with each record and passes it on.
    @inlinable
    public func peek(
        named: String? = nil, _ action: @escaping @Sendable (Key, Value) throws -> Void
    ) -> KStream<Key, Value> {
        let name = graph.name("KSTREAM-PEEK-", named)
        let id = graph.add(name, parents: [node])
        let output = Output<Key, Value>()
        self.output.attach(id, name) { context in
            let next = try output.sink(in: context)
            let services = context.services
            return Sink(
                call: { key, value, meta in
                    do { try action(key, value) } catch {
                        return try services.processingFailed(node: name, error, meta)
                    }
                    try next.call(key, value, meta)
                },
                delete: { key, meta in try next.delete(key, meta) })
        }
        return same(id, output)
    }

    /// Calls `action` with each record; nothing follows.
    @inlinable
    public func forEach(named: String? = nil, _ action: @escaping @Sendable (Key, Value) throws -> Void) {
        let name = graph.name("KSTREAM-FOREACH-", named)
        let id = graph.add(name, parents: [node])
        output.attach(id, name) { context in
            let services = context.services
            return Sink(
                call: { key, value, meta in
                    do { try action(key, value) } catch {
                        return try services.processingFailed(node: name, error, meta)
                    }
                },
                delete: { _, _ in })
        }
    }

    // MARK: Merging

    /// One stream of the records of both; their order among each other is the order of processing.
    @inlinable
    public func merge(_ other: KStream<Key, Value>, named: String? = nil) -> KStream<Key, Value> {
        let name = graph.name("KSTREAM-MERGE-", named)
        let id = graph.add(name, parents: [node, other.node])
        let output = Output<Key, Value>()
        self.output.attach(id, name) { context in try output.sink(in: context) }
        other.output.attach(id, name) { context in try output.sink(in: context) }
        return KStream(
            graph: graph, node: id, output: output, keySerde: keySerde ?? other.keySerde,
            valueSerde: valueSerde ?? other.valueSerde, needsRepartition: needsRepartition || other.needsRepartition,
            sources: sources.union(other.sources))
    }
}
