public import TributaryCore
public import TributaryLineage
public import TributaryState

/// What an aggregation of a table does with a row's new value, and with its old one.
@usableFromInline
struct TableSteps<Key, Value, Aggregate>: Sendable {
    /// The aggregate of a group's first value.
    @usableFromInline let begin: @Sendable (Key, Value) throws -> Aggregate
    @usableFromInline let add: @Sendable (Key, Value, inout Aggregate) throws -> Void
    @usableFromInline let subtract: @Sendable (Key, Value, inout Aggregate) throws -> Void

    @inlinable
    init(
        begin: @escaping @Sendable (Key, Value) throws -> Aggregate,
        add: @escaping @Sendable (Key, Value, inout Aggregate) throws -> Void,
        subtract: @escaping @Sendable (Key, Value, inout Aggregate) throws -> Void
    ) {
        self.begin = begin
        self.add = add
        self.subtract = subtract
    }

    /// Steps that begin with an aggregate of no rows.
    @inlinable
    init(
        from initial: @escaping @Sendable () -> Aggregate,
        add: @escaping @Sendable (Key, Value, inout Aggregate) throws -> Void,
        subtract: @escaping @Sendable (Key, Value, inout Aggregate) throws -> Void
    ) {
        self.init(
            begin: { key, value in
                var aggregate = initial()
                try add(key, value, &aggregate)
                return aggregate
            }, add: add, subtract: subtract)
    }
}

/// An aggregation of a table's rows in one task: takes out what a row was, puts in what it is.
@usableFromInline
final class TableAggregation<Key, Value, Aggregate> {
    @usableFromInline let forwarder: TableForwarder<Key, Aggregate>
    @usableFromInline let store: StateStore
    @usableFromInline let user: UserCode
    @usableFromInline let recorder: LineageRecorder
    @usableFromInline let steps: TableSteps<Key, Value, Aggregate>
    @usableFromInline let nulls: Nullability<Aggregate>?
    @usableFromInline let scratch = ScratchBuffer()

    @inlinable
    init(
        _ forwarder: TableForwarder<Key, Aggregate>, _ recorder: LineageRecorder,
        _ steps: TableSteps<Key, Value, Aggregate>
    ) {
        self.forwarder = forwarder
        self.steps = steps
        self.recorder = recorder
        store = forwarder.store
        user = forwarder.user
        nulls = forwarder.value.nullability
        store.onFlush = forwarder.ofBytes()
    }

    @inlinable var input: ChangeInput<Key, Value> {
        ChangeInput { key, new, old, meta in try self.update(key, new, old, meta) }
    }

    @inlinable
    func update(_ key: Key, _ new: Value?, _ old: Value?, _ meta: borrowing RecordMeta) throws {
        let buffer = scratch.take()
        defer { scratch.give(buffer) }
        let before: Aggregate?
        var after: Aggregate?
        var timestamp = meta.timestamp
        var cell: Cell
        var replaced = Lineage.none
        let written: Lineage
        do {
            let row = try store.read(meta.key)
            before = row.exists ? try store.decodedValue(forwarder.value, key: meta.key) : nil
            cell = .empty
            if row.exists {
                replaced = store.valueLineage
                cell = replaced.cell
                store.passHeaders(to: meta.origin)
                store.previousSpan(meta)
            }
            after = before
            if let old, var aggregate = after {
                try steps.subtract(key, old, &aggregate)
                after = normal(aggregate)
                timestamp = max(timestamp, store.valueTimestamp)
                cell = subtract(cell, meta)
            }
            if let new {
                if var aggregate = after {
                    try steps.add(key, new, &aggregate)
                    after = normal(aggregate)
                } else {
                    after = normal(try steps.begin(key, new))
                }
                if row.exists { timestamp = max(meta.timestamp, store.valueTimestamp) }
                cell = recorder.add(cell, meta.lineage.cell)
            }
            if let after { try forwarder.value.encode(after, &buffer.writer) }
            if let old = meta.oldLineage, recorder.makesSpan(meta.lineage.context) {
                if old.context.isValid {
                    recorder.link(.retracted, old.context)
                } else {
                    recorder.link(.retracted, record: old)
                }
            }
            written = try store.write(
                meta.key, after == nil ? nil : buffer.bytes, after: row, timestamp: timestamp, cell: cell,
                link: .previous, row: row.exists ? replaced.context : nil,
                // A row that only goes away is not in what is left, nor is what took it away.
                parentIsTrigger: new == nil, meta)
        } catch {
            return try user.failed(error, meta)
        }
        guard !store.isCached, !store.isVersioned || !store.wasRefused else { return }
        let both: InlineArray<2, Lineage> = [written, replaced]
        let changed = meta.with(key: meta.key, timestamp: timestamp, both.span).with(
            isOutdated: store.isVersioned && store.writtenValidTo != nil)
        try forwarder.send(
            { key }, after, bytes: after == nil ? nil : buffer.bytes, old: forwarder.sendsOld ? before : nil, changed)
    }

    @inlinable
    func normal(_ aggregate: Aggregate) -> Aggregate? { nulls?.isNull(aggregate) == true ? nil : aggregate }

    // Where the old row's cell wasn't sent, what is left is not known any more.
    @inlinable
    func subtract(_ cell: Cell, _ meta: borrowing RecordMeta) -> Cell {
        guard let old = meta.oldLineage else { return cell.with(flags: Cell.gap) }
        return recorder.subtract(cell, old.cell)
    }
}

/// Sends changes of a table's rows to a repartition topic.
@inlinable
func changeSink<Key, Value>(
    _ user: UserCode, _ topic: String, _ number: Int, _ key: Serde<Key>, _ value: Serde<Value>
) -> ChangeInput<Key, Value> {
    let services = user.services
    let keyBytes = ScratchBuffer()
    let newBytes = ScratchBuffer()
    let oldBytes = ScratchBuffer()
    let all = ScratchBuffer()
    return ChangeInput { record, new, old, meta in
        let keys = keyBytes.take()
        let news = newBytes.take()
        let olds = oldBytes.take()
        let bytes = all.take()
        defer {
            keyBytes.give(keys)
            newBytes.give(news)
            oldBytes.give(olds)
            all.give(bytes)
        }
        do {
            try key.encode(record, &keys.writer)
            if let new { try value.encode(new, &news.writer) }
            if let old { try value.encode(old, &olds.writer) }
        } catch {
            return try services.serializationFailed(node: user.node, topic: topic, error, meta)
        }
        TableChange.write(new == nil ? nil : news.bytes, old == nil ? nil : olds.bytes, into: &bytes.writer)
        try services.send(
            topic: number, key: keys.bytes, partitionKeyCount: keys.count - key.keys.suffixSize, value: bytes.bytes,
            meta)
    }
}

/// Reads changes of a table's rows from a repartition topic.
@inlinable
func changeSource<Key, Value>(
    _ next: ChangeInput<Key, Value>, _ user: UserCode, _ recorder: LineageRecorder, _ key: Serde<Key>,
    _ value: Serde<Value>
) -> SourceEntry {
    SourceEntry { content, meta in
        guard meta.hasKey else { return user.dropped(.nullKey, meta) }
        guard let content else { return user.dropped(.nullValue, meta) }
        let record: Key
        var new: Value?
        var old: Value?
        do {
            let places = try TableChange.read(content)
            record = try key.decode(meta.key)
            if let place = places.new { new = try value.decode(content.extracting(place)) }
            if let place = places.old { old = try value.decode(content.extracting(place)) }
        } catch {
            return try user.services.deserializationFailed(node: user.node, error, meta)
        }
        guard old != nil, let replaced = recorder.sentElement() else { return try next.update(record, new, old, meta) }
        let both: InlineArray<2, Lineage> = [meta.lineage, replaced]
        try next.update(record, new, old, meta.with(both.span))
    }
}
