internal import Synchronization
internal import TributaryCore

/// One open log of this process: what all ``EmbeddedLog`` values of one directory share.
final class LogCore: Sendable {
    let directory: String
    let configuration: EmbeddedLogConfiguration
    let environment: LMDBEnvironment
    let databases: LogDatabases
    let clusterID: String
    let wakePage: WakePage
    let writer: LogWriter
    let maintenance: Maintenance

    /// What new logs are made with.
    ///
    /// Since 2 each batch goes on where the one before it ends, in compacted topics, too.
    static let format: UInt32 = 2
    static let formats: ClosedRange<UInt32> = 1...2
    static let readers = 1024

    /// Opens the files of a directory that no other part of this process has open.
    init(
        directory: String, configuration: EmbeddedLogConfiguration, onClose: @escaping @Sendable () -> Void
    ) throws(LogError) {
        self.directory = directory
        let configuration = configuration.limited()
        self.configuration = configuration
        let syncs = configuration.durability == .synced
        if !configuration.isReadOnly { try makeFolders(directory + "/groups", sync: syncs, configuration.faults) }
        let opened =
            try configuration.isReadOnly
            ? Self.openToRead(directory, configuration, onClose) : Self.openFiles(directory, configuration, onClose)
        environment = opened.0
        databases = opened.1
        clusterID = opened.2
        wakePage = configuration.isReadOnly ? WakePage() : try WakePage(directory: directory)
        let store = LogStore(
            environment: environment, databases: databases, wake: wakePage, configuration: configuration,
            format: opened.3)
        writer = LogWriter(store)
        maintenance = Maintenance(store, directory: directory)
    }

    var store: LogStore { writer.store }

    /// Counts one more user; the log's threads run as long as there are any.
    func retain() throws(LogError) {
        if configuration.isReadOnly { return }
        try writer.retain()
        maintenance.retain()
    }

    /// Counts one user less.
    func release() {
        if configuration.isReadOnly { return }
        maintenance.release()
        writer.release()
    }

    private static func openFiles(
        _ directory: String, _ configuration: EmbeddedLogConfiguration, _ onClose: @escaping @Sendable () -> Void
    ) throws(LogError) -> (LMDBEnvironment, LogDatabases, String, UInt32) {
        let path = directory + "/log.mdb"
        // One process opens at a time: the file is whole or not begun while it is checked.
        let turn = try FileLock.waiting(
            directory + "/open.lock", limit: configuration.lockTimeout.milliseconds,
            patience: configuration.lockPatience.milliseconds, logs: configuration.logs)
        defer { turn.keep() }
        try LogFileCheck.run(path)
        try prepareLockFile(path + "-lock", readers: readers)
        var options = LMDBOptions(mapSize: configuration.mapSize, maximumDatabases: 16, maximumReaders: readers)
        options.sync = configuration.durability == .synced ? .full : .none
        options.faults = configuration.faults
        options.onClose = onClose
        options.checksWrites = true
        options.logs = configuration.logs
        options.lockPatience = configuration.lockPatience.milliseconds
        let isNew = isMissingOrEmpty(path)
        do throws(LogError) {
            let opened = try translatingStart(path, options)
            // A new file's content is of no use without its name.
            if isNew && configuration.durability == .synced { try syncFolder(directory, configuration.faults) }
            return opened
        } catch {
            // A beginning that failed, on a full disk for example, must not be taken for a log cut short.
            if isNew { removeFile(path) }
            throw error
        }
    }

    private static func translatingStart(
        _ path: String, _ options: LMDBOptions
    ) throws(LogError) -> (LMDBEnvironment, LogDatabases, String, UInt32) {
        var found: UInt32 = 0
        let opened: (LMDBEnvironment, LogDatabases, String, UInt32)?
        do throws(LMDBError) {
            let environment = try LMDBEnvironment(path: path, options: options)
            let isNew = try checkPages(environment)
            var transaction = try environment.write()
            found = isNew ? format : try readFormat(&transaction)
            if formats.contains(found) {
                let databases = try LogDatabases(&transaction, format: found, isNew: isNew)
                let cluster = try readCluster(&transaction, databases.meta, isNew: isNew)
                try transaction.commit()
                opened = (environment, databases, cluster, found)
            } else {
                transaction.abort()
                opened = nil
            }
        } catch { throw LogError(error) }
        guard let opened else {
            throw LogError(
                .unknownFormat, "\(path) has format \(found), this library knows \(format): use a newer library")
        }
        return opened
    }

    /// Checks what opening and writing go by without a look; returns whether the file has nothing in it.
    private static func checkPages(_ environment: LMDBEnvironment) throws(LMDBError) -> Bool {
        let reader = try environment.read()
        try reader.checkFreePages()
        guard try reader.databaseNames().isEmpty else { return false }
        // The first commit makes them all.
        guard reader.commitNumber == 0 else { throw environment.malformed("the tables of the log are missing") }
        return true
    }

    /// The format of a file, which says how its rows are to be read.
    private static func readFormat(_ transaction: inout WriteTransaction) throws(LMDBError) -> UInt32 {
        let meta: LMDBDatabase
        do throws(LMDBError) { meta = try transaction.openDatabase("meta", create: false) } catch {
            throw error.kind == .notFound ? transaction.environment.malformed("a table of the log is missing") : error
        }
        var key = LogKey()
        key.text("format")
        guard let found = try transaction.value(meta, key.bytes)?.integer(at: 0, as: UInt32.self) else {
            throw transaction.environment.malformed("the format is missing")
        }
        return found
    }

    /// The cluster id of the file; makes it, and the format, if the file is new.
    private static func readCluster(
        _ transaction: inout WriteTransaction, _ meta: LMDBDatabase, isNew: Bool
    ) throws(LMDBError) -> String {
        var key = LogKey()
        guard isNew else {
            key.text("format")
            let isSealed = try transaction.value(meta, key.bytes)?.integer(at: 0, as: UInt32.self) != 1
            // Each is there from the beginning: without it the log would begin to count anew.
            for counter in ["commit", "topic"] where isSealed {
                key.text(counter)
                if try transaction.value(meta, key.bytes) == nil {
                    throw transaction.environment.malformed("a counter is missing")
                }
            }
            key.text("cluster")
            guard let cluster = try transaction.value(meta, key.bytes) else {
                throw transaction.environment.malformed("the cluster's id is missing")
            }
            return String(decoding: [UInt8](copying: cluster), as: UTF8.self)
        }
        let cluster = randomIdentity()
        var value = ByteWriter()
        key.text("format")
        value.append(bigEndian: format)
        try transaction.put(meta, key.bytes, value.bytes)
        key.text("cluster")
        value.removeAll()
        value.append(utf8: cluster)
        try transaction.put(meta, key.bytes, value.bytes)
        key.text("commit")
        value.removeAll()
        value.append(bigEndian: Int64(0))
        try transaction.put(meta, key.bytes, value.bytes)
        key.text("topic")
        value.removeAll()
        value.append(bigEndian: UInt32(0))
        try transaction.put(meta, key.bytes, value.bytes)
        return cluster
    }
}

/// 32 random hexadecimal digits.
func randomIdentity() -> String {
    var system = SystemRandomNumberGenerator()
    var writer = ByteWriter()
    writer.append(bigEndian: system.next() as UInt64)
    writer.append(bigEndian: system.next() as UInt64)
    return writer.bytes.hexadecimal
}

/// What the log's threads and handles need of its files.
final class LogStore: Sendable {
    let environment: LMDBEnvironment
    let databases: LogDatabases
    let wake: WakePage
    let configuration: EmbeddedLogConfiguration
    let reserve: DiskReserve
    /// The format of the files.
    let format: UInt32
    let ages: RecordAges

    init(
        environment: LMDBEnvironment, databases: LogDatabases, wake: WakePage, configuration: EmbeddedLogConfiguration,
        format: UInt32
    ) {
        self.format = format
        self.environment = environment
        self.databases = databases
        self.wake = wake
        self.configuration = configuration
        ages = RecordAges(configuration)
        reserve = DiskReserve(bytes: configuration.diskReserveBytes, path: environment.path)
    }
}

extension LogStore {
    /// Whether the batches of a topic leave out no offset between its start and its end.
    ///
    /// In format 1 compaction left holes; since then what it takes away is stood for by the batch that it makes.
    func isWhole(_ row: TopicRow, topic: String) throws(LogError) -> Bool {
        if format > 1 { return true }
        return try !TopicSettings(row.settings, topic: topic).compacts
    }
}

/// Which directories this process has open, so that each is opened once: two environments on one file would drop each
/// other's locks.
final class LogRegistry: Sendable {
    static let shared = LogRegistry()

    private struct Entry {
        let opening: UInt64
        weak var core: LogCore?
    }
    private let entries = Guarded<[FileIdentity: Entry]>([:])
    private let changed = FutexWord()
    private let openings = Atomic<UInt64>(0)

    /// The open log of a directory, opened if it isn't.
    func core(_ directory: String, _ configuration: EmbeddedLogConfiguration) throws(LogError) -> LogCore {
        let identity = try FileIdentity(directory)
        while true {
            let seen = changed.now
            let opening = openings.add(1, ordering: .relaxed).newValue
            let found = entries.withLock { entries -> (core: LogCore?, closing: Bool) in
                guard let entry = entries[identity] else {
                    entries[identity] = Entry(opening: opening, core: nil)  // this caller opens; others wait
                    return (nil, false)
                }
                return (entry.core, entry.core == nil)
            }
            if let core = found.core {
                guard
                    core.configuration.mapSize == configuration.mapSize,
                    core.configuration.durability == configuration.durability,
                    !core.configuration.isReadOnly || configuration.isReadOnly
                else {
                    throw LogError(
                        .configuration,
                        "\(directory) is open in this process with another map size or durability, or for reading only")
                }
                return core
            }
            if found.closing {
                changed.wait(seen, nanoseconds: 10_000_000)
                continue
            }
            return try open(directory, configuration, identity, opening)
        }
    }

    private func open(
        _ directory: String, _ configuration: EmbeddedLogConfiguration, _ identity: FileIdentity, _ opening: UInt64
    ) throws(LogError) -> LogCore {
        do throws(LogError) {
            let core = try LogCore(directory: directory, configuration: configuration) { [self] in
                forget(identity, opening)
            }
            entries.withLock { $0[identity] = Entry(opening: opening, core: core) }
            changed.announce()
            return core
        } catch {
            forget(identity, opening)
            throw error
        }
    }

    private func forget(_ identity: FileIdentity, _ opening: UInt64) {
        entries.withLock { if $0[identity]?.opening == opening { $0[identity] = nil } }
        changed.announce()
    }
}
