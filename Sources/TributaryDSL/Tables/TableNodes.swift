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
    private let old = ScratchBuffer()

    @usableFromInline
    init(_ store: StateStore, _ user: UserCode, _ recorder: LineageRecorder, sendsOld: Bool) {
        self.store = store
        self.user = user
        self.recorder = recorder
        self.sendsOld = sendsOld
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
        let written: Lineage
        do { written = try write(value, meta) } catch { return try user.failed(error, meta) }
        guard !store.isCached else { return }
        let lineage = CollectionOfOne(written)
        try forward(nil, meta.with(lineage.span))
    }

    private func write(_ value: RawSpan?, _ meta: borrowing RecordMeta) throws -> Lineage {
        // Kafka Streams reads the row that is replaced, which a cache then holds, and what it holds decides what is evicted.
        // Without a cache nobody can tell: there it is only looked up where a span will link to it.
        var row = RowHandle.none
        var context: TraceContext?
        if store.isCached {
            row = try store.read(meta.key)
            if row.exists { context = store.rowContext }
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
        do {
            row = try store.read(meta.key)
            if row.exists { buffer.writer.append(store.value) }
            written = try store.write(
                meta.key, value, after: row, timestamp: meta.timestamp, cell: meta.lineage.cell, link: .superseded,
                row: row.exists ? store.rowContext : nil, meta)
        } catch {
            return try user.failed(error, meta)
        }
        let lineage = CollectionOfOne(written)
        try forward(row.exists ? buffer.bytes : nil, meta.with(lineage.span))
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
        let store = try context.services.store(state.name)
        let table = LatestValueTable(store, user, context.recorder, sendsOld: state.sendsOld)
        let forwarder = TableForwarder(next, key, value, store, user, sendsOld: state.sendsOld)
        let forward = forwarder.ofBytes()
        store.onFlush = forward
        let nulls = Nullability<Value>.of()
        let scratch = ScratchBuffer()
        func put(_ record: Key, _ content: Value?, _ bytes: RawSpan?, _ meta: borrowing RecordMeta) throws {
            try table.put(bytes, meta) { old, meta in
                // Whoever wants old values gets both as they are stored.
                guard old == nil else { return try forward(bytes, old, meta) }
                try forwarder.send({ record }, content, bytes: bytes, old: nil, meta)
            }
        }
        return NodeInput(
            call: { record, content, meta in
                guard table.accepts(meta) else { return }
                if let nulls, nulls.isNull(content) { return try put(record, nil, nil, meta) }
                let buffer = scratch.take()
                defer { scratch.give(buffer) }
                guard try user.run(meta, { try value.encode(content, &buffer.writer) }) != nil else { return }
                try put(record, content, buffer.bytes, meta)
            },
            delete: { record, meta in try put(record, nil, nil, meta) },
            bytes: { content, meta in try table.put(content, meta) { try forward(content, $0, $1) } })
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
