public import TributaryCore
public import TributaryLineage
public import TributaryState

/// What the aggregations of one task in windows of time share: finds the open windows of a record, reads, writes, forwards.
@usableFromInline
final class WindowedAggregate<Key, Aggregate> {
    @usableFromInline let store: StateStore
    @usableFromInline let aggregate: AggregateStore<Windowed<Key>, Aggregate>
    @usableFromInline let next: NodeInput<Windowed<Key>, Aggregate>
    @usableFromInline let windows: TimeWindows
    @usableFromInline let user: UserCode
    // The key in the store: the record's, the window's start, a sequence number.
    @usableFromInline let scratch = ScratchBuffer()
    // The greatest timestamp seen, ms.
    @usableFromInline let time = Owned(Int64(-1))

    @inlinable
    init(
        _ store: StateStore, _ context: NodeContext, _ name: String, _ windows: TimeWindows,
        _ next: NodeInput<Windowed<Key>, Aggregate>, _ windowedKey: Serde<Windowed<Key>>?, _ value: Serde<Aggregate>
    ) {
        self.store = store
        self.windows = windows
        self.next = next
        aggregate = AggregateStore(store, context, name, windowedKey, value)
        user = UserCode(name, context.services)
        let forward = FlushForwarder(next, windowedKey, value, store, name, context.services).closure()
        // The store's key has a sequence number behind the window's start; the topic's has not.
        store.onFlush = { key, content, meta in
            let short = KeySchema.window.recordBytes(of: key)
            try forward(short, content, meta.with(key: short))
        }
    }

    /// Brings every open window of a record up to date.
    ///
    /// - Parameter step: makes the new aggregate; told whether there is one already, which is then ``old(_:)``, and the row's key.
    @inlinable
    @inline(__always)
    func update(_ meta: borrowing RecordMeta, _ step: (_ exists: Bool, _ key: RawSpan) throws -> Aggregate) throws {
        guard meta.hasKey else { return user.dropped(.nullKey, meta) }
        time.value = max(time.value, meta.timestamp)
        let close = time.value.subtractingSaturated(windows.graceTime)
        let key = scratch.take()
        defer { scratch.give(key) }
        var start = windows.firstStart(of: meta.timestamp)
        var isOpen = start <= meta.timestamp
        while isOpen {
            let end = start.addingReportingOverflow(windows.sizeTime)
            // Behind the last start that there is comes none.
            let following = start.addingReportingOverflow(windows.advanceTime)
            defer {
                start = following.partialValue
                isOpen = !following.overflow && start <= meta.timestamp
            }
            // A window that ends behind the greatest time is never over.
            guard end.overflow || end.partialValue > close else {
                user.dropped(.expired, meta)
                continue
            }
            key.writer.removeAll()
            key.writer.append(meta.key)
            key.writer.append(bigEndian: start)
            key.writer.append(bigEndian: UInt32(0))
            let result: Aggregate
            let written: Int64
            do {
                let exists = try store.read(key.bytes)
                if exists { store.previousSpan(meta) }
                result = try step(exists, key.bytes)
                written = try aggregate.write(
                    key.bytes, result, exists: exists, window: (start, windows.end(ofStart: start)), meta)
            } catch {
                return try user.failed(error, meta)
            }
            guard !aggregate.isCached else { continue }
            let lineage = CollectionOfOne(store.writtenLineage)
            let short = KeySchema.window.recordBytes(of: key.bytes)
            try aggregate.forwardKeyless(next, result, meta.with(key: short, timestamp: written, lineage.span))
        }
    }

    /// The aggregate of the window at hand.
    @inlinable
    func old(_ key: RawSpan) throws -> Aggregate { try store.decodedValue(aggregate.value, key: key) }

    /// Counts a record whose value is null, in a type without null.
    @inlinable
    func dropped(_ meta: borrowing RecordMeta) { user.dropped(meta.hasKey ? .nullValue : .nullKey, meta) }
}

extension WindowedAggregate where Aggregate == Int64 {
    // Counting asks neither for key nor for value. Null values count in windows (semantics 1.4), where the type has one.
    @inlinable
    func count<Value>() -> NodeInput<Key, Value> {
        let countsNull = Nullability<Value>.of() != nil
        let one: (borrowing RecordMeta) throws -> Void = { [self] meta in
            try update(meta) { exists, key in exists ? try old(key) &+ 1 : 1 }
        }
        let null: (borrowing RecordMeta) throws -> Void = { [self] meta in
            if countsNull { try one(meta) } else { dropped(meta) }
        }
        return NodeInput(
            call: { _, _, meta in try one(meta) }, delete: { _, meta in try null(meta) },
            keyless: { _, meta in try one(meta) }, keylessDelete: null,
            bytes: { content, meta in if content == nil { try null(meta) } else { try one(meta) } })
    }
}

extension WindowedAggregate {
    @inlinable
    func reduce(_ reducer: @escaping @Sendable (Aggregate, Aggregate) throws -> Aggregate) -> NodeInput<Key, Aggregate>
    {
        let nulls = Nullability<Aggregate>.of()
        let one: (Aggregate, borrowing RecordMeta) throws -> Void = { [self] value, meta in
            try update(meta) { exists, key in exists ? try reducer(try old(key), value) : value }
        }
        let null: (borrowing RecordMeta) throws -> Void = { [self] meta in
            if let nulls { try one(nulls.null(), meta) } else { dropped(meta) }
        }
        return NodeInput(
            call: { _, value, meta in try one(value, meta) }, delete: { _, meta in try null(meta) },
            keyless: one, keylessDelete: null)
    }

    /// An aggregation whose closure sees the value alone: it asks for no key.
    @inlinable
    func aggregate<Value>(
        _ initial: @escaping @Sendable () -> Aggregate,
        _ change: @escaping @Sendable (inout Aggregate, Value) throws -> Void
    ) -> NodeInput<Key, Value> {
        let nulls = Nullability<Value>.of()
        let one: (Value, borrowing RecordMeta) throws -> Void = { [self] value, meta in
            try update(meta) { exists, row in
                var result = exists ? try old(row) : initial()
                try change(&result, value)
                return result
            }
        }
        let null: (borrowing RecordMeta) throws -> Void = { [self] meta in
            if let nulls { try one(nulls.null(), meta) } else { dropped(meta) }
        }
        return NodeInput(
            call: { [self] _, value, meta in
                try update(meta) { exists, row in
                    var result = exists ? try old(row) : initial()
                    try change(&result, value)
                    return result
                }
            },
            delete: { _, meta in try null(meta) }, keyless: one, keylessDelete: null)
    }

    /// An aggregation whose closure sees the key too.
    @inlinable
    func aggregateWithKey<Value>(
        _ initial: @escaping @Sendable () -> Aggregate,
        _ change: @escaping @Sendable (inout Aggregate, Key, Value) throws -> Void
    ) -> NodeInput<Key, Value> {
        let nulls = Nullability<Value>.of()
        let one: (Key, Value, borrowing RecordMeta) throws -> Void = { [self] key, value, meta in
            try update(meta) { exists, row in
                var result = exists ? try old(row) : initial()
                try change(&result, key, value)
                return result
            }
        }
        return NodeInput(
            call: one,
            delete: { [self] key, meta in
                if let nulls { try one(key, nulls.null(), meta) } else { dropped(meta) }
            })
    }
}
