public import TributaryCore
public import TributaryLineage
public import TributaryState

/// A table that each thread has all of, whatever partitions its tasks read: Kafka Streams' `GlobalKTable`.
///
/// It is read by joins of streams, which need no partitions in common with it, by processors, and by queries. It follows its topic as the
/// records come, without regard to their times: a join finds what the table has when the stream's record is processed.
public struct GlobalKTable<Key, Value> {
    @usableFromInline let graph: TopologyGraph
    @usableFromInline let storeName: String
    @usableFromInline let keySerde: Serde<Key>
    @usableFromInline let valueSerde: Serde<Value>
    let isNamed: Bool

    @usableFromInline
    init(
        graph: TopologyGraph, storeName: String, keySerde: Serde<Key>, valueSerde: Serde<Value>, isNamed: Bool
    ) {
        self.graph = graph
        self.storeName = storeName
        self.keySerde = keySerde
        self.valueSerde = valueSerde
        self.isNamed = isNamed
    }

    /// The name under which the table can be queried; nil if it was given none.
    public var queryableStoreName: String? { isNamed ? storeName : nil }
}

extension StreamsBuilder {
    /// A table of a topic that each thread reads whole, before its first record, and follows from then on.
    ///
    /// It has no changelog: its topic is one, which should be compacted. A null value deletes a row; null keys are dropped and counted. A row's
    /// timestamp is its record's.
    ///
    /// - Parameters:
    ///   - topic: its name.
    ///   - key: the key's serde.
    ///   - value: the value's serde.
    ///   - name: the store's name, which makes the table queryable.
    ///   - materialized: the store's settings, if more than its name is to be said; those of cache and changelog have no effect.
    ///   - named: begins the names of the source and of the table's node.
    @inlinable
    public func globalTable<Key, Value>(
        _ topic: String, key: Serde<Key>, value: Serde<Value>, as name: String? = nil,
        materialized: Materialized<Key, Value>? = nil, named: String? = nil
    ) -> GlobalKTable<Key, Value> {
        let settings = materialized ?? Materialized(as: name)
        let store = graph.storeName("\(topic)-", settings.name)
        let sourceName = graph.name("KSTREAM-SOURCE-", named.map { "\($0)-source" })
        let tableName = graph.name("KTABLE-SOURCE-", named)
        let source = graph.add(sourceName, .source(topics: [topic]))
        let sourceOutput = Output<Key, Value>()
        addSourceNode(
            graph, source, topics: [topic], name: sourceName, isTable: true, isGlobal: true, SourceSettings(),
            output: sourceOutput, key: key, value: value)
        let node = graph.add(tableName, parents: [source])
        graph.addGlobalStore(
            settings.description(
                graph, store, .timestampedKeyValue, latestWins: true, generated: settings.name == nil,
                serdes: "\((settings.key ?? key).name) \((settings.value ?? value).name)", of: .global), of: topic, node
        )
        let records = KStream(
            graph: graph, node: source, output: sourceOutput, keySerde: key, valueSerde: value,
            needsRepartition: false, sources: [source]
        ).encoded(key: settings.key, value: settings.value)
        attachGlobalTable(records.output, node, tableName, store, settings.value ?? value)
        return GlobalKTable(
            graph: graph, storeName: store, keySerde: settings.key ?? key, valueSerde: settings.value ?? value,
            isNamed: settings.name != nil)
    }

    /// A global table of a topic whose types name their serdes (``/TributaryCore/Recordable``).
    ///
    /// - Parameters:
    ///   - topic: its name.
    ///   - key: the key's type.
    ///   - value: the value's type.
    ///   - name: the store's name, which makes the table queryable.
    ///   - named: begins the names of the source and of the table's node.
    @inlinable
    public func globalTable<Key: Recordable, Value: Recordable>(
        _ topic: String, keyedBy key: Key.Type = String.self, of value: Value.Type, as name: String? = nil,
        named: String? = nil
    ) -> GlobalKTable<Key, Value> {
        globalTable(topic, key: Key.serde, value: Value.serde, as: name, named: named)
    }
}

extension TopologyGraph {
    /// Adds the store of a global table, which follows its topic.
    @usableFromInline
    func addGlobalStore(_ description: StoreDescription, of topic: String, _ node: Int) {
        var description = description
        if description.history != nil {
            fail(
                .invalidSetting,
                "the global table '\(description.name)' can't keep versions: give it another type of store")
        }
        description.isLogged = false
        description.isCached = false
        description.sourceTopic = topic
        description.isGlobal = true
        addStore(description)
        connect(description.name, to: node)
    }
}

/// Attaches the node that writes a global table's rows.
@inlinable
func attachGlobalTable<Key, Value>(
    _ input: Output<Key, Value>, _ node: Int, _ name: String, _ store: String, _ value: Serde<Value>
) {
    let nulls = Nullability<Value>.of()
    input.attach(node, name) { context in
        let writer = GlobalTableWriter(try context.services.store(store), UserCode(name, context.services))
        return NodeInput(
            call: { _, content, meta in
                if nulls?.isNull(content) == true { return try writer.follow(nil, meta) }
                let buffer = writer.scratch.take()
                defer { writer.scratch.give(buffer) }
                guard try writer.user.run(meta, { try value.encode(content, &buffer.writer) }) != nil else { return }
                try writer.follow(buffer.bytes, meta)
            },
            delete: { _, meta in try writer.follow(nil, meta) },
            bytes: { content, meta in try writer.follow(content, meta) })
    }
}

/// Writes the rows of a global table, which are the records of its topic.
@usableFromInline
final class GlobalTableWriter {
    private let store: StateStore
    @usableFromInline let user: UserCode
    @usableFromInline let scratch = ScratchBuffer()

    @usableFromInline
    init(_ store: StateStore, _ user: UserCode) {
        self.store = store
        self.user = user
    }

    @usableFromInline
    func follow(_ content: RawSpan?, _ meta: borrowing RecordMeta) throws {
        guard meta.hasKey else { return user.dropped(.nullKey, meta) }
        do { try store.follow(meta.key, content, meta) } catch { return try user.failed(error, meta) }
    }
}
