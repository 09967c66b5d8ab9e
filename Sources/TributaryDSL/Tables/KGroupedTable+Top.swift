public import TributaryCore
public import TributaryLineage
public import TributaryState

extension KGroupedTable {
    /// The members of each group that rank highest: a list, the highest first, of `count` of them at most.
    ///
    /// It is right again whenever a row of the table before changes, goes, or comes to another group: all members of a group are kept, in the order of
    /// their ranks, so that one that was cut off comes back when one before it goes. A change costs about as much as `count` members, however many
    /// there are. Of members that rank the same that one comes first whose bytes have the lower XXH3-128; members whose bytes are the same are
    /// counted.
    ///
    /// A change is passed on if it concerns the list. The list of a group without members is a delete. The timestamp is the greater of the record's and
    /// the list's before.
    ///
    /// - Parameters:
    ///   - count: how many; 1 or more.
    ///   - name: the store's name, which makes the table queryable; the members' store is called so, too, with `-members` behind.
    ///   - value: the lists' serde; nil for `.array(of:)` of the values'.
    ///   - materialized: the store's settings, if more than its name is to be said; the members' store has its type and changelog's settings.
    ///   - named: the node's name.
    ///   - rank: what a member ranks by; gives the same for the same.
    @inlinable
    public func top<Rank: Rankable>(
        _ count: Int, as name: String? = nil, value: Serde<[Value]>? = nil,
        materialized: Materialized<Key, [Value]>? = nil, named: String? = nil,
        @Returning<Rank> by rank: @escaping @Sendable (Value) throws -> Rank
    ) -> KTable<Key, [Value]> {
        let settings = materialized ?? Materialized(as: name)
        let storeName = graph.storeName("KTABLE-TOP-", settings.name)
        let changes = repartitioned(storeName, isGenerated: settings.name == nil, named)
        let nodeName = graph.name("KTABLE-TOP-", named)
        if count < 1 { graph.fail(.invalidSetting, "'\(nodeName)' lists \(count) members: it must be at least 1") }
        let id = graph.add(nodeName, parents: [changes.node])
        let output = TableOutput<Key, [Value]>()
        let key = settings.key ?? keySerde
        let lists = settings.value ?? value ?? valueSerde.map { .array(of: $0) }
        let state = TableStoreState(
            settings.description(
                graph, storeName, .timestampedKeyValue, latestWins: true, generated: settings.name == nil,
                serdes: "\(key?.name ?? "?") \(lists?.name ?? "?")"),
            node: id, graph: graph, isMaterialized: true)
        let membersName = graph.addMembers(of: storeName, id, "\(key?.name ?? "?") \(valueSerde?.name ?? "?")")
        if key == nil || valueSerde == nil {
            graph.failWithoutSerde("the aggregation '\(nodeName)'", key, valueSerde)
        }
        let member = valueSerde
        changes.output.attach(id, nodeName) { context in
            guard let lists, let member else {
                throw TopologyError(.missingSerde, "the aggregation '\(nodeName)' has no serde for its values")
            }
            let user = UserCode(nodeName, context.services)
            let forwarder = TableForwarder(
                try output.sink(in: context), key, lists, try context.services.store(state.name), user,
                sendsOld: state.sendsOld)
            let members = GroupMembers(try context.services.store(membersName), context.recorder, count)
            return TopAggregation(forwarder, context.recorder, members, member, rank).input
        }
        return KTable(
            graph: graph, node: id, output: output, keySerde: key, valueSerde: lists,
            source: TableSource(state, lists), sources: [changes.node])
    }
}

extension TopologyGraph {
    /// Adds the store of the members of groups beside that of their lists.
    @usableFromInline
    func addMembers(of lists: String, _ node: Int, _ serdes: String) -> String {
        let settings = stores[lists]?.description
        var description = StoreDescription(
            name: "\(lists)-members", kind: .members, isPersistent: settings?.isPersistent ?? true,
            isLogged: settings?.isLogged ?? true)
        description.changelogSettings = settings?.changelogSettings ?? [:]
        description.hasGeneratedName = settings?.hasGeneratedName ?? true
        description.serdes = serdes
        addStore(description)
        connect(description.name, to: node)
        return description.name
    }
}

/// Lists of a table's highest rows in one task.
@usableFromInline
final class TopAggregation<Key, Value, Rank: Rankable> {
    @usableFromInline let forwarder: TableForwarder<Key, [Value]>
    @usableFromInline let store: StateStore
    @usableFromInline let user: UserCode
    @usableFromInline let recorder: LineageRecorder
    @usableFromInline let members: GroupMembers
    @usableFromInline let member: Serde<Value>
    @usableFromInline let rank: (Value) throws -> Rank
    @usableFromInline let scratch = ScratchBuffer()

    @inlinable
    init(
        _ forwarder: TableForwarder<Key, [Value]>, _ recorder: LineageRecorder, _ members: GroupMembers,
        _ member: Serde<Value>, _ rank: @escaping (Value) throws -> Rank
    ) {
        self.forwarder = forwarder
        self.recorder = recorder
        self.members = members
        self.member = member
        self.rank = rank
        store = forwarder.store
        user = forwarder.user
        store.onFlush = forwarder.ofBytes()
    }

    @inlinable var input: ChangeInput<Key, Value> {
        ChangeInput { key, new, old, meta in try self.update(key, new, old, meta) }
    }

    @inlinable
    func place(_ value: Value, _ place: MemberPlace) throws {
        place.begin()
        try member.encode(value, &place.value.writer)
        try rank(value).appendRank(to: &place.rank.writer)
    }

    @inlinable
    func update(_ key: Key, _ new: Value?, _ old: Value?, _ meta: borrowing RecordMeta) throws {
        let buffer = scratch.take()
        defer { scratch.give(buffer) }
        let before: [Value]?
        var list: [Value] = []
        let timestamp: Int64
        var replaced = Lineage.none
        let written: Lineage
        do {
            if let new { try place(new, members.new) }
            if let old { try place(old, members.old) }
            guard try members.change(hasNew: new != nil, hasOld: old != nil, meta) else { return }
            let row = try store.read(meta.key)
            if row.exists { replaced = store.valueLineage }
            before =
                row.exists && forwarder.sendsOld ? try store.decodedValue(forwarder.value, key: meta.key) : nil
            timestamp = row.exists ? max(meta.timestamp, store.valueTimestamp) : meta.timestamp
            let cell = try members.forEach(meta) { list.append(try member.decode($0)) }
            if !list.isEmpty { try forwarder.value.encode(list, &buffer.writer) }
            if recorder.makesSpan(meta.lineage.context) {
                try members.linkListed()
                if let old = meta.oldLineage {
                    if old.context.isValid {
                        recorder.link(.retracted, old.context)
                    } else {
                        recorder.link(.retracted, record: old)
                    }
                }
            }
            written = try store.write(
                meta.key, list.isEmpty ? nil : buffer.bytes, after: row, timestamp: timestamp, cell: cell,
                link: .superseded, row: row.exists ? replaced.context : nil,
                // A member that isn't listed is not in the list, nor is what took it away.
                parentIsTrigger: !members.isNewListed, meta)
        } catch {
            return try user.failed(error, meta)
        }
        guard !store.isCached else { return }
        let both: InlineArray<2, Lineage> = [written, replaced]
        try forwarder.send(
            { key }, list.isEmpty ? nil : list, bytes: list.isEmpty ? nil : buffer.bytes, old: before,
            meta.with(key: meta.key, timestamp: timestamp, both.span))
    }
}
