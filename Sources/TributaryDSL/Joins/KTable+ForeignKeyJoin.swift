public import TributaryCore
public import TributaryLineage
public import TributaryState

extension KTable {
    /// Joins each row with the row of another table whose key it has in it: a row for each of this table's that has a match.
    ///
    /// A change of a row makes its result anew, and a change of the other table's row those of all rows that name it. The tables' topics may have
    /// different numbers of partitions: what one has to tell the other goes through two topics of the application's own.
    ///
    /// - Parameters:
    ///   - other: the other table.
    ///   - foreignKey: the other table's key in a row; nil for none. Gives the same for the same.
    ///   - name: the name of a store that keeps the result, which makes it queryable.
    ///   - value: the result's serde.
    ///   - materialized: that store's settings, if more than its name is to be said.
    ///   - named: begins the names of the nodes, topics and store of the join.
    ///   - settings: more settings; `named` has precedence.
    ///   - joiner: makes a row.
    @inlinable
    public func join<ForeignKey, Other, Result>(
        _ other: KTable<ForeignKey, Other>, on foreignKey: @escaping @Sendable (Value) throws -> ForeignKey?,
        as name: String? = nil, value: Serde<Result>? = nil, materialized: Materialized<Key, Result>? = nil,
        named: String? = nil, joined settings: TableJoined<Key, ForeignKey>? = nil,
        @Returning<Result> _ joiner: @escaping @Sendable (Value, Other) throws -> Result
    ) -> KTable<Key, Result> {
        foreignKeyJoined(
            .inner, other, as: name, value, materialized, named, settings, { _, value in try foreignKey(value) }
        ) { left, right in
            guard let right else { return nil }
            return try joiner(left, right)
        }
    }

    /// Joins by a foreign key that is found from key and value.
    ///
    /// See ``join(_:on:as:value:materialized:named:joined:_:)``.
    @inlinable
    public func join<ForeignKey, Other, Result>(
        _ other: KTable<ForeignKey, Other>, onRow foreignKey: @escaping @Sendable (Key, Value) throws -> ForeignKey?,
        as name: String? = nil, value: Serde<Result>? = nil, materialized: Materialized<Key, Result>? = nil,
        named: String? = nil, joined settings: TableJoined<Key, ForeignKey>? = nil,
        @Returning<Result> _ joiner: @escaping @Sendable (Value, Other) throws -> Result
    ) -> KTable<Key, Result> {
        foreignKeyJoined(.inner, other, as: name, value, materialized, named, settings, foreignKey) { left, right in
            guard let right else { return nil }
            return try joiner(left, right)
        }
    }

    /// Joins each row with the row of another table whose key it has in it, or with nil if there is none.
    ///
    /// See ``join(_:on:as:value:materialized:named:joined:_:)``.
    @inlinable
    public func leftJoin<ForeignKey, Other, Result>(
        _ other: KTable<ForeignKey, Other>, on foreignKey: @escaping @Sendable (Value) throws -> ForeignKey?,
        as name: String? = nil, value: Serde<Result>? = nil, materialized: Materialized<Key, Result>? = nil,
        named: String? = nil, joined settings: TableJoined<Key, ForeignKey>? = nil,
        @Returning<Result> _ joiner: @escaping @Sendable (Value, Other?) throws -> Result
    ) -> KTable<Key, Result> {
        foreignKeyJoined(
            .left, other, as: name, value, materialized, named, settings, { _, value in try foreignKey(value) }
        ) { left, right in try joiner(left, right) }
    }

    /// Joins by a foreign key that is found from key and value, with nil where there is no match.
    ///
    /// See ``join(_:on:as:value:materialized:named:joined:_:)``.
    @inlinable
    public func leftJoin<ForeignKey, Other, Result>(
        _ other: KTable<ForeignKey, Other>, onRow foreignKey: @escaping @Sendable (Key, Value) throws -> ForeignKey?,
        as name: String? = nil, value: Serde<Result>? = nil, materialized: Materialized<Key, Result>? = nil,
        named: String? = nil, joined settings: TableJoined<Key, ForeignKey>? = nil,
        @Returning<Result> _ joiner: @escaping @Sendable (Value, Other?) throws -> Result
    ) -> KTable<Key, Result> {
        foreignKeyJoined(.left, other, as: name, value, materialized, named, settings, foreignKey) { left, right in
            try joiner(left, right)
        }
    }

    @inlinable
    func foreignKeyJoined<ForeignKey, Other, Result>(
        _ kind: JoinKind, _ other: KTable<ForeignKey, Other>, as name: String?, _ serde: Serde<Result>?,
        _ materialized: Materialized<Key, Result>?, _ named: String?, _ joined: TableJoined<Key, ForeignKey>?,
        _ foreignKey: @escaping @Sendable (Key, Value) throws -> ForeignKey?,
        _ joiner: @escaping @Sendable (Value, Other?) throws -> Result?
    ) -> KTable<Key, Result> {
        let settings = materialized ?? Materialized(as: name)
        let names = ForeignKeyNames(graph, named ?? joined?.name)
        let storeName = graph.storeName("KTABLE-FK-JOIN-OUTPUT-", settings.name)
        let (key, value) = (keySerde, valueSerde)
        let (otherKey, otherValue) = (other.keySerde, other.valueSerde)
        graph.addSubscriptions(
            names, isNamed: (named ?? joined?.name) != nil, serdes: "\(otherKey?.name ?? "?") \(key?.name ?? "?")")
        let nodes = ForeignKeyNodes(graph, names, left: node, right: other.node)
        _ = source.askForOld(graph, true)
        _ = other.source.askForOld(graph, true)
        source.connect(graph, nodes.resolver)
        other.source.connect(graph, nodes.lookup)
        let sources = sources.union([nodes.responseSource])
        graph.copartition(sources)
        graph.copartition(other.sources.union([nodes.registrationSource]))

        let resultKey = settings.key ?? key
        let resultValue = settings.value ?? serde ?? .standard
        let output = TableOutput<Key, Result>()
        let state = TableStoreState(
            settings.description(
                graph, storeName, .timestampedKeyValue, latestWins: true, generated: settings.name == nil,
                serdes: "\(resultKey?.name ?? "?") \(resultValue?.name ?? "?")"),
            node: nodes.output, graph: graph, isMaterialized: settings.name != nil)
        let result = KTable<Key, Result>(
            graph: graph, node: nodes.output, output: output, keySerde: resultKey, valueSerde: resultValue,
            source: TableSource(state, resultValue ?? .standard), sources: sources)
        guard let key, let value, let otherKey, let otherValue else {
            graph.failWithoutSerde("the join '\(names.registration)'", key, value)
            graph.failWithoutSerde("the other table of the join '\(names.registration)'", otherKey, otherValue)
            return result
        }
        if settings.name != nil && resultValue == nil {
            graph.failWithoutSerde("the table '\(storeName)'", resultKey, resultValue)
        }

        let questions = NodeOutput<ForeignKeyInput>()
        let ownSource = source
        let otherSource = other.source
        self.output.attach(nodes.registration, names.registration) { context in
            let user = UserCode(names.registration, context.services)
            let sender = SubscriptionSender(
                try questions.sink(in: context), user, isLeft: kind.keepsLeft)
            let count = context.services.partitions(
                ofTopic: try context.services.outputTopic(names.registrationTopic))
            return registrationInput(
                sender, user, value, otherKey, partitions: count, joined?.otherPartitioner,
                dropsOutdated: ownSource.history != nil, foreignKey)
        }
        questions.attach(nodes.registrationSink, names.registrationSink) { context in
            try foreignKeySink(
                UserCode(names.registrationSink, context.services), names.registrationTopic,
                partitionKeySuffix: otherKey.keys.suffixSize)
        }
        let received = NodeOutput<ForeignKeyInput>()
        let looked = NodeOutput<ForeignKeyInput>()
        let answers = NodeOutput<ForeignKeyInput>()
        graph.addSource(
            nodes.registrationSource, topics: [names.registrationTopic], pattern: nil, isTable: false, SourceSettings(),
            accepts: { _, _ in true }
        ) { context in
            foreignKeySource(try received.sink(in: context), UserCode(names.registrationSource, context.services))
        }
        received.attach(nodes.receive, names.receive) { context in
            let subscriptions = Subscriptions(
                try context.services.store(names.store), UserCode(names.receive, context.services), context.recorder)
            return subscriptions.receive(try looked.sink(in: context))
        }
        looked.attach(nodes.lookup, names.lookup) { context in
            subscriptionLookup(
                try answers.sink(in: context), UserCode(names.lookup, context.services),
                RowBytes(try otherSource.view(context), otherKey, otherValue))
        }
        other.output.attach(nodes.foreign, names.foreign) { context in
            foreignInput(
                Subscriptions(
                    try context.services.store(names.store), UserCode(names.foreign, context.services),
                    context.recorder),
                try answers.sink(in: context), UserCode(names.foreign, context.services), otherValue,
                dropsOutdated: otherSource.history != nil)
        }
        answers.attach(nodes.responseSink, names.responseSink) { context in
            let user = UserCode(names.responseSink, context.services)
            guard let partitioner = joined?.partitioner else {
                return try foreignKeySink(user, names.responseTopic, partitionKeySuffix: key.keys.suffixSize)
            }
            return try foreignKeySink(user, names.responseTopic, partitionKeySuffix: key.keys.suffixSize) {
                bytes, count in
                try partitioner(key.decode(bytes), count)
            }
        }
        let resolved = NodeOutput<ForeignKeyInput>()
        graph.addSource(
            nodes.responseSource, topics: [names.responseTopic], pattern: nil, isTable: false, SourceSettings(),
            accepts: { _, _ in true }
        ) { context in
            foreignKeySource(try resolved.sink(in: context), UserCode(names.responseSource, context.services))
        }
        let results = Output<Key, Result>()
        resolved.attach(nodes.resolver, names.resolver) { context in
            answerResolver(
                try results.sink(in: context), UserCode(names.resolver, context.services), context.recorder,
                try ownSource.view(context), key, value, otherValue, standsAlone: kind.keepsLeft, joiner)
        }
        attachTableSource(results, nodes.output, names.output, state, output, key: resultKey, value: resultValue)
        return result
    }
}

extension TopologyGraph {
    /// The topics and the store of a join by foreign key.
    @usableFromInline
    func addSubscriptions(_ names: ForeignKeyNames, isNamed: Bool, serdes: String) {
        addRepartition(names.registrationTopic, partitions: nil, hasGeneratedName: !isNamed)
        addRepartition(names.responseTopic, partitions: nil, hasGeneratedName: !isNamed)
        var description = StoreDescription(
            name: names.store, kind: .subscriptions, isPersistent: !storesInMemory, isCached: false)
        supply(&description, by: nil, isDefault: true)
        description.hasGeneratedName = !isNamed
        description.logsHeaders = true
        description.serdes = serdes
        addStore(description)
    }
}

/// What stands behind the left table of a join by foreign key: tells the right one of each change.
@inlinable
func registrationInput<Key, Value, ForeignKey>(
    _ sender: SubscriptionSender, _ user: UserCode, _ value: Serde<Value>, _ otherKey: Serde<ForeignKey>,
    partitions: Int32, _ partitioner: (@Sendable (ForeignKey, Int32) throws -> Int32)?,
    dropsOutdated: Bool,
    _ foreignKey: @escaping @Sendable (Key, Value) throws -> ForeignKey?
) -> TableInput<Key, Value> {
    let nulls = Nullability<ForeignKey>.of()
    let newBuffer = ScratchBuffer()
    let oldBuffer = ScratchBuffer()
    let content = ScratchBuffer()
    func find(_ key: Key, _ row: Value?) throws -> ForeignKey? {
        guard let row, let found = try foreignKey(key, row) else { return nil }
        return nulls?.isNull(found) == true ? nil : found
    }
    return TableInput(update: { key, new, old, meta in
        if dropsOutdated && meta.isOutdated { return user.dropped(.outdated, meta) }
        let newBytes = newBuffer.take()
        let oldBytes = oldBuffer.take()
        let row = content.take()
        defer {
            newBuffer.give(newBytes)
            oldBuffer.give(oldBytes)
            content.give(row)
        }
        var to: (new: Int32, old: Int32) = (-1, -1)
        var hash: RowHash?
        let newKey: ForeignKey?
        let oldKey: ForeignKey?
        do {
            newKey = try find(key, new)
            oldKey = try find(key, old)
            if let newKey { try otherKey.encode(newKey, &newBytes.writer) }
            if let oldKey { try otherKey.encode(oldKey, &oldBytes.writer) }
            if let new {
                try value.encode(new, &row.writer)
                hash = RowHash(of: row.bytes)
            }
            if let partitioner {
                if let newKey { to.new = try partitioner(newKey, partitions) }
                if let oldKey { to.old = try partitioner(oldKey, partitions) }
            }
        } catch {
            return try user.failed(error, meta)
        }
        try sender.send(
            newKey == nil ? nil : newBytes.bytes, oldKey == nil ? nil : oldBytes.bytes, hash, hasOld: old != nil,
            partitions: to, meta)
    })
}

/// What stands behind the right table: answers all who name the row that changed.
@inlinable
func foreignInput<Key, Value>(
    _ subscriptions: Subscriptions, _ next: ForeignKeyInput, _ user: UserCode, _ value: Serde<Value>,
    dropsOutdated: Bool
) -> TableInput<Key, Value> {
    let content = ScratchBuffer()
    func change(_ new: Value?, _ meta: borrowing RecordMeta) throws {
        if dropsOutdated && meta.isOutdated { return user.dropped(.outdated, meta) }
        guard let new else { return try subscriptions.answerAll(nil, next, meta) }
        let row = content.take()
        defer { content.give(row) }
        guard try user.run(meta, { try value.encode(new, &row.writer) }) != nil else { return }
        try subscriptions.answerAll(row.bytes, next, meta)
    }
    return TableInput(
        update: { _, new, _, meta in try change(new, meta) }, keyless: { new, _, meta in try change(new, meta) },
        bytes: { new, _, meta in
            if dropsOutdated && meta.isOutdated { return user.dropped(.outdated, meta) }
            try subscriptions.answerAll(new, next, meta)
        })
}

/// Makes results of answers, as far as the left row is still the one that they are for.
@inlinable
func answerResolver<Key, Value, Other, Result>(
    _ next: NodeInput<Key, Result>, _ user: UserCode, _ recorder: LineageRecorder, _ rows: TableView<Key, Value>,
    _ key: Serde<Key>, _ value: Serde<Value>, _ other: Serde<Other>, standsAlone: Bool,
    _ joiner: @escaping @Sendable (Value, Other?) throws -> Result?
) -> ForeignKeyInput {
    let content = ScratchBuffer()
    return ForeignKeyInput { bytes, _, meta in
        let record: Key
        let result: Result?
        var lineage = meta.lineage
        do {
            record = try key.decode(meta.key)
            let current = try rows.row(record, meta)
            var hash: RowHash?
            if let current {
                let row = content.take()
                defer { content.give(row) }
                try value.encode(current, &row.writer)
                hash = RowHash(of: row.bytes)
            }
            guard let start = try answeredValue(bytes, for: hash) else { return user.dropped(.stale, meta) }
            if let current {
                let own = rows.lineage()
                // What is made anew without the other row is of this one alone.
                if start < 0 && standsAlone && recorder.makesSpan(lineage.context) { recorder.triggered() }
                lineage.context = rows.readSpan(lineage.context, .joined)
                rows.passHeaders(meta.origin)
                result = try joiner(current, start < 0 ? nil : try other.decode(bytes.dropping(start)))
                lineage.cell = joinedCell(
                    recorder, own.cell, lineage.cell, hasOther: start >= 0, isDelete: result == nil)
            } else {
                result = nil
            }
        } catch {
            return try user.failed(error, meta)
        }
        let held = CollectionOfOne(lineage)
        let made = meta.with(held.span)
        if let result { try next.call(record, result, made) } else { try next.delete(record, made) }
    }
}

/// The cell of what a join by foreign key makes of a left row: its own, and the right row's if there is one.
///
/// A delete is made by the right row's, if that is what happened, else by the left one alone.
@usableFromInline
func joinedCell(
    _ recorder: LineageRecorder, _ own: Cell, _ answer: Cell, hasOther: Bool, isDelete: Bool
) -> Cell {
    if isDelete { return answer.count > 0 ? answer : own }
    return hasOther ? recorder.add(own, answer) : own
}
