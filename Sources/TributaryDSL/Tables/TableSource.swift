public import TributaryCore
public import TributaryLineage
public import TributaryState

/// What a table is read from while a topology is built: its own store, or the stores of the tables that it is made of.
@usableFromInline
final class TableSource<Key, Value>: Sendable {
    /// The store of the table's own, where it may have one.
    @usableFromInline let store: TableStoreState?
    /// Makes what the table's rows are read from exist, and connects it to a node that reads them.
    @usableFromInline let connect: @Sendable (TopologyGraph, _ node: Int) -> Void
    /// Has the table's changes come with old values; does nothing and answers false if that takes a store, and none is to be made.
    @usableFromInline let askForOld: @Sendable (TopologyGraph, _ makesStore: Bool) -> Bool
    /// Makes what reads rows in a task.
    @usableFromInline let view: @Sendable (NodeContext) throws -> TableView<Key, Value>
    /// Whether what a change of a row replaces is part of what it is now.
    @usableFromInline let isAggregate: Bool
    /// Makes what reads rows as they were at the time of the record that asks; nil where no versions are kept.
    @usableFromInline let pastView: (@Sendable (NodeContext) throws -> TableView<Key, Value>)?
    /// How long versions are kept, ms; nil for a table whose changes all count as the newest.
    @usableFromInline let history: Int64?

    @usableFromInline
    init(
        store: TableStoreState?, connect: @escaping @Sendable (TopologyGraph, _ node: Int) -> Void,
        askForOld: @escaping @Sendable (TopologyGraph, _ makesStore: Bool) -> Bool,
        view: @escaping @Sendable (NodeContext) throws -> TableView<Key, Value>, isAggregate: Bool = false,
        pastView: (@Sendable (NodeContext) throws -> TableView<Key, Value>)? = nil, history: Int64? = nil
    ) {
        self.store = store
        self.connect = connect
        self.askForOld = askForOld
        self.view = view
        self.isAggregate = isAggregate
        self.pastView = pastView
        self.history = history
    }

    /// A table whose rows are in a store of its own, where somebody needs them.
    @inlinable
    convenience init(_ store: TableStoreState, _ value: Serde<Value>?) {
        var past: (@Sendable (NodeContext) throws -> TableView<Key, Value>)?
        if store.history != nil {
            past = { context in try storeView(store.name, value, ofPast: true, context) }
        }
        self.init(
            store: store,
            connect: { graph, node in
                store.require(graph)
                graph.connect(store.name, to: node)
            },
            askForOld: { graph, makesStore in
                guard makesStore || store.isMaterialized else { return false }
                store.requireOldValues(graph)
                return true
            },
            view: { context in try storeView(store.name, value, ofPast: false, context) },
            isAggregate: store.isAggregate,
            pastView: past, history: store.history)
    }

    /// A table that is made of another's rows one by one.
    @inlinable
    convenience init<Parent>(
        of parent: TableSource<Key, Parent>, sendsOld: BuildBox<Bool>, keepsVersions: Bool = true,
        _ change: @escaping @Sendable (Key, Parent) throws -> Value?
    ) {
        var past: (@Sendable (NodeContext) throws -> TableView<Key, Value>)?
        if let view = parent.pastView { past = { context in TableView(of: try view(context), change) } }
        self.init(
            store: nil, connect: parent.connect,
            askForOld: { graph, makesStore in
                guard parent.askForOld(graph, makesStore) else { return false }
                sendsOld.set(true)
                return true
            },
            view: { context in TableView(of: try parent.view(context), change) }, isAggregate: parent.isAggregate,
            pastView: past,
            history: keepsVersions ? parent.history : nil)
    }
}

/// Reads a store's rows; those of the past as they were at the time of the record that asks.
@inlinable
func storeView<Key, Value>(
    _ store: String, _ value: Serde<Value>?, ofPast: Bool, _ context: NodeContext
) throws -> TableView<Key, Value> {
    guard let value else {
        throw TopologyError(.missingSerde, "who reads the table of '\(store)' needs its values' serde")
    }
    return TableView(try context.services.store(store), value, ofPast: ofPast)
}

/// Reads a table's rows in one task.
@usableFromInline
final class TableView<Key, Value> {
    /// The row of a key, whose bytes are in the metadata; nil if there is none.
    @usableFromInline let row: (Key, borrowing RecordMeta) throws -> Value?
    /// Makes the span of the last read, which found a row, under a parent, and returns its context.
    @usableFromInline let readSpan: (_ parent: TraceContext, LinkType) -> TraceContext
    /// Makes the span of the last read, which found none.
    @usableFromInline let missSpan: (_ parent: TraceContext) -> Void
    /// What the row that was read last was made of, until the next read or write.
    @usableFromInline let lineage: () -> Lineage
    /// Its timestamp.
    @usableFromInline let timestamp: () -> Int64
    /// Lets its headers on the propagation list go on with the record at a place.
    @usableFromInline let passHeaders: (RecordOrigin) -> Void

    @usableFromInline
    init(
        row: @escaping (Key, borrowing RecordMeta) throws -> Value?,
        readSpan: @escaping (_ parent: TraceContext, LinkType) -> TraceContext,
        missSpan: @escaping (_ parent: TraceContext) -> Void, lineage: @escaping () -> Lineage,
        timestamp: @escaping () -> Int64, passHeaders: @escaping (RecordOrigin) -> Void
    ) {
        self.row = row
        self.readSpan = readSpan
        self.missSpan = missSpan
        self.lineage = lineage
        self.timestamp = timestamp
        self.passHeaders = passHeaders
    }

    /// The rows of a store.
    @inlinable
    convenience init(_ store: StateStore, _ value: Serde<Value>, ofPast: Bool = false) {
        let decoded = DecodedRows.of(store, value)
        let read = Owned(RowHandle.none)
        // The key of a row has a sequence number, which is 0 in all tables, behind that of a record.
        let longer = store.description.keys == .window ? ByteBuffer() : nil
        func find(_ key: RawSpan) throws -> RowHandle {
            decoded == nil ? try store.read(key) : try store.readHeld(key)
        }
        self.init(
            row: { _, meta in
                if ofPast {
                    read.value = try store.read(meta.key, at: meta.timestamp)
                } else if let longer {
                    longer.writer.removeAll()
                    longer.writer.append(meta.key)
                    longer.writer.append(bigEndian: UInt32(0))
                    read.value = try find(longer.bytes)
                } else {
                    read.value = try find(meta.key)
                }
                guard read.value.exists else { return nil }
                let entry = store.cachedEntry(of: read.value)
                if let decoded, let known = decoded.value(entry) { return known }
                let content = try store.decodedValue(value, key: meta.key)
                if let decoded { decoded.hold(content, entry) }
                return content
            },
            readSpan: { parent, link in store.readSpan(parent, link: link, store.valueLineage.context) },
            missSpan: { parent in store.missSpan(read.value, parent) },
            lineage: { store.valueLineage }, timestamp: { store.valueTimestamp },
            passHeaders: { store.passHeaders(to: $0) })
    }

    /// Rows that are made of another table's, with the lineage and timestamp of those.
    @inlinable
    convenience init<Parent>(
        of parent: TableView<Key, Parent>, _ change: @escaping @Sendable (Key, Parent) throws -> Value?
    ) {
        let nulls = Nullability<Value>.of()
        self.init(
            row: { key, meta in
                guard let row = try parent.row(key, meta), let result = try change(key, row) else { return nil }
                return nulls?.isNull(result) == true ? nil : result
            },
            readSpan: parent.readSpan, missSpan: parent.missSpan, lineage: parent.lineage,
            timestamp: parent.timestamp, passHeaders: parent.passHeaders)
    }
}
