internal import TributaryCore
public import TributaryLineage

/// Stores whose rows are the records of a source topic.
extension StateStore {
    /// Writes a row (nil: deletes it) that is a record of the store's source topic: with the record's own lineage, and without a span.
    public func follow(_ key: RawSpan, _ value: RawSpan?, _ meta: borrowing RecordMeta) throws {
        if keepsHeaders { encodeHeaders(recorder.headers(of: meta)) }
        try writeThrough(key, value, timestamp: meta.timestamp, recordTime: meta.timestamp, meta.lineage)
    }

    /// Links to a row, with the coordinate of the record that it is, which is all that its cell holds.
    @inline(never)
    func linkSource(_ type: LinkType, _ row: TraceContext) {
        let cell = state.value.lineage.cell
        guard let topic = description.sourceTopic, keepsCells, let entry = arena.entries(of: cell).first,
            cell.count == 1
        else { return recorder.link(type, row) }
        recorder.link(
            type, row,
            origin: RecordOrigin(topic: recorder.topic(topic), partition: entry.partition, offset: entry.first))
    }
}
