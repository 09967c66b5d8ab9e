internal import TributaryCore
public import TributaryLineage

/// Stores whose rows are the records of a source topic.
extension StateStore {
    /// Writes a row (nil: deletes it) that is a record of the store's source topic: with the record's own lineage, and without a span.
    public func follow(_ key: RawSpan, _ value: RawSpan?, _ meta: borrowing RecordMeta) throws {
        if keepsHeaders { encodeHeaders(recorder.headers(of: meta)) }
        try writeThrough(
            key, value, timestamp: meta.timestamp, recordTime: meta.timestamp, meta.lineage, headers: RawSpan.empty)
    }
}
