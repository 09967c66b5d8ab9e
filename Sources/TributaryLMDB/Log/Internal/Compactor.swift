internal import TributaryCore

/// Compacts a partition: of each key the newest record stays, a tombstone for the topic's `delete.retention.ms`.
///
/// The last batch is left alone, and so is what is younger than `min.compaction.lag.ms`. Records keep their offsets. What
/// becomes small is put together into batches of the usual size, and a batch stands for the offsets of all that it replaces:
/// none are missing, even if no record is left. Reads and writes are separate short transactions; if records are deleted in
/// between, the rest is left for the next time.
///
/// What is dirty, not compacted yet, is read once, and its keys' newest offsets are noted, in memory that is bounded. Dirty
/// batches of which nothing stays aren't read again; the clean part before them is, since a record there may have been
/// replaced.
struct Compactor: ~Copyable {
    private let store: LogStore
    private let topic: String
    private let id: UInt32
    private let partition: Int32
    private let settings: TopicSettings
    private let now: Int64
    private let isStopped: () -> Bool

    // The batch that is being put together, and what it replaces.
    private var out = OpenBatch()
    private var outBase: Int64 = 0
    private var outEnd: Int64 = 0
    private var horizon: Int64 = 0
    private var sources: [(base: Int64, bytes: Int)] = []
    private var isChanged = false
    // Batches that are ready, to be written in one transaction: each costs a sync of the disk.
    private var ready: [Replacement] = []
    private var readyBytes = 0
    private var readySources = 0

    /// A batch and those that it takes the place of.
    private struct Replacement {
        var batch: OpenBatch
        var base: Int64
        var sources: [(base: Int64, bytes: Int)]
    }

    /// How many bytes are written in one transaction, roughly: a few ms.
    private static let transactionBytes = 4 << 20

    /// What one run came to.
    enum Outcome {
        /// There was not enough to do.
        case nothing
        /// All is clean that may be.
        case done
        /// Memory was full of keys: there is more to do.
        case more
        /// The partition changed, or it is time to stop.
        case interrupted
    }

    init(
        _ store: LogStore, _ topic: String, _ id: UInt32, _ partition: Int32, _ settings: TopicSettings,
        isStopped: @escaping () -> Bool = { false }
    ) {
        self.store = store
        self.topic = topic
        self.id = id
        self.partition = partition
        self.settings = settings
        self.isStopped = isStopped
        now = store.configuration.time.wall.milliseconds
    }

    deinit {
        unsafe out.base?.deallocate()
        for replacement in ready { unsafe replacement.batch.base?.deallocate() }
    }

    /// Compacts once if so much of the partition is dirty, or in any case.
    mutating func run(all: Bool, ratio: Double) throws(LogError) -> Outcome {
        let row = try translating { () throws(LMDBError) in
            try partitionRow(store.environment.read(), store.databases, id, partition)
        }
        guard let row, row.nextOffset > row.startOffset else { return .nothing }
        let (dirty, end) = try translating { () throws(LMDBError) in try measure(row) }
        guard all || (end > row.cleanOffset && Double(dirty) >= ratio * Double(row.bytes)) else { return .nothing }
        var found = DirtyPart(from: row.cleanOffset, memory: store.configuration.compactionBytes)
        let reached = try note(&found, row, to: end)
        // What wasn't noted would look like more to do, without end.
        if isStopped() { return .interrupted }
        store.configuration.killPoint?(.compactionNoted)
        guard try rewrite(found, to: reached, row) else { return .interrupted }
        return reached < end ? .more : .done
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
                latest > now.subtractingSaturated(settings.minimumCompactionLagMilliseconds)
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

    /// Reads the batch that goes on at an offset; false at the end of what is to be compacted.
    ///
    /// Offsets that are missing are an error: what is put together would stand for them.
    private func load(
        _ batch: inout StoredBatch, _ row: PartitionRow, at: Int64?, to end: Int64
    ) throws(LogError) -> Bool {
        let found = try translating { () throws(LMDBError) in
            try batch.load(store, id, partition, atOrAfter: at ?? 0)
        }
        guard found, batch.base < end else {
            if let at, at < end, store.format > 1 { throw corrupt(.hole, at) }
            return false
        }
        let isNext = at == nil ? batch.base <= row.startOffset : batch.base == at
        guard isNext || (store.format == 1 && batch.base < row.cleanOffset) else {
            throw corrupt(.hole, at ?? row.startOffset)
        }
        return true
    }

    /// Notes the newest offset of the keys in the dirty part; returns where it stopped.
    private func note(_ found: inout DirtyPart, _ row: PartitionRow, to end: Int64) throws(LogError) -> Int64 {
        var batch = StoredBatch()
        var at = found.from
        while at < end, !found.isFull, !isStopped() {
            // The first may begin before the part does, if records before an offset were deleted.
            guard try load(&batch, row, at: at == row.startOffset ? nil : at, to: end) else { break }
            do throws(BatchHeader.Fault) {
                let header = try batch.header()
                try batch.forEach(header) { record in
                    if let key = record.key { found.keys.note(key, record.offset) }
                    return true
                }
                found.batches.append(
                    DirtyPart.Batch(base: batch.base, end: header.endOffset, byteCount: batch.byteCount))
                at = header.endOffset
            } catch { throw corrupt(error, batch.base) }
        }
        found.finish(at)
        return at
    }

    /// Writes what stays; false if the partition has changed or it is time to stop.
    private mutating func rewrite(
        _ found: borrowing DirtyPart, to end: Int64, _ row: PartitionRow
    ) throws(LogError) -> Bool {
        var batch = StoredBatch()
        var at: Int64?
        let clean = found.batches.first?.base ?? found.from
        while at ?? 0 < clean {
            if isStopped() { return false }
            guard try load(&batch, row, at: at, to: clean) else { break }
            guard let next = try add(batch, found, row) else { return false }
            at = next
        }
        for index in found.batches.indices {
            if isStopped() { return false }
            let dirty = found.batches[index]
            if !found.holdsAny(dirty) {
                // Nothing stays: its bytes need not be looked at again.
                guard try makeRoom(0, 0, dirty.end, row) else { return false }
                begin(dirty.base)
                isChanged = true
                replace(dirty.base, dirty.byteCount, dirty.end)
                continue
            }
            guard try load(&batch, row, at: dirty.base == clean && at == nil ? nil : dirty.base, to: end),
                batch.base == dirty.base, try add(batch, found, row) != nil
            else { return false }
        }
        guard try flush(row) else { return false }
        store.configuration.killPoint?(.compactionCommitted)
        return try write(row) { $0.cleanOffset = max($0.cleanOffset, end) }
    }

    /// Adds what stays of a batch; returns where the next begins, or nil if the partition has changed.
    private mutating func add(
        _ batch: borrowing StoredBatch, _ found: borrowing DirtyPart, _ row: PartitionRow
    ) throws(LogError) -> Int64? {
        let header: BatchHeader
        let plan: Plan
        do throws(BatchHeader.Fault) {
            header = try batch.header()
            plan = try look(batch, header, found)
        } catch { throw corrupt(error, batch.base) }
        let isLarge = batch.byteCount * 2 > store.configuration.batchBytes
        if !plan.isChanged && isLarge {
            guard try flush(row) else { return nil }
            return header.endOffset
        }
        let batchHorizon = plan.tombstones == 0 ? 0 : plan.horizon
        guard try makeRoom(batch.byteCount, batchHorizon, header.endOffset, row) else { return nil }
        do throws(BatchHeader.Fault) { try take(batch, header, found, plan, batchHorizon) } catch {
            throw corrupt(error, batch.base)
        }
        return header.endOffset
    }

    /// Writes what was put together if so much more doesn't go with it; false if the partition has changed.
    private mutating func makeRoom(
        _ byteCount: Int, _ batchHorizon: Int64, _ end: Int64, _ row: PartitionRow
    ) throws(LogError) -> Bool {
        guard !sources.isEmpty else { return true }
        let clash = horizon != 0 && batchHorizon != 0 && horizon != batchHorizon
        let isFull = out.length + byteCount > store.configuration.batchBytes || end - outBase > Int64(Int32.max)
        let isMany = sources.count >= LogStore.batchesPerTransaction
        return clash || isFull || isMany ? try flush(row) : true
    }

    /// What compaction does to a batch.
    private struct Plan {
        var kept: UInt32 = 0
        var tombstones: UInt32 = 0
        var horizon: Int64 = 0
        var isChanged = false
    }

    private func stays(_ record: borrowing StoredRecord, _ header: BatchHeader, _ found: borrowing DirtyPart) -> Bool {
        guard let key = record.key, found.isNewest(key, record.offset) else { return false }
        return !(record.isTombstone && header.deleteHorizon != 0 && now >= header.deleteHorizon)
    }

    private func look(
        _ batch: borrowing StoredBatch, _ header: BatchHeader, _ found: borrowing DirtyPart
    ) throws(BatchHeader.Fault) -> Plan {
        var plan = Plan()
        try batch.forEach(header) { record in
            if stays(record, header, found) {
                plan.kept += 1
                if record.isTombstone { plan.tombstones += 1 }
            }
            return true
        }
        plan.horizon =
            header.deleteHorizon != 0
            ? header.deleteHorizon : now.addingSaturated(settings.deleteRetentionMilliseconds)
        plan.isChanged = plan.kept != header.count || (plan.tombstones > 0 && header.deleteHorizon == 0)
        return plan
    }

    private mutating func take(
        _ batch: borrowing StoredBatch, _ header: BatchHeader, _ found: borrowing DirtyPart, _ plan: Plan,
        _ batchHorizon: Int64
    ) throws(BatchHeader.Fault) {
        begin(batch.base)
        var next = out
        let base = outBase
        try batch.forEach(header) { record in
            if stays(record, header, found) { record.append(to: &next, base: base) }
            return true
        }
        out = next
        if batchHorizon != 0 { horizon = batchHorizon }
        isChanged = isChanged || plan.isChanged || !sources.isEmpty
        replace(batch.base, batch.byteCount, header.endOffset)
    }

    private mutating func begin(_ base: Int64) {
        guard sources.isEmpty else { return }
        outBase = base
        horizon = 0
        isChanged = false
    }

    private mutating func replace(_ base: Int64, _ byteCount: Int, _ end: Int64) {
        sources.append((base, byteCount))
        outEnd = end
    }

    /// Closes what was put together; returns false if the partition has changed under it.
    private mutating func flush(_ before: PartitionRow) throws(LogError) -> Bool {
        defer { sources = [] }
        guard !sources.isEmpty, isChanged else {
            out.clear()
            return true
        }
        out.seal(span: UInt32(outEnd - outBase), deleteHorizon: horizon)
        out.setBaseOffset(outBase)
        ready.append(Replacement(batch: out, base: outBase, sources: sources))
        readyBytes += out.length
        readySources += sources.count
        out = OpenBatch()
        guard readyBytes >= Self.transactionBytes || readySources >= LogStore.batchesPerTransaction else { return true }
        return try write(before) { _ in }
    }

    /// Replaces sources by what is ready, and changes the partition's row.
    private mutating func write(
        _ before: PartitionRow, _ update: (inout PartitionRow) -> Void
    ) throws(LogError) -> Bool {
        defer {
            for replacement in ready { unsafe replacement.batch.base?.deallocate() }
            ready.removeAll(keepingCapacity: true)
            readyBytes = 0
            readySources = 0
        }
        let old = ready.reduce(Int64(0)) { $1.sources.reduce($0) { $0 + Int64($1.bytes) } }
        let new = Int64(readyBytes)
        return try translating { () throws(LMDBError) in
            try change(before) { row in
                row.bytes += new - old
                update(&row)
            } work: { transaction throws(LMDBError) in
                var key = LogKey()
                for replacement in ready {
                    for source in replacement.sources {
                        key.record(id, partition, source.base)
                        try transaction.delete(store.databases.records, key.bytes)
                    }
                    key.record(id, partition, replacement.base)
                    try transaction.put(store.databases.records, key.bytes, replacement.batch.bytes)
                }
                store.configuration.killPoint?(.compactionWritten)
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
