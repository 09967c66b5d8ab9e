public import TributaryCore
internal import TributaryState

extension StreamsBuilder {
    /// Has a processor of the user's own fill a store from a topic, whole in each thread: Kafka Streams' `addGlobalStore`.
    ///
    /// Each thread reads all partitions of the topic before its first record, and follows them from then on, without regard to the records'
    /// times. The store has no changelog: where its rows are not there any more, the processor gets the topic's records again. So what it writes must
    /// follow from the records and the store alone. All processors may read the store, by its handle and without being connected to it; no other may
    /// write it. The processor forwards nothing, schedules nothing, and records have the timestamps that they have in the topic.
    ///
    /// ```swift
    /// let rates = builder.store(.keyValue("rates"), of: Double.self)
    /// builder.addGlobalStore(rates, from: "quotes") { KeepRates(rates) }
    /// ```
    ///
    /// - Parameters:
    ///   - store: the store, which no processor is connected to yet; those of its settings that are about cache and changelog have no effect.
    ///   - topic: the topic's name.
    ///   - key: the keys' serde; `.optional` if null keys are data, else they are dropped and counted.
    ///   - value: the values' serde; `.optional` if null values are data, else they come to `processTombstone`.
    ///   - named: the processor's name, which begins the source's.
    ///   - make: makes an instance; called once per thread.
    @inlinable
    public func addGlobalStore<Store, Key, Value, P: Processor>(
        _ store: StoreHandle<Store>, from topic: String, key: Serde<Key>, value: Serde<Value>, named: String? = nil,
        _ make: @escaping @Sendable () throws -> P
    ) where P.KeyIn == Key, P.ValueIn == Value, P.KeyOut == Never, P.ValueOut == Never {
        fill(store.storeName, from: topic, key, value, named, isGlobal: true, SourceSettings(), make)
    }

    /// Has a processor of the user's own, whose types name their serdes (``/TributaryCore/Recordable``), fill a store from a topic, whole in each
    /// thread; see ``addGlobalStore(_:from:key:value:named:_:)``.
    @inlinable
    public func addGlobalStore<Store, P: Processor>(
        _ store: StoreHandle<Store>, from topic: String, named: String? = nil,
        _ make: @escaping @Sendable () throws -> P
    ) where P.KeyIn: Recordable, P.ValueIn: Recordable, P.KeyOut == Never, P.ValueOut == Never {
        fill(
            store.storeName, from: topic, P.KeyIn.serde, P.ValueIn.serde, named, isGlobal: true, SourceSettings(), make)
    }

    /// Has a processor of the user's own keep a topic's records in a store, whose changelog the topic then is: Kafka Streams'
    /// `addReadOnlyStateStore`.
    ///
    /// The task of each partition has the rows of that partition. After a restart the store is filled with the topic's records up to those
    /// that were processed, not by the processor: so it has to put each value under its key with the record's timestamp, unchanged, and to
    /// delete the keys of tombstones. The topic should be compacted. Other processors are connected to the store as to any other, and may only read it.
    ///
    /// - Parameters:
    ///   - store: a store of the topic's keys and values, which no processor is connected to yet, has no time to live, and keeps any number
    ///     of rows; those of its settings that are about cache and changelog have no effect.
    ///   - topic: the topic's name.
    ///   - key: the keys' serde, that of the store.
    ///   - value: the values' serde, that of the store.
    ///   - named: the processor's name, which begins the source's.
    ///   - timestamps: says when a record happened, if not at its own timestamp.
    ///   - make: makes an instance; called once per task.
    @inlinable
    public func addReadOnlyStateStore<Key, Value, P: Processor>(
        _ store: StoreHandle<KeyValueStore<Key, Value>>, from topic: String, key: Serde<Key>, value: Serde<Value>,
        named: String? = nil, timestamps: TimestampExtractor? = nil, _ make: @escaping @Sendable () throws -> P
    ) where P.KeyIn == Key, P.ValueIn == Value, P.KeyOut == Never, P.ValueOut == Never {
        fill(
            store.storeName, from: topic, key, value, named, isGlobal: false,
            SourceSettings(timestamps: timestamps, reset: .earliest), make)
    }

    /// Has a processor of the user's own keep a topic's records in a store, whose changelog the topic then is, with types that name their serdes
    /// (``/TributaryCore/Recordable``); see ``addReadOnlyStateStore(_:from:key:value:named:timestamps:_:)``.
    @inlinable
    public func addReadOnlyStateStore<Key: Recordable, Value: Recordable, P: Processor>(
        _ store: StoreHandle<KeyValueStore<Key, Value>>, from topic: String, named: String? = nil,
        timestamps: TimestampExtractor? = nil, _ make: @escaping @Sendable () throws -> P
    ) where P.KeyIn == Key, P.ValueIn == Value, P.KeyOut == Never, P.ValueOut == Never {
        addReadOnlyStateStore(
            store, from: topic, key: Key.serde, value: Value.serde, named: named, timestamps: timestamps, make)
    }

    @inlinable
    func fill<P: Processor>(
        _ store: String, from topic: String, _ key: Serde<P.KeyIn>, _ value: Serde<P.ValueIn>, _ named: String?,
        isGlobal: Bool, _ settings: SourceSettings, _ make: @escaping @Sendable () throws -> P
    ) {
        let sourceName = graph.name("KSTREAM-SOURCE-", named.map { "\($0)-source" })
        let name = graph.name("KTABLE-SOURCE-", named)
        let source = graph.add(sourceName, .source(topics: [topic]))
        let records = Output<P.KeyIn, P.ValueIn>()
        addSourceNode(
            graph, source, topics: [topic], name: sourceName, isTable: false, isGlobal: isGlobal, fills: true, settings,
            output: records, key: key, value: value)
        let node = graph.add(name, parents: [source])
        graph.fill(store, from: topic, node, isGlobal: isGlobal, serdes: "\(key.name) \(value.name)")
        attachProcessor(records, node, name, [store], Output<P.KeyOut, P.ValueOut>(), filling: store, make)
    }
}

extension TopologyGraph {
    /// Makes a processors' store that of a node which fills it from a topic.
    @usableFromInline
    func fill(_ name: String, from topic: String, _ node: Int, isGlobal: Bool, serdes: String) {
        guard let store = stores[name], userStores.contains(name) else {
            return fail(
                .notConnected, "there is no store '\(name)' to be filled from '\(topic)': make it with store(_:of:)")
        }
        let description = store.description
        if !store.nodes.isEmpty {
            fail(
                .conflict,
                "the store '\(name)' is connected to '\(nodes[store.nodes[0]].name)': have it filled before it is, and once"
            )
        }
        if description.timeToLive != nil {
            fail(.invalidSetting, "the store '\(name)' is filled from '\(topic)', and so can't have a time to live")
        }
        if !isGlobal, description.maximumRows != nil || description.serdes != serdes {
            fail(
                .invalidSetting,
                "the store '\(name)' has '\(topic)' for a changelog, and so keeps all of its records, by the topic's serdes "
                    + "(\(serdes)): it is one of \(description.serdes)")
        }
        updateStore(name) { store in
            store.isLogged = false
            store.isCached = false
            store.sourceTopic = topic
            store.isGlobal = isGlobal
            store.isFilled = true
        }
        connect(name, to: node)
    }
}
