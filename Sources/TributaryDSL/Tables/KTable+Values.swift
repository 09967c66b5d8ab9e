public import TributaryCore
public import TributaryLineage
public import TributaryState

extension KTable {
    /// The rows for which `predicate` is true, as a table.
    ///
    /// A row that changes so that it is false is deleted behind this node. Where nothing before has a store, that is also said of rows that were
    /// not there.
    ///
    /// - Parameters:
    ///   - name: the name of a store that keeps the result, which makes it queryable; without, rows are found again in the store before.
    ///   - materialized: that store's settings, if more than its name is to be said.
    ///   - named: the node's name.
    ///   - predicate: gets key and value; isn't asked of deletes.
    @inlinable
    public func filter(
        as name: String? = nil, materialized: Materialized<Key, Value>? = nil, named: String? = nil,
        @Returning<Bool> _ predicate: @escaping @Sendable (Key, Value) throws -> Bool
    ) -> KTable<Key, Value> {
        filtered(as: name, materialized, named) { key, value in try predicate(key, value) ? value : nil }
    }

    /// The rows for which `predicate` is false, as a table; see ``filter(as:materialized:named:_:)``.
    @inlinable
    public func filterNot(
        as name: String? = nil, materialized: Materialized<Key, Value>? = nil, named: String? = nil,
        @Returning<Bool> _ predicate: @escaping @Sendable (Key, Value) throws -> Bool
    ) -> KTable<Key, Value> {
        filtered(as: name, materialized, named) { key, value in try predicate(key, value) ? nil : value }
    }

    @inlinable
    func filtered(
        as name: String?, _ materialized: Materialized<Key, Value>?, _ named: String?,
        _ change: @escaping @Sendable (Key, Value) throws -> Value?
    ) -> KTable<Key, Value> {
        let settings = materialized ?? name.map { Materialized(as: $0) }
        return derived(
            "KTABLE-FILTER-", settings, named, value: settings?.value ?? valueSerde, isFilter: true, keyless: nil,
            change)
    }

    /// Each row with another value, as a table; one that is null of its own type is deleted.
    ///
    /// - Parameters:
    ///   - name: the name of a store that keeps the result, which makes it queryable; without, values are made again of the rows before.
    ///   - serde: the new value's.
    ///   - materialized: that store's settings, if more than its name is to be said.
    ///   - named: the node's name.
    ///   - transform: makes the new value; isn't asked of deletes. It gives the same for the same, since it may be asked again.
    @inlinable
    public func mapValues<Result>(
        as name: String? = nil, value serde: Serde<Result>? = nil, materialized: Materialized<Key, Result>? = nil,
        named: String? = nil, @Returning<Result> _ transform: @escaping @Sendable (Value) throws -> Result
    ) -> KTable<Key, Result> {
        let settings = materialized ?? name.map { Materialized(as: $0) }
        return derived(
            "KTABLE-MAPVALUES-", settings, named, value: settings?.value ?? serde, isFilter: false, keyless: transform
        ) { _, value in try transform(value) }
    }

    /// Each row with another value, as a table, the key given to the closure too; see ``mapValues(as:value:materialized:named:_:)``.
    @inlinable
    public func mapValuesWithKey<Result>(
        as name: String? = nil, value serde: Serde<Result>? = nil, materialized: Materialized<Key, Result>? = nil,
        named: String? = nil, @Returning<Result> _ transform: @escaping @Sendable (Key, Value) throws -> Result
    ) -> KTable<Key, Result> {
        let settings = materialized ?? name.map { Materialized(as: $0) }
        return derived(
            "KTABLE-MAPVALUES-", settings, named, value: settings?.value ?? serde, isFilter: false, keyless: nil,
            transform)
    }

    /// A table that is made of this one's rows one by one: kept if its store was given a name.
    @inlinable
    func derived<Result>(
        _ prefix: String, _ settings: Materialized<Key, Result>?, _ named: String?, value: Serde<Result>?,
        isFilter: Bool, keyless transform: (@Sendable (Value) throws -> Result?)?,
        _ change: @escaping @Sendable (Key, Value) throws -> Result?
    ) -> KTable<Key, Result> {
        // Kafka Streams uses up an index for a Materialized without a name, and makes no store.
        if let settings, settings.name == nil { _ = graph.newUniqueName("unused-") }
        let name = graph.name(prefix, named)
        let id = graph.add(name, parents: [node])
        let key = settings?.key ?? keySerde
        let output = TableOutput<Key, Result>()
        let old = BuildBox(false)
        let parent = source
        let isVersioned = parent.history != nil
        // Where old values cost nothing, a filter knows what was not there before.
        if isFilter && parent.askForOld(graph, false) { old.set(true) }
        guard let settings, let storeName = settings.name else {
            self.output.attach(id, name) { context in
                changedRows(
                    try output.sink(in: context), UserCode(name, context.services), sendsOld: old.get(),
                    isFilter: isFilter && !isVersioned, keyless: transform, change)
            }
            return KTable<Key, Result>(
                graph: graph, node: id, output: output, keySerde: key, valueSerde: value,
                source: TableSource(of: parent, sendsOld: old, keepsVersions: settings == nil, change), sources: sources
            )
        }
        let state = TableStoreState(
            settings.description(
                graph, storeName, .timestampedKeyValue, latestWins: true, generated: false,
                serdes: "\(key?.name ?? "?") \(value?.name ?? "?")"),
            node: id, graph: graph, isMaterialized: true)
        if key == nil || value == nil { graph.failWithoutSerde("the table '\(storeName)'", key, value) }
        if old.get() { state.requireOldValues(graph) }
        self.output.attach(id, name) { context in
            guard let value else {
                throw TopologyError(.missingSerde, "the table '\(storeName)' has no serde for its values")
            }
            let user = UserCode(name, context.services)
            let writer = TableWriter(
                try output.sink(in: context), key, value, try context.services.store(storeName), user, context.recorder,
                sendsOld: state.sendsOld, readsRow: state.sendsOld, isFilter: isFilter)
            let nulls = Nullability<Result>.of()
            return TableInput(update: { key, new, _, meta in
                var result: Result?
                if let new {
                    do { result = try change(key, new) } catch { return try user.failed(error, meta) }
                    if let nulls, let made = result, nulls.isNull(made) { result = nil }
                }
                try writer.write(key, result, meta)
            })
        }
        return KTable<Key, Result>(
            graph: graph, node: id, output: output, keySerde: key, valueSerde: value ?? .standard,
            source: TableSource(state, value ?? .standard), sources: sources)
    }
}

/// The receiving end of a table without store whose rows are made of those before it.
@inlinable
func changedRows<Key, Value, Result>(
    _ next: TableInput<Key, Result>, _ user: UserCode, sendsOld: Bool, isFilter: Bool,
    keyless transform: (@Sendable (Value) throws -> Result?)?,
    _ change: @escaping @Sendable (Key, Value) throws -> Result?
) -> TableInput<Key, Value> {
    let nulls = Nullability<Result>.of()
    @inline(__always)
    func normal(_ result: Result?) -> Result? {
        guard let nulls, let result, nulls.isNull(result) else { return result }
        return nil
    }
    var keyless: ((Value?, Value?, borrowing RecordMeta) throws -> Void)?
    if let transform, let following = next.keyless {
        keyless = { new, old, meta in
            var result: Result?
            var before: Result?
            do {
                if let new { result = normal(try transform(new)) }
                if sendsOld, let old { before = normal(try transform(old)) }
            } catch {
                return try user.failed(error, meta)
            }
            try following(result, before, meta)
        }
    }
    return TableInput(
        update: { key, new, old, meta in
            var result: Result?
            var before: Result?
            do {
                if let new { result = normal(try change(key, new)) }
                if sendsOld, let old { before = normal(try change(key, old)) }
            } catch {
                return try user.failed(error, meta)
            }
            if isFilter && sendsOld && result == nil && before == nil { return }
            try next.update(key, result, before, meta)
        }, keyless: keyless)
}
