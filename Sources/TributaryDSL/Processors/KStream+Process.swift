public import TributaryCore
public import TributaryLineage
internal import TributaryState

extension KStream {
    /// Gives every record to a processor of the user's own, which may forward records under other keys.
    ///
    /// - Parameters:
    ///   - named: the node's name.
    ///   - stores: the stores that it uses: handles that ``StreamsBuilder`` gave, or the names of tables' stores.
    ///   - key: serde of the keys that it forwards, where something below needs one.
    ///   - value: serde of the values that it forwards.
    ///   - make: makes an instance; called once per task.
    @inlinable
    @discardableResult
    public func process<P: Processor>(
        named: String? = nil, stores: [any StoreReference] = [], key: Serde<P.KeyOut>? = nil,
        value: Serde<P.ValueOut>? = nil,
        _ make: @escaping @Sendable () throws -> P
    ) -> KStream<P.KeyOut, P.ValueOut> where P.KeyIn == Key, P.ValueIn == Value {
        let name = graph.processorName("KSTREAM-PROCESSOR-", named)
        let stores = stores.map(\.storeName)
        let id = graph.addProcessor(name, parent: node, stores: stores)
        let output = Output<P.KeyOut, P.ValueOut>()
        graph.noteProcessor(id, output, key, value)
        attachProcessor(self.output, id, name, stores, output, make)
        return KStream<P.KeyOut, P.ValueOut>(
            graph: graph, node: id, output: output, keySerde: key, valueSerde: value, needsRepartition: true,
            sources: sources)
    }

    /// Gives every record to a processor of the user's own that keeps the key.
    @inlinable
    @discardableResult
    public func processValues<P: FixedKeyProcessor>(
        named: String? = nil, stores: [any StoreReference] = [], value: Serde<P.ValueOut>? = nil,
        _ make: @escaping @Sendable () throws -> P
    ) -> KStream<Key, P.ValueOut> where P.Key == Key, P.ValueIn == Value {
        let name = graph.processorName("KSTREAM-PROCESSVALUES-", named)
        let stores = stores.map(\.storeName)
        let id = graph.addProcessor(name, parent: node, stores: stores)
        let output = Output<Key, P.ValueOut>()
        graph.noteValueProcessor(id)
        self.output.attach(id, name) { context in
            let core = ProcessorCore(context, name, stores: stores)
            let processor = try context.starting(name) { try make() }
            let user = UserCode(name, context.services)
            let processorContext = FixedKeyProcessorContext(core, try output.named(in: context))
            let next = try output.sink(in: context)
            context.onStart(id) { try context.starting(name) { try processor.initialize(processorContext) } }
            context.onClose { processor.close() }
            return NodeInput(
                call: { key, value, meta in
                    let outer = core.begin(meta)
                    let outerKey = processorContext.key
                    processorContext.key = key
                    defer {
                        processorContext.key = outerKey
                        core.end(outer)
                    }
                    _ = try user.run(meta) { try processor.process(Record(key, value, meta)) }
                },
                delete: { key, meta in try next.delete(key, meta) })
        }
        return KStream<Key, P.ValueOut>(
            graph: graph, node: id, output: output, keySerde: keySerde, valueSerde: value,
            needsRepartition: needsRepartition, sources: sources)
    }
}

/// Attaches a processor, made anew for each task, that may use some stores and of those that a topic fills may write `filled`.
@inlinable
func attachProcessor<P: Processor>(
    _ input: Output<P.KeyIn, P.ValueIn>, _ id: Int, _ name: String, _ stores: [String],
    _ output: Output<P.KeyOut, P.ValueOut>, filling filled: String? = nil,
    _ make: @escaping @Sendable () throws -> P
) {
    input.attach(id, name) { context in
        let core = ProcessorCore(context, name, stores: stores, fills: filled)
        let processor = try context.starting(name) { try make() }
        let user = UserCode(name, context.services)
        let processorContext = ProcessorContext(core, try output.named(in: context))
        context.onStart(id) { try context.starting(name) { try processor.initialize(processorContext) } }
        context.onClose { processor.close() }
        return NodeInput(
            call: { key, value, meta in
                let outer = core.begin(meta)
                defer { core.end(outer) }
                _ = try user.run(meta) { try processor.process(Record(key, value, meta)) }
            },
            delete: { key, meta in
                let outer = core.begin(meta)
                defer { core.end(outer) }
                _ = try user.run(meta) { try processor.processTombstone(Record(key, (), meta)) }
            })
    }
}

extension Record {
    @inlinable
    init(_ key: Key, _ value: Value, _ meta: borrowing RecordMeta) {
        self.init(
            key: key, value: value, timestamp: meta.timestamp,
            headers: meta.headers.isEmpty ? Headers() : Headers(checked: meta.headers))
    }
}

extension TopologyGraph {
    /// Processors are the only nodes whose own name uses up no index (Docs/Semantics.md, Names).
    @usableFromInline
    func processorName(_ prefix: String, _ named: String?) -> String {
        guard let named else { return newName(prefix) }
        check(name: named)
        return named
    }

    @usableFromInline
    func addProcessor(_ name: String, parent: Int, stores list: [String]) -> Int {
        for store in list {
            guard let known = stores[store] else {
                fail(
                    .notConnected, "processor '\(name)' uses the store '\(store)', which does not exist: add it before")
                continue
            }
            if known.description.isGlobal {
                fail(
                    .conflict,
                    "processor '\(name)' is connected to the global store '\(store)': all may read it, so leave it out of stores:"
                )
            }
        }
        return add(name, parents: [parent], stores: list.filter { stores[$0] != nil })
    }
}
