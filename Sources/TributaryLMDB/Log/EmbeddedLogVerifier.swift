package import TributaryCore

/// Walks over a whole log and checks what can be checked: rows, keys, checksums, the order of offsets, sizes.
///
/// LMDB's own pages have no checksum: on a damaged tree the walk itself may crash, so a program that is not sure of its
/// file runs this in a child process.
package struct EmbeddedLogVerifier {
    private let store: LogStore
    /// What was found wrong, with coordinates.
    package private(set) var findings: [LogError] = []
    /// How many batches were looked at.
    package private(set) var batches = 0
    /// How many records were looked at.
    package private(set) var records = 0

    /// Makes a verifier of an open log.
    package init(_ log: EmbeddedLog) { store = log.handle.core.store }

    /// Walks; throws only for what keeps it from walking on.
    package mutating func run() throws(LogError) {
        for (name, row) in try store.topics() {
            for partition in 0..<row.partitions { try check(TopicPartition(name, partition), row) }
        }
    }

    private mutating func check(_ place: TopicPartition, _ topic: TopicRow) throws(LogError) {
        let row = try store.row(of: place)
        let compacts = try TopicSettings(topic.settings, topic: place.topic).compacts
        var batch = StoredBatch()
        var bytes: Int64 = 0
        var next: Int64 = 0
        var isFirst = true
        while try load(&batch, topic.id, place.partition, next) {
            let header: BatchHeader
            do throws(BatchHeader.Fault) {
                bytes += Int64(batch.byteCount)
                batches += 1
                header = try batch.header()
                var count = 0
                try batch.forEach(header) { _ in
                    count += 1
                    return true
                }
                records += count
            } catch {
                add(.corrupt, error.rawValue, place, batch.base)
                next = batch.base + 1
                isFirst = true  // how far the bad one reached is unknown
                continue
            }
            // Written since the walk began: not in the row that was read before.
            if batch.base >= row.nextOffset { return }
            if !isFirst && batch.base != next && !compacts {
                add(.corrupt, "offsets \(next) to \(batch.base - 1) are missing", place, next)
            }
            if header.endOffset <= row.startOffset {
                add(.corrupt, "a batch lies before the partition's start", place, batch.base)
            }
            if header.endOffset > row.nextOffset {
                add(.corrupt, "a batch reaches beyond the partition's end", place, batch.base)
            }
            isFirst = false
            next = header.endOffset
        }
        if row.nextOffset > row.startOffset && !isFirst && next != row.nextOffset {
            add(.corrupt, "the last records are missing", place, next)
        }
        if bytes != row.bytes { add(.corrupt, "the partition holds \(bytes) bytes, not \(row.bytes)", place, nil) }
    }

    private func load(
        _ batch: inout StoredBatch, _ topic: UInt32, _ partition: Int32, _ offset: Int64
    ) throws(LogError) -> Bool {
        do throws(LMDBError) { return try batch.load(store, topic, partition, atOrAfter: offset) } catch {
            throw LogError(error)
        }
    }

    private mutating func add(_ code: LogError.Code, _ text: String, _ place: TopicPartition, _ offset: Int64?) {
        findings.append(LogError(code, text, topic: place.topic, partition: place.partition, offset: offset))
    }
}
