internal import TributaryCore

/// A version of a row, copied out of a store.
public struct StoredVersion: Sendable {
    /// The envelope.
    public var envelope: [UInt8]
    /// When a newer version replaced it, ms; nil for the newest.
    public var validTo: Int64?
}

/// A version of a row with what a scan says of rows.
public struct StoreVersion: Sendable {
    /// The row as it was.
    public var row: StoreRow
    /// When a newer version replaced it, ms; nil for the newest.
    public var validTo: Int64?
}

/// How the versions of one key are read, from an engine's own tables or from what it has committed.
enum VersionWalk {
    /// The versions that counted at any time from `first` through `last`, deletes left out, by their times.
    ///
    /// - Parameters:
    ///   - first: the range's beginning, ms.
    ///   - last: its end, ms.
    ///   - earliest: the earliest time of which replaced versions are seen, ms.
    ///   - newest: reads the newest version's envelope, a delete's, too.
    ///   - forEachReplaced: calls its body with what was replaced at a time in a range, ascending, until that returns false: with the place,
    ///     which ends with that time, and the envelope.
    static func versions(
        from first: Int64, through last: Int64, earliest: Int64,
        newest: (inout ByteWriter) throws(StoreError) -> Bool,
        forEachReplaced: (
            ClosedRange<Int64>, (_ place: RawSpan, _ envelope: RawSpan) throws(StoreError) -> Bool
        ) throws(StoreError) -> Void
    ) throws(StoreError) -> [StoredVersion] {
        var versions: [StoredVersion] = []
        var bytes = ByteWriter()
        guard first <= last, try newest(&bytes) else { return versions }
        let newestTime = VersionedStore.time(of: bytes.bytes)
        // One that ends where the range begins is not in it.
        let from = max(first, earliest).addingSaturated(1)
        if last >= earliest {
            try forEachReplaced(max(from, 0)...Int64.max) { (place, envelope) throws(StoreError) in
                let time = VersionedStore.time(of: envelope)
                // What has been replaced since the newest was read is that.
                guard time <= last, time < newestTime else { return false }
                guard !VersionedStore.isDelete(envelope) else { return true }
                versions.append(
                    StoredVersion(
                        envelope: [UInt8](copying: envelope),
                        validTo: place.integer(at: place.byteCount - 8, as: Int64.self)))
                return true
            }
        }
        if newestTime <= last, !VersionedStore.isDelete(bytes.bytes) {
            versions.append(StoredVersion(envelope: bytes.copy(), validTo: nil))
        }
        return versions
    }

    /// The keys between which lies what was replaced at times of a range.
    static func bounds(_ key: RawSpan, _ times: ClosedRange<Int64>) -> (low: [UInt8], high: [UInt8]) {
        func place(_ time: Int64) -> [UInt8] {
            var writer = ByteWriter(capacity: key.byteCount + 12)
            writer.append(bigEndian: UInt32(truncatingIfNeeded: key.byteCount))
            writer.append(key)
            writer.append(bigEndian: time)
            return writer.copy()
        }
        return (place(times.lowerBound), place(times.upperBound))
    }
}

extension VersionedStore {
    /// The versions of a key that counted at any time of a range.
    func versions(of key: [UInt8], from first: Int64, through last: Int64) throws(StoreError)
        -> [StoredVersion]
    {
        try VersionWalk.versions(from: first, through: last, earliest: earliest) {
            (bytes) throws(StoreError) in
            try newestOrDelete(key.span.bytes, into: &bytes)
        } forEachReplaced: { (times, body) throws(StoreError) in
            let bounds = VersionWalk.bounds(key.span.bytes, times)
            try forEachReplaced(from: bounds.low, through: bounds.high, since: times.lowerBound, body)
        }
    }
}

extension StateStore {
    /// The versions of a key that counted at any time from `first` through `last` (ms), deletes left out, by their times.
    ///
    /// Versions that were replaced longer ago, in stream time, than they are kept are not seen.
    ///
    /// - Throws: ``StoreError/Code/invalidRequest`` for a store without versions.
    public func versions(of key: [UInt8], from first: Int64, through last: Int64) throws(StoreError)
        -> [StoreVersion]
    {
        guard let versions else {
            throw StoreError(.invalidRequest, "the store keeps no versions", store: name)
        }
        state.value.ranges &+= 1
        var found: [StoreVersion] = []
        for version in try versions.versions(of: key, from: first, through: last) {
            self.found.writer.removeAll()
            self.found.writer.append(version.envelope)
            found.append(StoreVersion(row: try row(key), validTo: version.validTo))
        }
        return found
    }
}

extension CommittedReader {
    /// The committed versions of a key that counted at any time from `first` through `last` (ms), deletes left out, by their times.
    ///
    /// What is committed meanwhile may or may not be among them.
    ///
    /// - Throws: ``StoreError/Code/invalidRequest`` for a store without versions.
    public func versions(
        _ description: StoreDescription, of key: [UInt8], from first: Int64, through last: Int64
    ) throws(StoreError) -> [StoredVersion] {
        guard let history = description.history else {
            throw StoreError(.invalidRequest, "the store keeps no versions", store: description.name)
        }
        let store = description.name
        let saved = try metadata(SegmentedStore.timeKey(store))
        let time = saved?.span.bytes.integer(at: 0, as: Int64.self) ?? -1
        let names = try tableNames()
        let earliest = VersionedStore.earliest(at: time, history)
        return try VersionWalk.versions(from: first, through: last, earliest: earliest) {
            (bytes) throws(StoreError) in
            for table in [store, store + ".graves"] where names.contains(table) {
                if try get(table, key.span.bytes, into: &bytes) { return true }
            }
            return false
        } forEachReplaced: { (times, body) throws(StoreError) in
            let bounds = VersionWalk.bounds(key.span.bytes, times)
            var goesOn = true
            // Names of segments are in the order of time.
            for table in names.sorted()
            where goesOn && SegmentedStore.segment(of: table, store: store) != nil {
                try forEach(table, from: bounds.low.span.bytes, through: bounds.high.span.bytes) {
                    (place, envelope) throws(StoreError) in
                    goesOn = try body(place, envelope)
                    return goesOn
                }
            }
        }
    }
}
