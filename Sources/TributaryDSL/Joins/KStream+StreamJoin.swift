public import TributaryCore
internal import TributaryLineage
public import TributaryState

extension KStream {
    /// Joins two streams: a result for each pair of records with the same key that are close enough in time.
    ///
    /// Each record looks for those of the other stream that came before it, and is kept for those that come after; a result has the later time
    /// of both. Records with a null key or value are dropped and counted.
    ///
    /// - Parameters:
    ///   - other: the other stream, of topics with as many partitions; the same one joins it with itself.
    ///   - windows: how far apart the two may be.
    ///   - named: begins the names of the nodes, and of repartition topics if there are such.
    ///   - storeName: begins the names of the stores.
    ///   - settings: more settings; `named` and `storeName` have precedence.
    ///   - result: the results' serde.
    ///   - joiner: makes a result.
    @inlinable
    public func join<Other, Result>(
        _ other: KStream<Key, Other>, within windows: JoinWindows, named: String? = nil, as storeName: String? = nil,
        joined settings: StreamJoined<Key, Value, Other>? = nil, result: Serde<Result>? = nil,
        @Returning<Result> _ joiner: @escaping @Sendable (Value, Other) throws -> Result
    ) -> KStream<Key, Result> {
        joined(.inner, other, windows, named, storeName, settings, result, asksForKey: false) { _, left, right in
            guard let left, let right else { throw JoinWithoutValues() }
            return try joiner(left, right)
        }
    }

    /// Joins two streams, the key given to the closure too.
    ///
    /// See ``join(_:within:named:as:joined:result:_:)``.
    @inlinable
    public func joinWithKey<Other, Result>(
        _ other: KStream<Key, Other>, within windows: JoinWindows, named: String? = nil, as storeName: String? = nil,
        joined settings: StreamJoined<Key, Value, Other>? = nil, result: Serde<Result>? = nil,
        @Returning<Result> _ joiner: @escaping @Sendable (Key, Value, Other) throws -> Result
    ) -> KStream<Key, Result> {
        joined(.inner, other, windows, named, storeName, settings, result, asksForKey: true) { key, left, right in
            guard let key, let left, let right else { throw JoinWithoutValues() }
            return try joiner(key, left, right)
        }
    }

    /// Joins two streams; a record of this one that finds none goes on alone, with nil, once its window and the grace have passed.
    ///
    /// What goes on alone has its own time and the headers of the record that made it go. A late match makes a pair all the same. A record with a
    /// null key goes on alone at once.
    ///
    /// See ``join(_:within:named:as:joined:result:_:)``.
    @inlinable
    public func leftJoin<Other, Result>(
        _ other: KStream<Key, Other>, within windows: JoinWindows, named: String? = nil, as storeName: String? = nil,
        joined settings: StreamJoined<Key, Value, Other>? = nil, result: Serde<Result>? = nil,
        @Returning<Result> _ joiner: @escaping @Sendable (Value, Other?) throws -> Result
    ) -> KStream<Key, Result> {
        joined(.left, other, windows, named, storeName, settings, result, asksForKey: false) { _, left, right in
            guard let left else { throw JoinWithoutValues() }
            return try joiner(left, right)
        }
    }

    /// Joins two streams as ``leftJoin(_:within:named:as:joined:result:_:)`` does, the key given to the closure too.
    @inlinable
    public func leftJoinWithKey<Other, Result>(
        _ other: KStream<Key, Other>, within windows: JoinWindows, named: String? = nil, as storeName: String? = nil,
        joined settings: StreamJoined<Key, Value, Other>? = nil, result: Serde<Result>? = nil,
        @Returning<Result> _ joiner: @escaping @Sendable (Key, Value, Other?) throws -> Result
    ) -> KStream<Key, Result> {
        joined(.left, other, windows, named, storeName, settings, result, asksForKey: true) { key, left, right in
            guard let key, let left else { throw JoinWithoutValues() }
            return try joiner(key, left, right)
        }
    }

    /// Joins two streams; a record of either that finds none goes on alone, with nil, once its window and the grace have passed.
    ///
    /// See ``leftJoin(_:within:named:as:joined:result:_:)``.
    @inlinable
    public func outerJoin<Other, Result>(
        _ other: KStream<Key, Other>, within windows: JoinWindows, named: String? = nil, as storeName: String? = nil,
        joined settings: StreamJoined<Key, Value, Other>? = nil, result: Serde<Result>? = nil,
        @Returning<Result> _ joiner: @escaping @Sendable (Value?, Other?) throws -> Result
    ) -> KStream<Key, Result> {
        joined(.outer, other, windows, named, storeName, settings, result, asksForKey: false) { _, left, right in
            try joiner(left, right)
        }
    }

    /// Joins two streams as ``outerJoin(_:within:named:as:joined:result:_:)`` does, the key given to the closure too.
    @inlinable
    public func outerJoinWithKey<Other, Result>(
        _ other: KStream<Key, Other>, within windows: JoinWindows, named: String? = nil, as storeName: String? = nil,
        joined settings: StreamJoined<Key, Value, Other>? = nil, result: Serde<Result>? = nil,
        @Returning<Result> _ joiner: @escaping @Sendable (Key, Value?, Other?) throws -> Result
    ) -> KStream<Key, Result> {
        joined(.outer, other, windows, named, storeName, settings, result, asksForKey: true) { key, left, right in
            guard let key else { throw JoinWithoutValues() }
            return try joiner(key, left, right)
        }
    }

    @inlinable
    func joined<Other, Result>(
        _ kind: JoinKind, _ stream: KStream<Key, Other>, _ windows: JoinWindows, _ named: String?,
        _ storeName: String?, _ joined: StreamJoined<Key, Value, Other>?, _ result: Serde<Result>?, asksForKey: Bool,
        _ joiner: @escaping @Sendable (Key?, Value?, Other?) throws -> Result
    ) -> KStream<Key, Result> {
        var settings = joined ?? StreamJoined()
        if let named { settings.name = named }
        if let storeName { settings.storeName = storeName }
        if let problem = windows.problem { graph.fail(.invalidSetting, problem) }
        let key = settings.key ?? keySerde ?? stream.keySerde
        let leftValue = settings.left ?? valueSerde
        let rightValue = settings.right ?? stream.valueSerde
        var left = self
        var right = stream
        if needsRepartition {
            left = repartitionedForJoin(settings.name.map { "\($0)-left" }, key: key, value: leftValue)
        }
        if stream.needsRepartition {
            right = stream.repartitionedForJoin(settings.name.map { "\($0)-right" }, key: key, value: rightValue)
        }
        left = left.encoded(key: key, value: leftValue)
        right = right.encoded(key: key, value: rightValue)
        let names = StreamJoinNames(
            graph, kind, settings.name, store: settings.storeName, suppliedLeft: settings.leftStore?.name)
        let stores = graph.addJoinStores(
            settings, names, kind, windows, key: key?.name ?? "?", left: leftValue?.name ?? "?",
            right: rightValue?.name ?? "?")
        let nodes = graph.addJoinNodes(names, kind, left: left.node, right: right.node, stores)
        let merged = KStream<Key, Result>(
            graph: graph, node: nodes.merge, output: Output(), keySerde: key, valueSerde: result,
            needsRepartition: false, sources: left.sources.union(right.sources))
        graph.copartition(merged.sources)
        guard let key, let leftValue, let rightValue else {
            graph.failWithoutSerde("the join '\(names.left)'", key, leftValue)
            graph.failWithoutSerde("the join '\(names.right)'", key, rightValue)
            return merged
        }

        let sides = NodeOutput<JoinResults<Key, Result>>()
        let output = merged.output
        sides.attach(merged.node, names.merge) { context in JoinResults(try output.sink(in: context)) }
        let lefts = NodeOutput<JoinInput<Key, Value>>()
        let rights = NodeOutput<JoinInput<Key, Other>>()
        left.output.attach(nodes.leftWindowed, names.leftWindowed) { context in
            windowedInput(
                try lefts.sink(in: context), UserCode(names.leftWindowed, context.services),
                try context.services.store(stores.left), leftValue)
        }
        right.output.attach(nodes.rightWindowed, names.rightWindowed) { context in
            windowedInput(
                try rights.sink(in: context), UserCode(names.rightWindowed, context.services),
                try context.services.store(stores.right), rightValue)
        }
        lefts.attach(nodes.left, names.left) { context in
            try JoinSide(
                sides.sink(in: context), context, names.left, others: stores.right, unmatched: stores.unmatched,
                kind, windows, isLeft: true, key, leftValue, rightValue, asksForKey: asksForKey, joiner
            ) { key, isLeft, value in
                isLeft
                    ? try joiner(key, try leftValue.decode(value), nil)
                    : try joiner(key, nil, try rightValue.decode(value))
            }.input
        }
        rights.attach(nodes.right, names.right) { context in
            try JoinSide(
                sides.sink(in: context), context, names.right, others: stores.left, unmatched: stores.unmatched,
                kind, windows, isLeft: false, key, rightValue, leftValue, asksForKey: asksForKey,
                { key, right, left in try joiner(key, left, right) }
            ) { key, isLeft, value in
                isLeft
                    ? try joiner(key, try leftValue.decode(value), nil)
                    : try joiner(key, nil, try rightValue.decode(value))
            }.input
        }
        if leftValue.name == rightValue.name {
            let retention = windows.retentionTime
            graph.addSelfJoin(nodes, stores) {
                lefts.attach(nodes.merge, names.merge) { context in
                    let results = JoinResults(try output.sink(in: context))
                    let one = try JoinSide(
                        results, context, names.merge, others: stores.left, unmatched: nil, kind, windows, isLeft: true,
                        key, leftValue, rightValue, asksForKey: asksForKey, joiner, alone: noneAlone)
                    let other = try JoinSide(
                        results, context, names.merge, others: stores.left, unmatched: nil, kind, windows,
                        isLeft: false, key, rightValue, leftValue, asksForKey: asksForKey,
                        { key, right, left in try joiner(key, left, right) }, alone: noneAlone)
                    return SelfJoin(one, other, retention: retention).input
                }
            }
        }
        return merged
    }
}

/// What stands alone in an inner join: nothing.
@inlinable
func noneAlone<Key, Result>(_ key: Key?, _ isLeft: Bool, _ value: RawSpan) throws -> Result {
    throw JoinWithoutValues()
}

/// A join was asked for a result without what it is made of: never thrown, since nobody asks so.
@usableFromInline
struct JoinWithoutValues: Error {
    @inlinable
    init() {}
}

/// The names of a join's stores.
@usableFromInline
struct JoinStores: Sendable {
    @usableFromInline let left: String
    @usableFromInline let right: String
    /// Where records wait that have found no match; nil where none waits.
    @usableFromInline let unmatched: String?
}

/// The nodes of a join.
@usableFromInline
struct JoinNodes: Sendable {
    @usableFromInline let leftWindowed: Int
    @usableFromInline let rightWindowed: Int
    @usableFromInline let left: Int
    @usableFromInline let right: Int
    @usableFromInline let merge: Int
}

extension TopologyGraph {
    @usableFromInline
    func addJoinStores<Key, Left, Right>(
        _ settings: StreamJoined<Key, Left, Right>, _ names: StreamJoinNames, _ kind: JoinKind,
        _ windows: JoinWindows, key: String, left: String, right: String
    ) -> JoinStores {
        let one = settings.store(names.leftStore, settings.leftStore, self, windows, serdes: "\(key) \(left)")
        let other = settings.store(names.rightStore, settings.rightStore, self, windows, serdes: "\(key) \(right)")
        if one.name == other.name {
            fail(.conflict, "both stores of a join are named '\(one.name)': give one of the two another name")
        }
        addStore(one)
        addStore(other)
        guard kind.keepsLeft, !windows.isEager else {
            return JoinStores(left: one.name, right: other.name, unmatched: nil)
        }
        addStore(settings.unmatched(names.unmatched, self, serdes: "\(key) \(left) \(right)"))
        return JoinStores(left: one.name, right: other.name, unmatched: names.unmatched)
    }

    @usableFromInline
    func addJoinNodes(
        _ names: StreamJoinNames, _ kind: JoinKind, left: Int, right: Int, _ stores: JoinStores
    ) -> JoinNodes {
        let both = [stores.unmatched].compactMap { $0 }
        let leftWindowed = add(names.leftWindowed, parents: [left], stores: [stores.left])
        let rightWindowed = add(names.rightWindowed, parents: [right], stores: [stores.right])
        let one = add(names.left, parents: [leftWindowed], stores: [stores.right] + both)
        let other = add(names.right, parents: [rightWindowed], stores: [stores.left] + both)
        let merge = add(names.merge, parents: [one, other])
        if kind.keepsLeft { relaxedJoins += [one, other] }
        return JoinNodes(
            leftWindowed: leftWindowed, rightWindowed: rightWindowed, left: one, right: other, merge: merge)
    }
}
