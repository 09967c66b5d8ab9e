package import TributaryCore

/// Walks over a whole log and checks what can be checked: the file's pages, rows, checksums, the order of offsets, sizes.
///
/// Pages are checked before they are followed, so that a damaged one is a finding. A program that is not sure of its file, or
/// of its memory, runs this in a child process all the same.
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

    /// Walks, on behind what is damaged.
    package mutating func run() {
        var pages = PageCheck()
        do throws(LMDBError) { try store.environment.read().checkPages(&pages) } catch {
            findings.append(LogError(error))
        }
        findings += pages.findings.map { LogError($0) }
        for database in store.databases.all {
            do throws(LMDBError) { try store.environment.read().checkRows(database) } catch {
                findings.append(LogError(error))
            }
        }
        let topics: [(name: String, row: TopicRow)]
        do throws(LogError) { topics = try store.topics() } catch {
            findings.append(error)
            return
        }
        for (name, row) in topics {
            for partition in 0..<row.partitions {
                let place = TopicPartition(name, partition)
                do throws(LogError) { try check(place, row) } catch { findings.append(error.at(place, nil)) }
            }
        }
    }

    private mutating func check(_ place: TopicPartition, _ topic: TopicRow) throws(LogError) {
        let row = try store.row(of: place)
        let isWhole = try store.isWhole(topic, topic: place.topic)
        var batch = StoredBatch()
        var bytes: Int64 = 0
        var next: Int64 = 0
        // Where the next batch begins, the first one at the latest; nil where the one before can't be read.
        var expected: Int64? = row.startOffset
        var isFirst = true
        while try load(&batch, topic.id, place.partition, next) {
            if batch.base >= row.nextOffset {
                // Written since the walk began, or the row is not what it was.
                if try store.row(of: place).nextOffset <= batch.base {
                    add(.corrupt, "the partition goes on behind its end", place, batch.base)
                }
                return
            }
            bytes += Int64(batch.byteCount)
            batches += 1
            defer { isFirst = false }
            if let missing = expected, isWhole, isFirst ? batch.base > missing : batch.base != missing {
                add(.corrupt, "offsets \(missing) to \(batch.base - 1) are missing", place, missing)
            }
            do throws(BatchHeader.Fault) {
                let header = try batch.header()
                var count = 0
                try batch.forEach(header) { _ in
                    count += 1
                    return true
                }
                records += count
                if header.endOffset <= row.startOffset {
                    add(.corrupt, "a batch lies before the partition's start", place, batch.base)
                }
                if header.endOffset > row.nextOffset {
                    add(.corrupt, "a batch reaches beyond the partition's end", place, batch.base)
                }
                next = header.endOffset
                expected = next
            } catch {
                add(.corrupt, error.rawValue, place, batch.base)
                next = batch.base + 1
                expected = nil  // how far it reached is unknown
            }
        }
        if let missing = expected, missing < row.nextOffset, isWhole || !isFirst {
            add(.corrupt, "offsets \(missing) to \(row.nextOffset - 1) are missing", place, missing)
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
