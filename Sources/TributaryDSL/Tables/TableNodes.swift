public import TributaryCore
public import TributaryLineage
public import TributaryState

/// The part of a latest-value table that does not depend on its types: drops null keys and writes the store.
@usableFromInline
final class LatestValueTable {
    private let store: StateStore
    private let user: UserCode
    private let recorder: LineageRecorder
    private let sendsOld: Bool
    private let readsRow: Bool
    private let isFilter: Bool
    private let isVersioned: Bool
    private let old = ScratchBuffer()

    /// Makes the part.
    ///
    /// - Parameters:
    ///   - sendsOld: whether a node behind asked for old values.
    ///   - readsRow: whether Kafka Streams reads the row that is replaced, which a cache then holds.
    ///   - isFilter: whether the delete of a row that isn't there is nothing where that is known.
    @usableFromInline
    init(
        _ store: StateStore, _ user: UserCode, _ recorder: LineageRecorder, sendsOld: Bool, readsRow: Bool = true,
        isFilter: Bool = false
    ) {
        self.store = store
        self.user = user
        self.recorder = recorder
        self.sendsOld = sendsOld
        self.readsRow = readsRow
        self.isFilter = isFilter
        isVersioned = store.isVersioned
    }

    /// Whether a record has a key; one that has none is counted.
    @usableFromInline
    func accepts(_ meta: borrowing RecordMeta) -> Bool {
        if meta.hasKey { return true }
        user.dropped(.nullKey, meta)
        return false
    }

    /// Writes a record's value (nil: deletes), and forwards it, with the old one where a node behind asked for it, unless a
    /// flush will.
    @usableFromInline
    func put(
        _ value: RawSpan?, _ meta: borrowing RecordMeta,
        forward: (_ old: RawSpan?, borrowing RecordMeta) throws -> Void
    ) throws {
        guard accepts(meta) else { return }
        if sendsOld && !store.isCached { return try putKeepingOld(value, meta, forward) }
        let written: Lineage?
        do { written = try write(value, meta) } catch { return try user.failed(error, meta) }
        guard let written, !store.isCached, !isVersioned || !store.wasRefused else { return }
        let isOutdated = isVersioned && store.writtenValidTo != nil
        if let old = meta.oldLineage {
            let both: InlineArray<2, Lineage> = [written, old]
            return try forward(nil, meta.with(both.span).with(isOutdated: isOutdated))
        }
        let lineage = CollectionOfOne(written)
        try forward(nil, meta.with(lineage.span).with(isOutdated: isOutdated))
    }

    // Nil if nothing was to be written.
    private func write(_ value: RawSpan?, _ meta: borrowing RecordMeta) throws -> Lineage? {
        // What a cache holds decides what is evicted, so it gets what Kafka Streams reads, and nothing else. Without a cache nobody can
        // tell: there the row is only looked up where a span will link to it.
        var row = RowHandle.none
        var context: TraceContext?
        if store.isCached && readsRow {
            row = try store.read(meta.key)
            if row.exists { context = store.rowContext }
            if isFilter && sendsOld && value == nil && !row.exists { return nil }
        } else if recorder.makesSpan(meta.lineage.context) {
            context = try store.peekContext(meta.key)
        }
        return try store.write(
            meta.key, value, after: row, timestamp: meta.timestamp, cell: meta.lineage.cell, link: .superseded,
            row: context, meta)
    }

    private func putKeepingOld(
        _ value: RawSpan?, _ meta: borrowing RecordMeta,
        _ forward: (_ old: RawSpan?, borrowing RecordMeta) throws -> Void
    ) throws {
        let buffer = old.take()
        defer { old.give(buffer) }
        let row: RowHandle
        let written: Lineage
        var replaced = Lineage.none
        do {
            row = try store.read(meta.key)
            if row.exists { replaced = store.valueLineage }
            if row.exists { buffer.writer.append(store.value) }
            if isFilter && !isVersioned && value == nil && !row.exists { return }
            written = try store.write(
                meta.key, value, after: row, timestamp: meta.timestamp, cell: meta.lineage.cell, link: .superseded,
                row: row.exists ? store.rowContext : nil, meta)
        } catch {
            return try user.failed(error, meta)
        }
        if isVersioned && store.wasRefused { return }
        let isOutdated = isVersioned && store.writtenValidTo != nil
        let lineage: InlineArray<2, Lineage> = [written, replaced]
        try forward(row.exists ? buffer.bytes : nil, meta.with(lineage.span).with(isOutdated: isOutdated))
    }
}

/// Writes the rows of a table into its store, and forwards what isn't cached.
@usableFromInline
final class TableWriter<Key, Value> {
    @usableFromInline let table: LatestValueTable
    @usableFromInline let user: UserCode
    @usableFromInline let value: Serde<Value>
    @usableFromInline let forwarder: TableForwarder<Key, Value>
    @usableFromInline let forward: (RawSpan?, RawSpan?, borrowing RecordMeta) throws -> Void
    @usableFromInline let scratch = ScratchBuffer()

    @inlinable
    init(
        _ next: TableInput<Key, Value>, _ key: Serde<Key>?, _ value: Serde<Value>, _ store: StateStore,
        _ user: UserCode, _ recorder: LineageRecorder, sendsOld: Bool, readsRow: Bool = true, isFilter: Bool = false,
        givesOld: Bool = false
    ) {
        table = LatestValueTable(
            store, user, recorder, sendsOld: sendsOld && !givesOld, readsRow: readsRow, isFilter: isFilter)
        self.user = user
        self.value = value
        forwarder = TableForwarder(next, key, value, store, user, sendsOld: sendsOld)
        forward = forwarder.ofBytes()
        store.onFlush = forward
    }

    /// Writes a row's value; nil deletes it.
    @inlinable
    @inline(__always)
    func write(_ key: Key, _ content: Value?, _ meta: borrowing RecordMeta) throws {
        guard let content else { return try put(key, nil, nil, meta) }
        let buffer = scratch.take()
        defer { scratch.give(buffer) }
        guard try user.run(meta, { try value.encode(content, &buffer.writer) }) != nil else { return }
        try put(key, content, buffer.bytes, meta)
    }

    @inlinable
    @inline(__always)
    func put(_ key: Key, _ content: Value?, _ bytes: RawSpan?, _ meta: borrowing RecordMeta) throws {
        try table.put(bytes, meta) { old, meta in
            // Whoever wants old values gets both as they are stored.
            guard old == nil else { return try forward(bytes, old, meta) }
            try forwarder.send({ key }, content, bytes: bytes, old: nil, meta)
        }
    }

    /// Writes a row's value, and forwards it with an old one that is not what the store had.
    @inlinable
    func write(_ key: Key, _ content: Value?, old: Value?, _ meta: borrowing RecordMeta) throws {
        guard let content else {
            return try table.put(nil, meta) { try forwarder.send({ key }, nil, bytes: nil, old: old, $1) }
        }
        let buffer = scratch.take()
        defer { scratch.give(buffer) }
        guard try user.run(meta, { try value.encode(content, &buffer.writer) }) != nil else { return }
        try table.put(buffer.bytes, meta) {
            try forwarder.send({ key }, content, bytes: buffer.bytes, old: old, $1)
        }
    }

    /// Writes a row's value that is bytes already.
    @inlinable
    func put(_ content: RawSpan?, _ meta: borrowing RecordMeta) throws {
        try table.put(content, meta) { try forward(content, $0, $1) }
    }
}

/// Attaches the node that keeps the latest value of each key.
@inlinable
func attachTableSource<Key, Value>(
    _ input: Output<Key, Value>, _ node: Int, _ name: String, _ state: TableStoreState,
    _ output: TableOutput<Key, Value>, key: Serde<Key>?, value: Serde<Value>?
) {
    input.attach(node, name) { context in
        let next = try output.sink(in: context)
        let user = UserCode(name, context.services)
        guard state.isMaterialized, let value else { return passedTable(next, user) }
        let writer = TableWriter(
            next, key, value, try context.services.store(state.name), user, context.recorder, sendsOld: state.sendsOld)
        let nulls = Nullability<Value>.of()
        return NodeInput(
            call: { record, content, meta in
                guard writer.table.accepts(meta) else { return }
                try writer.write(record, nulls?.isNull(content) == true ? nil : content, meta)
            },
            delete: { record, meta in try writer.write(record, nil, meta) },
            bytes: { content, meta in try writer.put(content, meta) })
    }
}

/// What stands for a table that nobody asked to keep its rows.
@inlinable
func passedTable<Key, Value>(_ next: TableInput<Key, Value>, _ user: UserCode) -> NodeInput<Key, Value> {
    let nulls = Nullability<Value>.of()
    var keyless: ((Value, borrowing RecordMeta) throws -> Void)?
    var keylessDelete: ((borrowing RecordMeta) throws -> Void)?
    if let update = next.keyless {
        keyless = { value, meta in
            guard meta.hasKey else { return user.dropped(.nullKey, meta) }
            try update(nulls?.isNull(value) == true ? nil : value, nil, meta)
        }
        keylessDelete = { meta in
            guard meta.hasKey else { return user.dropped(.nullKey, meta) }
            try update(nil, nil, meta)
        }
    }
    var bytes: ((RawSpan?, borrowing RecordMeta) throws -> Void)?
    if let update = next.bytes {
        bytes = { content, meta in
            guard meta.hasKey else { return user.dropped(.nullKey, meta) }
            try update(content, nil, meta)
        }
    }
    return NodeInput(
        call: { key, value, meta in
            guard meta.hasKey else { return user.dropped(.nullKey, meta) }
            try next.update(key, nulls?.isNull(value) == true ? nil : value, nil, meta)
        },
        delete: { key, meta in
            guard meta.hasKey else { return user.dropped(.nullKey, meta) }
            try next.update(key, nil, nil, meta)
        },
        keyless: keyless, keylessDelete: keylessDelete, bytes: bytes)
}
