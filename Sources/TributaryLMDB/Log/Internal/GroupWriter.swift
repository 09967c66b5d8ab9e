internal import TributaryCore

/// Writes sets: as many as wait in one LMDB transaction, each one whole or not at all.
struct GroupWriter: ~Copyable {
    private let store: LogStore
    private var key = LogKey()
    private var value = ByteWriter()

    init(_ store: LogStore) { self.store = store }

    /// Writes sets and finishes each with its own result.
    mutating func write(_ sets: [WriteSet]) {
        let databases = store.databases
        do throws(LMDBError) {
            var transaction = try store.environment.write()
            let before = try lastCommit(transaction, databases)
            var last = before
            let shortage = store.reserve.shortage()
            for set in sets {
                if let refusal = try refusal(set, shortage, transaction, databases) {
                    set.failure = refusal
                } else {
                    set.failure = nil
                    try put(set, &last, &transaction, databases)
                }
            }
            if last != before {
                key.text("commit")
                value.removeAll()
                value.append(bigEndian: last)
                try transaction.put(databases.meta, key.bytes, value.bytes)
            }
            if last != before { store.configuration.killPoint?(.groupWritten) }
            try transaction.commit()
            if last != before { store.configuration.killPoint?(.groupCommitted) }
            if last != before {
                note(sets)
                store.wake.word.announce()
            }
            for set in sets { set.finish() }
        } catch {
            // It may have happened.
            if error.isOutcomeUnknown { note(sets) }
            // Nothing of this transaction exists, unless the error says that this is not known. If one of several sets was
            // too much, the others must not fail with it.
            if sets.count > 1 && !error.isOutcomeUnknown {
                for set in sets { write([set]) }
            } else {
                for set in sets {
                    set.failure = set.failure ?? failure(error, set)
                    set.finish()
                }
            }
        }
    }

    private func note(_ sets: [WriteSet]) {
        for set in sets where set.failure == nil {
            for batch in set.batches { store.wake.note(WakePage.place(batch.topic, batch.partition)) }
        }
    }

    private func failure(_ error: LMDBError, _ set: WriteSet) -> LogError {
        guard error.isOutcomeUnknown else { return LogError(error) }
        return LogError(
            .outcomeUnknown,
            "whether commit \(set.commit) happened can't be told before the log is opened again. \(error)")
    }

    private mutating func lastCommit(
        _ transaction: borrowing WriteTransaction, _ databases: LogDatabases
    ) throws(LMDBError) -> Int64 {
        key.text("commit")
        return try transaction.value(databases.meta, key.bytes)?.integer(at: 0, as: Int64.self) ?? 0
    }

    /// Why a set can't be written; looked at before any of it is.
    private mutating func refusal(
        _ set: WriteSet, _ shortage: DiskReserve.Shortage?, _ transaction: borrowing WriteTransaction,
        _ databases: LogDatabases
    ) throws(LMDBError) -> LogError? {
        // Offsets alone may use the reserve: they take no room, and let a reader end its work.
        if let shortage, !set.batches.isEmpty { return LogError(.diskFull, shortage.description) }
        if let writer = set.transaction {
            key.text(writer.id)
            let epoch = try transaction.value(databases.commits, key.bytes)?.integer(at: 0, as: UInt64.self)
            guard epoch == writer.epoch else {
                return LogError(.fenced, "a newer producer has the transactional id \(writer.id)")
            }
        }
        for index in set.batches.indices {
            let batch = set.batches[index]
            key.partition(batch.topic, batch.partition)
            if try transaction.value(databases.partitions, key.bytes) == nil {
                set.refused = index
                return LogError(.unknownTopic, "the topic was deleted", partition: batch.partition)
            }
        }
        for (partition, offset) in set.offsets {
            if let refusal = try refusal(partition, offset, transaction) { return refusal }
        }
        return nil
    }

    /// Why an offset can't be committed: it belongs to no topic that is there now.
    private mutating func refusal(
        _ place: TopicPartition, _ offset: CommittedOffset, _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> LogError? {
        key.text(place.topic)
        let row = try store.topicRow(transaction, key)
        guard let row, place.partition < row.partitions else {
            return LogError(
                .unknownTopic, "an offset of a topic that isn't there", topic: place.topic, partition: place.partition,
                offset: offset.offset)
        }
        guard offset.topicIdentity.isEmpty || offset.topicIdentity == row.identity else {
            return LogError(
                .unknownTopic, "an offset of a topic that was deleted, and made again as another", topic: place.topic,
                partition: place.partition, offset: offset.offset)
        }
        return nil
    }

    private mutating func put(
        _ set: WriteSet, _ last: inout Int64, _ transaction: inout WriteTransaction, _ databases: LogDatabases
    ) throws(LMDBError) {
        guard !set.isEmpty else {
            set.commit = last
            return
        }
        last += 1
        set.commit = last
        for index in set.batches.indices { try put(set, index, &transaction, databases) }
        if let group = set.group {
            let now = store.configuration.time.wall.milliseconds
            for (partition, offset) in set.offsets {
                key.group(group, partition)
                value.removeAll()
                value.append(bigEndian: offset.offset)
                value.append(bigEndian: now)
                value.append(bigEndian: last)
                value.append(utf8: offset.metadata)
                try transaction.put(databases.groups, key.bytes, value.bytes)
            }
        }
        if let writer = set.transaction {
            key.text(writer.id)
            value.removeAll()
            value.append(bigEndian: writer.epoch)
            value.append(bigEndian: last)
            try transaction.put(databases.commits, key.bytes, value.bytes)
        }
    }

    /// Keeps the greatest time of a partition's records; the key is the partition's.
    private mutating func advanceTime(
        _ sealed: SealedBatch, _ transaction: inout WriteTransaction, _ databases: LogDatabases
    ) throws(LMDBError) {
        let before = try transaction.value(databases.times, key.bytes)?.integer(at: 0, as: Int64.self) ?? Int64.min
        guard sealed.batch.maxTimestamp > before else { return }
        value.removeAll()
        value.append(bigEndian: sealed.batch.maxTimestamp)
        try transaction.put(databases.times, key.bytes, value.bytes)
    }

    private mutating func put(
        _ set: WriteSet, _ index: Int, _ transaction: inout WriteTransaction, _ databases: LogDatabases
    ) throws(LMDBError) {
        let sealed = set.batches[index]
        key.partition(sealed.topic, sealed.partition)
        guard var row = try partitionRow(transaction, databases, key) else {
            throw store.environment.malformed("a partition's row")
        }
        let base = row.nextOffset
        sealed.batch.setBaseOffset(base)
        set.batches[index].baseOffset = base
        row.nextOffset += Int64(sealed.batch.nextDelta)
        row.bytes += Int64(sealed.batch.length)
        row.store(into: &value)
        try transaction.put(databases.partitions, key.bytes, value.bytes)
        if sealed.hasStreamTime { try advanceTime(sealed, &transaction, databases) }
        key.record(sealed.topic, sealed.partition, base)
        try transaction.put(databases.records, key.bytes, sealed.batch.bytes)
    }
}
