public import TributaryCore
public import TributaryLineage
public import TributaryState

/// The receiving end of a node between the two tables of a join by foreign key: bytes of a message, the partition it goes to (-1: by its key),
/// and metadata with its key.
@usableFromInline
final class ForeignKeyInput: NodeReceiver {
    @usableFromInline let take: (RawSpan, Int32, borrowing RecordMeta) throws -> Void

    @usableFromInline
    init(_ take: @escaping (RawSpan, Int32, borrowing RecordMeta) throws -> Void) { self.take = take }

    @usableFromInline
    static func all(_ receivers: [ForeignKeyInput]) -> ForeignKeyInput {
        if receivers.count == 1, let only = receivers.first { return only }
        return ForeignKeyInput { bytes, partition, meta in
            for each in receivers { try each.take(bytes, partition, meta) }
        }
    }

    @usableFromInline
    func within(_ around: @escaping Around) -> ForeignKeyInput {
        ForeignKeyInput { bytes, partition, meta in try around(meta) { try self.take(bytes, partition, $0) } }
    }
}

/// Sends messages to a topic.
///
/// - Parameters:
///   - partitionKeySuffix: how many of a key's last bytes don't decide its partition.
///   - partitioner: chooses the partition by the key, instead of the node before.
@usableFromInline
func foreignKeySink(
    _ user: UserCode, _ topic: String, partitionKeySuffix: Int,
    _ partitioner: ((_ key: RawSpan, _ partitions: Int32) throws -> Int32)? = nil
) throws -> ForeignKeyInput {
    let services = user.services
    let number = try services.outputTopic(topic)
    let count = services.partitions(ofTopic: number)
    return ForeignKeyInput { bytes, known, meta in
        // What the row was before says nothing of who is asked.
        let record = meta.withoutOldLineage()
        var partition = known
        if let partitioner, record.hasKey {
            do { partition = try partitioner(record.key, count) } catch { return try user.failed(error, record) }
        }
        guard partition >= 0 else {
            guard record.hasKey else {
                return try services.send(topic: number, key: nil, partitionKeyCount: 0, value: bytes, record)
            }
            return try services.send(
                topic: number, key: record.key,
                partitionKeyCount: max(record.key.byteCount - partitionKeySuffix, 0), value: bytes, record)
        }
        guard partition < count else {
            return try user.failed(PartitionerError(partition, of: count, in: topic), record)
        }
        if record.hasKey {
            try services.send(topic: number, partition: partition, key: record.key, value: bytes, record)
        } else {
            try services.send(topic: number, partition: partition, key: nil, value: bytes, record)
        }
    }
}

/// Reads messages from a topic.
@usableFromInline
func foreignKeySource(_ next: ForeignKeyInput, _ user: UserCode) -> SourceEntry {
    SourceEntry { content, meta in
        guard let content else { return user.dropped(.nullValue, meta) }
        try next.take(content, -1, meta)
    }
}

/// The subscriptions of left rows to keys of the right table, in the task of the right one.
///
/// Rows are Kafka Streams' (Docs/Formats.md, State): the foreign key's length and bytes, the left row's key.
@usableFromInline
final class Subscriptions {
    private let store: StateStore
    private let user: UserCode
    private let recorder: LineageRecorder
    private let key = ScratchBuffer()
    private let message = ScratchBuffer()
    private let rows = ScratchRows()

    private static let batch = 256

    @usableFromInline
    init(_ store: StateStore, _ user: UserCode, _ recorder: LineageRecorder) {
        self.store = store
        self.user = user
        self.recorder = recorder
    }

    /// Notes what a left row has sent, or forgets it, and hands it on under the context of that write.
    @usableFromInline
    func receive(_ next: ForeignKeyInput) -> ForeignKeyInput {
        ForeignKeyInput { [self] bytes, _, meta in
            let written: Lineage
            do {
                let subscription = try Subscription(bytes)
                guard meta.hasKey else {
                    guard subscription.instruction == .answer else { return user.dropped(.nullKey, meta) }
                    return try next.take(bytes, -1, meta)
                }
                written = try write(bytes, subscription, meta)
            } catch let error as MalformedBytes {
                return try user.services.deserializationFailed(node: user.node, error, meta)
            } catch {
                return try user.failed(error, meta)
            }
            let held = CollectionOfOne(written)
            try next.take(bytes, -1, meta.with(held.span))
        }
    }

    private func write(
        _ bytes: RawSpan, _ subscription: borrowing Subscription, _ meta: borrowing RecordMeta
    ) throws -> Lineage {
        let row = key.take()
        defer { key.give(row) }
        row.writer.append(bigEndian: UInt32(truncatingIfNeeded: meta.key.byteCount))
        row.writer.append(meta.key)
        row.writer.append(subscription.key)
        let isDelete = subscription.instruction == .delete || subscription.instruction == .deleteAndAnswer
        // Nobody else can tell whether the row that is replaced was looked at.
        let replaced = recorder.makesSpan(meta.lineage.context) ? try store.peekContext(row.bytes) : nil
        if isDelete {
            return try store.write(
                row.bytes, nil, timestamp: meta.timestamp, cell: meta.lineage.cell, link: .deleted, row: replaced, meta)
        }
        return try store.write(
            row.bytes, bytes, timestamp: meta.timestamp, cell: meta.lineage.cell, link: .superseded, row: replaced,
            meta)
    }

    /// Answers all who subscribe to a key of the right table, in the order of the left rows' keys.
    ///
    /// - Parameters:
    ///   - value: the right row's; nil if it is deleted.
    ///   - meta: of its change.
    @usableFromInline
    func answerAll(_ value: RawSpan?, _ next: ForeignKeyInput, _ meta: borrowing RecordMeta) throws {
        let prefix = key.take()
        let rows = self.rows.take()
        let answer = message.take()
        defer {
            key.give(prefix)
            self.rows.give(rows)
            message.give(answer)
        }
        prefix.writer.append(bigEndian: UInt32(truncatingIfNeeded: meta.key.byteCount))
        prefix.writer.append(meta.key)
        var last: [UInt8]?
        repeat {
            do {
                if let last {
                    try store.copyRows(withPrefix: prefix.bytes, after: last.span.bytes, limit: Self.batch, into: rows)
                } else {
                    try store.copyRows(withPrefix: prefix.bytes, after: nil, limit: Self.batch, into: rows)
                }
            } catch {
                return try user.failed(error, meta)
            }
            for index in 0..<rows.count {
                let partition: Int32
                do {
                    try store.show(index, of: rows)
                    let subscription = try Subscription(store.value)
                    partition = subscription.partition ?? -1
                    answer.writer.removeAll()
                    SubscriptionAnswer.write(subscription.hash, value, into: &answer.writer)
                    if recorder.makesSpan(meta.lineage.context, .log) {
                        recorder.link(.routed, store.valueLineage.context)
                    }
                } catch {
                    return try user.failed(error, meta)
                }
                try next.take(
                    answer.bytes, partition, meta.with(key: rows.key(index).dropping(prefix.count)).withoutOldLineage())
            }
            last = rows.count == Self.batch ? [UInt8](copying: rows.key(rows.count - 1)) : nil
        } while last != nil
    }
}

/// Tells the right table which of its keys a left row has to do with, in the task of the left one.
@usableFromInline
final class SubscriptionSender {
    private let next: ForeignKeyInput
    private let user: UserCode
    private let isLeft: Bool
    private let partition: Int32
    private let message = ScratchBuffer()

    @usableFromInline
    init(_ next: ForeignKeyInput, _ user: UserCode, isLeft: Bool) {
        self.next = next
        self.user = user
        self.isLeft = isLeft
        partition = user.services.taskID.split(separator: "_").last.flatMap { Int32($0) } ?? 0
    }

    /// What is sent for a change: Docs/Semantics.md, Joins by foreign key.
    ///
    /// - Parameters:
    ///   - new: the bytes of the new row's foreign key; nil without one.
    ///   - old: the bytes of the old row's.
    ///   - hash: of the new row's value; nil if the row is deleted.
    ///   - hasOld: whether there was a row.
    ///   - partitions: where to, -1: by the key.
    ///   - meta: of the change.
    @usableFromInline
    func send(
        _ new: RawSpan?, _ old: RawSpan?, _ hash: RowHash?, hasOld: Bool, partitions: (new: Int32, old: Int32),
        _ meta: borrowing RecordMeta
    ) throws {
        guard hash != nil || hasOld else { return }
        if isLeft {
            if let old {
                var isSame = false
                if let new { isSame = new.isEqual(to: old) }
                if !isSame { try tell(.delete, old, hash, partitions.old, meta) }
            }
            return try tell(.answer, new, hash, partitions.new, meta)
        }
        guard let new else {
            if hash != nil { user.dropped(.nullKey, meta) }
            if let old { try tell(.deleteAndAnswer, old, hash, partitions.old, meta) }
            return
        }
        if let old, !new.isEqual(to: old) {
            try tell(.delete, old, hash, partitions.old, meta)
            return try tell(.answer, new, hash, partitions.new, meta)
        }
        try tell(.answerIfThere, new, hash, partitions.new, meta)
    }

    private func tell(
        _ instruction: Subscription.Instruction, _ key: RawSpan?, _ hash: RowHash?, _ to: Int32,
        _ meta: borrowing RecordMeta
    ) throws {
        let bytes = message.take()
        defer { message.give(bytes) }
        Subscription.write(instruction, hash, key: meta.key, partition: partition, into: &bytes.writer)
        guard let key else { return try next.take(bytes.bytes, -1, meta.withChangedKey(isNull: true)) }
        try next.take(bytes.bytes, to, meta.with(key: key))
    }
}

/// Reads the right table's rows as bytes.
@usableFromInline
struct RowBytes {
    /// Puts the row of the key in the metadata into a buffer; false if there is none.
    @usableFromInline let find: (borrowing RecordMeta, ByteBuffer) throws -> Bool
    @usableFromInline let readSpan: (_ parent: TraceContext, LinkType) -> TraceContext
    @usableFromInline let missSpan: (_ parent: TraceContext) -> Void
    @usableFromInline let lineage: () -> Lineage
    @usableFromInline let timestamp: () -> Int64
    @usableFromInline let passHeaders: (RecordOrigin) -> Void

    @inlinable
    init<Key, Value>(_ rows: TableView<Key, Value>, _ key: Serde<Key>, _ value: Serde<Value>) {
        find = { meta, buffer in
            guard let row = try rows.row(try key.decode(meta.key), meta) else { return false }
            try value.encode(row, &buffer.writer)
            return true
        }
        readSpan = rows.readSpan
        missSpan = rows.missSpan
        lineage = rows.lineage
        timestamp = rows.timestamp
        passHeaders = rows.passHeaders
    }
}

/// Looks the right row up for a left one that asks, and answers.
@usableFromInline
func subscriptionLookup(_ next: ForeignKeyInput, _ user: UserCode, _ rows: RowBytes) -> ForeignKeyInput {
    let content = ScratchBuffer()
    let message = ScratchBuffer()
    return ForeignKeyInput { bytes, _, meta in
        let row = content.take()
        let answer = message.take()
        defer {
            content.give(row)
            message.give(answer)
        }
        let partition: Int32
        var timestamp = meta.timestamp
        var lineage: Lineage
        do {
            let subscription = try Subscription(bytes)
            partition = subscription.partition ?? -1
            let isThere = meta.hasKey ? try rows.find(meta, row) : false
            // The left row's part comes in where the answer does; of one that is deleted there is no other.
            lineage = Lineage(
                context: meta.lineage.context, cell: subscription.hash == nil ? meta.lineage.cell : .empty)
            if isThere { timestamp = max(timestamp, rows.timestamp()) }
            var hasValue = isThere
            switch subscription.instruction {
            case .delete: return
            case .deleteAndAnswer: hasValue = false
            case .answer: break
            case .answerIfThere: if !isThere { return rows.missSpan(meta.lineage.context) }
            }
            if hasValue {
                lineage.cell = rows.lineage().cell
                lineage.context = rows.readSpan(lineage.context, .joined)
                rows.passHeaders(meta.origin)
                SubscriptionAnswer.write(subscription.hash, row.bytes, into: &answer.writer)
            } else {
                if meta.hasKey && !isThere { rows.missSpan(meta.lineage.context) }
                SubscriptionAnswer.write(subscription.hash, nil, into: &answer.writer)
            }
            try next.take(
                answer.bytes, partition,
                meta.with(key: subscription.key, timestamp: timestamp, CollectionOfOne(lineage).span))
        } catch {
            return try user.failed(error, meta)
        }
    }
}

/// Where an answer's value begins; -1 if it has none, nil if it is for another value than the one with this hash.
@usableFromInline
func answeredValue(_ bytes: RawSpan, for hash: RowHash?) throws(MalformedBytes) -> Int? {
    let answer = try SubscriptionAnswer(bytes)
    guard answer.hash == hash else { return nil }
    guard let value = answer.value else { return -1 }
    return bytes.byteCount - value.byteCount
}
