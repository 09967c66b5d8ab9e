public import TributaryCore
public import TributaryLineage
public import TributaryState

/// An aggregate's store, as aggregation nodes use it: reads the old aggregate, writes the new one, forwards what isn't cached.
@usableFromInline
final class AggregateStore<Key, Aggregate> {
    @usableFromInline let store: StateStore
    @usableFromInline let recorder: LineageRecorder
    @usableFromInline let key: Serde<Key>?
    @usableFromInline let value: Serde<Aggregate>
    @usableFromInline let isCached: Bool
    @usableFromInline let nulls: Nullability<Aggregate>?
    @usableFromInline let scratch = ByteBuffer()
    @usableFromInline let node: String
    @usableFromInline let services: any TaskServices

    @inlinable
    init(
        _ store: StateStore, _ context: NodeContext, _ node: String, _ key: Serde<Key>?, _ value: Serde<Aggregate>
    ) {
        self.store = store
        self.node = node
        services = context.services
        recorder = context.recorder
        self.key = key
        self.value = value
        isCached = store.isCached
        nulls = value.nullability
    }

    /// Writes the new aggregate of the key that was read last, and returns its timestamp.
    @inlinable
    @inline(__always)
    func write(
        _ key: RawSpan, _ aggregate: Aggregate, exists: Bool, window: (start: Int64, end: Int64)? = nil,
        _ meta: borrowing RecordMeta
    ) throws -> Int64 {
        if let nulls, nulls.isNull(aggregate) {
            return try store.writeAggregate(key, nil, exists: exists, window: window, meta)
        }
        scratch.writer.removeAll()
        try value.encode(aggregate, &scratch.writer)
        return try store.writeAggregate(key, scratch.bytes, exists: exists, window: window, meta)
    }

    /// Brings the aggregate of a record's key up to date.
    ///
    /// Returns the new aggregate and its timestamp; nil if something threw and the handler lets the record pass.
    @inlinable
    @inline(__always)
    func update(
        _ meta: borrowing RecordMeta, _ initial: () -> Aggregate, _ step: (inout Aggregate) throws -> Void
    ) throws -> (Aggregate, Int64)? {
        do {
            let exists = try store.read(meta.key)
            if exists { store.previousSpan(meta) }
            var result = exists ? try store.decodedValue(value, key: meta.key) : initial()
            try step(&result)
            let time = try write(meta.key, result, exists: exists, meta)
            return (result, time)
        } catch {
            try services.processingFailed(node: node, error, meta)
            return nil
        }
    }

    /// Forwards a new aggregate that wasn't cached, when the key has not been decoded.
    ///
    /// One that is null goes as such: a type that has a null has no tombstones.
    @inlinable
    func forwardKeyless(
        _ next: NodeInput<Key, Aggregate>, _ aggregate: Aggregate, _ meta: borrowing RecordMeta
    ) throws {
        if let keyless = next.keyless { return try keyless(aggregate, meta) }
        guard let key else {
            throw TopologyError(
                "a node below an aggregation needs the key's serde: give key: where the stream is grouped")
        }
        let record: Key
        do { record = try key.decode(meta.key) } catch {
            return try services.deserializationFailed(node: node, error, meta)
        }
        try next.call(record, aggregate, meta)
    }
}

/// Makes the receiving ends of unwindowed aggregations.
///
/// Each is specialised where the DSL function is called.
@usableFromInline
enum AggregateNodes {
    // Counting asks neither for key nor for value: it works on bytes alone.
    @inlinable
    static func count<Key, Value>(
        _ aggregate: AggregateStore<Key, Int64>, _ next: NodeInput<Key, Int64>, _ services: any TaskServices,
        _ name: String
    ) -> NodeInput<Key, Value> {
        let nulls = Nullability<Value>.of()
        let store = aggregate.store
        let isCached = aggregate.isCached
        let bytes: (RawSpan?, borrowing RecordMeta) throws -> Void = { content, meta in
            guard meta.hasKey else { return services.dropped(.nullKey, node: name, meta) }
            guard content != nil else { return services.dropped(.nullValue, node: name, meta) }
            var old: Int64 = 0
            let time: Int64
            do {
                let exists = try store.read(meta.key)
                if exists {
                    guard store.value.byteCount == 8, let count = store.value.integer(at: 0, as: Int64.self) else {
                        throw store.malformed("a count has 8 bytes", key: meta.key)
                    }
                    old = count
                    store.previousSpan(meta)
                }
                time = try aggregate.write(meta.key, old &+ 1, exists: exists, meta)
            } catch {
                return try services.processingFailed(node: name, error, meta)
            }
            if !isCached {
                let lineage = CollectionOfOne(store.writtenLineage)
                try aggregate.forwardKeyless(next, old &+ 1, meta.with(timestamp: time, lineage.span))
            }
        }
        let empty: (borrowing RecordMeta) -> Void = { meta in
            services.dropped(meta.hasKey ? .nullValue : .nullKey, node: name, meta)
        }
        return NodeInput(
            call: { _, value, meta in
                if let nulls, nulls.isNull(value) { return empty(meta) }
                try bytes(RawSpan.empty, meta)
            },
            delete: { _, meta in empty(meta) },
            keyless: { value, meta in
                if let nulls, nulls.isNull(value) { return empty(meta) }
                try bytes(RawSpan.empty, meta)
            },
            keylessDelete: { meta in empty(meta) }, bytes: bytes)
    }

    @inlinable
    static func reduce<Key, Value>(
        _ aggregate: AggregateStore<Key, Value>, _ next: NodeInput<Key, Value>, _ services: any TaskServices,
        _ name: String, _ reducer: @escaping @Sendable (Value, Value) throws -> Value
    ) -> NodeInput<Key, Value> {
        let nulls = Nullability<Value>.of()
        let store = aggregate.store
        let keyless: (Value, borrowing RecordMeta) throws -> Void = { value, meta in
            guard meta.hasKey else { return services.dropped(.nullKey, node: name, meta) }
            if let nulls, nulls.isNull(value) { return services.dropped(.nullValue, node: name, meta) }
            var result = value
            let time: Int64
            do {
                let exists = try store.read(meta.key)
                if exists {
                    store.previousSpan(meta)
                    result = try reducer(try store.decodedValue(aggregate.value, key: meta.key), value)
                }
                time = try aggregate.write(meta.key, result, exists: exists, meta)
            } catch {
                return try services.processingFailed(node: name, error, meta)
            }
            if !aggregate.isCached {
                let lineage = CollectionOfOne(store.writtenLineage)
                try aggregate.forwardKeyless(next, result, meta.with(timestamp: time, lineage.span))
            }
        }
        let empty: (borrowing RecordMeta) -> Void = { meta in
            services.dropped(meta.hasKey ? .nullValue : .nullKey, node: name, meta)
        }
        return NodeInput(
            call: { _, value, meta in try keyless(value, meta) }, delete: { _, meta in empty(meta) }, keyless: keyless,
            keylessDelete: { meta in empty(meta) })
    }

    /// An aggregation whose closure sees the value alone: it asks for no key.
    @inlinable
    static func aggregate<Key, Value, Aggregate>(
        _ aggregate: AggregateStore<Key, Aggregate>, _ next: NodeInput<Key, Aggregate>, _ services: any TaskServices,
        _ name: String, _ initial: @escaping @Sendable () -> Aggregate,
        _ update: @escaping @Sendable (inout Aggregate, Value) throws -> Void
    ) -> NodeInput<Key, Value> {
        let nulls = Nullability<Value>.of()
        let empty: (borrowing RecordMeta) -> Void = { meta in
            services.dropped(meta.hasKey ? .nullValue : .nullKey, node: name, meta)
        }
        return NodeInput(
            call: { key, value, meta in
                guard meta.hasKey else { return services.dropped(.nullKey, node: name, meta) }
                if let nulls, nulls.isNull(value) { return services.dropped(.nullValue, node: name, meta) }
                let updated = try aggregate.update(meta, initial) { try update(&$0, value) }
                guard let (result, time) = updated, !aggregate.isCached else { return }
                let lineage = CollectionOfOne(aggregate.store.writtenLineage)
                try next.call(key, result, meta.with(timestamp: time, lineage.span))
            },
            delete: { _, meta in empty(meta) },
            keyless: { value, meta in
                guard meta.hasKey else { return services.dropped(.nullKey, node: name, meta) }
                if let nulls, nulls.isNull(value) { return services.dropped(.nullValue, node: name, meta) }
                let updated = try aggregate.update(meta, initial) { try update(&$0, value) }
                guard let (result, time) = updated, !aggregate.isCached else { return }
                let lineage = CollectionOfOne(aggregate.store.writtenLineage)
                try aggregate.forwardKeyless(next, result, meta.with(timestamp: time, lineage.span))
            },
            keylessDelete: { meta in empty(meta) })
    }

    /// An aggregation whose closure sees the key too.
    @inlinable
    static func aggregateWithKey<Key, Value, Aggregate>(
        _ aggregate: AggregateStore<Key, Aggregate>, _ next: NodeInput<Key, Aggregate>, _ services: any TaskServices,
        _ name: String, _ initial: @escaping @Sendable () -> Aggregate,
        _ update: @escaping @Sendable (inout Aggregate, Key, Value) throws -> Void
    ) -> NodeInput<Key, Value> {
        let nulls = Nullability<Value>.of()
        return NodeInput(
            call: { key, value, meta in
                guard meta.hasKey else { return services.dropped(.nullKey, node: name, meta) }
                if let nulls, nulls.isNull(value) { return services.dropped(.nullValue, node: name, meta) }
                let updated = try aggregate.update(meta, initial) { try update(&$0, key, value) }
                guard let (result, time) = updated, !aggregate.isCached else { return }
                let lineage = CollectionOfOne(aggregate.store.writtenLineage)
                try next.call(key, result, meta.with(timestamp: time, lineage.span))
            },
            delete: { _, meta in services.dropped(meta.hasKey ? .nullValue : .nullKey, node: name, meta) })
    }
}
