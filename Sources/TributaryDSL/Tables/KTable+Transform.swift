public import TributaryCore
public import TributaryLineage
public import TributaryState

/// Code of the user's own that makes the values of a table anew, with stores and punctuations, as Kafka Streams' `ValueTransformerWithKey`.
///
/// A new instance per task, and one more for each operator that reads the table's rows where no store keeps them: those make a row again each
/// time, from the row before. Methods are called on the task's thread, one at a time.
public protocol TableTransformer<Key, ValueIn, ValueOut>: AnyObject, SendableMetatype {
    /// The key's type.
    associatedtype Key
    /// The value's type.
    associatedtype ValueIn
    /// The type of the values that it makes.
    associatedtype ValueOut

    /// Called once before the first row: take stores and schedule punctuations here.
    func initialize(_ context: ProcessingContext) throws

    /// Makes a row's value.
    ///
    /// - Parameters:
    ///   - key: the row's key.
    ///   - value: what the row is; nil if it was deleted, or isn't there.
    /// - Returns: the value; nil deletes the row.
    func transform(_ key: Key, _ value: ValueIn?) throws -> ValueOut?

    /// Called when the task ends.
    func close()
}

extension TableTransformer {
    /// Takes nothing.
    public func initialize(_ context: ProcessingContext) throws {}
    /// Does nothing.
    public func close() {}
}

extension KTable {
    /// Each row with the value that code of the user's own makes of it, as a table; it is asked of deletes, too.
    ///
    /// What it reads in stores may have contributed to the value: its lineage says `bound`.
    ///
    /// - Parameters:
    ///   - name: the name of a store that keeps the result, which makes it queryable; without, values are made again of the rows before.
    ///   - serde: the new value's.
    ///   - materialized: that store's settings, if more than its name is to be said.
    ///   - named: the node's name.
    ///   - stores: the stores that it uses: handles that ``StreamsBuilder`` gave, or the names of tables' stores.
    ///   - make: makes an instance.
    @inlinable
    public func transformValues<T: TableTransformer>(
        as name: String? = nil, value serde: Serde<T.ValueOut>? = nil,
        materialized: Materialized<Key, T.ValueOut>? = nil, named: String? = nil,
        stores: [any StoreReference] = [], _ make: @escaping @Sendable () throws -> T
    ) -> KTable<Key, T.ValueOut> where T.Key == Key, T.ValueIn == Value {
        let settings = materialized ?? name.map { Materialized(as: $0) }
        let name = graph.name("KTABLE-TRANSFORMVALUES-", named)
        let storeNames = stores.map(\.storeName)
        let id = graph.addProcessor(name, parent: node, stores: storeNames)
        let key = settings?.key ?? keySerde
        let value = settings?.value ?? serde
        let output = TableOutput<Key, T.ValueOut>()
        let parent = source
        let changed: @Sendable (NodeContext) throws -> TableTransformation<T> = { context in
            try TableTransformation(context, id, name, storeNames, make)
        }
        guard let settings, let storeName = settings.name else {
            let old = BuildBox(false)
            self.output.attach(id, name) { context in
                let next = try output.sink(in: context)
                let user = UserCode(name, context.services)
                let transformation = try changed(context)
                let core = transformation.core
                let sendsOld = old.get()
                return TableInput(update: { key, new, old, meta in
                    let outer = core.begin(meta)
                    defer { core.end(outer) }
                    let result: T.ValueOut?
                    var before: T.ValueOut?
                    do {
                        result = try transformation.transform(key, new)
                        if sendsOld { before = try transformation.transform(key, old) }
                    } catch {
                        return try user.failed(error, meta)
                    }
                    let replaced = meta.oldLineage ?? .none
                    try core.passOn { lineage in
                        let held: InlineArray<2, Lineage> = [copy lineage, replaced]
                        try next.update(
                            key, result, before, meta.with(sendsOld ? held.span : held.span.extracting(first: 1)))
                    }
                })
            }
            var past: (@Sendable (NodeContext) throws -> TableView<Key, T.ValueOut>)?
            if let view = parent.pastView {
                past = { context in TableView(of: try view(context), try changed(context)) }
            }
            return KTable<Key, T.ValueOut>(
                graph: graph, node: id, output: output, keySerde: key, valueSerde: value,
                source: TableSource(
                    store: nil, connect: parent.connect,
                    askForOld: { graph, makesStore in
                        guard parent.askForOld(graph, makesStore) else { return false }
                        old.set(true)
                        return true
                    },
                    view: { context in TableView(of: try parent.view(context), try changed(context)) },
                    isAggregate: parent.isAggregate, pastView: past,
                    history: settings == nil ? parent.history : nil), sources: sources)
        }
        let state = TableStoreState(
            settings.description(
                graph, storeName, .timestampedKeyValue, latestWins: true, generated: false,
                serdes: "\(key?.name ?? "?") \(value?.name ?? "?")"),
            node: id, graph: graph, isMaterialized: true)
        if key == nil || value == nil { graph.failWithoutSerde("the table '\(storeName)'", key, value) }
        self.output.attach(id, name) { context in
            guard let value else {
                throw TopologyError(.missingSerde, "the table '\(storeName)' has no serde for its values")
            }
            let user = UserCode(name, context.services)
            let transformation = try changed(context)
            let core = transformation.core
            let writer = TableWriter(
                try output.sink(in: context), key, value, try context.services.store(storeName), user, context.recorder,
                sendsOld: state.sendsOld, readsRow: state.sendsOld)
            return TableInput(update: { key, new, _, meta in
                let outer = core.begin(meta)
                defer { core.end(outer) }
                let result: T.ValueOut?
                do { result = try transformation.transform(key, new) } catch { return try user.failed(error, meta) }
                try core.passOn { lineage in
                    let held = CollectionOfOne(copy lineage)
                    try writer.write(key, result, meta.with(held.span))
                }
            })
        }
        return KTable<Key, T.ValueOut>(
            graph: graph, node: id, output: output, keySerde: key, valueSerde: value ?? .standard,
            source: TableSource(state, value ?? .standard), sources: sources)
    }
}

/// A user's transformer in one task, with what it has read.
@usableFromInline
final class TableTransformation<T: TableTransformer> {
    @usableFromInline let core: ProcessorCore
    @usableFromInline let transformer: T
    @usableFromInline let nulls: Nullability<T.ValueOut>?

    @inlinable
    init(
        _ context: NodeContext, _ id: Int, _ node: String, _ stores: [String], _ make: @Sendable () throws -> T
    ) throws {
        core = ProcessorCore(context, node, stores: stores)
        let transformer = try context.starting(node) { try make() }
        self.transformer = transformer
        nulls = .of()
        let own = core.processingContext
        context.onStart(id) { try context.starting(node) { try transformer.initialize(own) } }
        context.onClose { transformer.close() }
    }

    /// Makes a value; one that is null of its own type is none.
    @inlinable
    func transform(_ key: T.Key, _ value: T.ValueIn?) throws -> T.ValueOut? {
        guard let result = try transformer.transform(key, value) else { return nil }
        return nulls?.isNull(result) == true ? nil : result
    }
}

extension TableView {
    /// Rows that a transformer makes of another table's, also of those that aren't there.
    @inlinable
    convenience init<T: TableTransformer>(
        of parent: TableView<Key, T.ValueIn>, _ transformation: TableTransformation<T>
    ) where T.Key == Key, T.ValueOut == Value {
        let core = transformation.core
        let isThere = Owned(false)
        let found = Owned((lineage: Lineage.none, timestamp: Int64(-1)))
        self.init(
            row: { key, meta in
                let row = try parent.row(key, meta)
                isThere.value = row != nil
                found.value = row == nil ? (.none, -1) : (parent.lineage(), parent.timestamp())
                let held = CollectionOfOne(found.value.lineage)
                // As in Kafka Streams nothing is known of a record.
                let outer = core.begin(
                    RecordMeta(
                        key: meta.key, hasKey: meta.hasKey, keyIsStale: meta.keyIsStale,
                        timestamp: found.value.timestamp, origin: .none, headers: .empty, lineage: held.span))
                defer { core.end(outer) }
                let result = try transformation.transform(key, row)
                found.value.lineage = core.withReads(found.value.lineage)
                return result
            },
            readSpan: { context, link in
                if isThere.value { return parent.readSpan(context, link) }
                parent.missSpan(context)
                return context
            },
            missSpan: parent.missSpan, lineage: { found.value.lineage }, timestamp: { found.value.timestamp },
            passHeaders: { origin in if isThere.value { parent.passHeaders(origin) } })
    }
}
