internal import CLinux
internal import Synchronization
internal import TributaryCore
public import TributaryState

/// A state engine on LMDB: one file for the stores of a task, one database for each table.
///
/// One write transaction is open between two commits and holds everything written since. Used by one thread at a time, the
/// same one from the first use after a commit or abort to the next commit or abort. A file must be open only once in a
/// process: readers of the same file come from ``makeReader()``.
public final class LMDBStateEngine: StateEngine {
    static let metadataName = "meta"
    private static let formatRecord = "format"
    private static let format: UInt8 = 2

    /// The name of the file in a task's directory.
    public static let fileName = "state.mdb"

    /// The task's directory.
    public let directory: String
    let options: LMDBStateOptions
    let core: LMDBStateCore
    let metadataTable: LMDBTable
    private let tables = Owned<[String: LMDBTable]>([:])
    let fileName: String
    let marks: StateMarks
    let hasProgress = Owned(false)
    private let isMarked: Bool
    private let reserve: DiskReserve

    var path: String { directory + "/" + fileName }
    /// Present while commits may not have reached the disk, with the boot in which they were made.
    private var unsyncedPath: String { path + "-unsynced" }

    /// Opens the state in a task's directory, creating both if they aren't there.
    ///
    /// A file of at most ``LMDBStateOptions/checkedBytes``, and any that was not closed by the last process with it, is read
    /// first and checked page by page and row by row.
    ///
    /// - Throws: `StoreError.Code.corrupt` if the file is damaged, cut off, was found damaged by the last process with it, has let
    ///   two in a row die before they had got on, or holds commits of ``LMDBStateOptions/Durability/fast`` that another boot of
    ///   the system did not write to disk: delete it with ``delete(directory:)`` and rebuild.
    public convenience init(directory: String, options: LMDBStateOptions = LMDBStateOptions()) throws(StoreError) {
        try self.init(directory: directory, fileName: Self.fileName, options: options, isMarked: true)
        try Self.deleteRebuild(path)
    }

    init(directory: String, fileName: String, options: LMDBStateOptions, isMarked: Bool = false) throws(StoreError) {
        self.directory = directory
        self.fileName = fileName
        self.options = options
        self.isMarked = isMarked
        let path = directory + "/" + fileName
        marks = StateMarks(path)
        reserve = DiskReserve(bytes: options.reserveBytes, path: directory)
        try StateFiles.makeFolder(directory, options.faults)
        let isNew = StateFiles.size(path) == nil
        if isMarked {
            let deaths = try Self.inspect(path, options)
            try marks.opened(StateMarks.Run(deaths: deaths + 1, isMade: StateFiles.size(path) ?? 0 > 0))
        }
        let environment: LMDBEnvironment
        do throws(StoreError) {
            environment = try Self.open(path, options, marks)
        } catch {
            if isMarked { marks.closed() }
            throw error
        }
        core = LMDBStateCore(environment, options: options)
        metadataTable = LMDBTable(name: Self.metadataName, core: core, records: nil)
        do throws(StoreError) {
            try checkFormat()
            if isMarked && isNew {
                try StateFiles.syncFolder(directory, options.faults)
                try marks.opened(StateMarks.Run(deaths: 1, isMade: true))
            }
        } catch {
            close()
            throw error
        }
    }

    deinit { close() }

    /// Deletes the state in a task's directory; nothing may have it open.
    public static func delete(directory: String) throws(StoreError) {
        let path = directory + "/" + fileName
        try deleteRebuild(path)
        // The mark goes last: without the file it says nothing.
        for suffix in ["", "-lock", "-unsynced"] + StateMarks.suffixes { try StateFiles.delete(path + suffix) }
    }

    static func open(_ path: String, _ options: LMDBStateOptions, _ marks: StateMarks) throws(StoreError)
        -> LMDBEnvironment
    {
        let unsynced = path + "-unsynced"
        if let boot = try StateFiles.read(unsynced, limit: 64), StateFiles.size(path) != nil,
            boot != StateFiles.bootID()
        {
            throw StoreError(.corrupt, "\(path) has commits that another boot of the system did not write to disk")
        }
        // LMDB maps its lock file: a hole in it would be a SIGBUS on a full disk.
        do throws(LogError) {
            try prepareLockFile(path + "-lock", readers: LMDBOptions().maximumReaders)
        } catch {
            throw StoreError(error.code == .diskFull ? .diskFull : .io, error.message)
        }
        let environment: LMDBEnvironment
        do throws(LMDBError) {
            var settings = LMDBOptions(
                mapSize: options.mapSize, maximumDatabases: options.maximumTables + 1,
                sync: options.durability.sync, faults: options.faults)
            settings.onFailure = { marks.note($0) }
            environment = try LMDBEnvironment(path: path, options: settings)
            if options.durability != .fast { try environment.sync() }
        } catch {
            throw StoreError(error)
        }
        if options.durability == .fast {
            try StateFiles.write(unsynced, StateFiles.bootID() ?? [])
        } else {
            try StateFiles.delete(unsynced)
        }
        return environment
    }

    private func checkFormat() throws(StoreError) {
        if let format = try metadataTable.record(Self.formatRecord) {
            guard format == [Self.format] else {
                throw StoreError(
                    .unknownFormat, "\(path) has format \(format.first ?? 0), this library knows \(Self.format)")
            }
            abort()
            return
        }
        guard try databaseNames().allSatisfy({ $0 == Self.metadataName }) else {
            throw StoreError(.unknownFormat, "\(path) holds databases that this library did not make")
        }
        try metadataTable.setRecord(Self.formatRecord, [Self.format])
        try commit()
    }

    // MARK: StateEngine

    /// True: what is committed survives the process.
    public var isPersistent: Bool { true }

    /// Opens a table, creating it if it isn't there.
    public func table(_ name: String) throws(StoreError) -> any StateTable {
        try StateTableName.check(name)
        let table = known(name)
        try table.create()
        return table
    }

    func known(_ name: String) -> LMDBTable {
        if let known = tables.value[name] { return known }
        let table = LMDBTable(name: name, core: core, records: metadataTable)
        tables.value[name] = table
        return table
    }

    /// The names of all tables.
    public func tableNames() throws(StoreError) -> [String] {
        var names: [String] = []
        for database in try databaseNames() where database != Self.metadataName {
            let name = LMDBTable.tableName(for: database)
            // A table dropped under an open cursor is still there.
            if tables.value[name]?.state.value.isDropped != true { names.append(name) }
        }
        return names
    }

    private func databaseNames() throws(StoreError) -> [String] {
        try core.ready()
        do throws(LMDBError) {
            return try core.state.value.transaction?.databaseNames() ?? []
        } catch {
            throw StoreError(error)
        }
    }

    /// Deletes a table with its content; does nothing if there is none.
    public func dropTable(_ name: String) throws(StoreError) {
        try StateTableName.check(name)
        if tables.value[name] == nil {
            guard try tableNames().contains(name) else { return }
        }
        try known(name).drop()
    }

    /// A small value kept beside the tables.
    public func metadata(_ key: String) throws(StoreError) -> [UInt8]? {
        var value = ByteWriter()
        let bytes = Array(key.utf8)
        return try metadataTable.get(unsafe bytes.span.bytes, into: &value) ? value.copy() : nil
    }

    /// Keeps a small value beside the tables; nil deletes.
    public func setMetadata(_ key: String, _ value: [UInt8]?) throws(StoreError) {
        let bytes = Array(key.utf8)
        if let value {
            try metadataTable.put(unsafe bytes.span.bytes, unsafe value.span.bytes)
        } else {
            _ = try metadataTable.delete(unsafe bytes.span.bytes)
        }
    }

    /// All keys of metadata that begin with `prefix`, sorted.
    public func metadataKeys(prefix: String) throws(StoreError) -> [String] {
        let bytes = Array(prefix.utf8)
        let cursor = try metadataTable.cursor(from: unsafe bytes.span.bytes, through: nil, reverse: false)
        defer { cursor.close() }
        var keys: [String] = []
        var key = ByteWriter()
        var value = ByteWriter()
        while try cursor.next(key: &key, value: &value), unsafe key.bytes.hasPrefix(bytes.span.bytes) {
            keys.append(String(decoding: key.copy(), as: UTF8.self))
        }
        return keys
    }

    /// Bytes of pages that were written to since the last commit, roughly; with open cursors, which hide writes from LMDB, of rows.
    public var dirtyBytes: Int {
        let pages = core.state.value.transaction?.dirtyPages ?? 0
        let size = core.state.value.transaction?.pageSize ?? 0
        let isHidden = tables.value.values.contains { $0.state.value.openCursors > 0 }
        if isHidden { return max(core.state.value.dirtyBytes, pages * size) }
        // No more pages can be dirty than there are. It takes a question a table, so it isn't asked for each row of a restore.
        if pages > core.state.value.askedAt + 256 {
            core.state.value.askedAt = pages
            core.state.value.pageBytes = (try? byteCount()) ?? .max
        }
        let most = core.state.value.pageBytes.addingReportingOverflow(
            (pages - core.state.value.askedAt) * size)
        return most.overflow ? pages * size : min(pages * size, most.partialValue)
    }

    /// Bytes of all pages of the tables that were used since the last abort, where all writes are.
    private func byteCount() throws(LMDBError) -> Int {
        var sum = 0
        for table in tables.value.values {
            if let database = table.state.value.database {
                sum += try core.state.value.transaction?.byteCount(database) ?? 0
            }
        }
        if let metadata = metadataTable.state.value.database {
            sum += try core.state.value.transaction?.byteCount(metadata) ?? 0
        }
        return sum
    }

    /// Makes everything since the last commit durable, as far as ``LMDBStateOptions/durability`` says.
    ///
    /// Open cursors end.
    public func commit() throws(StoreError) {
        if let failure = core.state.value.failure { throw failure }
        do throws(StoreError) {
            for table in tables.value.values { try table.prepareCommit() }
            try metadataTable.prepareCommit()
        } catch {
            throw core.failed(error)
        }
        // Before LMDB finds it out in the middle of its pages.
        if core.state.value.dirtyBytes > 0, let shortage = reserve.shortage() {
            throw core.failed(StoreError(.diskFull, shortage.description))
        }
        try core.commit()
        for table in tables.value.values { table.committed() }
        metadataTable.committed()
        publish()
        // LMDB does not write pages at the end that were freed before they were committed; with them there,
        // a file that is too short is a broken one.
        if let used = core.state.value.environment?.usedBytes { try StateFiles.extend(path, to: used) }
    }

    /// Takes back everything since the last commit.
    ///
    /// Open cursors end.
    public func abort() {
        core.abort()
        for table in tables.value.values { table.aborted() }
        metadataTable.aborted()
    }

    /// Gives up what isn't committed and closes.
    public func close() {
        guard let environment = core.state.value.environment else { return }
        let hasFailed = core.state.value.failure != nil
        abort()
        tables.value.removeAll()
        core.shared.replace(nil)
        core.close()
        // What made a write fail may be damage that LMDB has no word for: the next opening looks.
        if isMarked && !marks.isDoubtful { hasFailed ? marks.gotOn() : marks.closed() }
        if options.durability == .fast, (try? environment.sync()) != nil { try? StateFiles.delete(unsyncedPath) }
    }

    // MARK: Besides

    /// Closes and opens the file, which gives back the memory that LMDB keeps of large transactions.
    ///
    /// Only after a commit or abort:
    /// what isn't committed is taken back. Tables stay usable.
    public func reopen() throws(StoreError) {
        try reopen { () throws(StoreError) in }
        linux_malloc_trim()
    }

    /// Closes the file, lets it be changed and opens it.
    func reopen(_ change: () throws(StoreError) -> Void) throws(StoreError) {
        guard core.state.value.environment != nil else { throw StoreError(.closed, "the engine is closed") }
        abort()
        core.shared.replace(nil)
        core.state.value.environment = nil
        let changed: StoreError?
        do throws(StoreError) {
            try change()
            changed = nil
        } catch {
            changed = error
        }
        let environment = try Self.open(path, options, marks)
        core.state.value.environment = environment
        core.shared.replace(environment)
        if let changed { throw changed }
    }

    /// A reader of what is committed, for another thread of this process.
    public func makeReader() -> LMDBStateReader { LMDBStateReader(core.shared) }

    /// Tells readers which databases there are to read.
    private func publish() {
        var changes: [String: LMDBDatabase?] = [:]
        for (name, table) in tables.value {
            // Not used since the last abort: what readers know still holds.
            guard table.state.value.isDropped || table.state.value.database != nil else { continue }
            changes[LMDBTable.databaseName(for: name)] = .some(table.state.value.database)
        }
        if let metadata = metadataTable.state.value.database { changes[Self.metadataName] = .some(metadata) }
        core.shared.publish(changes)
    }
}

extension LMDBStateOptions.Durability {
    var sync: LMDBOptions.Sync {
        switch self {
        case .standard: .data
        case .full: .full
        case .fast: .none
        }
    }
}
