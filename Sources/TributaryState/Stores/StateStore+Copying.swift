internal import TributaryCore

extension StateStore {
    /// The greatest time of a row that was put so far, ms, of stores whose rows end with time; -1 before the first, and of others.
    ///
    /// Kept with the rows.
    public var streamTime: Int64 { layout.streamTime }

    /// Copies the rows of one key whose windows start in a range, in the order of time; those of one time in the order of their writes.
    ///
    /// Rows that the store doesn't keep any more are left out. Nothing is allocated once the rows have room.
    ///
    /// - Parameters:
    ///   - key: the record's key.
    ///   - first: the earliest start, ms.
    ///   - last: the latest start, ms.
    ///   - rows: where they go, instead of what is there.
    public func copyWindows(
        of key: RawSpan, from first: Int64, through last: Int64, into rows: CopiedRows
    ) throws(StoreError) {
        state.value.ranges &+= 1
        let keys = layout.keys
        rows.removeAll(keySize: key.byteCount + keys.suffixSize)
        let from = max(first, 0, layout.earliestVisible)
        guard from <= last else { return }
        bounds.low.writer.removeAll()
        bounds.low.writer.append(key)
        bounds.low.writer.append(bigEndian: from)
        bounds.high.writer.removeAll()
        bounds.high.writer.append(key)
        bounds.high.writer.append(bigEndian: last)
        for _ in 8..<keys.suffixSize {
            bounds.low.writer.append(0)
            bounds.high.writer.append(0xff)
        }
        try layout.copyRows(
            from: bounds.low.bytes, through: bounds.high.bytes, times: from, last, limit: Int.max, into: rows)
    }

    /// Copies the first `limit` rows from a key on (nil: from the first).
    public func copyRows(after key: RawSpan?, limit: Int, into rows: CopiedRows) throws(StoreError) {
        state.value.ranges &+= 1
        bounds.low.writer.removeAll()
        if let key {
            bounds.low.writer.append(key)
            bounds.low.writer.append(0)
        }
        rows.removeAll()
        try layout.copyRows(
            from: bounds.low.bytes, through: nil, times: Int64.min, Int64.max, limit: limit, into: rows)
    }

    /// Copies the rows whose keys begin with some bytes, but no more than `limit`, from behind a key on (nil: from the first).
    public func copyRows(
        withPrefix prefix: RawSpan, after key: RawSpan?, limit: Int, into rows: CopiedRows
    ) throws(StoreError) {
        state.value.ranges &+= 1
        bounds.low.writer.removeAll()
        if let key {
            bounds.low.writer.append(key)
            bounds.low.writer.append(0)
        } else {
            bounds.low.writer.append(prefix)
        }
        rows.removeAll()
        try layout.copyRows(
            from: bounds.low.bytes, through: upperBound(of: prefix), times: Int64.min, Int64.max, limit: limit,
            into: rows)
        var count = rows.count
        while count > 0, !rows.key(count - 1).hasPrefix(prefix) { count -= 1 }
        rows.truncate(to: count)
    }

    // The least bytes that are above all with the prefix: not one of them, and cut off where the walk meets it.
    @_lifetime(immortal)
    private func upperBound(of prefix: RawSpan) -> RawSpan? {
        bounds.high.writer.removeAll()
        var count = prefix.byteCount
        while count > 0, prefix.byte(at: count - 1) == 0xff { count -= 1 }
        guard count > 0, let last = prefix.byte(at: count - 1) else { return nil }
        bounds.high.writer.append(prefix.prefix(count - 1))
        bounds.high.writer.append(last + 1)
        return bounds.high.bytes
    }

    /// Shows a row that was copied as a read would: ``value``, ``valueTimestamp`` and ``valueLineage`` until the next read.
    public func show(_ index: Int, of rows: CopiedRows) throws(StoreError) {
        state.value.walked &+= 1
        found.writer.removeAll()
        found.writer.append(rows.value(index))
        try decode(rows.key(index))
    }

    /// The key of the last row; nil if there is none.
    public func lastKey() throws(StoreError) -> [UInt8]? {
        for table in layout.tables(from: Int64.min, through: Int64.max).reversed() {
            let cursor = try table.cursor(from: nil, through: nil, reverse: true)
            defer { cursor.close() }
            if try cursor.next(key: &bounds.low.writer, value: &found.writer) {
                state.value.walked &+= 1
                return bounds.low.writer.copy()
            }
        }
        return nil
    }
}
