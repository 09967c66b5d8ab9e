internal import TributaryCore
public import TributaryLineage

extension StateStore {
    // MARK: Rows that expire

    /// The header of the tombstone of a row that has expired, whose value is the time when it did in decimal digits, ms.
    public static let expiredHeader = "expired"

    /// Whether rows expire.
    public var expires: Bool { expiring != nil }

    /// Deletes the rows that have expired by a stream time, and gives each to ``onFlush`` as a delete: in the order of their expiry, then by key.
    ///
    /// A delete belongs to its row, whose cell it has, at the time when that expired; the record at hand is its trigger. What this costs is what expires,
    /// not what is stored.
    ///
    /// - Parameters:
    ///   - streamTime: the task's, ms; below the greatest.
    ///   - trigger: of the record that moved it; without lineage where there is none.
    /// - Returns: whether any row has expired.
    public func expireRows(at streamTime: Int64, because trigger: borrowing RecordMeta) throws -> Bool {
        guard let expiring, !state.value.isExpiring else { return false }
        guard expiring.isDue(at: streamTime) else {
            try expiring.findFirst()
            return false
        }
        state.value.isExpiring = true
        defer { state.value.isExpiring = false }
        let batch = 64
        var hasExpired = false
        repeat {
            try expiring.copyDue(at: streamTime, limit: batch, into: expiredRows)
            for index in 0..<expiredRows.count {
                let entry = expiredRows.key(index)
                guard expiring.due(ExpiringStore.time(ofEntry: entry)) <= streamTime else { continue }
                let key = ExpiringStore.key(ofEntry: entry)
                state.value.walked &+= 1
                guard try layout.get(key, into: &found.writer) else {
                    try expiring.forget(entry)
                    continue
                }
                try decode(key)
                let due = expiring.due(valueTimestamp)
                guard due <= streamTime else {
                    try expiring.move(entry, to: valueTimestamp)
                    continue
                }
                try expiring.forget(entry)
                try expire(key, at: due, because: trigger)
                hasExpired = true
            }
        } while expiredRows.count == batch
        try expiring.findFirst()
        return hasExpired
    }

    // The row that was read last.
    private func expire(_ key: RawSpan, at time: Int64, because trigger: borrowing RecordMeta) throws {
        let mark = arena.mark
        defer { arena.release(to: mark) }
        let row = valueLineage
        expiredValue.writer.removeAll()
        if flushesOldValues { expiredValue.writer.append(value) }
        expiryHeaders.writer.removeAll()
        expiryHeaders.writer.append(varint: 1)
        Headers.append(name: Self.expiredHeader, value: Array(String(time).utf8), to: &expiryHeaders.writer)
        let origin = trigger.origin
        let saved = keepsHeaders ? recorder.saveHeaders() : nil
        defer { if keepsHeaders { recorder.restoreHeaders(saved) } }
        if keepsHeaders {
            copyRowHeaders()
            recorder.beginHeaders(origin, expiryHeaders.bytes)
            recorder.addHeaders(entryHeaders.bytes, to: origin)
        }
        if recorder.makesSpan(row.context) { recorder.link(.deleted, row.context) }
        var lineage = row
        try recorder.emit(operations.expire, &lineage, because: trigger.lineage.context) { lineage in
            let held: InlineArray<2, Lineage> = [lineage, row]
            let meta = RecordMeta(
                key: key, hasKey: true, keyIsStale: false, timestamp: time, origin: origin,
                headers: expiryHeaders.bytes,
                lineage: flushesOldValues ? held.span : held.span.extracting(first: 1))
            if keepsHeaders { encodeHeaders(recorder.headers(of: meta)) }
            try writeThrough(key, nil, timestamp: time, recordTime: time, lineage, headers: allHeaders(meta))
            try onFlush?(nil, flushesOldValues ? expiredValue.bytes : nil, meta)
        }
    }
}
