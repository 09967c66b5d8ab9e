public import TributaryCore
public import TributaryLineage
public import TributaryState

/// An aggregation by key in windows of time: a row for each open window of a record.
@usableFromInline
final class WindowedAggregation<Key, Aggregate>: Aggregation {
    @usableFromInline let rows: AggregateStore<Windowed<Key>, Aggregate>
    @usableFromInline let windows: TimeWindows
    @usableFromInline let closer: WindowCloser?
    // The key in the store: the record's, the window's start, a sequence number.
    @usableFromInline let scratch = ScratchBuffer()
    // The greatest timestamp seen, ms.
    @usableFromInline let time = Owned(Int64(-1))
    // Null values count in windows, where the type has one.
    @inlinable static var takesNulls: Bool { true }

    @inlinable
    init(_ rows: AggregateStore<Windowed<Key>, Aggregate>, _ windows: TimeWindows) {
        self.rows = rows
        self.windows = windows
        closer = rows.waitsForClose ? WindowCloser(rows.user.services, rows.store.name) : nil
        if rows.waitsForClose { rows.store.beginFindingRows(ofTimes: true) }
    }

    @inlinable
    @inline(__always)
    func update(
        _ key: Key?, _ meta: borrowing RecordMeta, initial: () -> Aggregate?,
        _ step: (_ read: RowHandle, _ row: RawSpan) throws -> Aggregate
    ) throws {
        guard meta.hasKey else { return rows.user.dropped(.nullKey, meta) }
        time.value = max(time.value, meta.timestamp)
        let close = time.value.subtractingSaturated(windows.graceTime)
        let row = scratch.take()
        defer { scratch.give(row) }
        var start = windows.firstStart(of: meta.timestamp)
        var isOpen = start <= meta.timestamp
        while isOpen {
            let end = start.addingReportingOverflow(windows.sizeTime)
            // Behind the last start that there is comes none.
            let following = start.addingReportingOverflow(windows.advanceTime)
            defer {
                start = following.partialValue
                isOpen = !following.overflow && start <= meta.timestamp && windows.onlyStart == nil
            }
            // A window that ends behind the greatest time is never over.
            guard end.overflow || end.partialValue > close else {
                rows.user.dropped(.expired, meta)
                continue
            }
            row.writer.removeAll()
            row.writer.append(meta.key)
            row.writer.append(bigEndian: start)
            row.writer.append(bigEndian: UInt32(0))
            let window = Window(start: start, end: windows.end(ofStart: start))
            let isDone = try rows.update(
                row.bytes, window: (window.start, window.end), { key.map { Windowed(key: $0, window: window) } }, meta,
                initial: initial, step)
            guard isDone else { return }
        }
        if let closer { try emitClosed(closer, close, meta) }
    }

    @inlinable
    @inline(never)
    func emitClosed(_ closer: WindowCloser, _ close: Int64, _ meta: borrowing RecordMeta) throws {
        guard closer.isDue(close), close >= windows.sizeTime else { return }
        let last = close - windows.sizeTime
        var first = Int64(0)
        if closer.last != -1 {
            first = max(closer.last.subtractingSaturated(windows.sizeTime), 0).addingSaturated(1)
            // The same windows have these two, so that none has closed since.
            guard !windows.haveSame(last, first - 1) else { return }
        }
        try closer.emit(close) { list in
            guard first <= last else { return }
            try rows.emit(first...last, step: windows.advanceTime, size: windows.sizeTime, list, meta)
        }
    }
}
