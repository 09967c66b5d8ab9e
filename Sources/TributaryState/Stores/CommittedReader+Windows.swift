internal import TributaryCore

extension CommittedReader {
    /// Calls the body with each committed window of a store that starts in a range (ms, both ends included), until it returns false.
    ///
    /// Windows that had expired at the commit are left out. Segments come in the order of time, keys in their order within.
    ///
    /// - Parameters:
    ///   - description: the store's.
    ///   - key: only this key's windows; nil for those of all keys between `lower` and `upper`.
    ///   - lower: the first key; nil for an open end.
    ///   - upper: the last key; nil for an open end.
    ///   - first: the earliest start, of sessions the earliest end.
    ///   - last: the latest start, of sessions the latest end.
    ///   - latest: of sessions the latest start.
    ///   - body: gets the stored key, with the window in it, and the stored value.
    public func forEachWindow(
        _ description: StoreDescription, key: [UInt8]?, keysFrom lower: [UInt8]? = nil,
        keysThrough upper: [UInt8]? = nil, from first: Int64, through last: Int64, startingThrough latest: Int64 = .max,
        _ body: (_ key: RawSpan, _ envelope: RawSpan) throws(StoreError) -> Bool
    ) throws(StoreError) {
        guard let retention = description.retention else {
            throw StoreError(.invalidRequest, "a key-value store has no windows", store: description.name)
        }
        let saved = try metadata("time/\(description.name)")
        let time = saved?.span.bytes.integer(at: 0, as: Int64.self) ?? -1
        let from = max(first, 0, SegmentedStore.earliestVisible(at: time, retention))
        guard from <= last else { return }
        let keys = description.keys
        let bounds = key.map { keys.bounds(of: $0, from: from, through: last) }
        var goesOn = true
        for table in try tableNames() where goesOn && SegmentedStore.segment(of: table, store: description.name) != nil
        {
            let low = bounds?.low ?? lower
            try forEach(table, from: low?.span.bytes, through: bounds?.high.span.bytes) {
                (found, envelope) throws(StoreError) in
                let start = keys.time(of: found)
                guard start >= from, start <= last else { return true }
                if latest < Int64.max, keys.rowTime(of: found).start > latest { return true }
                // Longer keys can lie between the two bounds of a shorter one.
                if let key, found.byteCount != key.count + keys.suffixSize { return true }
                if key == nil {
                    let own = keys.recordKey(of: found)
                    if let lower, own.compare(to: lower.span.bytes) < 0 { return true }
                    if let upper, own.compare(to: upper.span.bytes) > 0 { return true }
                }
                goesOn = try body(found, envelope)
                return goesOn
            }
        }
    }
}
