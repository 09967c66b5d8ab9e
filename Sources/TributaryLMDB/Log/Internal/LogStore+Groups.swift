internal import TributaryCore

extension LogStore {
    /// The name of a group under which offsets are to be committed; nil if there are none.
    func groupName(
        of group: (any LogGroup)?, for offsets: [TopicPartition: CommittedOffset]
    ) throws(LogError) -> String? {
        guard !offsets.isEmpty else { return nil }
        guard let group = group as? EmbeddedGroup else {
            throw LogError(.invalidRequest, "offsets are committed with a group of the same log")
        }
        try group.checkMember()
        try check(offsets)
        return group.name
    }

    /// Refuses offsets that can't be stored.
    func check(_ offsets: [TopicPartition: CommittedOffset]) throws(LogError) {
        for (partition, offset) in offsets {
            guard TopicName.isValid(partition.topic), partition.partition >= 0, offset.offset >= 0 else {
                throw LogError(
                    .invalidRequest, "not an offset to commit", topic: partition.topic,
                    partition: partition.partition, offset: offset.offset)
            }
            guard offset.metadata.utf8.count <= 1 << 16 else {
                throw LogError(.tooLarge, "an offset's metadata is over 64 KiB", topic: partition.topic)
            }
        }
    }

    /// All that a group has committed.
    func committed(_ group: String) throws(LogError) -> [TopicPartition: CommittedOffset] {
        try translating { () throws(LMDBError) in
            let transaction = try environment.read()
            try transaction.checkRows(databases.groups)
            let cursor = try transaction.cursor(databases.groups)
            var key = LogKey()
            key.group(group)
            let size = key.bytes.byteCount
            var offsets: [TopicPartition: CommittedOffset] = [:]
            var entry = try cursor.seek(key.bytes)
            while let found = entry, found.key.hasPrefix(key.bytes) {
                let name = found.key.dropping(size)
                guard name.byteCount > 4, let topic = String(strictUTF8: name.prefix(name.byteCount - 4)),
                    let partition = name.integer(at: name.byteCount - 4, as: Int32.self),
                    let offset = found.value.integer(at: 0, as: Int64.self),
                    let metadata = String(strictUTF8: found.value.dropping(24))
                else { throw environment.malformed("a committed offset") }
                offsets[TopicPartition(topic, partition)] = CommittedOffset(offset, metadata: metadata)
                entry = try cursor.move(.next)
            }
            return offsets
        }
    }

    /// The names of all groups that have committed something.
    func groupNames() throws(LogError) -> [String] {
        try translating { () throws(LMDBError) in
            let transaction = try environment.read()
            try transaction.checkRows(databases.groups)
            let cursor = try transaction.cursor(databases.groups)
            var names: [String] = []
            var entry = try cursor.move(.first)
            while let found = entry {
                guard let size = found.key.integer(at: 0, as: UInt16.self),
                    let name = String(strictUTF8: found.key.dropping(2).prefix(Int(size)))
                else { throw environment.malformed("a committed offset") }
                if names.last != name { names.append(name) }
                entry = try cursor.move(.next)
            }
            return names
        }
    }

    /// Makes whoever used a transactional id before a stranger; returns the epoch that counts from now on.
    func beginEpoch(_ id: String) throws(LogError) -> UInt64 {
        guard (1...500).contains(id.utf8.count) else {
            throw LogError(.invalidRequest, "a transactional id has 1 to 500 bytes")
        }
        return try translating { () throws(LMDBError) in
            try environment.read().checkRows(databases.commits)
            var transaction = try environment.write()
            var key = LogKey()
            key.text(id)
            var epoch: UInt64 = 1
            var last: Int64 = 0
            if let found = try transaction.value(databases.commits, key.bytes) {
                epoch = (found.integer(at: 0, as: UInt64.self) ?? 0) + 1
                last = found.integer(at: 8, as: Int64.self) ?? 0
            }
            var value = ByteWriter()
            value.append(bigEndian: epoch)
            value.append(bigEndian: last)
            try transaction.put(databases.commits, key.bytes, value.bytes)
            try transaction.commit()
            return epoch
        }
    }

    /// Who may commit under a transactional id, and the log's id of the last commit under it; nil if it was never used.
    func commitRow(_ id: String?) throws(LogError) -> (epoch: UInt64, commit: Int64)? {
        guard let id, !id.isEmpty else { return nil }
        return try translating { () throws(LMDBError) in
            let transaction = try environment.read()
            var key = LogKey()
            key.text(id)
            guard let row = try transaction.value(databases.commits, key.bytes) else {
                try transaction.checkRows(databases.commits)
                return nil
            }
            guard let epoch = row.integer(at: 0, as: UInt64.self), let commit = row.integer(at: 8, as: Int64.self)
            else {
                throw environment.malformed("a transactional id's row")
            }
            return (epoch, commit)
        }
    }

    /// The log's id of the last commit under a transactional id, or of all; 0 if there was none.
    func lastCommit(_ id: String?) throws(LogError) -> Int64 {
        if let id { return try commitRow(id)?.commit ?? 0 }
        return try translating { () throws(LMDBError) in
            let transaction = try environment.read()
            var key = LogKey()
            key.text("commit")
            return try transaction.value(databases.meta, key.bytes)?.integer(at: 0, as: Int64.self) ?? 0
        }
    }
}
