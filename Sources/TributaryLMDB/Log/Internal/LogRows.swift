internal import CLMDB
internal import TributaryCore

/// The databases of a log.
struct LogDatabases: Sendable {
    /// Format, cluster id, counters: name -> bytes.
    let meta: LMDBDatabase
    /// Topic name -> ``TopicRow``.
    let topics: LMDBDatabase
    /// Topic id, partition -> ``PartitionRow``.
    let partitions: LMDBDatabase
    /// Topic id, partition, base offset -> batch.
    let records: LMDBDatabase
    /// Group, topic, partition -> committed offset.
    let groups: LMDBDatabase
    /// Transactional id -> epoch, last commit id.
    let commits: LMDBDatabase
    /// Topic id -> partitions: topics whose records are still to be deleted.
    let deletions: LMDBDatabase
    /// Topic id, partition -> the greatest time of a record: of topics that are retained by stream time.
    let times: LMDBDatabase
    /// Topic name -> how many topics of that name were deleted.
    let deaths: LMDBDatabase

    /// All of them.
    var all: [LMDBDatabase] { [meta, topics, partitions, records, groups, commits, deletions] }

    /// Opens them, or makes those of a log that is new; from format 2 on rows have a checksum.
    init(_ transaction: inout WriteTransaction, format: UInt32, isNew: Bool) throws(LMDBError) {
        func open(
            _ name: String, _ transaction: inout WriteTransaction, sealed: Bool = true, isYounger: Bool = false
        ) throws(LMDBError) -> LMDBDatabase {
            do throws(LMDBError) {
                return try transaction.openDatabase(
                    name, create: isNew || (isYounger && format == 1), sealed: sealed && format > 1)
            } catch {
                // Made anew it would be an empty log.
                throw error.kind == .notFound
                    ? transaction.environment.malformed("a table of the log is missing") : error
            }
        }
        meta = try open("meta", &transaction)
        topics = try open("topics", &transaction)
        partitions = try open("partitions", &transaction)
        records = try open("records", &transaction, sealed: false)
        groups = try open("groups", &transaction)
        commits = try open("commits", &transaction)
        deletions = try open("deletions", &transaction)
        times = try open("times", &transaction, isYounger: true)
        deaths = try open("deaths", &transaction, isYounger: true)
    }

    /// Those of a log that is only read.
    init(_ transaction: borrowing ReadTransaction, format: UInt32) throws(LMDBError) {
        func open(
            _ name: String, _ transaction: borrowing ReadTransaction, sealed: Bool = true
        ) throws(LMDBError) -> LMDBDatabase {
            do throws(LMDBError) {
                var database = try transaction.openDatabase(name)
                database.isSealed = sealed && format > 1
                return database
            } catch {
                throw error.kind == .notFound
                    ? transaction.environment.malformed("a table of the log is missing") : error
            }
        }
        meta = try open("meta", transaction)
        topics = try open("topics", transaction)
        partitions = try open("partitions", transaction)
        records = try open("records", transaction, sealed: false)
        groups = try open("groups", transaction)
        commits = try open("commits", transaction)
        deletions = try open("deletions", transaction)
        // No reader asks for these two, which older logs don't have.
        times = deletions
        deaths = deletions
    }
}

/// Where keys of the log are built; made once and reused.
struct LogKey: ~Copyable {
    private var writer = ByteWriter(capacity: 512)

    /// The key's bytes.
    var bytes: RawSpan {
        @_lifetime(borrow self)
        get { writer.bytes }
    }

    mutating func text(_ name: String) {
        writer.removeAll()
        writer.append(utf8: name)
    }

    mutating func topic(_ id: UInt32) {
        writer.removeAll()
        writer.append(bigEndian: id)
    }

    mutating func partition(_ id: UInt32, _ partition: Int32) {
        writer.removeAll()
        writer.append(bigEndian: id)
        writer.append(bigEndian: partition)
    }

    mutating func record(_ id: UInt32, _ partition: Int32, _ offset: Int64) {
        writer.removeAll()
        writer.append(bigEndian: id)
        writer.append(bigEndian: partition)
        writer.append(bigEndian: max(offset, 0))
    }

    // The group's length comes first, so that no group's keys lie among another's.
    mutating func group(_ name: String) {
        writer.removeAll()
        writer.append(bigEndian: UInt16(clamping: name.utf8.count))
        writer.append(utf8: name)
    }

    mutating func group(_ name: String, _ partition: TopicPartition) {
        group(name)
        writer.append(utf8: partition.topic)
        writer.append(bigEndian: partition.partition)
    }
}

/// The base offset in a key of `records`, if it is one of this partition.
@inline(__always)
func baseOffset(_ key: RawSpan, _ id: UInt32, _ partition: Int32) -> Int64? {
    guard key.byteCount == 16, key.integer(at: 0, as: UInt32.self) == id,
        key.integer(at: 4, as: Int32.self) == partition
    else { return nil }
    return key.integer(at: 8, as: Int64.self)
}

/// What the log knows of a partition, 32 bytes.
struct PartitionRow: BitwiseCopyable {
    /// The offset that the next record gets.
    var nextOffset: Int64 = 0
    /// The first offset that may be read.
    var startOffset: Int64 = 0
    /// The sum of the sizes of its batches.
    var bytes: Int64 = 0
    /// Everything below was compacted once.
    var cleanOffset: Int64 = 0

    init() {}

    init?(_ row: RawSpan) {
        guard row.byteCount == 32, let next = row.integer(at: 0, as: Int64.self),
            let start = row.integer(at: 8, as: Int64.self), let bytes = row.integer(at: 16, as: Int64.self),
            let clean = row.integer(at: 24, as: Int64.self), start >= 0, start <= next
        else { return nil }
        nextOffset = next
        startOffset = start
        self.bytes = bytes
        cleanOffset = clean
    }

    func store(into writer: inout ByteWriter) {
        writer.removeAll()
        writer.append(bigEndian: nextOffset)
        writer.append(bigEndian: startOffset)
        writer.append(bigEndian: bytes)
        writer.append(bigEndian: cleanOffset)
    }
}

/// What the log knows of a topic.
struct TopicRow: Sendable {
    var id: UInt32
    var identity: String
    var partitions: Int32
    var settings: [String: String]
    /// Which topic of its name it is, from 1.
    var life: UInt64 = 1

    init(id: UInt32, identity: String, life: UInt64, partitions: Int32, settings: [String: String]) {
        self.life = life
        self.id = id
        self.identity = identity
        self.partitions = partitions
        self.settings = settings
    }

    init?(_ row: RawSpan) {
        var reader = ByteReader(row)
        do throws(MalformedBytes) {
            id = try reader.integer(UInt32.self)
            identity = try reader.span(16).hexadecimal
            partitions = try reader.integer(Int32.self)
            settings = [:]
            var count = try reader.varint()
            while count > 0 {
                count -= 1
                let name = try reader.lengthPrefixed()
                let value = try reader.lengthPrefixed()
                guard let name = String(strictUTF8: name), let value = String(strictUTF8: value) else { return nil }
                settings[name] = value
            }
            if reader.remaining > 0 { life = try reader.varint() }
        } catch { return nil }
        guard partitions > 0 else { return nil }
    }

    func store(into writer: inout ByteWriter) {
        writer.removeAll()
        writer.append(bigEndian: id)
        writer.append([UInt8](hexadecimal: identity) ?? [])
        writer.append(bigEndian: partitions)
        writer.append(varint: UInt64(settings.count))
        for (name, value) in settings.sorted(by: { $0.key < $1.key }) {
            writer.append(varint: UInt64(name.utf8.count))
            writer.append(utf8: name)
            writer.append(varint: UInt64(value.utf8.count))
            writer.append(utf8: value)
        }
        if life > 1 { writer.append(varint: life) }
    }

    func description(name: String) -> TopicDescription {
        TopicDescription(name: name, identity: identity, life: life, partitions: partitions, settings: settings)
    }
}

extension LMDBEnvironment {
    /// The error for a row that isn't what this library writes.
    func malformed(_ what: StaticString) -> LMDBError { failure(what, MDB_CORRUPTED) }
}

extension LogError {
    /// What a failed call of LMDB means to a user of the log.
    init(_ error: LMDBError) {
        if error.isOutcomeUnknown {
            self.init(
                .outcomeUnknown,
                "the last step of a commit failed; open the log again and ask for the last commit of the transactional id. \(error)"
            )
            return
        }
        switch error.kind {
        case .mapFull:
            self.init(.mapFull, "the log's map is at its limit; open it with a larger map size. \(error)")
        case .diskFull: self.init(.diskFull, "\(error)")
        case .corrupt: self.init(.corrupt, "\(error)")
        case .unknownFormat: self.init(.unknownFormat, "\(error)")
        case .readersFull: self.init(.io, "too many readers of the log at once. \(error)")
        case .badKey, .badTransaction, .notFound, .io: self.init(.io, "\(error)")
        }
    }
}

extension LogError {
    /// The same with coordinates, if stored bytes are not what was written and it has none yet.
    func at(_ place: TopicPartition, _ offset: Int64?) -> LogError {
        guard code == .corrupt, topic == nil else { return self }
        return LogError(
            code, message, topic: place.topic, partition: place.partition, offset: offset, resumeOffset: resumeOffset)
    }
}

/// Runs calls of LMDB, translating what they throw.
@inline(__always)
func translating<Result: ~Copyable>(
    _ body: () throws(LMDBError) -> Result
) throws(LogError) -> Result {
    do throws(LMDBError) { return try body() } catch { throw LogError(error) }
}
