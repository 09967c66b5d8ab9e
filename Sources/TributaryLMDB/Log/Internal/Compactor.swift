internal import TributaryCore

/// Compacts a partition: of each key the newest record stays, a tombstone for the topic's `delete.retention.ms`.
///
/// The last batch is left alone, and so is what is younger than `min.compaction.lag.ms`. Records keep their offsets. What
/// becomes small is put together into batches of the usual size. Reads and writes are separate short transactions; if
/// records are deleted in between, the rest is left for the next time.
struct Compactor: ~Copyable {
    private let store: LogStore
    private let topic: String
    private let id: UInt32
    private let partition: Int32
    private let settings: TopicSettings
    private let now: Int64

    // The batch that is being put together, and what it replaces.
    private var out = OpenBatch()
    private var outBase: Int64 = 0
    private var outEnd: Int64 = 0
    private var horizon: Int64 = 0
    private var sources: [(base: Int64, bytes: Int)] = []
    private var isChanged = false

    /// How much memory the keys of one run may take; further ones wait for the next run.
    private static let keyBytes = 64 << 20

    init(_ store: LogStore, _ topic: String, _ id: UInt32, _ partition: Int32, _ settings: TopicSettings) {
        self.store = store
        self.topic = topic
        self.id = id
        self.partition = partition
        self.settings = settings
        now = store.configuration.time.wall.milliseconds
    }

    deinit { unsafe out.base?.deallocate() }

    /// Compacts if enough of the partition is new, or in any case.
    mutating func run(all: Bool) throws(LogError) {
        let row = try translating { () throws(LMDBError) in
            try partitionRow(store.environment.read(), store.databases, id, partition)
        }
        guard let row, row.nextOffset > row.startOffset else { return }
        let (dirty, end) = try translating { () throws(LMDBError) in try measure(row) }
        guard all || (end > row.cleanOffset && Double(dirty) >= settings.minimumDirtyRatio * Double(row.bytes)) else {
            return
        }
        var keys = KeyTable()
        let reached = try note(&keys, from: row.cleanOffset, to: end)
        try rewrite(keys, to: reached, row)
    }

    /// How many bytes were never compacted, and where the part that may be ends.
    private func measure(_ row: PartitionRow) throws(LMDBError) -> (Int64, Int64) {
        let transaction = try store.environment.read()
        let cursor = try transaction.cursor(store.databases.records)
        var key = LogKey()
        key.record(id, partition, row.cleanOffset)
        var bytes: Int64 = 0
        var end = row.cleanOffset
        var entry = try cursor.seek(key.bytes)
        while let here = entry, let base = baseOffset(here.key, id, partition),
            let delta = here.value.integer(at: 20, as: UInt32.self),
            let latest = here.value.integer(at: 36, as: Int64.self)
        {
            let batchEnd = base + Int64(delta) + 1
            if batchEnd >= row.nextOffset { break }
            if settings.minimumCompactionLagMilliseconds > 0,
                latest > now - settings.minimumCompactionLagMilliseconds
            {
                break
            }
            bytes += Int64(here.value.byteCount)
            end = batchEnd
            entry = try cursor.move(.next)
        }
        return (bytes, end)
    }

    private func corrupt(_ fault: BatchHeader.Fault, _ base: Int64) -> LogError {
        LogError(.corrupt, fault.rawValue, topic: topic, partition: partition, offset: base)
    }

    /// Notes the newest offset of the keys in a range; returns where it stopped.
    private func note(_ keys: inout KeyTable, from: Int64, to end: Int64) throws(LogError) -> Int64 {
        var batch = StoredBatch()
        var at = from
        while at < end, keys.byteCount < Self.keyBytes {
            let found = try translating { () throws(LMDBError) in
                try batch.load(store, id, partition, atOrAfter: at)
            }
            guard found, batch.base < end else { return end }
            do throws(BatchHeader.Fault) {
                let header = try batch.header()
                try batch.forEach(header) { record in
                    if let key = record.key { keys.note(key, record.offset) }
                    return true
                }
                at = header.endOffset
            } catch { throw corrupt(error, batch.base) }
        }
        return at
    }

    private mutating func rewrite(_ keys: borrowing KeyTable, to end: Int64, _ row: PartitionRow) throws(LogError) {
        var batch = StoredBatch()
        var at: Int64 = 0
        while at < end {
            let found = try translating { () throws(LMDBError) in
                try batch.load(store, id, partition, atOrAfter: at)
            }
            guard found, batch.base < end else { break }
            let header: BatchHeader
            do throws(BatchHeader.Fault) { header = try batch.header() } catch { throw corrupt(error, batch.base) }
            let plan: Plan
            do throws(BatchHeader.Fault) { plan = try look(batch, header, keys) } catch {
                throw corrupt(error, batch.base)
            }
            let batchHorizon = plan.tombstones == 0 ? 0 : plan.horizon
            let isLarge = batch.byteCount * 2 > store.configuration.batchBytes
            if !plan.isChanged && isLarge {
                guard try flush(row) else { return }
            } else {
                let clash = horizon != 0 && batchHorizon != 0 && horizon != batchHorizon
                let isFull =
                    out.length + batch.byteCount > store.configuration.batchBytes
                    || header.endOffset - outBase > Int64(Int32.max)
                if !sources.isEmpty && (clash || isFull) {
                    guard try flush(row) else { return }
                }
                do throws(BatchHeader.Fault) { try take(batch, header, keys, plan, batchHorizon) } catch {
                    throw corrupt(error, batch.base)
                }
            }
            at = header.endOffset
        }
        guard try flush(row) else { return }
        _ = try translating { () throws(LMDBError) in
            try change(row) { row in
                row.cleanOffset = max(row.cleanOffset, end)
            } work: { _ throws(LMDBError) in
            }
        }
    }

    /// What compaction does to a batch.
    private struct Plan {
        var kept: UInt32 = 0
        var tombstones: UInt32 = 0
        var horizon: Int64 = 0
        var isChanged = false
    }

    private func stays(_ record: borrowing StoredRecord, _ header: BatchHeader, _ keys: borrowing KeyTable) -> Bool {
        guard let key = record.key else { return false }
        if let newest = keys.newest(key), newest > record.offset { return false }
        return !(record.isTombstone && header.deleteHorizon != 0 && now >= header.deleteHorizon)
    }

    private func look(
        _ batch: borrowing StoredBatch, _ header: BatchHeader, _ keys: borrowing KeyTable
    ) throws(BatchHeader.Fault) -> Plan {
        var plan = Plan()
        try batch.forEach(header) { record in
            if stays(record, header, keys) {
                plan.kept += 1
                if record.isTombstone { plan.tombstones += 1 }
            }
            return true
        }
        plan.horizon = header.deleteHorizon != 0 ? header.deleteHorizon : now + settings.deleteRetentionMilliseconds
        plan.isChanged = plan.kept != header.count || (plan.tombstones > 0 && header.deleteHorizon == 0)
        return plan
    }

    private mutating func take(
        _ batch: borrowing StoredBatch, _ header: BatchHeader, _ keys: borrowing KeyTable, _ plan: Plan,
        _ batchHorizon: Int64
    ) throws(BatchHeader.Fault) {
        if sources.isEmpty {
            outBase = batch.base
            horizon = 0
            isChanged = false
        }
        var next = out
        let base = outBase
        try batch.forEach(header) { record in
            if stays(record, header, keys) { record.append(to: &next, base: base) }
            return true
        }
        out = next
        if batchHorizon != 0 { horizon = batchHorizon }
        isChanged = isChanged || plan.isChanged || !sources.isEmpty
        sources.append((batch.base, batch.byteCount))
        outEnd = header.endOffset
    }

    /// Replaces the sources by what was put together; returns false if the partition has changed under it.
    private mutating func flush(_ before: PartitionRow) throws(LogError) -> Bool {
        defer {
            sources.removeAll(keepingCapacity: true)
            out.clear()
        }
        guard !sources.isEmpty, isChanged else { return true }
        out.seal(span: UInt32(outEnd - outBase), deleteHorizon: horizon)
        out.setBaseOffset(outBase)
        let old = sources.reduce(Int64(0)) { $0 + Int64($1.bytes) }
        let isEmpty = out.count == 0
        let new = isEmpty ? 0 : Int64(out.length)
        return try translating { () throws(LMDBError) in
            try change(before) { row in
                row.bytes += new - old
            } work: { transaction throws(LMDBError) in
                var key = LogKey()
                for source in sources {
                    key.record(id, partition, source.base)
                    try transaction.delete(store.databases.records, key.bytes)
                }
                if !isEmpty {
                    key.record(id, partition, outBase)
                    try transaction.put(store.databases.records, key.bytes, out.bytes)
                }
            }
        }
    }

    /// Changes the partition in one transaction, unless its start has moved since `before`.
    @discardableResult
    private func change(
        _ before: PartitionRow, _ update: (inout PartitionRow) -> Void,
        work: (inout WriteTransaction) throws(LMDBError) -> Void
    ) throws(LMDBError) -> Bool {
        var transaction = try store.environment.write()
        var key = LogKey()
        key.partition(id, partition)
        guard var row = try partitionRow(transaction, store.databases, key), row.startOffset == before.startOffset
        else { return false }
        update(&row)
        var value = ByteWriter()
        row.store(into: &value)
        try transaction.put(store.databases.partitions, key.bytes, value.bytes)
        try work(&transaction)
        try transaction.commit()
        return true
    }
}
