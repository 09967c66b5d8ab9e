public import TributaryCore
public import TributaryLineage
public import TributaryState

/// A changing table: the latest value of each key, as Kafka Streams' `KTable`.
public struct KTable<Key, Value> {
    @usableFromInline let graph: TopologyGraph
    @usableFromInline let node: Int
    @usableFromInline let output: Output<Key, Value>
    @usableFromInline let keySerde: Serde<Key>?
    @usableFromInline let valueSerde: Serde<Value>?
    @usableFromInline let store: TableStoreState
    @usableFromInline let sources: Set<Int>

    @usableFromInline
    init(
        graph: TopologyGraph, node: Int, output: Output<Key, Value>, keySerde: Serde<Key>?, valueSerde: Serde<Value>?,
        store: TableStoreState, sources: Set<Int>
    ) {
        self.graph = graph
        self.node = node
        self.output = output
        self.keySerde = keySerde ?? Serde<Key>.standard
        self.valueSerde = valueSerde ?? Serde<Value>.standard
        graph.check(keySerde, valueSerde)
        self.store = store
        self.sources = sources
    }

    /// The name under which the table can be queried; nil if it was given none.
    public var queryableStoreName: String? { store.isQueryable ? store.name : nil }

    /// A stream of the table's changes: new values, and tombstones for deletes.
    @inlinable
    public func toStream(named: String? = nil) -> KStream<Key, Value> {
        let name = graph.name("KTABLE-TOSTREAM-", named)
        let id = graph.add(name, parents: [node])
        let output = Output<Key, Value>()
        let nulls = Nullability<Value>.of()
        self.output.attach(id, name) { context in
            let next = try output.sink(in: context)
            guard let nulls else { return next }
            // In a stream null is data.
            var keylessDelete: ((borrowing RecordMeta) throws -> Void)?
            if let keyless = next.keyless { keylessDelete = { meta in try keyless(nulls.null(), meta) } }
            return NodeInput(
                call: next.call, delete: { key, meta in try next.call(key, nulls.null(), meta) },
                keyless: next.keyless, keylessDelete: keylessDelete, bytes: next.bytes)
        }
        return KStream(
            graph: graph, node: id, output: output, keySerde: keySerde, valueSerde: valueSerde,
            needsRepartition: false, sources: sources)
    }
}

/// The store of a table while a topology is built: made only if something needs it.
@usableFromInline
final class TableStoreState: Sendable {
    @usableFromInline let name: String
    private let node: Int
    let isQueryable: Bool
    private let materialized: BuildBox<Bool>

    @usableFromInline
    init(_ description: StoreDescription, node: Int, graph: TopologyGraph, isMaterialized: Bool) {
        name = description.name
        self.node = node
        isQueryable = !description.hasGeneratedName
        materialized = BuildBox(isMaterialized)
        graph.addStore(description, needed: isMaterialized)
        if isMaterialized { graph.connect(name, to: node) }
    }

    /// Makes the store exist, since a join or an aggregation reads it.
    @usableFromInline
    func require(_ graph: TopologyGraph) {
        materialized.withValue { materialized in
            if !materialized { graph.connect(name, to: node) }
            materialized = true
        }
    }

    @usableFromInline var isMaterialized: Bool { materialized.withValue { $0 } }
}

/// Attaches the node that keeps the latest value of each key.
@inlinable
func attachTableSource<Key, Value>(
    _ input: Output<Key, Value>, _ node: Int, _ name: String, _ state: TableStoreState, _ output: Output<Key, Value>,
    key: Serde<Key>?, value: Serde<Value>?
) {
    input.attach(node, name) { context in
        let next = try output.sink(in: context)
        let services = context.services
        guard state.isMaterialized, let value else {
            let nulls = Nullability<Value>.of()
            return NodeInput(
                call: { key, value, meta in
                    guard meta.hasKey else { return services.dropped(.nullKey, node: name, meta) }
                    if let nulls, nulls.isNull(value) { return try next.delete(key, meta) }
                    try next.call(key, value, meta)
                },
                delete: { key, meta in
                    guard meta.hasKey else { return services.dropped(.nullKey, node: name, meta) }
                    try next.delete(key, meta)
                })
        }
        let store = try services.store(state.name)
        let table = LatestValueTable(store, name, services, context.recorder)
        let user = UserCode(name, services)
        let forward = FlushForwarder(next, key, value, store, name, services)
        store.onFlush = forward.closure()
        let nulls = Nullability<Value>.of()
        let scratch = ByteBuffer()
        return NodeInput(
            call: { record, content, meta in
                guard table.accepts(meta) else { return }
                let isNull = nulls?.isNull(content) ?? false
                let written: Lineage
                do {
                    scratch.writer.removeAll()
                    if !isNull { try value.encode(content, &scratch.writer) }
                    written = try table.write(isNull ? nil : scratch.bytes, meta)
                } catch {
                    return try user.failed(error, meta)
                }
                guard !table.isCached else { return }
                let lineage = CollectionOfOne(written)
                if isNull { return try next.delete(record, meta.with(lineage.span)) }
                try next.call(record, content, meta.with(lineage.span))
            },
            delete: { record, meta in
                guard table.accepts(meta) else { return }
                let written: Lineage
                do { written = try table.write(nil, meta) } catch { return try user.failed(error, meta) }
                guard !table.isCached else { return }
                let lineage = CollectionOfOne(written)
                try next.delete(record, meta.with(lineage.span))
            },
            keyless: nil, keylessDelete: nil,
            bytes: { content, meta in
                guard table.accepts(meta) else { return }
                let written: Lineage
                do { written = try table.write(content, meta) } catch { return try user.failed(error, meta) }
                guard !table.isCached else { return }
                let lineage = CollectionOfOne(written)
                try forward.send(meta.key, content, meta.with(lineage.span))
            })
    }
}
