public import TributaryCore
public import TributaryLineage
public import TributaryState

/// A changing table: the latest value of each key, as Kafka Streams' `KTable`.
public struct KTable<Key, Value> {
    @usableFromInline let graph: TopologyGraph
    @usableFromInline let node: Int
    @usableFromInline let output: TableOutput<Key, Value>
    @usableFromInline let keySerde: Serde<Key>?
    @usableFromInline let valueSerde: Serde<Value>?
    @usableFromInline let source: TableSource<Key, Value>
    @usableFromInline let sources: Set<Int>

    @usableFromInline
    init(
        graph: TopologyGraph, node: Int, output: TableOutput<Key, Value>, keySerde: Serde<Key>?,
        valueSerde: Serde<Value>?, source: TableSource<Key, Value>, sources: Set<Int>
    ) {
        self.graph = graph
        self.node = node
        self.output = output
        self.keySerde = keySerde ?? Serde<Key>.standard
        self.valueSerde = valueSerde ?? Serde<Value>.standard
        graph.check(keySerde, valueSerde)
        self.source = source
        self.sources = sources
    }

    /// The name under which the table can be queried; nil if it was given none.
    public var queryableStoreName: String? {
        guard let store = source.store, store.isQueryable else { return nil }
        return store.name
    }

    /// A stream of the table's changes: new values, and tombstones for deletes.
    @inlinable
    public func toStream(named: String? = nil) -> KStream<Key, Value> {
        let name = graph.name("KTABLE-TOSTREAM-", named)
        let id = graph.add(name, parents: [node])
        let output = Output<Key, Value>()
        let nulls = Nullability<Value>.of()
        self.output.attach(id, name) { context in
            let next = try output.sink(in: context)
            var keyless: ((Value?, Value?, borrowing RecordMeta) throws -> Void)?
            if let call = next.keyless, let delete = next.keylessDelete {
                keyless = { new, _, change in
                    let meta = change.withoutOldLineage()
                    if let new { return try call(new, meta) }
                    // In a stream null is data.
                    if let nulls { try call(nulls.null(), meta) } else { try delete(meta) }
                }
            }
            var bytes: ((RawSpan?, RawSpan?, borrowing RecordMeta) throws -> Void)?
            if let send = next.bytes { bytes = { new, _, meta in try send(new, meta.withoutOldLineage()) } }
            return TableInput(
                update: { key, new, _, change in
                    let meta = change.withoutOldLineage()
                    if let new { return try next.call(key, new, meta) }
                    if let nulls { try next.call(key, nulls.null(), meta) } else { try next.delete(key, meta) }
                },
                keyless: keyless, bytes: bytes)
        }
        return KStream(
            graph: graph, node: id, output: output, keySerde: keySerde, valueSerde: valueSerde,
            needsRepartition: false, sources: sources)
    }
}

/// The store of a table while a topology is built: made only if something needs it, which says here what it needs.
@usableFromInline
final class TableStoreState: Sendable {
    @usableFromInline let name: String
    private let node: Int
    let isQueryable: Bool
    /// Whether a row is made of the one before.
    @usableFromInline let isAggregate: Bool
    /// How long versions of rows are kept, ms; nil where none are.
    @usableFromInline let history: Int64?
    private let materialized: BuildBox<Bool>
    private let old = BuildBox(false)

    @usableFromInline
    init(_ description: StoreDescription, node: Int, graph: TopologyGraph, isMaterialized: Bool) {
        name = description.name
        self.node = node
        isQueryable = !description.hasGeneratedName
        isAggregate = !description.isLatestWins
        history = description.history
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

    /// Makes the table's changes have old values, which its store then has to have.
    @usableFromInline
    func requireOldValues(_ graph: TopologyGraph) {
        require(graph)
        old.set(true)
    }

    @usableFromInline var sendsOld: Bool { old.get() }
    @usableFromInline var isMaterialized: Bool { materialized.withValue { $0 } }
}
