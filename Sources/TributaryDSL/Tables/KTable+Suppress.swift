public import TributaryCore
public import TributaryLineage
public import TributaryState

extension KTable {
    /// The same table with fewer changes: those of a key wait, and only the last one is sent on.
    ///
    /// ```swift
    /// windows.count().suppress(.untilWindowCloses())
    /// accounts.suppress(.untilTimeLimit(.seconds(10), buffer: .emitEarlyWhenFull(maxRecords: 10_000)))
    /// ```
    ///
    /// A change is sent on with its own time and headers. Who reads the table's rows sees what was sent on last. What waits lies in memory and
    /// in a changelog, written at commits.
    ///
    /// - Parameters:
    ///   - suppressed: until when changes wait, and what happens when there are too many.
    ///   - named: the node's name, and with `-store` behind it the store's.
    @inlinable
    public func suppress(_ suppressed: Suppressed<Key>, named: String? = nil) -> KTable<Key, Value> {
        if let named { graph.check(name: named) }
        let name = named ?? graph.name("KTABLE-SUPPRESS-", nil)
        let storeName = graph.storeName("KTABLE-SUPPRESS-", named.map { "\($0)-store" })
        let id = graph.add(name, parents: [node])
        let settings = graph.settings(of: suppressed, name, behind: node)
        let key = keySerde
        let value = valueSerde
        if key == nil || value == nil { graph.failWithoutSerde("the suppression '\(name)'", key, value) }
        graph.addSuppression(
            storeName, settings, isGenerated: named == nil, serdes: "\(key?.name ?? "?") \(value?.name ?? "?")",
            node: id)
        let parent = source
        if parent.history != nil {
            graph.fail(.invalidSetting, "the suppression '\(name)' can't be of a table that keeps versions")
        }
        _ = parent.askForOld(graph, true)
        let sendsOld = BuildBox(false)
        let isRead = BuildBox(false)
        let buffer: @Sendable (NodeContext) throws -> SuppressionBuffer = { context in
            try .of(
                try context.services.store(storeName), context.recorder, node: name, isAggregate: parent.isAggregate,
                sendsOld: sendsOld.get(), isRead: isRead.get())
        }
        let output = TableOutput<Key, Value>()
        self.output.attach(id, name) { context in
            guard let key, let value else {
                throw TopologyError(.missingSerde, "the suppression '\(name)' has no serdes")
            }
            let user = UserCode(name, context.services)
            let forwarder = TableForwarder(
                try output.sink(in: context), key, value, try context.services.store(storeName), user,
                sendsOld: sendsOld.get())
            let suppression = Suppression(
                settings, try buffer(context), user, time: windowEnds(suppressed, key), forwarder.ofBytes())
            return suppressedInput(suppression, user, value)
        }
        return KTable(
            graph: graph, node: id, output: output, keySerde: key, valueSerde: value,
            source: TableSource(
                store: nil,
                connect: { graph, node in
                    isRead.set(true)
                    parent.connect(graph, node)
                    graph.connect(storeName, to: node)
                },
                askForOld: { graph, makesStore in
                    sendsOld.set(true)
                    return parent.askForOld(graph, makesStore)
                },
                view: { context in
                    guard let value else {
                        throw TopologyError(.missingSerde, "who reads the table of '\(name)' needs its values' serde")
                    }
                    return TableView(
                        try buffer(context), before: try parent.view(context), try context.services.store(storeName),
                        value)
                }, isAggregate: parent.isAggregate),
            // As in Kafka Streams, nothing is said of the topics that the table came from (Docs/Semantics.md, Suppression).
            sources: [node])
    }
}

/// The end of a key's window, of its bytes; nil where changes wait for a time.
@inlinable
func windowEnds<Key>(_ suppressed: Suppressed<Key>, _ key: Serde<Key>) -> ((RawSpan) throws -> Int64)? {
    guard let end = suppressed.windowEnd else { return nil }
    if let size = TimeWindowedName(key.name)?.size {
        return { bytes in
            (bytes.integer(at: bytes.byteCount - 8, as: Int64.self) ?? 0).addingSaturated(size)
        }
    }
    return { bytes in end(try key.decode(bytes)) }
}

/// The receiving end of a suppression, which keeps bytes.
@inlinable
func suppressedInput<Key, Value>(
    _ suppression: Suppression, _ user: UserCode, _ value: Serde<Value>
) -> TableInput<Key, Value> {
    let newBytes = ScratchBuffer()
    let oldBytes = ScratchBuffer()
    func take(_ new: Value?, _ old: Value?, _ meta: borrowing RecordMeta) throws {
        let one = newBytes.take()
        let other = oldBytes.take()
        defer {
            newBytes.give(one)
            oldBytes.give(other)
        }
        do {
            if let new { try value.encode(new, &one.writer) }
            if let old { try value.encode(old, &other.writer) }
        } catch {
            return try user.failed(error, meta)
        }
        try suppression.update(new == nil ? nil : one.bytes, old == nil ? nil : other.bytes, meta)
    }
    return TableInput(
        update: { _, new, old, meta in try take(new, old, meta) },
        keyless: { new, old, meta in try take(new, old, meta) },
        bytes: { new, old, meta in try suppression.update(new, old, meta) })
}

extension TableView {
    /// Rows as a suppression shows them: of a key whose change waits, what was sent on before.
    @inlinable
    convenience init(
        _ buffer: SuppressionBuffer, before parent: TableView<Key, Value>, _ store: StateStore, _ value: Serde<Value>
    ) {
        let waits = Owned(false)
        self.init(
            row: { key, meta in
                let prior = try buffer.findPrior(of: meta.key)
                waits.value = prior != .notWaiting
                switch prior {
                case .notWaiting: return try parent.row(key, meta)
                case .absent: return nil
                case .present:
                    do { return try value.decode(buffer.prior) } catch {
                        throw store.refused(error, key: meta.key)
                    }
                }
            },
            readSpan: { context, link in
                waits.value ? buffer.readSpan(context, link) : parent.readSpan(context, link)
            },
            missSpan: { context in if waits.value { buffer.missSpan(context) } else { parent.missSpan(context) } },
            lineage: { waits.value ? buffer.priorLineage : parent.lineage() },
            // As in Kafka Streams nobody knows it.
            timestamp: { waits.value ? -1 : parent.timestamp() },
            passHeaders: { origin in if !waits.value { parent.passHeaders(origin) } })
    }
}
