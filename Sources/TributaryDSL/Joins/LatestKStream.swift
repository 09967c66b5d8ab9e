public import TributaryCore
public import TributaryLineage
public import TributaryState

/// A stream whose records are kept for a time, for another one to be joined with the latest of them: what `KStream.latest` gives.
public struct LatestKStream<Key, Value> {
    @usableFromInline let graph: TopologyGraph
    @usableFromInline let keySerde: Serde<Key>?
    @usableFromInline let valueSerde: Serde<Value>?
    @usableFromInline let sources: Set<Int>
    @usableFromInline let store: String
    // ms
    @usableFromInline let within: Int64
    @usableFromInline let grace: Duration

    @usableFromInline
    init(
        _ graph: TopologyGraph, _ keySerde: Serde<Key>?, _ valueSerde: Serde<Value>?, _ sources: Set<Int>,
        store: String, within: Int64, grace: Duration
    ) {
        self.graph = graph
        self.keySerde = keySerde
        self.valueSerde = valueSerde
        self.sources = sources
        self.store = store
        self.within = within
        self.grace = grace
    }
}

extension KStream {
    /// Keeps this stream's records for a time, so that another stream's can be joined with the latest of their key: an as-of join.
    ///
    /// ```swift
    /// trades.join(quotes.latest(within: .seconds(5))) { trade, quote in Priced(trade, quote) }
    /// ```
    ///
    /// The latest is by timestamp, whatever the order in which records came; of several with one timestamp, that which came last. A record counts
    /// for those of the other stream that are at its timestamp or later by `within` at most. The store keeps records for twice as long, and the
    /// grace, by their own time: what is later than that finds what is still there, and never an earlier record than the right one. Records with a
    /// null key or value are dropped and counted. Several joins may use one.
    ///
    /// - Parameters:
    ///   - within: how old the latest record may be, both ends included; whole milliseconds.
    ///   - grace: how long records of the other stream wait, in stream time of their own, for records of this one that come late.
    ///   - named: the node's name.
    ///   - storeName: the store's name.
    ///   - key: the keys' serde; nil for the stream's.
    ///   - value: the values' serde; nil for the stream's.
    ///   - inMemory: whether the store is in memory; nil for the builder's default.
    ///   - logging: whether it has a changelog.
    ///   - changelogSettings: settings of the changelog topic.
    @inlinable
    public func latest(
        within: Duration, grace: Duration = .zero, named: String? = nil, as storeName: String? = nil,
        key: Serde<Key>? = nil, value: Serde<Value>? = nil, inMemory: Bool? = nil, logging: Bool = true,
        changelogSettings: [String: String] = [:]
    ) -> LatestKStream<Key, Value> {
        let store = KeptStore(storeName, inMemory: inMemory, logging: logging, changelogSettings: changelogSettings)
        let made = KeptNode(encoded(key: key, value: value), "KSTREAM-LATEST-", named, store)
        let input = made.input
        graph.check(within, "the time within which '\(made.name)' is joined", minimum: 0)
        graph.check(grace, "the grace of '\(made.name)'", minimum: 0)
        let time = max(within.milliseconds, 0)
        graph.addKept(
            store, made.store, to: made.node,
            retention: time.multipliedSaturated(by: 2).addingSaturated(max(grace.milliseconds, 0)).addingSaturated(1),
            size: time, keepsDuplicates: false, tellsWhatPassed: false,
            serdes: "\(input.keySerde?.name ?? "?") \(input.valueSerde?.name ?? "?")")
        let latest = LatestKStream(
            graph, input.keySerde, input.valueSerde, input.sources, store: made.store, within: time, grace: grace)
        guard input.keySerde != nil, let valueSerde = input.valueSerde else {
            graph.failWithoutSerde("the stream '\(made.name)'", input.keySerde, input.valueSerde)
            return latest
        }
        let (name, storeName) = (made.name, made.store)
        input.output.attach(made.node, name) { context in
            let keeper = RecordKeeper(
                try context.services.store(storeName), UserCode(name, context.services), context.recorder)
            return keptInput(keeper, UserCode(name, context.services), valueSerde)
        }
        return latest
    }

    /// Joins each record with the latest one of another stream that has the same key; records without one are left out.
    ///
    /// The result has the record's timestamp and headers. Null keys and values are dropped and counted. See
    /// ``latest(within:grace:named:as:key:value:inMemory:logging:changelogSettings:)`` for which record is the latest.
    ///
    /// - Parameters:
    ///   - latest: the other stream's latest records; of topics with as many partitions.
    ///   - named: the node's name; begins that of a repartition topic if there is one.
    ///   - key: replaces the keys' serde.
    ///   - value: replaces the values' serde, which records are repartitioned and wait with.
    ///   - result: the results' serde.
    ///   - joiner: makes a result.
    @inlinable
    public func join<Other, Result>(
        _ latest: LatestKStream<Key, Other>, named: String? = nil, key: Serde<Key>? = nil, value: Serde<Value>? = nil,
        result: Serde<Result>? = nil, @Returning<Result> _ joiner: @escaping @Sendable (Value, Other) throws -> Result
    ) -> KStream<Key, Result> {
        joined(
            "KSTREAM-JOIN-", latest, named, key, value, result, matched: { _, left, right in try joiner(left, right) },
            missed: nil)
    }

    /// Joins each record with the latest one of another stream that has the same key, or with nil.
    ///
    /// Records with a null key join with nil; null values are dropped and counted.
    @inlinable
    public func leftJoin<Other, Result>(
        _ latest: LatestKStream<Key, Other>, named: String? = nil, key: Serde<Key>? = nil, value: Serde<Value>? = nil,
        result: Serde<Result>? = nil, @Returning<Result> _ joiner: @escaping @Sendable (Value, Other?) throws -> Result
    ) -> KStream<Key, Result> {
        joined(
            "KSTREAM-LEFTJOIN-", latest, named, key, value, result,
            matched: { _, left, right in try joiner(left, right) }, missed: { _, left in try joiner(left, nil) })
    }

    @inlinable
    func joined<Other, Result>(
        _ prefix: String, _ latest: LatestKStream<Key, Other>, _ named: String?, _ key: Serde<Key>?,
        _ value: Serde<Value>?, _ result: Serde<Result>?,
        matched: @escaping @Sendable (Key, Value, Other) throws -> Result,
        missed: (@Sendable (Key, Value) throws -> Result)?
    ) -> KStream<Key, Result> {
        let key = key ?? keySerde ?? latest.keySerde
        let left = value ?? valueSerde
        var input = self
        if needsRepartition { input = repartitionedForJoin(named, key: key, value: left) }
        input = input.encoded(key: key, value: nil)
        let name = graph.name(prefix, named)
        let id = graph.add(name, parents: [input.node])
        graph.connect(latest.store, to: id)
        if missed != nil { graph.relaxedJoins.append(id) }
        graph.copartition(input.sources.union(latest.sources))
        let output = Output<Key, Result>()
        let made = KStream<Key, Result>(
            graph: graph, node: id, output: output, keySerde: key, valueSerde: result, needsRepartition: false,
            sources: input.sources.union(latest.sources))
        guard let otherValue = latest.valueSerde else { return made }
        var wait: JoinWait?
        if latest.grace > .zero {
            wait = graph.addJoinBuffer(
                name, latest.grace, history: .max, key?.name, left?.name, node: id, isNamed: named != nil)
            if key == nil || left == nil { graph.failWithoutSerde("the join '\(name)'", key, left) }
        }
        let waiting = wait
        let keepsNullKeys = missed != nil
        let tableKey = latest.keySerde
        let (store, within) = (latest.store, latest.within)
        attachLookup(
            input.output, id, name, output,
            view: { context in TableView(latest: try context.services.store(store), otherValue, within: within) },
            find: { view, context in
                let encoder = KeyEncoder(from: key, to: tableKey, UserCode(name, context.services))
                return { key, _, meta in
                    guard meta.hasKey else { return .noKey }
                    guard let encoder else { return Lookup(try view.row(key, meta)) }
                    var found: Other?
                    try encoder.encode(key, meta) { found = try view.row(key, $0) }
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
        return made
    }
}

extension TableView {
    /// The latest rows of a store of records, as seen from the time of the record that asks.
    @inlinable
    convenience init(latest store: StateStore, _ value: Serde<Value>, within: Int64) {
        let key = ByteBuffer()
        self.init(
            row: { _, meta in
                guard
                    let last = try store.lastRowTime(
                        of: meta.key, from: meta.timestamp.subtractingSaturated(within), through: meta.timestamp)
                else { return nil }
                key.writer.removeAll()
                key.writer.append(meta.key)
                key.writer.append(bigEndian: last.time)
                key.writer.append(bigEndian: UInt32(0))
                guard try store.read(key.bytes).exists else { return nil }
                return try store.decodedValue(value, key: key.bytes)
            },
            readSpan: { parent, link in store.readSpan(parent, link: link, store.valueLineage.context) },
            missSpan: { parent in store.missSpan(.none, parent) },
            lineage: { store.valueLineage }, timestamp: { store.valueTimestamp },
            passHeaders: { store.passHeaders(to: $0) })
    }
}

/// Writes a stream's records into a window store, under their keys and times.
@usableFromInline
final class RecordKeeper {
    private let store: StateStore
    private let user: UserCode
    private let recorder: LineageRecorder
    private let key = ScratchBuffer()

    @usableFromInline
    init(_ store: StateStore, _ user: UserCode, _ recorder: LineageRecorder) {
        self.store = store
        self.user = user
        self.recorder = recorder
    }

    /// Keeps a record; one without key or value is counted.
    @usableFromInline
    func put(_ value: RawSpan?, _ meta: borrowing RecordMeta) throws {
        guard meta.hasKey else { return user.dropped(.nullKey, meta) }
        guard let value else { return user.dropped(.nullValue, meta) }
        let row = key.take()
        defer { key.give(row) }
        row.writer.append(meta.key)
        row.writer.append(bigEndian: meta.timestamp)
        row.writer.append(bigEndian: UInt32(0))
        do {
            let before = recorder.makesSpan(meta.lineage.context) ? try store.peekContext(row.bytes) : nil
            _ = try store.write(
                row.bytes, value, timestamp: meta.timestamp, cell: meta.lineage.cell, link: .superseded, row: before,
                window: (meta.timestamp, meta.timestamp.addingSaturated(store.description.windowSize ?? 0)), meta)
        } catch {
            try user.failed(error, meta)
        }
    }
}

/// The node that keeps a stream's records, behind which nothing follows.
@inlinable
func keptInput<Key, Value>(
    _ keeper: RecordKeeper, _ user: UserCode, _ serde: Serde<Value>
) -> NodeInput<Key, Value> {
    let scratch = ScratchBuffer()
    let nulls = Nullability<Value>.of()
    func put(_ value: Value, _ meta: borrowing RecordMeta) throws {
        if let nulls, nulls.isNull(value) { return try keeper.put(nil, meta) }
        let buffer = scratch.take()
        defer { scratch.give(buffer) }
        guard try user.run(meta, { try serde.encode(value, &buffer.writer) }) != nil else { return }
        try keeper.put(buffer.bytes, meta)
    }
    return NodeInput(
        call: { _, value, meta in try put(value, meta) }, delete: { _, meta in try keeper.put(nil, meta) },
        keyless: { value, meta in try put(value, meta) }, keylessDelete: { meta in try keeper.put(nil, meta) },
        bytes: { content, meta in try keeper.put(content, meta) })
}
