public import TributaryCore
public import TributaryLineage

/// One row of a scan, copied out of the store.
public struct StoreRow: Sendable {
    /// The key in the store's layout.
    public var key: [UInt8]
    /// The value's bytes.
    public var value: [UInt8]
    /// The value's timestamp, ms.
    public var timestamp: Int64
    /// The context and cell of the write that made it; the cell is valid during the callback only.
    public var lineage: Lineage
    /// The headers of the record that wrote it, where the store keeps them.
    public var headers = Headers()
}

/// A walk over a store: the rows as they were when it began.
public final class StoreScan {
    private let store: StateStore
    private var cursors: [any StateCursor]
    private var rows: [StoreRow]
    private var position = 0
    private let keep: (RawSpan) -> Bool
    private let key = ByteBuffer()

    init(
        _ store: StateStore, cursors: [any StateCursor], rows: [StoreRow] = [],
        keep: @escaping (RawSpan) -> Bool = { _ in true }
    ) {
        self.store = store
        self.cursors = cursors
        self.rows = rows
        self.keep = keep
    }

    /// The next row; nil at the end.
    public func next() throws -> StoreRow? {
        if position < rows.count {
            position += 1
            return rows[position - 1]
        }
        while let cursor = cursors.first {
            while try cursor.next(key: &key.writer, value: &store.found.writer) {
                guard keep(key.bytes) else { continue }
                return try store.row([UInt8](copying: key.bytes))
            }
            cursor.close()
            cursors.removeFirst()
        }
        return nil
    }

    /// A walk over rows that were taken out of this one.
    public func replaced(by rows: [StoreRow]) -> StoreScan { StoreScan(store, cursors: [], rows: rows) }

    /// Ends the walk.
    ///
    /// Scans that are not walked to the end must be closed.
    public func close() {
        for cursor in cursors { cursor.close() }
        cursors = []
        rows = []
        position = 0
    }

    deinit { close() }
}

extension StateStore {
    /// Walks over the keys from `lower` through `upper` (nil: open-ended) of a key-value store, in byte order.
    public func scan(from lower: RawSpan?, through upper: RawSpan?, reverse: Bool) throws(StoreError) -> StoreScan {
        guard layout.keys == .plain else {
            throw StoreError(.invalidRequest, "a range of keys of a window store needs times", store: name)
        }
        state.value.ranges &+= 1
        if let lower, let upper, lower.compare(to: upper) > 0 { return StoreScan(self, cursors: []) }
        var cursors: [any StateCursor] = []
        for table in layout.tables(from: Int64.min, through: Int64.max) {
            cursors.append(try table.cursor(from: lower, through: upper, reverse: reverse))
        }
        guard isCached else { return StoreScan(self, cursors: cursors) }
        let rows = try merged(
            cache.indices(from: lower, through: upper), cursors, { _ in true }, cached: { _ in true })
        let sorted = rows.sorted { $0.key.span.bytes.compare(to: $1.key.span.bytes) < 0 }
        return StoreScan(self, cursors: [], rows: reverse ? sorted.reversed() : sorted)
    }

    /// Walks over the windows of one key whose starts lie in a range, by start; or of all keys between two, in the order of
    /// Kafka Streams' stores: by segment and key if persistent, by start if in memory (Docs/Semantics.md, Stores).
    ///
    /// - Parameters:
    ///   - key: one key; nil for all keys between `lower` and `upper` (nil: open-ended).
    ///   - lower: the first key, where there is none.
    ///   - upper: the last key, where there is none.
    ///   - first: the earliest start, ms.
    ///   - last: the latest start, ms.
    ///   - latest: of sessions, whose ends lie in the range, the latest start, ms.
    ///   - reverse: whether the walk goes the other way.
    public func scanWindows(
        key: [UInt8]?, from lower: [UInt8]? = nil, through upper: [UInt8]? = nil, start first: Int64, end last: Int64,
        startingThrough latest: Int64 = .max, reverse: Bool
    ) throws(StoreError) -> StoreScan {
        let keys = layout.keys
        guard keys != .plain else {
            throw StoreError(.invalidRequest, "a key-value store has no windows", store: name)
        }
        state.value.ranges &+= 1
        let earliest = layout.earliestVisible
        let from = max(first, 0)
        func inside(_ full: RawSpan, isCached: Bool) -> Bool {
            let start = keys.time(of: full)
            guard start >= from, start <= last, isCached || start >= earliest else { return false }
            if latest < Int64.max, keys.rowTime(of: full).start > latest { return false }
            let plain = keys.recordKey(of: full)
            if let key { return plain.isEqual(to: key.span.bytes) }
            if let lower, plain.compare(to: lower.span.bytes) < 0 { return false }
            if let upper, plain.compare(to: upper.span.bytes) > 0 { return false }
            return true
        }
        var tables = layout.tables(from: from, through: last)
        if reverse { tables.reverse() }
        var cursors: [any StateCursor] = []
        for table in tables {
            if let key {
                let (low, high) = keys.bounds(of: key, from: from, through: last)
                cursors.append(try table.cursor(from: low.span.bytes, through: high.span.bytes, reverse: reverse))
            } else {
                cursors.append(try table.cursor(from: lower?.span.bytes, through: nil, reverse: reverse))
            }
        }
        let startsDescend = keys == .session && !description.isPersistent
        if !isCached && (description.isPersistent || key != nil) && !startsDescend {
            return StoreScan(self, cursors: cursors) { inside($0, isCached: false) }
        }
        var rows = try merged(
            isCached ? cache.indices(from: nil, through: nil) : [], cursors, { inside($0, isCached: false) },
            cached: { inside($0, isCached: true) })
        let isPersistent = description.isPersistent
        rows.sort { one, other in
            let left = keys.time(of: one.key.span.bytes)
            let right = keys.time(of: other.key.span.bytes)
            if !isPersistent || key != nil {
                if left != right { return left < right }
            } else if layout.rank(ofTime: left) != layout.rank(ofTime: right) {
                return left < right
            }
            if startsDescend {
                let order = keys.recordKey(of: one.key.span.bytes).compare(
                    to: keys.recordKey(of: other.key.span.bytes))
                if order == 0 { return one.key.span.bytes.compare(to: other.key.span.bytes) > 0 }
            }
            return one.key.span.bytes.compare(to: other.key.span.bytes) < 0
        }
        return StoreScan(self, cursors: [], rows: reverse ? rows.reversed() : rows)
    }

    /// What a cursor's value, left in the store's buffer, says.
    func row(_ key: [UInt8]) throws(StoreError) -> StoreRow {
        state.value.walked &+= 1
        try decode(key.span.bytes)
        return StoreRow(
            key: key, value: [UInt8](copying: value), timestamp: valueTimestamp, lineage: valueLineage,
            headers: headersOfRow())
    }

    private func merged(
        _ indices: [Int32], _ cursors: [any StateCursor], _ keep: (RawSpan) -> Bool,
        cached isInside: (RawSpan) -> Bool
    ) throws(StoreError) -> [StoreRow] {
        var rows: [StoreRow] = []
        var seen: Set<[UInt8]> = []
        if isCached {
            for index in indices {
                let key = ByteBuffer()
                cache.copyKey(index, into: &key.writer)
                guard isInside(key.bytes) else { continue }
                let bytes = [UInt8](copying: key.bytes)
                seen.insert(bytes)
                let entry = cache.entry(index)
                guard !entry.isDelete else { continue }
                try encodeHeld(index)
                let value = ByteBuffer()
                cache.copyValue(index, into: &value.writer)
                rows.append(
                    StoreRow(
                        key: bytes, value: [UInt8](copying: value.bytes), timestamp: entry.timestamp,
                        lineage: cache.lineage(index), headers: headers(ofEntry: index)))
            }
        }
        let key = ByteBuffer()
        for cursor in cursors {
            while try cursor.next(key: &key.writer, value: &found.writer) {
                let bytes = [UInt8](copying: key.bytes)
                guard keep(key.bytes), !seen.contains(bytes) else { continue }
                rows.append(try row(bytes))
            }
            cursor.close()
        }
        return rows
    }

    /// The number of rows, roughly: what the engine holds.
    public func approximateCount() throws(StoreError) -> Int {
        var total = 0
        for table in tables { total += try table.count() }
        return total
    }

    /// The bytes that the rows and what is kept beside them take in the engine, as far as it knows them cheaply.
    public func approximateBytes() throws(StoreError) -> Int {
        var total = try graves?.byteCount() ?? 0
        for table in tables { total += try table.byteCount() }
        return total
    }

    private var tables: [any StateTable] { layout.tables(from: Int64.min, through: Int64.max) }

    /// The tombstone that a delete left, while it is kept: its time and lineage.
    ///
    /// Nil if there is none.
    public func grave(_ key: RawSpan) throws(StoreError) -> (timestamp: Int64, lineage: Lineage)? {
        guard let graves, try graves.get(key, into: &found.writer) else { return nil }
        state.value.walked &+= 1
        try decode(key)
        return (valueTimestamp, valueLineage)
    }

    /// The sequence number of the next put of a store that keeps duplicates: from 1, 31 bits (Docs/Formats.md).
    public func nextSequence() -> UInt32 { layout.nextSequence() }

    /// Deletes every row, with the graves: the store is to be rebuilt.
    public func removeAll() throws(StoreError) {
        try layout.clear()
        try graves?.deleteAll()
        state.value.hasGraves = false
    }

    /// Keeps what the store knows beside its rows; called before each commit of the engine.
    public func prepareCommit() throws(StoreError) {
        try layout.prepareCommit()
    }
}
