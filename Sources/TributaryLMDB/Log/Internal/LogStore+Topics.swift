internal import TributaryCore

extension LMDBError {
    // Findings inside a block that may throw calls' errors only; turned into the log's errors at its end.
    static var gone: LMDBError { LMDBError(code: Int32.min, call: "topic is gone", path: "") }
    static var outOfRange: LMDBError { LMDBError(code: Int32.min + 1, call: "offset out of range", path: "") }
    var isGone: Bool { code == Int32.min }
    var isOutOfRange: Bool { code == Int32.min + 1 }
}

/// The row of a partition; nil if there is none.
func partitionRow(
    _ transaction: borrowing ReadTransaction, _ databases: LogDatabases, _ topic: UInt32, _ partition: Int32
) throws(LMDBError) -> PartitionRow? {
    var key = LogKey()
    key.partition(topic, partition)
    guard let bytes = try transaction.value(databases.partitions, key.bytes) else { return nil }
    guard let row = PartitionRow(bytes) else { throw transaction.environment.malformed("a partition's row") }
    return row
}

/// The row of a partition in a write transaction; nil if there is none.
func partitionRow(
    _ transaction: borrowing WriteTransaction, _ databases: LogDatabases, _ key: borrowing LogKey
) throws(LMDBError) -> PartitionRow? {
    guard let bytes = try transaction.value(databases.partitions, key.bytes) else { return nil }
    guard let row = PartitionRow(bytes) else { throw transaction.environment.malformed("a partition's row") }
    return row
}

extension LogStore {
    /// A topic's row; nil if there is none of that name.
    func topic(_ name: String) throws(LogError) -> TopicRow? {
        guard TopicName.isValid(name) else { return nil }
        return try translating { () throws(LMDBError) in
            let transaction = try environment.read()
            var key = LogKey()
            key.text(name)
            guard let bytes = try transaction.value(databases.topics, key.bytes) else {
                try transaction.checkRows(databases.topics)
                return nil
            }
            guard let row = TopicRow(bytes) else { throw environment.malformed("a topic's row") }
            return row
        }
    }

    /// All topics by name.
    func topics() throws(LogError) -> [(name: String, row: TopicRow)] {
        try translating { () throws(LMDBError) in
            let transaction = try environment.read()
            let cursor = try transaction.cursor(databases.topics)
            var list: [(name: String, row: TopicRow)] = []
            var entry = try cursor.move(.first)
            while let found = entry {
                guard let row = TopicRow(found.value), let name = String(strictUTF8: found.key) else {
                    throw environment.malformed("a topic's row")
                }
                list.append((name, row))
                entry = try cursor.move(.next)
            }
            return list
        }
    }

    /// Makes topics, those before the first that can't be made.
    func createTopics(_ specifications: [TopicSpecification]) throws(LogError) {
        for specification in specifications {
            guard TopicName.isValid(specification.name) else {
                throw LogError(.invalidRequest, TopicName.rule, topic: specification.name)
            }
            guard specification.partitions > 0, specification.partitions <= 100_000 else {
                throw LogError(.invalidRequest, "a topic has 1 to 100,000 partitions", topic: specification.name)
            }
            _ = try TopicSettings(specification.settings, topic: specification.name)
            let made = try translating { () throws(LMDBError) in try create(specification) }
            if !made { throw LogError(.topicExists, "the topic exists", topic: specification.name) }
        }
    }

    private func create(_ specification: TopicSpecification) throws(LMDBError) -> Bool {
        var transaction = try environment.write()
        var key = LogKey()
        key.text(specification.name)
        if try transaction.value(databases.topics, key.bytes) != nil { return false }
        key.text("topic")
        let id = (try transaction.value(databases.meta, key.bytes)?.integer(at: 0, as: UInt32.self) ?? 0) + 1
        var value = ByteWriter()
        value.append(bigEndian: id)
        try transaction.put(databases.meta, key.bytes, value.bytes)
        key.text(specification.name)
        let deaths = try transaction.value(databases.deaths, key.bytes)?.integer(at: 0, as: UInt64.self) ?? 0
        let row = TopicRow(
            id: id, identity: randomIdentity(), life: deaths + 1, partitions: specification.partitions,
            settings: specification.settings)
        row.store(into: &value)
        try transaction.put(databases.topics, key.bytes, value.bytes)
        PartitionRow().store(into: &value)
        for partition in 0..<specification.partitions {
            key.partition(id, partition)
            try transaction.put(databases.partitions, key.bytes, value.bytes)
        }
        try transaction.commit()
        return true
    }

    /// Deletes a topic with the offsets committed for it; its records go in pieces afterwards.
    func deleteTopic(_ name: String) throws(LogError) {
        let found = try translating { () throws(LMDBError) in try removeTopic(name) }
        guard found else { throw LogError(.unknownTopic, "no such topic", topic: name) }
        wake.announceToAll()
        try translating { () throws(LMDBError) in try finishDeletions() }
    }

    private func removeTopic(_ name: String) throws(LMDBError) -> Bool {
        guard TopicName.isValid(name) else { return false }
        var transaction = try environment.write()
        var key = LogKey()
        key.text(name)
        guard let row = try topicRow(transaction, key) else { return false }
        try transaction.delete(databases.topics, key.bytes)
        var value = ByteWriter()
        value.append(bigEndian: row.life)
        try transaction.put(databases.deaths, key.bytes, value.bytes)
        value.removeAll()
        value.append(bigEndian: row.partitions)
        key.topic(row.id)
        try transaction.put(databases.deletions, key.bytes, value.bytes)
        for partition in 0..<row.partitions {
            key.partition(row.id, partition)
            try transaction.delete(databases.partitions, key.bytes)
            try transaction.delete(databases.times, key.bytes)
        }
        for group in try groupKeys(&transaction, topic: name) {
            unsafe try transaction.delete(databases.groups, group.span.bytes)
        }
        try transaction.commit()
        return true
    }

    /// A topic's row in a write transaction; nil if there is none.
    func topicRow(
        _ transaction: borrowing WriteTransaction, _ key: borrowing LogKey
    ) throws(LMDBError) -> TopicRow? {
        guard let bytes = try transaction.value(databases.topics, key.bytes) else { return nil }
        guard let row = TopicRow(bytes) else { throw environment.malformed("a topic's row") }
        return row
    }

    private func groupKeys(_ transaction: inout WriteTransaction, topic: String) throws(LMDBError) -> [[UInt8]] {
        let cursor = try transaction.cursor(databases.groups)
        var keys: [[UInt8]] = []
        var entry = try cursor.move(.first)
        while let found = entry {
            let group = Int(found.key.integer(at: 0, as: UInt16.self) ?? 0)
            let name = found.key.dropping(2 + group)
            if String(strictUTF8: name.prefix(name.byteCount - 4)) == topic { keys.append([UInt8](copying: found.key)) }
            entry = try cursor.move(.next)
        }
        return keys
    }

    /// Deletes the records of topics that were deleted, a bounded number in each transaction.
    func finishDeletions() throws(LMDBError) {
        while true {
            var transaction = try environment.write()
            var id: UInt32 = 0
            do {
                let cursor = try transaction.cursor(databases.deletions)
                guard let first = try cursor.move(.first) else { return }
                id = first.key.integer(at: 0, as: UInt32.self) ?? 0
            }
            let freed = try deleteBatches(&transaction, id, 0, below: nil, anyPartition: true)
            if freed.count < Self.batchesPerTransaction {
                var key = LogKey()
                key.topic(id)
                try transaction.delete(databases.deletions, key.bytes)
            }
            try transaction.commit()
        }
    }

    /// The most batches deleted in one transaction: a few ms, so that nobody waits long for the log.
    static var batchesPerTransaction: Int { 256 }

    /// Deletes batches from the front of a partition that end at or below an offset; returns how many, and their bytes.
    func deleteBatches(
        _ transaction: inout WriteTransaction, _ topic: UInt32, _ partition: Int32, below: Int64?,
        anyPartition: Bool = false
    ) throws(LMDBError) -> (count: Int, bytes: Int64) {
        var key = LogKey()
        key.record(topic, partition, 0)
        try transaction.checkPages(databases.records, from: key.bytes, entries: Self.batchesPerTransaction + 1)
        let cursor = try transaction.openCursor(databases.records)
        defer { transaction.close(cursor) }
        var count = 0
        var bytes: Int64 = 0
        while count < Self.batchesPerTransaction {
            do {
                guard let entry = try transaction.seek(cursor, key.bytes), entry.key.byteCount == 16,
                    entry.key.integer(at: 0, as: UInt32.self) == topic
                else { break }
                if !anyPartition {
                    guard let base = baseOffset(entry.key, topic, partition) else { break }
                    let delta = entry.value.integer(at: 20, as: UInt32.self) ?? 0
                    if let below, base + Int64(delta) >= below { break }
                }
                bytes += Int64(entry.value.byteCount)
            }
            try transaction.delete(cursor)
            count += 1
        }
        return (count, bytes)
    }

    /// The ends of a partition.
    func watermarks(_ partition: TopicPartition) throws(LogError) -> Watermarks {
        let row = try row(of: partition)
        return Watermarks(low: row.startOffset, high: row.nextOffset)
    }

    /// The row of a partition known by name.
    func row(of partition: TopicPartition) throws(LogError) -> PartitionRow {
        let topic = try topic(partition.topic)
        let row = try translating { () throws(LMDBError) -> PartitionRow? in
            guard let topic else { return nil }
            return try partitionRow(environment.read(), databases, topic.id, partition.partition)
        }
        guard let row else {
            throw LogError(
                .unknownTopic, "no such partition", topic: partition.topic, partition: partition.partition)
        }
        return row
    }

    /// Deletes the records before an offset (-1: all that are there now).
    func deleteRecords(_ partition: TopicPartition, before offset: Int64) throws(LogError) {
        guard let topic = try topic(partition.topic) else {
            throw LogError(.unknownTopic, "no such topic", topic: partition.topic)
        }
        let row = try row(of: partition)
        guard offset >= -1, offset <= row.nextOffset else {
            throw LogError(
                .offsetOutOfRange, "there is no such offset to delete before", topic: partition.topic,
                partition: partition.partition, offset: offset)
        }
        let before = offset < 0 ? row.nextOffset : offset
        try translating { () throws(LMDBError) in
            while try advanceStart(topic.id, partition.partition, to: before) {}
        }
    }

    /// Moves a partition's start up and deletes some of the batches before it; returns whether there may be more.
    func advanceStart(_ topic: UInt32, _ partition: Int32, to offset: Int64) throws(LMDBError) -> Bool {
        var transaction = try environment.write()
        var key = LogKey()
        key.partition(topic, partition)
        guard var row = try partitionRow(transaction, databases, key) else { return false }
        row.startOffset = max(row.startOffset, min(offset, row.nextOffset))
        row.cleanOffset = max(row.cleanOffset, row.startOffset)
        let freed = try deleteBatches(&transaction, topic, partition, below: row.startOffset)
        row.bytes -= freed.bytes
        var value = ByteWriter()
        row.store(into: &value)
        try transaction.put(databases.partitions, key.bytes, value.bytes)
        try transaction.commit()
        return freed.count == Self.batchesPerTransaction
    }

    /// Where the batch after the one at `offset` begins; the partition's end if there is none.
    func batchStart(after offset: Int64, _ assignment: Assignment) throws(LogError) -> Int64 {
        try translating { () throws(LMDBError) in
            let transaction = try environment.read()
            let cursor = try transaction.cursor(databases.records)
            var key = LogKey()
            key.record(assignment.topic, assignment.name.partition, offset + 1)
            if let entry = try cursor.seek(key.bytes),
                let base = baseOffset(entry.key, assignment.topic, assignment.name.partition)
            {
                return base
            }
            let row = try partitionRow(transaction, databases, assignment.topic, assignment.name.partition)
            return row?.nextOffset ?? offset + 1
        }
    }
}
