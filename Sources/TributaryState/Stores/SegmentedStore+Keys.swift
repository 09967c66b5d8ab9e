internal import TributaryCore

extension SegmentedStore {
    func getStored(_ key: RawSpan, into envelope: inout ByteWriter) throws(StoreError) -> Bool {
        guard let table = existing(keys.time(of: key) / width) else {
            envelope.removeAll()
            return false
        }
        return try table.get(key, into: &envelope)
    }

    /// Calls the body with the keys of rows between two whose times lie in a range, segment by segment.
    func forEachKey(
        from lower: RawSpan, through upper: RawSpan, times range: ClosedRange<Int64>, reverse: Bool,
        _ search: RowSearch,
        _ body: (RawSpan) throws(StoreError) -> Bool
    ) throws(StoreError) {
        let first = max(range.lowerBound, earliestVisible, 0)
        let last = min(range.upperBound, streamTime)
        guard first <= last else { return }
        let ids = segmentIDs(first / width, last / width)
        var id = reverse ? ids.upperBound : ids.lowerBound
        var goesOn = true
        while goesOn && ids.contains(id) {
            if let table = existing(id) {
                try table.forEachKey(from: lower, through: upper, reverse: reverse, search) {
                    (found) throws(StoreError) in
                    let time = keys.time(of: found)
                    // Keys of other records may lie between.
                    guard time >= first, time <= last else { return true }
                    goesOn = try body(found)
                    return goesOn
                }
            }
            id += reverse ? -1 : 1
        }
    }

    // There are never more segments than a retention has, however far apart the times are.
    private func segmentIDs(_ first: Int64, _ last: Int64) -> ClosedRange<Int64> {
        guard last - first > Int64(segments.count) else { return first...last }
        let low = segments.keys.min() ?? first
        let high = segments.keys.max() ?? last
        return max(first, low)...max(min(last, high), max(first, low))
    }

    /// Calls the body with the keys of all rows whose times lie in a range, in the order of times and then of keys.
    func forEachKey(times range: ClosedRange<Int64>, _ body: (RawSpan) throws(StoreError) -> Void) throws(StoreError) {
        // Sessions that are to be emitted are seen as long as their segment is there.
        let first =
            keys == .session && isPersistent ? max(range.lowerBound, 0) : max(range.lowerBound, earliestVisible, 0)
        let last = min(range.upperBound, streamTime)
        guard first <= last else { return }
        let suffix = keys.suffixSize
        let entry = ByteBuffer()
        let value = ByteBuffer(capacity: 0)
        let row = ByteBuffer()
        for id in times.keys.sorted() where id >= first / width && id <= last / width {
            guard let table = times[id] else { continue }
            let (low, high) = (Self.bound(first), last == Int64.max ? nil : Self.bound(last + 1))
            let cursor = try table.cursor(from: low.span.bytes, through: high?.span.bytes, reverse: false)
            defer { cursor.close() }
            while try cursor.next(key: &entry.writer, value: &value.writer) {
                guard let time = entry.bytes.integer(at: 0, as: Int64.self), time <= last else { break }
                row.writer.removeAll()
                row.writer.append(entry.bytes.dropping(suffix))
                row.writer.append(entry.bytes.prefix(suffix))
                try body(row.bytes)
            }
        }
    }

    private static func bound(_ time: Int64) -> [UInt8] {
        var writer = ByteWriter(capacity: 16)
        writer.append(bigEndian: time)
        return writer.copy()
    }
}
