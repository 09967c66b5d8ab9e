public import TributaryCore
public import TributaryLineage
public import TributaryState

/// An aggregation by key in sessions: a record begins one, adds to one, or merges several.
@usableFromInline
final class SessionAggregation<Key, Aggregate> {
    @usableFromInline let rows: AggregateStore<Windowed<Key>, Aggregate>
    @usableFromInline let windows: SessionWindows
    @usableFromInline let closer: WindowCloser?
    // The key in the store, and the times of the sessions that a record touches.
    @usableFromInline let scratch = ScratchBuffer()
    @usableFromInline let found = ScratchBuffer()
    // The greatest timestamp seen, ms.
    @usableFromInline let time = Owned(Int64(-1))

    @inlinable
    init(_ rows: AggregateStore<Windowed<Key>, Aggregate>, _ windows: SessionWindows) {
        self.rows = rows
        self.windows = windows
        closer = rows.waitsForClose ? WindowCloser(rows.user.services, rows.store.name) : nil
        rows.store.beginFindingRows()
    }

    /// Brings the sessions of a record up to date; one without key is dropped.
    ///
    /// - Parameters:
    ///   - key: the record's key; nil if nobody decoded it.
    ///   - meta: the record's.
    ///   - initial: the aggregate before the first record; nil where the first value is the first aggregate.
    ///   - merge: adds a session's aggregate to those before it.
    ///   - step: adds the record.
    @inlinable
    @inline(__always)
    func update(
        _ key: Key?, _ meta: borrowing RecordMeta, initial: () -> Aggregate?,
        merge: (inout Aggregate?, Aggregate) throws -> Void, step: (inout Aggregate?) throws -> Void
    ) throws {
        guard meta.hasKey else { return rows.user.dropped(.nullKey, meta) }
        let at = meta.timestamp
        time.value = max(time.value, at)
        let close = time.value.subtractingSaturated(windows.graceTime).subtractingSaturated(windows.gapTime)
        let list = found.take()
        defer { found.give(list) }
        do {
            try rows.store.rowTimes(
                of: meta.key, from: at.subtractingSaturated(windows.gapTime), through: Int64.max,
                startingThrough: at.addingSaturated(windows.gapTime), into: list)
        } catch {
            return try rows.user.failed(error, meta)
        }
        var merged = Window(start: at, end: at)
        let count = list.count / RowTime.size
        for place in 0..<count {
            let session = RowTime.at(place, of: list.bytes)
            merged.start = min(merged.start, session.start)
            merged.end = max(merged.end, session.time)
        }
        if merged.end < close {
            rows.user.dropped(.expired, meta)
        } else {
            guard try add(key, meta, merged, list, initial: initial, merge: merge, step: step) else { return }
        }
        if let closer { try emitClosed(closer, close, meta) }
    }

    // Returns false if something threw and the handler lets the record pass.
    @inlinable
    @inline(__always)
    func add(
        _ key: Key?, _ meta: borrowing RecordMeta, _ merged: Window, _ list: ByteBuffer, initial: () -> Aggregate?,
        merge: (inout Aggregate?, Aggregate) throws -> Void, step: (inout Aggregate?) throws -> Void
    ) throws -> Bool {
        let row = scratch.take()
        defer { scratch.give(row) }
        let count = list.count / RowTime.size
        let recorder = rows.recorder
        let isTracing = recorder.makesSpan(meta.lineage.context)
        var origin = RowOrigin(cell: meta.lineage.cell, timestamp: meta.timestamp)
        var aggregate: Aggregate?
        do {
            aggregate = initial()
            for place in 0..<count {
                write(meta.key, .at(place, of: list.bytes), into: row)
                let read = try rows.store.read(row.bytes)
                guard read.exists else { continue }
                rows.store.previousSpan(meta)
                rows.store.passHeaders(to: meta.origin)
                if isTracing { origin.rows.append(rows.store.rowContext) }
                if recorder.mode == .cells { origin.cell = recorder.add(origin.cell, rows.store.valueLineage.cell) }
                try merge(&aggregate, try rows.old(read, row.bytes))
            }
        } catch {
            try rows.user.failed(rows.decoded?.lost(row.bytes) ?? error, meta)
            return false
        }
        if merged.start != meta.timestamp || merged.end != meta.timestamp {
            for place in 0..<count {
                let session = RowTime.at(place, of: list.bytes)
                guard try remove(session, key, meta, row, isTracing) else { return false }
            }
        }
        do { try step(&aggregate) } catch {
            try rows.user.failed(error, meta)
            return false
        }
        write(meta.key, RowTime(time: merged.end, start: merged.start), into: row)
        return try rows.put(
            row.bytes, window: merged, { key.map { Windowed(key: $0, window: merged) } }, aggregate, old: nil, origin,
            meta)
    }

    /// Deletes a session that is merged into another.
    @inlinable
    func remove(
        _ session: RowTime, _ key: Key?, _ meta: borrowing RecordMeta, _ row: ByteBuffer, _ isTracing: Bool
    ) throws -> Bool {
        write(meta.key, session, into: row)
        let window = Window(start: session.start, end: session.time)
        var origin = RowOrigin(cell: meta.lineage.cell, timestamp: meta.timestamp)
        origin.link = .deleted
        var old: Aggregate?
        do {
            if rows.readsOld, try rows.store.read(row.bytes).exists {
                origin.replaced = rows.store.valueLineage
                if isTracing { origin.rows.append(rows.store.rowContext) }
                old = try rows.store.decodedValue(rows.value, key: row.bytes)
            } else if isTracing, let context = try rows.store.peekContext(row.bytes) {
                origin.rows.append(context)
            }
        } catch {
            try rows.user.failed(error, meta)
            return false
        }
        return try rows.put(
            row.bytes, window: window, { key.map { Windowed(key: $0, window: window) } }, nil, old: old, origin, meta)
    }

    @inlinable
    @inline(__always)
    func write(_ key: RawSpan, _ session: RowTime, into row: ByteBuffer) {
        row.writer.removeAll()
        row.writer.append(key)
        row.writer.append(bigEndian: session.time)
        row.writer.append(bigEndian: session.start)
    }

    @inlinable
    @inline(never)
    func emitClosed(_ closer: WindowCloser, _ close: Int64, _ meta: borrowing RecordMeta) throws {
        guard closer.isDue(close), close >= 1 else { return }
        let first = max(closer.last, 0)
        try closer.emit(close) { list in
            if first < close { try rows.emit(first...(close - 1), step: 1, size: nil, list, meta) }
        }
    }
}

extension SessionAggregation {
    /// Combines a value with the aggregate, and sessions' aggregates with each other, by one closure; the first one is the aggregate.
    @inlinable
    func reduce(_ reducer: @escaping @Sendable (Aggregate, Aggregate) throws -> Aggregate) -> NodeInput<Key, Aggregate>
    {
        @inline(__always)
        func combine(_ aggregate: inout Aggregate?, _ value: Aggregate) throws {
            if let known = aggregate.take() {
                aggregate = try reducer(known, value)
            } else {
                aggregate = value
            }
        }
        return input { key, value, meta in
            try self.update(key, meta, initial: { nil }, merge: combine, step: { try combine(&$0, value) })
        }
    }

    /// Changes the aggregate by a value; asks for no key.
    @inlinable
    func aggregate<Value>(
        _ initial: @escaping @Sendable () -> Aggregate,
        _ merge: @escaping @Sendable (inout Aggregate, Aggregate) throws -> Void,
        _ change: @escaping @Sendable (inout Aggregate, Value) throws -> Void
    ) -> NodeInput<Key, Value> {
        input { key, value, meta in
            try self.update(
                key, meta, initial: initial,
                merge: { aggregate, other in
                    var known = aggregate.take() ?? initial()
                    try merge(&known, other)
                    aggregate = known
                },
                step: { aggregate in
                    var known = aggregate.take() ?? initial()
                    try change(&known, value)
                    aggregate = known
                })
        }
    }

    /// Changes the aggregate by a key and value.
    @inlinable
    func aggregateWithKey<Value>(
        _ initial: @escaping @Sendable () -> Aggregate,
        _ merge: @escaping @Sendable (inout Aggregate, Key, Aggregate) throws -> Void,
        _ change: @escaping @Sendable (inout Aggregate, Key, Value) throws -> Void
    ) -> NodeInput<Key, Value> {
        let nulls = Nullability<Value>.of()
        @inline(__always)
        func one(_ key: Key, _ value: Value, _ meta: borrowing RecordMeta) throws {
            try update(
                key, meta, initial: initial,
                merge: { aggregate, other in
                    var known = aggregate.take() ?? initial()
                    try merge(&known, key, other)
                    aggregate = known
                },
                step: { aggregate in
                    var known = aggregate.take() ?? initial()
                    try change(&known, key, value)
                    aggregate = known
                })
        }
        return NodeInput(
            call: { key, value, meta in try one(key, value, meta) },
            delete: { key, meta in
                guard let nulls else { return self.rows.user.dropped(.nullValue, meta) }
                try one(key, nulls.null(), meta)
            })
    }

    /// The receiving end of what asks for no key.
    ///
    /// Null values count in sessions, where the type has one.
    @inlinable
    func input<Value>(
        _ one: @escaping (_ key: Key?, _ value: Value, _ meta: borrowing RecordMeta) throws -> Void
    ) -> NodeInput<Key, Value> {
        let nulls = Nullability<Value>.of()
        func none(_ key: Key?, _ meta: borrowing RecordMeta) throws {
            guard let nulls else { return rows.user.dropped(meta.hasKey ? .nullValue : .nullKey, meta) }
            try one(key, nulls.null(), meta)
        }
        return NodeInput(
            call: { key, value, meta in try one(key, value, meta) }, delete: { key, meta in try none(key, meta) },
            keyless: { value, meta in try one(nil, value, meta) }, keylessDelete: { meta in try none(nil, meta) })
    }
}

extension SessionAggregation where Aggregate == Int64 {
    /// Counts records; asks neither for key nor for value.
    @inlinable
    func count<Value>() -> NodeInput<Key, Value> {
        let countsNull = Nullability<Value>.of() != nil
        let bytes: (RawSpan?, borrowing RecordMeta) throws -> Void = { content, meta in
            guard content != nil || countsNull else {
                return self.rows.user.dropped(meta.hasKey ? .nullValue : .nullKey, meta)
            }
            try self.update(
                nil, meta, initial: { 0 }, merge: { $0 = ($0 ?? 0) &+ $1 }, step: { $0 = ($0 ?? 0) &+ 1 })
        }
        return NodeInput(
            call: { _, _, meta in try bytes(RawSpan.empty, meta) }, delete: { _, meta in try bytes(nil, meta) },
            keyless: { _, meta in try bytes(RawSpan.empty, meta) }, keylessDelete: { meta in try bytes(nil, meta) },
            bytes: bytes)
    }
}
