internal import TributaryCore

/// Links to rows that are records of a source topic, in stores that have it for a changelog.
extension LineageRecorder {
    /// Names the topic behind a source in cells (``SourcePartition/source``), so that links can say it.
    public func know(source: UInt32, topic: String) {
        let number = self.topic(topic)
        if !sourceTopics.value.contains(where: { $0.source == source }) { sourceTopics.value.append((source, number)) }
    }

    /// Adds a link to a row that may be a record itself: with the record's coordinate, which is all that its cell holds then.
    ///
    /// Such a row has no context after a restore if its record came with none: the coordinate is enough.
    @inline(never)
    public func link(_ type: LinkType, record row: Lineage) {
        guard mode == .cells, row.cell.count == 1, !row.cell.has(flags: Cell.gap),
            let entry = arena.entries(of: row.cell).first, entry.first == entry.last,
            let known = sourceTopics.value.first(where: { $0.source == entry.source })
        else { return link(type, row.context) }
        var link = LinkRecord(type, row.context)
        link.topic = known.topic
        link.partition = entry.partition
        link.offset = entry.first
        append(link)
    }
}
