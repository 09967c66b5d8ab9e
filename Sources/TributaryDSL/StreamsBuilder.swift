public import TributaryCore
internal import TributaryLineage
public import TributaryState

/// Describes a topology, as Kafka Streams' class of the same name: streams and tables from topics, stores, and at the end
/// ``build(explicitNames:optimization:)``.
///
/// Used by one thread. Generated names depend on the order of the calls.
public final class StreamsBuilder {
    @usableFromInline let graph = TopologyGraph()

    /// Begins an empty topology.
    ///
    /// - Parameters:
    ///   - inMemoryStores: whether tables whose settings don't say otherwise are kept in memory: Kafka Streams' `dsl.store.suppliers.class`.
    ///   - storeSupplier: keeps the stores that don't say otherwise, in place of the application's own engines.
    ///   - storeFormat: what the stores of tables and joins keep beside values: Kafka Streams' `dsl.store.format`.
    public init(
        inMemoryStores: Bool = false, storeSupplier: (any StoreSupplier)? = nil, storeFormat: StoreFormat = .standard
    ) {
        graph.storesInMemory = inMemoryStores
        graph.supplier = storeSupplier
        graph.storesHeaders = storeFormat == .headers
    }

    /// A stream of a topic's records.
    ///
    /// - Parameters:
    ///   - topic: its name.
    ///   - key: the key's serde; `.optional` if null keys are data.
    ///   - value: the value's serde; `.optional` if null values are data.
    ///   - named: the source node's name.
    ///   - timestamps: says when a record happened, if not at its own timestamp.
    ///   - timestamp: the time that a value has, instead: `\.time`; see ``TimestampExtractor/value(named:_:_:)``.
    ///   - recordTimestamp: the time that is found from key, value, own timestamp, headers and coordinates, instead; see
    ///     ``TimestampExtractor/record(named:_:_:_:)``.
    ///   - start: where to begin where the application has committed nothing; nil for what its configuration says.
    @inlinable
    public func stream<Key, Value>(
        _ topic: String, key: Serde<Key>, value: Serde<Value>, named: String? = nil,
        timestamps: TimestampExtractor? = nil,
        timestamp: (@Sendable (Value) throws -> any RecordTime)? = nil,
        recordTimestamp: (@Sendable (SourceRecord<Key, Value>) throws -> any RecordTime)? = nil,
        startingAt start: OffsetReset? = nil
    ) -> KStream<Key, Value> {
        stream(
            [topic], key: key, value: value, named: named, timestamps: timestamps, timestamp: timestamp,
            recordTimestamp: recordTimestamp, startingAt: start)
    }

    /// A stream of a topic's records, whose types name their serdes (``/TributaryCore/Recordable``).
    ///
    /// - Parameters:
    ///   - topic: its name.
    ///   - key: the key's type; an optional if null keys are data.
    ///   - value: the value's type; an optional if null values are data.
    ///   - named: the source node's name.
    ///   - timestamps: says when a record happened, if not at its own timestamp.
    ///   - timestamp: the time that a value has, instead: `\.time`; see ``TimestampExtractor/value(named:_:_:)``.
    ///   - start: where to begin where the application has committed nothing; nil for what its configuration says.
    @inlinable
    public func stream<Key: Recordable, Value: Recordable>(
        _ topic: String, keyedBy key: Key.Type = String.self, of value: Value.Type, named: String? = nil,
        timestamps: TimestampExtractor? = nil,
        timestamp: (@Sendable (Value) throws -> any RecordTime)? = nil,
        startingAt start: OffsetReset? = nil
    ) -> KStream<Key, Value> {
        stream(
            [topic], key: Key.serde, value: Value.serde, named: named, timestamps: timestamps, timestamp: timestamp,
            startingAt: start)
    }

    /// A stream of the records of several topics.
    @inlinable
    public func stream<Key, Value>(
        _ topics: [String], key: Serde<Key>, value: Serde<Value>, named: String? = nil,
        timestamps: TimestampExtractor? = nil,
        timestamp: (@Sendable (Value) throws -> any RecordTime)? = nil,
        recordTimestamp: (@Sendable (SourceRecord<Key, Value>) throws -> any RecordTime)? = nil,
        startingAt start: OffsetReset? = nil
    ) -> KStream<Key, Value> {
        let name = graph.name("KSTREAM-SOURCE-", named)
        let topics = graph.distinct(topics, for: name)
        return graph.stream(
            name, graph.add(name, .source(topics: topics)), topics: topics, pattern: nil,
            SourceSettings(graph, name, key, value, timestamps, ofValue: timestamp, ofRecord: recordTimestamp, start),
            key, value)
    }

    /// A stream of the records of all topics whose names fit a pattern, as Kafka Streams' `stream(Pattern)`.
    ///
    /// The topics are those that there are when the application starts. It looks for new ones (and deleted ones) at the interval
    /// `topicRefreshInterval` of its configuration; where there are some, it commits, stops its threads, and goes on with the topics that there
    /// are then. A new topic is read from its first record unless `start` or the configuration says otherwise. The application's own topics
    /// never fit; a topic that another source reads, too, is refused. Where streams are joined, all topics of both need equally many
    /// partitions; a stream with state can't take a topic with more partitions than the topics had at the first start.
    ///
    /// - Parameters:
    ///   - pattern: which topics.
    ///   - key: the keys' serde; `.optional` if null keys are data.
    ///   - value: the values' serde; `.optional` if null values are data.
    ///   - named: the source node's name.
    ///   - timestamps: says when a record happened, if not at its own timestamp.
    ///   - timestamp: the time that a value has, instead: `\.time`; see ``TimestampExtractor/value(named:_:_:)``.
    ///   - recordTimestamp: the time that is found from key, value, own timestamp, headers and coordinates, instead; see
    ///     ``TimestampExtractor/record(named:_:_:_:)``.
    ///   - start: where to begin where the application has committed nothing; nil for what its configuration says.
    @inlinable
    public func stream<Key, Value>(
        matching pattern: TopicPattern, key: Serde<Key>, value: Serde<Value>, named: String? = nil,
        timestamps: TimestampExtractor? = nil,
        timestamp: (@Sendable (Value) throws -> any RecordTime)? = nil,
        recordTimestamp: (@Sendable (SourceRecord<Key, Value>) throws -> any RecordTime)? = nil,
        startingAt start: OffsetReset? = nil
    ) -> KStream<Key, Value> {
        let name = graph.name("KSTREAM-SOURCE-", named)
        graph.check(pattern)
        return graph.stream(
            name, graph.add(name, .patternSource(pattern)), topics: [], pattern: pattern,
            SourceSettings(graph, name, key, value, timestamps, ofValue: timestamp, ofRecord: recordTimestamp, start),
            key, value)
    }

    /// A stream of the records of all topics whose names fit a pattern, with types that name their serdes (``/TributaryCore/Recordable``);
    /// see ``stream(matching:key:value:named:timestamps:timestamp:recordTimestamp:startingAt:)``.
    @inlinable
    public func stream<Key: Recordable, Value: Recordable>(
        matching pattern: TopicPattern, keyedBy key: Key.Type = String.self, of value: Value.Type, named: String? = nil,
        timestamps: TimestampExtractor? = nil,
        timestamp: (@Sendable (Value) throws -> any RecordTime)? = nil,
        startingAt start: OffsetReset? = nil
    ) -> KStream<Key, Value> {
        stream(
            matching: pattern, key: Key.serde, value: Value.serde, named: named, timestamps: timestamps,
            timestamp: timestamp, startingAt: start)
    }

    /// A table of a topic: the latest value of each key, a null value deleting it.
    ///
    /// - Parameters:
    ///   - topic: its name.
    ///   - key: the key's serde.
    ///   - value: the value's serde; `.optional` if a null is to be a value and not a deletion.
    ///   - name: the store's name, which makes the table queryable.
    ///   - materialized: the store's settings, if more than its name is to be said.
    ///   - named: begins the names of the source and of the table's node.
    ///   - timestamps: says when a record happened, if not at its own timestamp.
    ///   - timestamp: the time that a value has, instead: `\.time`; see ``TimestampExtractor/value(named:_:_:)``.
    ///   - recordTimestamp: the time that is found from key, value, own timestamp, headers and coordinates, instead; see
    ///     ``TimestampExtractor/record(named:_:_:_:)``.
    ///   - start: where to begin where the application has committed nothing; nil for what its configuration says.
    @inlinable
    public func table<Key, Value>(
        _ topic: String, key: Serde<Key>, value: Serde<Value>, as name: String? = nil,
        materialized: Materialized<Key, Value>? = nil, named: String? = nil, timestamps: TimestampExtractor? = nil,
        timestamp: (@Sendable (Value) throws -> any RecordTime)? = nil,
        recordTimestamp: (@Sendable (SourceRecord<Key, Value>) throws -> any RecordTime)? = nil,
        startingAt start: OffsetReset? = nil
    ) -> KTable<Key, Value> {
        let settings = materialized ?? Materialized(as: name)
        let store = graph.storeName("\(topic)-", settings.name)
        let sourceName = graph.name("KSTREAM-SOURCE-", named.map { "\($0)-source" })
        let tableName = graph.name("KTABLE-SOURCE-", named)
        let source = graph.add(sourceName, .source(topics: [topic]))
        let output = TableOutput<Key, Value>()
        let sourceOutput = Output<Key, Value>()
        addSourceNode(
            graph, source, topics: [topic], name: sourceName, isTable: true,
            SourceSettings(
                graph, sourceName, key, value, timestamps, ofValue: timestamp, ofRecord: recordTimestamp, start),
            output: sourceOutput, key: key, value: value)
        let node = graph.add(tableName, parents: [source])
        let state = TableStoreState(
            settings.description(
                graph, store, .timestampedKeyValue, latestWins: true, generated: settings.name == nil,
                serdes: "\((settings.key ?? key).name) \((settings.value ?? value).name)", of: .records),
            node: node, graph: graph, isMaterialized: settings.name != nil || settings.timeToLive != nil)
        // What is stored must be what the topic has.
        if settings.timeToLive == nil,
            (settings.key ?? key).name == key.name && (settings.value ?? value).name == value.name
        {
            graph.noteSourceTable(store, of: topic)
        }
        let records = KStream(
            graph: graph, node: source, output: sourceOutput, keySerde: key, valueSerde: value,
            needsRepartition: false, sources: [source]
        ).encoded(key: settings.key, value: settings.value)
        attachTableSource(
            records.output, node, tableName, state, output, key: records.keySerde, value: records.valueSerde)
        return KTable(
            graph: graph, node: node, output: output, keySerde: records.keySerde, valueSerde: records.valueSerde,
            source: TableSource(state, records.valueSerde), sources: [source])
    }

    /// A table of a topic whose types name their serdes (``/TributaryCore/Recordable``).
    ///
    /// - Parameters:
    ///   - topic: its name.
    ///   - key: the key's type.
    ///   - value: the value's type; an optional if a null is to be a value and not a deletion.
    ///   - name: the store's name, which makes the table queryable.
    ///   - named: begins the names of the source and of the table's node.
    ///   - timestamps: says when a record happened, if not at its own timestamp.
    ///   - timestamp: the time that a value has, instead: `\.time`; see ``TimestampExtractor/value(named:_:_:)``.
    ///   - start: where to begin where the application has committed nothing; nil for what its configuration says.
    @inlinable
    public func table<Key: Recordable, Value: Recordable>(
        _ topic: String, keyedBy key: Key.Type = String.self, of value: Value.Type, as name: String? = nil,
        named: String? = nil, timestamps: TimestampExtractor? = nil,
        timestamp: (@Sendable (Value) throws -> any RecordTime)? = nil,
        startingAt start: OffsetReset? = nil
    ) -> KTable<Key, Value> {
        table(
            topic, key: Key.serde, value: Value.serde, as: name, named: named, timestamps: timestamps,
            timestamp: timestamp, startingAt: start)
    }

    /// Adds a store for processors, which name it when they are connected; several may share it.
    ///
    /// Adding the same store again does nothing. One that differs, or has the name of an operator's store, is refused by
    /// ``build(explicitNames:optimization:)``.
    public func addStateStore(_ store: StoreDescription) {
        var store = store
        // A processor says what a put is made from: an earlier put that the cache replaced is history, not a contribution.
        store.isLatestWins = true
        graph.addUserStore(store)
    }

    /// Checks the topology and freezes it.
    ///
    /// - Parameters:
    ///   - explicitNames: refuses generated names of stores and internal topics, so that editing can't orphan state.
    ///   - optimization: what may be done to have fewer topics and stores.
    /// - Throws: ``TopologyError`` with what is wrong and what to change.
    public func build(explicitNames: Bool = false, optimization: TopologyOptimization = []) throws -> Topology {
        try graph.freeze(explicitNames: explicitNames, optimization)
    }
}

extension TopologyGraph {
    @usableFromInline
    func check(_ pattern: TopicPattern) {
        if let problem = pattern.problem { fail(.invalidSetting, problem) }
    }

    @inlinable
    func stream<Key, Value>(
        _ name: String, _ node: Int, topics: [String], pattern: TopicPattern?, _ settings: SourceSettings,
        _ key: Serde<Key>, _ value: Serde<Value>
    ) -> KStream<Key, Value> {
        let output = Output<Key, Value>()
        addSourceNode(
            self, node, topics: topics, pattern: pattern, name: name, isTable: false, settings, output: output,
            key: key, value: value)
        return KStream(
            graph: self, node: node, output: output, keySerde: key, valueSerde: value, needsRepartition: false,
            sources: [node])
    }

    /// A user's store name, or a generated one; only then an index is used up.
    @usableFromInline
    func storeName(_ prefix: String, _ named: String?) -> String {
        guard let named else { return newName("\(prefix)STATE-STORE-") }
        check(name: named)
        return named
    }
}

extension TopologyGraph {
    /// Checks a kind of store that was chosen for a table.
    func checkChosen(_ store: String, _ kind: StoreDescription.Kind, _ problem: String?) {
        if let problem { fail(.invalidSetting, "the store '\(store)' \(problem)") }
        if kind != .timestampedKeyValue {
            fail(.invalidSetting, "the store '\(store)' holds windows, which can't be versioned or few: choose another")
        }
    }
}

/// What the stores of tables and joins keep beside values: Kafka Streams' `dsl.store.format`.
///
/// Rows of either format are read by both: an application may be started again with another.
public enum StoreFormat: Sendable, Hashable {
    /// Timestamps, where tables have them.
    case standard
    /// Headers, too.
    ///
    /// Tombstones of changelogs then have the headers of the record that deleted, and what the stores of stream-stream joins hold has those of its
    /// record. Rows of tables have none, as in Kafka Streams. Stores of versions, without timestamps or of few rows keep none, nor do those that
    /// were given to a join. Those of processors keep headers if they are made so (``KeyValueStoreShape/keyValue(_:timestamped:headers:timeToLive:)``).
    case headers
}

/// What the rows of a table are, for whether they can expire.
@usableFromInline
enum TableRowSource: Sendable {
    /// Those of a topic, of a stream, or of an aggregation.
    case records
    /// Made of other tables' rows.
    case tables
    /// Those of a topic, in each thread.
    case global
}

extension TopologyGraph {
    /// Checks how long the rows of a store are to be kept.
    func checkLifetime(_ time: Duration, of store: StoreDescription, _ origin: TableRowSource) {
        check(time, "the time to live of rows in '\(store.name)'")
        let what = "rows of the store '\(store.name)' can't have a time to live"
        switch origin {
        case .records where store.canExpire: break
        case .records:
            fail(
                .invalidSetting,
                "\(what), since something else ends them (a retention, a history, a number of rows) or they have no timestamps: choose another type "
                    + "of store")
        case .tables:
            fail(
                .invalidSetting,
                "\(what) of their own, since they follow from other tables' rows: give the table before a time to live, whose deletes come "
                    + "through, or begin anew with toStream().toTable()")
        case .global:
            fail(
                .invalidSetting,
                "\(what), since a global table is what its topic has, in each thread: have the rows deleted in the topic, by a table with a time to live "
                    + "that is sent there")
        }
    }
}

/// Settings of the store that holds a table, as Kafka Streams' class of the same name.
public struct Materialized<Key, Value>: Sendable {
    /// Where the store keeps its entries.
    public enum StoreType: Sendable {
        /// In LMDB: survives the process.
        case persistent
        /// In memory: rebuilt from the changelog.
        case inMemory
        /// In LMDB without timestamps, as Kafka Streams' plain stores: a value that is not in the cache any more has the timestamp -1.
        case withoutTimestamps
        /// In memory, at most so many rows: then the one that was not used for longest is forgotten, which nobody is told.
        case leastRecentlyUsed(maximum: Int)
        /// In LMDB, with the versions of each row: one is kept for `history`, in stream time, after a newer one replaced it.
        ///
        /// Values may come in any order. Joins of streams with the table find the version of the record's time. Never cached.
        case versioned(history: Duration)
        /// Where a supplier keeps it: storage of somebody else's making.
        case supplied(by: any StoreSupplier)
    }

    /// The store's name; nil for a generated one.
    public var name: String?
    /// The key's serde; nil for the stream's.
    public var key: Serde<Key>?
    /// The value's serde; nil for the stream's.
    public var value: Serde<Value>?
    /// Where entries are kept; nil for the application's default.
    public var type: StoreType?
    /// Whether writes are collected in the cache.
    public var caching: Bool
    /// Whether there is a changelog.
    public var logging: Bool
    /// Settings of the changelog topic.
    public var changelogSettings: [String: String]
    /// How long windows are kept, in stream time; at least size and grace.
    public var retention: Duration?
    /// How long a row is kept behind its timestamp, in the task's stream time; nil for ever.
    ///
    /// For tables of topics and streams, and aggregations without windows; tables made of those follow them. Behind the table an expired row is a delete, whose header `expired` says
    /// when that was. The store isn't cached.
    public var timeToLive: Duration?

    /// Makes settings.
    public init(
        as name: String? = nil, key: Serde<Key>? = nil, value: Serde<Value>? = nil, type: StoreType? = nil,
        caching: Bool = true, logging: Bool = true, changelogSettings: [String: String] = [:],
        retention: Duration? = nil, timeToLive: Duration? = nil
    ) {
        self.name = name
        self.key = key
        self.value = value
        self.type = type
        self.caching = caching
        self.logging = logging
        self.changelogSettings = changelogSettings
        self.retention = retention
        self.timeToLive = timeToLive
    }

    // Not what Kafka Streams has by a supplier of the user's choice.
    private var hasDefaultRows: Bool {
        switch type {
        case nil, .persistent, .inMemory, .supplied: true
        case .withoutTimestamps, .leastRecentlyUsed, .versioned: false
        }
    }

    @usableFromInline
    func description(
        _ graph: TopologyGraph, _ store: String, _ kind: StoreDescription.Kind, latestWins: Bool = false,
        generated: Bool, serdes: String, of origin: TableRowSource = .tables
    ) -> StoreDescription {
        var description = StoreDescription(
            name: store, kind: kind, isPersistent: !graph.storesInMemory, isCached: caching, isLogged: logging)
        switch type {
        case nil: graph.supply(&description, by: nil, isDefault: true)
        case .supplied(let supplier): graph.supply(&description, by: supplier, isDefault: false)
        case .persistent: description.isPersistent = true
        case .inMemory: description.isPersistent = false
        case .withoutTimestamps:
            description.isPersistent = true
            description.keepsTimestamps = false
        case .leastRecentlyUsed(let maximum):
            graph.checkChosen(store, kind, maximum < 1 ? "keeps at least one row" : nil)
            description.kind = .leastRecentlyUsed(maximum: maximum)
            description.isPersistent = false
        case .versioned(let history):
            graph.checkChosen(store, kind, history < .zero ? "can't keep versions for less than no time" : nil)
            description.kind = .versioned(history: history.milliseconds)
            description.isPersistent = true
            description.isCached = false
        }
        description.keepsHeaders = graph.storesHeaders && hasDefaultRows
        if let timeToLive {
            graph.checkLifetime(timeToLive, of: description, origin)
            description.timeToLive = timeToLive.milliseconds
            description.isCached = false
        }
        description.changelogSettings = changelogSettings
        description.isLatestWins = latestWins
        description.hasGeneratedName = generated
        description.serdes = serdes
        return description
    }
}
