internal import TributaryCore
public import TributaryLineage
public import TributaryState

/// The records of a left or outer join that have found no match yet, in the order of time.
///
/// Rows are Kafka Streams' (Docs/Formats.md, State): timestamp, side, key; each value begins with its side.
@usableFromInline
final class UnmatchedRecords {
    private let store: StateStore
    private let progress: JoinProgress
    // How long a record's window goes on behind it, and the grace: of the left side, of the right one.
    private let leftTime: Int64
    private let rightTime: Int64
    // Whether only records of the left side wait.
    private let isLeftOnly: Bool
    private let interval: Int64
    private let key = ScratchBuffer()
    private let element = ScratchBuffer()
    private let rows = CopiedRows()
    private let lastKey = ByteBuffer()

    private static let batch = 64

    @usableFromInline
    init(_ store: StateStore, _ progress: JoinProgress, _ kind: JoinKind, _ windows: JoinWindows, interval: Int64) {
        self.store = store
        self.progress = progress
        leftTime = windows.afterTime &+ windows.graceTime
        rightTime = windows.beforeTime &+ windows.graceTime
        isLeftOnly = !kind.keepsRight
        self.interval = interval
    }

    /// Lets a record wait.
    @usableFromInline
    func add(_ value: RawSpan, isLeft: Bool, _ meta: borrowing RecordMeta) throws {
        progress.state.value.minimum = min(progress.state.value.minimum, meta.timestamp)
        let row = key.take()
        let content = element.take()
        defer {
            key.give(row)
            element.give(content)
        }
        write(meta.timestamp, isLeft, meta.key, into: row)
        content.writer.append(isLeft ? 1 : 0 as UInt8)
        content.writer.append(value)
        try store.append(content.bytes, toListOf: row.bytes, meta)
    }

    /// A record has found a match: it and those of its time, side and key wait no more.
    @usableFromInline
    func remove(at time: Int64, isLeft: Bool, _ meta: borrowing RecordMeta) throws {
        let row = key.take()
        defer { key.give(row) }
        write(time, isLeft, meta.key, into: row)
        try store.removeList(of: row.bytes, meta)
    }

    private func write(_ time: Int64, _ isLeft: Bool, _ key: RawSpan, into row: ByteBuffer) {
        row.writer.append(bigEndian: time)
        row.writer.append(isLeft ? 1 : 0 as UInt8)
        row.writer.append(key)
    }

    /// Gives out the records whose windows are over, as far as they are looked for now.
    ///
    /// - Parameters:
    ///   - isLeft: the side of the record that is being processed.
    ///   - wallClock: ms.
    ///   - meta: of that record.
    ///   - body: gets a record's side, key, time, value and what it came from; false if something threw and the handler lets the record pass.
    /// - Returns: false if the body did.
    @usableFromInline
    func emitClosed(
        isLeft: Bool, wallClock: Int64, _ meta: borrowing RecordMeta,
        _ body: (_ isLeft: Bool, _ key: RawSpan, Int64, RawSpan, Lineage) throws -> Bool
    ) throws -> Bool {
        // The sum wraps where none waits, as far as known: then it is looked (Docs/Semantics.md, Joins of streams).
        if progress.state.value.minimum &+ (isLeft ? leftTime : rightTime) >= progress.time { return true }
        guard wallClock >= progress.state.value.nextEmission, !progress.state.value.isEmitting else { return true }
        progress.state.value.nextEmission = wallClock.addingSaturated(interval)
        progress.state.value.isEmitting = true
        defer { progress.state.value.isEmitting = false }
        progress.state.value.minimum = .max
        var isLeftOpen = false
        var isRightOpen = false
        var hasLast = false
        while true {
            try store.copyRows(after: hasLast ? lastKey.bytes : nil, limit: Self.batch, into: rows)
            for index in 0..<rows.count {
                let row = rows.key(index)
                guard let time = row.integer(at: 0, as: Int64.self), let side = row.byte(at: 8) else {
                    throw store.malformed("a key of a record that waits has 9 bytes or more", key: row)
                }
                progress.state.value.minimum = time
                if isLeftOpen && isRightOpen { return true }
                if time &+ (side == 1 ? leftTime : rightTime) >= progress.time {
                    if side == 1 { isLeftOpen = true } else { isRightOpen = true }
                    if isLeftOnly {
                        try noteLast()
                        return true
                    }
                    continue
                }
                guard try emit(index, side == 1, time, body) else { return false }
                try store.removeList(of: rows.key(index), meta)
            }
            guard rows.count == Self.batch else { return true }
            lastKey.writer.removeAll()
            lastKey.writer.append(rows.key(rows.count - 1))
            hasLast = true
        }
    }

    private func emit(
        _ index: Int, _ isLeft: Bool, _ time: Int64,
        _ body: (_ isLeft: Bool, _ key: RawSpan, Int64, RawSpan, Lineage) throws -> Bool
    ) throws -> Bool {
        var goesOn = true
        try store.forEachElement(index, of: rows) { element, lineage in
            guard goesOn else { return }
            goesOn = try body(isLeft, rows.key(index).dropping(9), time, element.dropping(1), lineage)
        }
        return goesOn
    }

    // All that wait behind an open window are open, too; Kafka Streams goes through them all, and remembers the last.
    private func noteLast() throws {
        guard let last = try store.lastKey(), let time = last.span.bytes.integer(at: 0, as: Int64.self) else { return }
        progress.state.value.minimum = time
    }
}
