public import TributaryCore
public import TributaryLineage
public import TributaryState

/// The part of a latest-value table that does not depend on its types: drops null keys and writes the store.
@usableFromInline
final class LatestValueTable {
    private let store: StateStore
    private let name: String
    private let services: any TaskServices
    private let recorder: LineageRecorder
    @usableFromInline let isCached: Bool

    @usableFromInline
    init(_ store: StateStore, _ name: String, _ services: any TaskServices, _ recorder: LineageRecorder) {
        self.store = store
        self.name = name
        self.services = services
        self.recorder = recorder
        isCached = store.isCached
    }

    @usableFromInline
    func accepts(_ meta: borrowing RecordMeta) -> Bool {
        if meta.hasKey { return true }
        services.dropped(.nullKey, node: name, meta)
        return false
    }

    /// Writes the value (nil: deletes) and returns the lineage to forward.
    @usableFromInline
    func write(_ value: RawSpan?, _ meta: borrowing RecordMeta) throws -> Lineage {
        // Kafka Streams reads the row that is replaced, which a cache then holds, and what it holds decides what is evicted.
        // Without a cache nobody can tell: there it is only looked up where a span will link to it.
        var row: TraceContext?
        if isCached {
            if try store.read(meta.key) { row = store.rowContext }
        } else if recorder.makesSpan(meta.lineage.context) {
            row = try store.peekContext(meta.key)
        }
        return try store.write(
            meta.key, value, timestamp: meta.timestamp, cell: meta.lineage.cell, link: .superseded, row: row, meta)
    }
}

/// Forwards what a store's flush gives, decoding only what the nodes below ask for.
@usableFromInline
final class FlushForwarder<Key, Value> {
    @usableFromInline let next: NodeInput<Key, Value>
    @usableFromInline let key: Serde<Key>?
    @usableFromInline let value: Serde<Value>
    @usableFromInline let store: StateStore
    @usableFromInline let node: String
    @usableFromInline let services: any TaskServices

    @inlinable
    init(
        _ next: NodeInput<Key, Value>, _ key: Serde<Key>?, _ value: Serde<Value>, _ store: StateStore, _ node: String,
        _ services: any TaskServices
    ) {
        self.next = next
        self.key = key
        self.value = value
        self.store = store
        self.node = node
        self.services = services
    }

    /// What a store's flush calls: one closure that looks at nothing but what it needs.
    @inlinable
    func closure() -> (RawSpan, RawSpan?, borrowing RecordMeta) throws -> Void {
        if let bytes = next.bytes { return { _, content, meta in try bytes(content, meta) } }
        guard let keyless = next.keyless, let keylessDelete = next.keylessDelete else {
            return { key, content, meta in try self.send(key, content, meta) }
        }
        let decode = value.decode
        return { key, content, meta in
            guard let content else { return try keylessDelete(meta) }
            let decoded: Value
            do { decoded = try decode(content) } catch {
                return try self.refused(error, key, meta)
            }
            try keyless(decoded, meta)
        }
    }

    @inlinable
    func send(_ keyBytes: RawSpan, _ content: RawSpan?, _ meta: borrowing RecordMeta) throws {
        if let bytes = next.bytes { return try bytes(content, meta) }
        if let keyless = next.keyless, let keylessDelete = next.keylessDelete {
            guard let content else { return try keylessDelete(meta) }
            let decoded: Value
            do { decoded = try value.decode(content) } catch {
                return try refused(error, keyBytes, meta)
            }
            return try keyless(decoded, meta)
        }
        guard let key else {
            throw TopologyError("a node below a table needs the key's serde: give key: where the table is made")
        }
        let record: Key
        var decoded: Value?
        do {
            record = try key.decode(keyBytes)
            if let content { decoded = try value.decode(content) }
        } catch {
            return try refused(error, keyBytes, meta)
        }
        if let decoded { try next.call(record, decoded, meta) } else { try next.delete(record, meta) }
    }

    // What the store holds was written by a serde that this one doesn't understand: the row stays, and isn't forwarded.
    @inline(never)
    @usableFromInline
    func refused(_ error: any Error, _ key: RawSpan, _ meta: borrowing RecordMeta) throws {
        try services.deserializationFailed(node: node, store.malformed(ErrorText.of(error), key: key), meta)
    }
}
