public import TributaryCore
public import TributaryLineage
public import TributaryState

/// An aggregation by key in sliding windows: a row for each window of a record, some of which a record makes.
///
/// The algorithm is Kafka Streams' `KStreamSlidingWindowAggregate` (Docs/Semantics.md, Windows): the timestamp of a window's row is its greatest
/// record's, which is what tells where records are.
@usableFromInline
final class SlidingAggregation<Key, Aggregate>: Aggregation {
    @usableFromInline let rows: AggregateStore<Windowed<Key>, Aggregate>
    @usableFromInline let size: Int64
    @usableFromInline let grace: Int64
    @usableFromInline let closer: WindowCloser?
    // The key in the store; the starts of the windows in reach; what neighbours have.
    @usableFromInline let scratch = ScratchBuffer()
    @usableFromInline let found = ScratchBuffer()
    @usableFromInline let left = ScratchBuffer()
    @usableFromInline let right = ScratchBuffer()
    // The greatest timestamp seen, ms.
    @usableFromInline let time = Owned(Int64(-1))
    @inlinable static var takesNulls: Bool { false }

    @inlinable
    init(_ rows: AggregateStore<Windowed<Key>, Aggregate>, _ windows: SlidingWindows) {
        self.rows = rows
        size = windows.differenceTime
        grace = windows.graceTime
        closer = rows.waitsForClose ? WindowCloser(rows.user.services, rows.store.name) : nil
        rows.store.beginFindingRows()
    }

    @inlinable
    func update(
        _ key: Key?, _ meta: borrowing RecordMeta, initial: () -> Aggregate?,
        _ step: (_ read: RowHandle, _ row: RawSpan) throws -> Aggregate
    ) throws {
        guard meta.hasKey else { return rows.user.dropped(.nullKey, meta) }
        let at = meta.timestamp
        time.value = max(time.value, at)
        let close = time.value.subtractingSaturated(grace)
        if at.addingSaturated(size) < close { return rows.user.dropped(.expired, meta) }
        guard size > 0 else { return try rows.user.failed(EmptyWindow(), meta) }
        let list = found.take()
        let row = scratch.take()
        let leftValue = left.take()
        let rightValue = right.take()
        defer {
            found.give(list)
            scratch.give(row)
            left.give(leftValue)
            right.give(rightValue)
        }
        var windows = SlidingWindowsOfRecord(at: at, size: size)
        do {
            try rows.store.rowTimes(
                of: meta.key, from: at < size ? 0 : at - size, through: at.addingSaturated(1), into: list)
        } catch {
            return try rows.user.failed(error, meta)
        }
        let target = Target(key, close, row)
        if at < size {
            _ = try updateEarly(&windows, list, rightValue, target, meta, initial, step)
            return
        }
        guard try updateFound(&windows, list, leftValue, rightValue, target, meta, initial, step) else { return }
        if !windows.isDone {
            guard try createMissing(windows, list, leftValue, rightValue, target, meta, initial, step) else { return }
        }
        if let closer { try emitClosed(closer, close, meta) }
    }

    /// What all windows of a record share.
    @usableFromInline
    struct Target {
        @usableFromInline let key: Key?
        @usableFromInline let close: Int64
        @usableFromInline let row: ByteBuffer

        @inlinable
        init(_ key: Key?, _ close: Int64, _ row: ByteBuffer) {
            self.key = key
            self.close = close
            self.row = row
        }
    }

    /// Updates the windows that there are, the latest first, and looks what is left and right of the record.
    @inlinable
    func updateFound(
        _ windows: inout SlidingWindowsOfRecord, _ list: ByteBuffer, _ leftValue: ByteBuffer, _ rightValue: ByteBuffer,
        _ target: Target, _ meta: borrowing RecordMeta, _ initial: () -> Aggregate?,
        _ step: (_ read: RowHandle, _ row: RawSpan) throws -> Aggregate
    ) throws -> Bool {
        let at = windows.at
        var place = list.count / RowTime.size
        while place > 0 {
            place -= 1
            let start = RowTime.at(place, of: list.bytes).start
            if start == at.addingSaturated(1) {
                windows.hasRight = true
                continue
            }
            write(meta.key, start, into: target.row)
            if start > at - size {
                do {
                    if windows.right == nil { windows.right = try rows.save(target.row.bytes, into: rightValue) }
                } catch {
                    try rows.user.failed(error, meta)
                    return false
                }
                guard try updateRow(start, target, meta, initial, step) else { return false }
                continue
            }
            let latest: Int64
            do {
                guard try rows.store.read(target.row.bytes).exists else { continue }
                latest = rows.store.valueTimestamp
            } catch {
                try rows.user.failed(error, meta)
                return false
            }
            windows.hasLeft = true
            guard try updateRow(start, target, meta, initial, step) else { return false }
            // A record of that time was there: so are all windows.
            guard latest < at else {
                windows.isDone = true
                return true
            }
            windows.previous = latest
        }
        do {
            let from = max(at.subtractingSaturated(size.multipliedSaturated(by: 2)), 0)
            if let last = try rows.store.lastRowTime(of: meta.key, from: from, through: at - size - 1) {
                write(meta.key, last.start, into: target.row)
                windows.left = try rows.save(target.row.bytes, into: leftValue)
                windows.leftStart = last.start
                if let left = windows.left { windows.previous = left.timestamp }
            }
        } catch {
            try rows.user.failed(error, meta)
            return false
        }
        return true
    }

    /// Makes the windows that the record needs and that aren't there.
    @inlinable
    func createMissing(
        _ windows: SlidingWindowsOfRecord, _ list: ByteBuffer, _ leftValue: ByteBuffer, _ rightValue: ByteBuffer,
        _ target: Target, _ meta: borrowing RecordMeta, _ initial: () -> Aggregate?,
        _ step: (_ read: RowHandle, _ row: RawSpan) throws -> Aggregate
    ) throws -> Bool {
        let at = windows.at
        if let previous = windows.previous {
            let start = previous.addingSaturated(1)
            if !windows.has(start, in: list.bytes), start.addingSaturated(size) >= at {
                guard try create(start, nil, leftValue, target, meta, initial, step) else { return false }
            }
        }
        if !windows.hasLeft {
            let isNear = windows.previous.map { $0 >= at - size } ?? false
            let seed = isNear ? windows.left : nil
            guard try create(at - size, seed, leftValue, target, meta, initial, step) else { return false }
        }
        return try copyRight(windows, rightValue, target, meta)
    }

    /// Updates the windows of a record before the first full one: all such share the window that starts at 0.
    @inlinable
    func updateEarly(
        _ windows: inout SlidingWindowsOfRecord, _ list: ByteBuffer, _ rightValue: ByteBuffer, _ target: Target,
        _ meta: borrowing RecordMeta, _ initial: () -> Aggregate?,
        _ step: (_ read: RowHandle, _ row: RawSpan) throws -> Aggregate
    ) throws -> Bool {
        let at = windows.at
        var hasCombined = false
        for place in 0..<(list.count / RowTime.size) {
            let start = RowTime.at(place, of: list.bytes).start
            if start == at + 1 {
                windows.hasRight = true
                continue
            }
            write(meta.key, start, into: target.row)
            do {
                // The right window is the last one found; without any it is what the first one has behind the record.
                guard let saved = try rows.save(target.row.bytes, into: rightValue) else { continue }
                windows.right = saved
            } catch {
                try rows.user.failed(error, meta)
                return false
            }
            if start == 0 {
                hasCombined = true
                if let right = windows.right, right.timestamp < at { windows.previous = right.timestamp }
            } else {
                guard try updateRow(start, target, meta, initial, step) else { return false }
            }
        }
        guard try copyRight(windows, rightValue, target, meta) else { return false }
        if let previous = windows.previous, !windows.has(previous + 1, in: list.bytes) {
            guard try create(previous + 1, nil, rightValue, target, meta, initial, step) else { return false }
        }
        if hasCombined {
            write(meta.key, 0, into: target.row)
            return try updateRow(0, target, meta, initial, step)
        }
        return try create(0, nil, rightValue, target, meta, initial, step)
    }

    /// Adds the record to a window that is there; its row's key is in the target's buffer.
    @inlinable
    func updateRow(
        _ start: Int64, _ target: Target, _ meta: borrowing RecordMeta, _ initial: () -> Aggregate?,
        _ step: (_ read: RowHandle, _ row: RawSpan) throws -> Aggregate
    ) throws -> Bool {
        let window = Window(start: start, end: start.addingSaturated(size))
        guard window.end >= target.close else {
            rows.user.dropped(.expired, meta)
            return true
        }
        return try rows.update(
            target.row.bytes, window: (window.start, window.end),
            { target.key.map { Windowed(key: $0, window: window) } }, meta, initial: initial, step)
    }

    /// Makes a window of the record and of what the window before it has, if that reaches into it.
    @inlinable
    func create(
        _ start: Int64, _ seed: SavedRow?, _ seedValue: ByteBuffer, _ target: Target, _ meta: borrowing RecordMeta,
        _ initial: () -> Aggregate?, _ step: (_ read: RowHandle, _ row: RawSpan) throws -> Aggregate
    ) throws -> Bool {
        let window = Window(start: start, end: start.addingSaturated(size))
        guard window.end >= target.close else {
            rows.user.dropped(.expired, meta)
            return true
        }
        write(meta.key, start, into: target.row)
        var origin = RowOrigin(cell: meta.lineage.cell, timestamp: meta.timestamp)
        let result: Aggregate
        var old: Aggregate?
        do {
            if let seed {
                rows.seed.writer.removeAll()
                rows.seed.writer.append(seedValue.bytes)
                if rows.readsOld { old = try rows.value.decode(seedValue.bytes) }
                origin.cell = rows.recorder.add(seed.lineage.cell, meta.lineage.cell)
                if rows.recorder.makesSpan(meta.lineage.context) { origin.rows = [seed.lineage.context] }
                origin.replaced = seed.lineage
                if let headers = seed.headers { rows.recorder.addHeaders(headers.span.bytes, to: meta.origin) }
                result = try step(.seed, target.row.bytes)
            } else {
                if rows.readsOld { old = initial() }
                result = try step(.none, target.row.bytes)
            }
        } catch {
            try rows.user.failed(error, meta)
            return false
        }
        return try rows.put(
            target.row.bytes, window: window, { target.key.map { Windowed(key: $0, window: window) } }, result,
            old: old, origin, meta)
    }

    /// Makes the window that begins behind the record, of what another has there.
    @inlinable
    func copyRight(
        _ windows: SlidingWindowsOfRecord, _ rightValue: ByteBuffer, _ target: Target, _ meta: borrowing RecordMeta
    ) throws -> Bool {
        guard !windows.hasRight, let right = windows.right, right.timestamp > windows.at else { return true }
        let start = windows.at.addingSaturated(1)
        let window = Window(start: start, end: start.addingSaturated(size))
        write(meta.key, start, into: target.row)
        var origin = RowOrigin(cell: right.lineage.cell, timestamp: right.timestamp)
        origin.link = .copied
        origin.parentIsTrigger = true
        if rows.recorder.makesSpan(meta.lineage.context) { origin.rows = [right.lineage.context] }
        let value: Aggregate
        do { value = try rows.value.decode(rightValue.bytes) } catch {
            try rows.user.failed(error, meta)
            return false
        }
        return try rows.put(
            target.row.bytes, window: window, { target.key.map { Windowed(key: $0, window: window) } }, value,
            old: nil, origin, meta)
    }

    @inlinable
    @inline(__always)
    func write(_ key: RawSpan, _ start: Int64, into row: ByteBuffer) {
        row.writer.removeAll()
        row.writer.append(key)
        row.writer.append(bigEndian: start)
        row.writer.append(bigEndian: UInt32(0))
    }

    @inlinable
    @inline(never)
    func emitClosed(_ closer: WindowCloser, _ close: Int64, _ meta: borrowing RecordMeta) throws {
        let last = close.subtractingSaturated(size).subtractingSaturated(1)
        guard closer.isDue(close), last >= 0 else { return }
        let first = closer.last == -1 ? 0 : max(closer.last.subtractingSaturated(size), 0)
        try closer.emit(close) { list in
            if first <= last { try rows.emit(first...last, step: 1, size: size, list, meta) }
        }
    }
}

/// What is known of the windows of one record.
@usableFromInline
struct SlidingWindowsOfRecord {
    @usableFromInline let at: Int64
    @usableFromInline let size: Int64
    /// Whether the window that ends with the record is there, and the one that begins behind it.
    @usableFromInline var hasLeft = false
    @usableFromInline var hasRight = false
    /// Whether a record of the same time was there, so that nothing is missing.
    @usableFromInline var isDone = false
    /// The time of the record before.
    @usableFromInline var previous: Int64?
    /// The latest window that ended before the record, and the window that has what comes behind it.
    @usableFromInline var left: SavedRow?
    @usableFromInline var leftStart: Int64 = -1
    @usableFromInline var right: SavedRow?

    @inlinable
    init(at: Int64, size: Int64) {
        self.at = at
        self.size = size
    }

    /// Whether a window that starts at a time was seen.
    @inlinable
    func has(_ start: Int64, in list: RawSpan) -> Bool {
        if start == leftStart { return true }
        for place in 0..<(list.byteCount / RowTime.size) where RowTime.at(place, of: list).start == start {
            return true
        }
        return false
    }
}

/// A window of no size, which Kafka Streams refuses with its first record.
@usableFromInline
struct EmptyWindow: Error, CustomStringConvertible {
    @usableFromInline
    init() {}

    @usableFromInline var description: String {
        "sliding windows of records that are 0 ms apart are of no size: make the difference 1 ms or more"
    }
}
