public import TributaryCore
public import TributaryLineage
public import TributaryState

/// The receiving end of a join behind the node that keeps one stream's records: key and value where somebody decoded them, and the
/// value's bytes (nil: null).
@usableFromInline
final class JoinInput<Key, Value>: NodeReceiver {
    @usableFromInline let take: (Key?, Value?, RawSpan?, borrowing RecordMeta) throws -> Void

    @inlinable
    init(_ take: @escaping (Key?, Value?, RawSpan?, borrowing RecordMeta) throws -> Void) { self.take = take }

    @usableFromInline
    static func all(_ receivers: [JoinInput]) -> JoinInput {
        if receivers.count == 1, let only = receivers.first { return only }
        return JoinInput { key, value, bytes, meta in
            for each in receivers { try each.take(key, value, bytes, meta) }
        }
    }

    @usableFromInline
    func within(_ around: @escaping Around) -> JoinInput {
        JoinInput { key, value, bytes, meta in try around(meta) { try self.take(key, value, bytes, $0) } }
    }
}

/// The receiving end of what both sides of a join make, and what they know of each other.
@usableFromInline
final class JoinResults<Key, Result>: NodeReceiver {
    @usableFromInline let next: NodeInput<Key, Result>
    @usableFromInline let progress: JoinProgress

    @usableFromInline
    init(_ next: NodeInput<Key, Result>, _ progress: JoinProgress = JoinProgress()) {
        self.next = next
        self.progress = progress
    }

    @usableFromInline
    static func all(_ receivers: [JoinResults]) -> JoinResults {
        if receivers.count == 1, let only = receivers.first { return only }
        return JoinResults(
            NodeInput.all(receivers.map(\.next)), receivers.first?.progress ?? JoinProgress())
    }

    @usableFromInline
    func within(_ around: @escaping Around) -> JoinResults { JoinResults(next.within(around), progress) }
}

/// How far both sides of a join have come in one task; begins anew with the task, as in Kafka Streams.
@usableFromInline
final class JoinProgress {
    struct State: BitwiseCopyable {
        var time: Int64 = -1
        var minimum = Int64.max
        var nextEmission: Int64 = 0
        var isEmitting = false
    }

    let state = Owned(State())

    @usableFromInline
    init() {}

    /// The greatest timestamp of both sides, ms; -1 before the first.
    @usableFromInline var time: Int64 { state.value.time }

    /// A record of either side begins.
    @usableFromInline
    func advance(to time: Int64) { if time > state.value.time { state.value.time = time } }
}

/// The node that keeps one stream's records for those of the other that are to come: first it gives each to the join.
@inlinable
func windowedInput<Key, Value>(
    _ join: JoinInput<Key, Value>, _ user: UserCode, _ store: StateStore, _ serde: Serde<Value>
) -> NodeInput<Key, Value> {
    let keeper = JoinKeeper(store, user)
    let scratch = ScratchBuffer()
    let nulls = Nullability<Value>.of()
    func take(_ key: Key?, _ value: Value?, _ bytes: RawSpan?, _ meta: borrowing RecordMeta) throws {
        try join.take(key, value, bytes, meta)
        try keeper.put(bytes, meta)
    }
    func encode(_ key: Key?, _ value: Value, _ meta: borrowing RecordMeta) throws {
        if let nulls, nulls.isNull(value) { return try take(key, nil, nil, meta) }
        let buffer = scratch.take()
        defer { scratch.give(buffer) }
        guard try user.run(meta, { try serde.encode(value, &buffer.writer) }) != nil else { return }
        try take(key, value, buffer.bytes, meta)
    }
    return NodeInput(
        call: { key, value, meta in try encode(key, value, meta) },
        delete: { key, meta in try take(key, nil, nil, meta) },
        keyless: { value, meta in try encode(nil, value, meta) },
        keylessDelete: { meta in try take(nil, nil, nil, meta) },
        bytes: { content, meta in try take(nil, nil, content, meta) })
}

/// Writes records into a join's window store.
@usableFromInline
final class JoinKeeper {
    private let store: StateStore
    private let user: UserCode
    private let size: Int64
    private let key = ScratchBuffer()

    @usableFromInline
    init(_ store: StateStore, _ user: UserCode) {
        self.store = store
        self.user = user
        size = store.description.windowSize ?? 0
    }

    /// Keeps a record that has a key; a null value is only logged.
    @usableFromInline
    func put(_ value: RawSpan?, _ meta: borrowing RecordMeta) throws {
        guard meta.hasKey else { return }
        let row = key.take()
        defer { key.give(row) }
        row.writer.append(meta.key)
        row.writer.append(bigEndian: meta.timestamp)
        row.writer.append(bigEndian: store.nextSequence())
        do {
            _ = try store.write(
                row.bytes, value, timestamp: meta.timestamp, cell: meta.lineage.cell, link: .superseded, row: nil,
                window: (meta.timestamp, meta.timestamp.addingSaturated(size)), meta)
        } catch {
            try user.failed(error, meta)
        }
    }
}

/// Copies of rows that are used again and again, but not before the use at hand has ended: see ``ScratchBuffer``.
@usableFromInline
final class ScratchRows {
    private let own = CopiedRows()
    private let isTaken = Owned(false)

    @usableFromInline
    init() {}

    @usableFromInline
    func take() -> CopiedRows {
        if isTaken.value { return CopiedRows() }
        isTaken.value = true
        return own
    }

    @usableFromInline
    func give(_ rows: CopiedRows) { if rows === own { isTaken.value = false } }
}
