public import TributaryCore
public import TributaryLineage
public import TributaryState

extension KStream {
    /// A table of the stream: the latest value of each key; a null value deletes it.
    @inlinable
    public func toTable(
        as name: String? = nil, materialized: Materialized<Key, Value>? = nil, named: String? = nil
    ) -> KTable<Key, Value> {
        let settings = materialized ?? Materialized(as: name)
        let name = graph.name("KSTREAM-TOTABLE-", named)
        let storeName = graph.storeName("KSTREAM-TOTABLE-", settings.name)
        let key = settings.key ?? keySerde
        let value = settings.value ?? valueSerde
        let input =
            needsRepartition ? repartitioned(name, key: key, value: value, hasGeneratedName: named == nil) : self
        let id = graph.add(name, parents: [input.node])
        let output = TableOutput<Key, Value>()
        let state = TableStoreState(
            settings.description(
                graph, storeName, .timestampedKeyValue, latestWins: true, generated: settings.name == nil,
                serdes: "\(key?.name ?? "?") \(value?.name ?? "?")", of: .records),
            node: id, graph: graph, isMaterialized: settings.name != nil || settings.timeToLive != nil)
        if (settings.name != nil || settings.timeToLive != nil) && (key == nil || value == nil) {
            graph.failWithoutSerde("the table '\(storeName)'", key, value)
        }
        attachTableSource(
            input.encoded(key: key, value: value).output, id, name, state, output, key: key, value: value)
        return KTable(
            graph: graph, node: id, output: output, keySerde: key, valueSerde: value,
            source: TableSource(state, value ?? .standard), sources: input.sources)
    }

    /// Joins each record with the table's row of the same key; records without a row are left out.
    ///
    /// The row is the one that the table holds when the record is processed; of a table that keeps versions, the one of the record's time. With a
    /// `grace` records wait until stream time is past theirs by as much, so that rows may come late: the table has to keep versions for at least
    /// that long. Null keys and values are dropped and counted.
    @inlinable
    public func join<Other, Result>(
        _ table: KTable<Key, Other>, named: String? = nil, key: Serde<Key>? = nil, value: Serde<Value>? = nil,
        result: Serde<Result>? = nil, grace: Duration? = nil,
        @Returning<Result> _ joiner: @escaping @Sendable (Value, Other) throws -> Result
    ) -> KStream<Key, Result> {
        joined(
            "KSTREAM-JOIN-", table, table.keySerde, { $0 }, named, key, value, result, grace,
            matched: { _, left, right in try joiner(left, right) },
            missed: nil)
    }

    /// Joins each record with the table's row of the same key, the key given to the closure too.
    @inlinable
    public func joinWithKey<Other, Result>(
        _ table: KTable<Key, Other>, named: String? = nil, key: Serde<Key>? = nil, value: Serde<Value>? = nil,
        result: Serde<Result>? = nil, grace: Duration? = nil,
        @Returning<Result> _ joiner: @escaping @Sendable (Key, Value, Other) throws -> Result
    ) -> KStream<Key, Result> {
        joined(
            "KSTREAM-JOIN-", table, table.keySerde, { $0 }, named, key, value, result, grace, matched: joiner,
            missed: nil)
    }

    /// Joins each record with the table's row of the same key, or with nil if there is none.
    ///
    /// Records with a null key join with nil; null values are dropped and counted.
    @inlinable
    public func leftJoin<Other, Result>(
        _ table: KTable<Key, Other>, named: String? = nil, key: Serde<Key>? = nil, value: Serde<Value>? = nil,
        result: Serde<Result>? = nil, grace: Duration? = nil,
        @Returning<Result> _ joiner: @escaping @Sendable (Value, Other?) throws -> Result
    ) -> KStream<Key, Result> {
        joined(
            "KSTREAM-LEFTJOIN-", table, table.keySerde, { $0 }, named, key, value, result, grace,
            matched: { _, left, right in try joiner(left, right) }, missed: { _, left in try joiner(left, nil) })
    }

    /// Joins each record with the table's row of the same key, or with nil; the key given to the closure too.
    @inlinable
    public func leftJoinWithKey<Other, Result>(
        _ table: KTable<Key, Other>, named: String? = nil, key: Serde<Key>? = nil, value: Serde<Value>? = nil,
        result: Serde<Result>? = nil, grace: Duration? = nil,
        @Returning<Result> _ joiner: @escaping @Sendable (Key, Value, Other?) throws -> Result
    ) -> KStream<Key, Result> {
        joined(
            "KSTREAM-LEFTJOIN-", table, table.keySerde, { $0 }, named, key, value, result, grace,
            matched: { try joiner($0, $1, $2) },
            missed: { try joiner($0, $1, nil) })
    }

    /// The stream behind the repartition topic of a join.
    ///
    /// Joins without names of their own share the stream's topic, since it is called after the stream; its indices are
    /// used up each time, as in Kafka Streams.
    @inlinable
    func repartitionedForJoin(_ named: String?, key: Serde<Key>?, value: Serde<Value>?) -> KStream<Key, Value> {
        if named == nil, let again = graph.joinRepartition(of: node) as? JoinRepartition<Key, Value> {
            _ = graph.repartitionNames(nodeName)
            return KStream(
                graph: graph, node: again.node, output: again.output, keySerde: again.keySerde,
                valueSerde: again.valueSerde, needsRepartition: false,
                sources: Set(again.sources.map(TopologyGraph.shared)))
        }
        let made = repartitioned(named ?? nodeName, key: key, value: value, hasGeneratedName: named == nil)
        if named == nil { graph.keepJoinRepartition(JoinRepartition(made), of: node) }
        return made
    }

    @inlinable
    func joined<TableKey, Other, Result>(
        _ prefix: String, _ table: KTable<TableKey, Other>, _ tableKey: Serde<Key>?,
        _ rowKey: @escaping @Sendable (Key) -> TableKey?, _ named: String?,
        _ key: Serde<Key>?, _ value: Serde<Value>?, _ result: Serde<Result>?, _ grace: Duration? = nil,
        matched: @escaping @Sendable (Key, Value, Other) throws -> Result,
        missed: (@Sendable (Key, Value) throws -> Result)?
    ) -> KStream<Key, Result> {
        var input = self
        let key = key ?? keySerde
        if needsRepartition {
            input = repartitionedForJoin(named, key: key, value: value ?? valueSerde)
        }
        input = input.encoded(key: key, value: nil)
        let name = graph.name(prefix, named)
        let id = graph.add(name, parents: [input.node])
        table.source.connect(graph, id)
        if missed != nil { graph.relaxedJoins.append(id) }
        graph.copartition(input.sources.union(table.sources))
        if table.valueSerde == nil, table.source.store != nil {
            graph.failWithoutSerde("the table of the join '\(name)'", table.keySerde, table.valueSerde)
        }
        let source = table.source
        let left = value ?? valueSerde
        var wait: JoinWait?
        if let grace {
            wait = graph.addJoinBuffer(
                name, grace, history: source.history, key?.name, left?.name, node: id, isNamed: named != nil)
            if key == nil || left == nil { graph.failWithoutSerde("the join '\(name)'", key, left) }
        }
        let waiting = wait
        let keepsNullKeys = missed != nil
        let output = Output<Key, Result>()
        attachLookup(
            input.output, id, name, output, view: { try source.pastView?($0) ?? source.view($0) },
            find: { view, context in
                let encoder = KeyEncoder(from: key, to: tableKey, UserCode(name, context.services))
                return { key, _, meta in
                    guard meta.hasKey, let row = rowKey(key) else { return .noKey }
                    guard let encoder else { return Lookup(try view.row(row, meta)) }
                    var found: Other?
                    try encoder.encode(key, meta) { found = try view.row(row, $0) }
                    return Lookup(found)
                }
            }, matched: matched, missed: missed
        ) { join, context in
            guard let waiting, let key, let left else { return join }
            let buffer = try JoinBuffer(
                try context.services.store(waiting.store), context.recorder, grace: waiting.grace)
            return waitingInput(
                join, buffer, UserCode(name, context.services), key, left, keepsNullKeys: keepsNullKeys)
        }
        return KStream<Key, Result>(
            graph: graph, node: id, output: output, keySerde: key, valueSerde: result, needsRepartition: false,
            sources: input.sources.union(table.sources))
    }
}

/// What looking for a row gave.
@usableFromInline
enum Lookup<Row> {
    /// The record has no key to look for.
    case noKey
    /// There is no such row.
    case miss
    /// The row.
    case row(Row)

    @inlinable
    @inline(__always)
    init(_ row: Row?) { self = row.map { .row($0) } ?? .miss }
}

/// Attaches the node that joins each record with a row that is looked up.
///
/// - Parameters:
///   - view: reads the rows in a task.
///   - find: looks for a record's row.
///   - matched: makes a result of record and row.
///   - missed: makes a result of a record without a row; nil leaves it out.
@inlinable
func attachLookup<Key, Value, RowKey, Other, Result>(
    _ input: Output<Key, Value>, _ node: Int, _ name: String, _ output: Output<Key, Result>,
    view: @escaping @Sendable (NodeContext) throws -> TableView<RowKey, Other>,
    find:
        @escaping @Sendable (TableView<RowKey, Other>, NodeContext) -> (
            Key, Value, borrowing RecordMeta
        ) throws -> Lookup<Other>,
    matched: @escaping @Sendable (Key, Value, Other) throws -> Result,
    missed: (@Sendable (Key, Value) throws -> Result)?,
    before: @escaping @Sendable (NodeInput<Key, Value>, NodeContext) throws -> NodeInput<Key, Value> = { join, _ in join
    }
) {
    let nulls = Nullability<Value>.of()
    input.attach(node, name) { context in
        let next = try output.sink(in: context)
        let services = context.services
        let recorder = context.recorder
        let view = try view(context)
        let find = find(view, context)
        let join = NodeInput<Key, Value>(
            call: { key, left, meta in
                if let nulls, nulls.isNull(left) { return services.dropped(.nullValue, node: name, meta) }
                var joined: Result?
                var isMiss = false
                var context = meta.lineage.context
                do {
                    switch try find(key, left, meta) {
                    case .row(let right):
                        // Before the closure, so that its time isn't the read's.
                        context = view.readSpan(context, .joined)
                        joined = try matched(key, left, right)
                    case .miss: isMiss = true
                    case .noKey: break
                    }
                } catch {
                    return try services.processingFailed(node: name, error, meta)
                }
                if let joined {
                    let read = view.lineage()
                    view.passHeaders(meta.origin)
                    let lineage = CollectionOfOne(recorder.combine(context, meta.lineage.cell, read.cell))
                    return try next.call(key, joined, meta.with(lineage.span))
                }
                guard let missed else {
                    if !isMiss { services.dropped(.nullKey, node: name, meta) }
                    return
                }
                if isMiss { view.missSpan(meta.lineage.context) }
                let alone: Result
                do { alone = try missed(key, left) } catch {
                    return try services.processingFailed(node: name, error, meta)
                }
                try next.call(key, alone, meta)
            },
            delete: { _, meta in services.dropped(.nullValue, node: name, meta) })
        return try before(join, context)
    }
}

/// What a stream behind a join's repartition topic is made of: without the graph, which keeps it.
@usableFromInline
struct JoinRepartition<Key, Value> {
    @usableFromInline let node: Int
    @usableFromInline let output: Output<Key, Value>
    @usableFromInline let keySerde: Serde<Key>?
    @usableFromInline let valueSerde: Serde<Value>?
    @usableFromInline let sources: Set<Int>

    @inlinable
    init(_ stream: KStream<Key, Value>) {
        node = stream.node
        output = stream.output
        keySerde = stream.keySerde
        valueSerde = stream.valueSerde
        sources = stream.sources
    }
}

extension TopologyGraph {
    @usableFromInline
    func joinRepartition(of node: Int) -> Any? { joinRepartitions[node] }

    @usableFromInline
    func keepJoinRepartition(_ stream: Any, of node: Int) { joinRepartitions[node] = stream }

    @usableFromInline
    func copartition(_ sources: Set<Int>) { copartitions.append(sources.sorted()) }
}
