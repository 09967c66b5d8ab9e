public import TributaryCore
public import TributaryLineage
public import TributaryState

/// An aggregation's store of one task: reads the old aggregate, writes the new one, forwards what isn't cached.
@usableFromInline
final class AggregateStore<Key, Aggregate> {
    @usableFromInline let store: StateStore
    @usableFromInline let value: Serde<Aggregate>
    @usableFromInline let forwarder: TableForwarder<Key, Aggregate>
    @usableFromInline let user: UserCode
    @usableFromInline let keys: KeySchema
    @usableFromInline let isCached: Bool
    @usableFromInline let isVersioned: Bool
    // A flush gives old values itself.
    @usableFromInline let readsOld: Bool
    @usableFromInline let nulls: Nullability<Aggregate>?
    @usableFromInline let decoded: DecodedRows<Aggregate>?
    // With a cache nothing is forwarded from here, so that nothing comes back.
    @usableFromInline let cachedBuffer = ByteBuffer()
    @usableFromInline let scratch = ScratchBuffer()
    @usableFromInline let recorder: LineageRecorder
    @usableFromInline let forward: (RawSpan?, RawSpan?, borrowing RecordMeta) throws -> Void
    // Whether rows go on when their windows close, and not when they change.
    @usableFromInline let waitsForClose: Bool
    // The value that a row begins with, which another row has.
    @usableFromInline let seed = ByteBuffer(capacity: 64)

    @inlinable
    init(
        _ forwarder: TableForwarder<Key, Aggregate>, _ recorder: LineageRecorder, _ emit: EmitStrategy = .onWindowUpdate
    ) {
        self.forwarder = forwarder
        self.recorder = recorder
        waitsForClose = emit == .onWindowClose
        store = forwarder.store
        value = forwarder.value
        user = forwarder.user
        let keys = store.description.keys
        self.keys = keys
        isCached = store.isCached
        isVersioned = store.isVersioned
        readsOld = forwarder.sendsOld && !isCached && emit == .onWindowUpdate
        nulls = forwarder.value.nullability
        decoded = DecodedRows.of(forwarder.store, forwarder.value)
        decoded?.encoder = forwarder.value.encode
        let forward = forwarder.ofBytes()
        self.forward = forward
        guard !waitsForClose else { return }
        switch keys {
        case .plain: store.onFlush = forward
        case .session:
            // A session's time is its end.
            guard store.description.keepsHeaders else {
                store.onFlush = { new, old, meta in
                    try forward(new, old, meta.with(key: meta.key, timestamp: keys.time(of: meta.key)))
                }
                break
            }
            // Kafka Streams sends on those that the row has, which are none.
            store.onFlush = { new, old, meta in
                let changed = meta.with(key: meta.key, timestamp: keys.time(of: meta.key))
                try forward(new, old, changed.with(headers: RawSpan.empty))
            }
        case .window, .windowed:
            // A row's key has more in it than that of the record that goes on.
            store.onFlush = { new, old, meta in
                try forward(new, old, meta.with(key: keys.recordBytes(of: meta.key)))
            }
        }
    }

    /// Brings one row up to date, and forwards it unless a flush will.
    ///
    /// - Parameters:
    ///   - row: the row's key.
    ///   - window: the row's, for spans.
    ///   - key: the table's key; nil if nobody decoded it.
    ///   - meta: of the record.
    ///   - initial: the aggregate before the first record; nil where there is none.
    ///   - step: makes the next aggregate; gets what was read, whose aggregate is ``old(_:_:)`` if it exists.
    /// - Returns: false if something threw and the handler lets the record pass.
    @inlinable
    @inline(__always)
    func update(
        _ row: RawSpan, window: (start: Int64, end: Int64)?, _ key: () -> Key?, _ meta: borrowing RecordMeta,
        initial: () -> Aggregate?, _ step: (_ read: RowHandle, _ row: RawSpan) throws -> Aggregate
    ) throws -> Bool {
        let result: Aggregate
        var old: Aggregate?
        var replaced = Lineage.none
        let read: RowHandle
        do {
            read = try store.readHeld(row)
            if read.exists { store.previousSpan(meta) }
            if readsOld && read.exists { replaced = store.valueLineage }
            if readsOld { old = read.exists ? try self.old(read, row) : initial() }
            result = try step(read, row)
            if isCached {
                if let decoded, nulls?.isNull(result) != true {
                    let entry = store.unencodedEntry(after: read, meta)
                    if entry >= 0 {
                        decoded.hold(result, entry)
                        try store.writeHeldAggregate(row, after: read, window: window, meta)
                        return true
                    }
                }
                let (isNull, _) = try write(row, result, into: cachedBuffer, after: read, window: window, meta)
                if let decoded, !isNull { decoded.hold(result, store.writtenEntry(of: row)) }
                return true
            }
        } catch {
            try user.failed(decoded?.lost(row) ?? error, meta)
            return false
        }
        let buffer = scratch.take()
        defer { scratch.give(buffer) }
        let isNull: Bool
        let time: Int64
        do {
            (isNull, time) = try write(row, result, into: buffer, after: read, window: window, meta)
        } catch {
            try user.failed(error, meta)
            return false
        }
        if waitsForClose { return true }
        var isOutdated = false
        if isVersioned {
            if store.wasRefused { return true }
            isOutdated = store.writtenValidTo != nil
        }
        if readsOld {
            let both: InlineArray<2, Lineage> = [store.writtenLineage, replaced]
            let changed = meta.with(key: keys.recordBytes(of: row), timestamp: time, both.span).with(
                isOutdated: isOutdated
            ).with(isAnew: !read.exists)
            try forwarder.send(key, isNull ? nil : result, bytes: isNull ? nil : buffer.bytes, old: old, changed)
            return true
        }
        let lineage = CollectionOfOne(store.writtenLineage)
        let changed = meta.with(key: keys.recordBytes(of: row), timestamp: time, lineage.span).with(
            isOutdated: isOutdated
        ).with(isAnew: !read.exists)
        try forwarder.send(key, isNull ? nil : result, bytes: isNull ? nil : buffer.bytes, old: old, changed)
        return true
    }

    /// Writes the next aggregate; one that is null deletes the row.
    @inlinable
    @inline(__always)
    func write(
        _ row: RawSpan, _ aggregate: Aggregate, into buffer: ByteBuffer, after read: RowHandle,
        window: (start: Int64, end: Int64)?, _ meta: borrowing RecordMeta
    ) throws -> (isNull: Bool, timestamp: Int64) {
        if let nulls, nulls.isNull(aggregate) {
            return (true, try store.writeAggregate(row, nil, after: read, window: window, meta))
        }
        buffer.writer.removeAll()
        try value.encode(aggregate, &buffer.writer)
        return (false, try store.writeAggregate(row, buffer.bytes, after: read, window: window, meta))
    }

    /// The aggregate of the row that was read last.
    @inlinable
    @inline(__always)
    func old(_ read: RowHandle, _ row: RawSpan) throws -> Aggregate {
        if read.isSeed { return try value.decode(seed.bytes) }
        if let decoded, let known = decoded.take(store.cachedEntry(of: read)) { return known }
        return try store.decodedValue(value, key: row)
    }
}

extension AggregateStore where Aggregate == Int64 {
    /// The count of the row that was read last.
    @inlinable
    @inline(__always)
    func oldCount(_ read: RowHandle, _ row: RawSpan) throws -> Int64 {
        let bytes = read.isSeed ? seed.bytes : store.value
        guard bytes.byteCount == 8, let count = bytes.integer(at: 0, as: Int64.self) else { throw noCount(row) }
        return count
    }

    @inline(never)
    @usableFromInline
    func noCount(_ row: RawSpan) -> StoreError { store.malformed("a count has 8 bytes", key: row) }
}
