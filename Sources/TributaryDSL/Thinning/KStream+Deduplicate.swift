public import TributaryCore
public import TributaryLineage
public import TributaryState

extension KStream {
    /// Lets the first record of each key and id pass, and leaves out those that follow within a time of it.
    ///
    /// A record is left out, and counted (`duplicate`), if one of the same key and id has passed whose timestamp is less than `span` away, earlier
    /// or later. One that is older than the latest that passed by more than `grace` is left out, too, since what passed around it may be
    /// forgotten (`expired`). A record whose id is null passes; one with a null key or value is dropped and counted.
    ///
    /// What has passed is kept for `span` and `grace`, in a window store under key, id and timestamp. If the key was changed before, the stream goes
    /// through a repartition topic.
    ///
    /// - Parameters:
    ///   - span: how far apart two records of one id have to be for both to pass; whole milliseconds.
    ///   - grace: how late a record may be; nil for as long as `span`.
    ///   - named: the node's name.
    ///   - storeName: the store's name.
    ///   - id: the ids' serde: ids are the same if their bytes are.
    ///   - inMemory: whether the store is in memory; nil for the builder's default.
    ///   - logging: whether it has a changelog: without, a restored task has seen nothing.
    ///   - changelogSettings: settings of the changelog topic.
    ///   - select: the id of a value.
    @inlinable
    public func deduplicate<ID>(
        within span: Duration, grace: Duration? = nil, named: String? = nil, as storeName: String? = nil,
        id: Serde<ID>? = nil, inMemory: Bool? = nil, logging: Bool = true, changelogSettings: [String: String] = [:],
        @Returning<ID> by select: @escaping @Sendable (Value) throws -> ID
    ) -> KStream<Key, Value> {
        let store = KeptStore(storeName, inMemory: inMemory, logging: logging, changelogSettings: changelogSettings)
        let made = deduplicated(span, grace ?? span, named, store, id: (id ?? .standard)?.name ?? "?")
        guard let id = id ?? .standard else {
            graph.fail(.missingSerde, "the ids of '\(made.name)' have no serde: give id:")
            return made.stream(made.input.output)
        }
        let nullID = Nullability<ID>.of()
        let nulls = Nullability<Value>.of()
        let output = Output<Key, Value>()
        let (name, storeName) = (made.name, made.store)
        made.input.output.attach(made.node, name) { context in
            let next = try output.sink(in: context)
            let user = UserCode(name, context.services)
            let seen = SeenRecords(
                try context.services.store(storeName), user, context.recorder, span: span.milliseconds,
                grace: (grace ?? span).milliseconds)
            @inline(__always)
            func passes(_ value: Value, _ meta: borrowing RecordMeta) throws -> Bool {
                guard meta.hasKey else {
                    user.dropped(.nullKey, meta)
                    return false
                }
                if let nulls, nulls.isNull(value) {
                    user.dropped(.nullValue, meta)
                    return false
                }
                let row = seen.begin(meta)
                defer { seen.end(row) }
                let hasID = try user.run(meta) {
                    let chosen = try select(value)
                    if let nullID, nullID.isNull(chosen) { return false }
                    try id.encode(chosen, &row.writer)
                    return true
                }
                guard let hasID else { return false }
                return hasID ? try seen.isFirst(row, meta) : true
            }
            return NodeInput(
                call: { key, value, meta in if try passes(value, meta) { try next.call(key, value, meta) } },
                delete: { _, meta in user.dropped(meta.hasKey ? .nullValue : .nullKey, meta) },
                keyless: next.keyless.map { following in
                    { value, meta in if try passes(value, meta) { try following(value, meta) } }
                }, keylessDelete: { meta in user.dropped(meta.hasKey ? .nullValue : .nullKey, meta) })
        }
        return made.stream(output)
    }

    /// Lets the first record of each key pass, and leaves out those that follow within a time of it.
    ///
    /// The key is the id, null values are values like others; see ``deduplicate(within:grace:named:as:id:inMemory:logging:changelogSettings:by:)``.
    @inlinable
    public func deduplicate(
        within span: Duration, grace: Duration? = nil, named: String? = nil, as storeName: String? = nil,
        inMemory: Bool? = nil, logging: Bool = true, changelogSettings: [String: String] = [:]
    ) -> KStream<Key, Value> {
        let store = KeptStore(storeName, inMemory: inMemory, logging: logging, changelogSettings: changelogSettings)
        let made = deduplicated(span, grace ?? span, named, store, id: "")
        let output = Output<Key, Value>()
        let (name, storeName) = (made.name, made.store)
        made.input.output.attach(made.node, name) { context in
            let user = UserCode(name, context.services)
            let seen = SeenRecords(
                try context.services.store(storeName), user, context.recorder, span: span.milliseconds,
                grace: (grace ?? span).milliseconds)
            return try output.sink(in: context).tested { meta in
                guard meta.hasKey else {
                    user.dropped(.nullKey, meta)
                    return false
                }
                let row = seen.begin(meta)
                defer { seen.end(row) }
                return try seen.isFirst(row, meta)
            }
        }
        return made.stream(output)
    }

    @inlinable
    func deduplicated(
        _ span: Duration, _ grace: Duration, _ named: String?, _ store: KeptStore, id: String
    ) -> KeptNode<Key, Value> {
        let made = KeptNode(self, "KSTREAM-DEDUPLICATE-", named, store)
        graph.check(span, "the time within which '\(made.name)' looks for duplicates")
        graph.check(grace, "the grace of '\(made.name)'", minimum: 0)
        graph.addKept(
            store, made.store, to: made.node,
            retention: max(span.milliseconds, 0).addingSaturated(max(grace.milliseconds, 0)),
            size: max(span.milliseconds, 0), keepsDuplicates: false, serdes: "\(keySerde?.name ?? "?") \(id)")
        return made
    }
}

/// An operator on a stream that keeps what it has seen by key, while a topology is built: behind a repartition topic if the key was changed.
@usableFromInline
struct KeptNode<Key, Value> {
    @usableFromInline let input: KStream<Key, Value>
    @usableFromInline let name: String
    @usableFromInline let store: String
    @usableFromInline let node: Int

    @inlinable
    init(_ stream: KStream<Key, Value>, _ prefix: String, _ named: String?, _ kept: KeptStore) {
        name = stream.graph.name(prefix, named)
        store = stream.graph.storeName(prefix, kept.name)
        if stream.needsRepartition {
            input = stream.repartitioned(
                named ?? store, key: stream.keySerde, value: stream.valueSerde,
                hasGeneratedName: named == nil && kept.name == nil)
        } else {
            input = stream
        }
        node = stream.graph.add(name, parents: [input.node])
    }

    /// The stream of what passes.
    @inlinable
    func stream(_ output: Output<Key, Value>) -> KStream<Key, Value> {
        KStream(
            graph: input.graph, node: node, output: output, keySerde: input.keySerde, valueSerde: input.valueSerde,
            needsRepartition: false, sources: input.sources)
    }
}

extension NodeInput {
    /// The same receiving end for records for which a test is true that looks at neither key nor value.
    @inlinable
    func tested(_ passes: @escaping (borrowing RecordMeta) throws -> Bool) -> NodeInput {
        let call = self.call
        let delete = self.delete
        return NodeInput(
            call: { key, value, meta in if try passes(meta) { try call(key, value, meta) } },
            delete: { key, meta in if try passes(meta) { try delete(key, meta) } },
            keyless: keyless.map { call in { value, meta in if try passes(meta) { try call(value, meta) } } },
            keylessDelete: keylessDelete.map { delete in { meta in if try passes(meta) { try delete(meta) } } },
            bytes: bytes.map { send in { content, meta in if try passes(meta) { try send(content, meta) } } })
    }
}

/// The records that have passed a deduplication in one task.
///
/// A row's key: the length of the record's key (4 bytes), that, the id, the record's time (8 bytes), 0 (4 bytes).
@usableFromInline
final class SeenRecords {
    private let store: StateStore
    private let user: UserCode
    private let recorder: LineageRecorder
    private let span: Int64
    private let grace: Int64
    private let scratch = ScratchBuffer()

    @usableFromInline
    init(_ store: StateStore, _ user: UserCode, _ recorder: LineageRecorder, span: Int64, grace: Int64) {
        self.store = store
        self.user = user
        self.recorder = recorder
        self.span = span
        self.grace = grace
    }

    /// A buffer with what a record's row begins with, for the id to follow; to be given to ``end(_:)``.
    @usableFromInline
    func begin(_ meta: borrowing RecordMeta) -> ByteBuffer {
        let row = scratch.take()
        row.writer.append(bigEndian: UInt32(truncatingIfNeeded: meta.key.byteCount))
        row.writer.append(meta.key)
        return row
    }

    @usableFromInline
    func end(_ row: ByteBuffer) { scratch.give(row) }

    /// Whether a record is the first of its id, which is kept then; else it is counted.
    @usableFromInline
    func isFirst(_ row: ByteBuffer, _ meta: borrowing RecordMeta) throws -> Bool {
        do { return try check(row, meta) } catch {
            try user.failed(error, meta)
            return false
        }
    }

    private func check(_ row: ByteBuffer, _ meta: borrowing RecordMeta) throws -> Bool {
        let time = meta.timestamp
        // The time of what has passed, so that it is the same after a restart.
        guard time >= store.streamTime.subtractingSaturated(grace) else {
            user.dropped(.expired, meta)
            return false
        }
        let first = try store.lastRowTime(
            of: row.bytes, from: time.subtractingSaturated(span).addingSaturated(1),
            through: time.addingSaturated(span) - 1)
        if let first {
            append(first.time, to: row)
            try linkFirst(row.bytes, meta)
            user.dropped(.duplicate, meta)
            return false
        }
        append(time, to: row)
        _ = try store.write(
            row.bytes, RawSpan.empty, timestamp: time, cell: meta.lineage.cell, link: .superseded, row: nil,
            window: (time, time.addingSaturated(span)), meta)
        return true
    }

    private func append(_ time: Int64, to row: ByteBuffer) {
        row.writer.append(bigEndian: time)
        row.writer.append(bigEndian: UInt32(0))
    }

    // Who asks why a record isn't there finds the one that was first.
    private func linkFirst(_ row: RawSpan, _ meta: borrowing RecordMeta) throws {
        guard recorder.makesSpan(meta.lineage.context), try store.read(row).exists else { return }
        _ = store.readSpan(meta.lineage.context, link: .previous, store.rowContext)
    }
}
