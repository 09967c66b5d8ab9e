public import TributaryCore
public import TributaryState

/// Reads what an engine has committed, without its transaction and without any lock on the state directory.
///
/// For interactive queries on other threads (``LMDBStateEngine/makeReader()``) and for tools in other processes
/// (``init(directory:)``). Each call reads the newest commit in a transaction of its own; a walk is made of steps of
/// at most 64 KiB that go on at the next key, so that no reader holds the file's pages for long: entries committed while a
/// walk goes on may or may not be in it.
public final class LMDBStateReader: Sendable {
    private let shared: LMDBSharedEnvironment

    init(_ shared: LMDBSharedEnvironment) { self.shared = shared }

    /// Opens the state of a task for reading, in a process that has no engine on it; its folder may be one for reading only.
    public init(directory: String) throws(StoreError) {
        let path = directory + "/" + LMDBStateEngine.fileName
        try StateFileCheck.checkBesideWriter(path)
        do throws(LMDBError) {
            let options = LMDBOptions(maximumDatabases: 8, readOnly: true)
            shared = LMDBSharedEnvironment(try LMDBEnvironment.toRead(path, options), hasEngine: false)
        } catch {
            throw StoreError(error)
        }
    }

    /// The names of all tables that can be read: of an engine's, those it has used.
    public func tableNames() throws(StoreError) -> [String] {
        let names = try shared.withEnvironment { (environment, handles) throws(StoreError) -> [String] in
            if let handles { return Array(handles.keys) }
            do throws(LMDBError) {
                return try environment.read().databaseNames()
            } catch {
                throw StoreError(error)
            }
        }
        return names.filter { $0 != LMDBStateEngine.metadataName }.map(LMDBTable.tableName).sorted()
    }

    /// Replaces the content of `value` by the value of a key; returns false, with `value` emptied, if there is none.
    public func get(_ table: String, _ key: RawSpan, into value: inout ByteWriter) throws(StoreError) -> Bool {
        try get(database: LMDBTable.databaseName(for: table), key, into: &value)
    }

    /// A small value kept beside the tables.
    public func metadata(_ key: String) throws(StoreError) -> [UInt8]? {
        var value = ByteWriter()
        let bytes = Array(key.utf8)
        let found = try get(database: LMDBStateEngine.metadataName, unsafe bytes.span.bytes, into: &value)
        return found ? value.copy() : nil
    }

    private func get(database: String, _ key: RawSpan, into value: inout ByteWriter) throws(StoreError) -> Bool {
        value.removeAll()
        var walk = ReaderWalk(from: key, through: key, limit: 1)
        try step(database, &walk)
        return walk.takeOnly(into: &value)
    }

    /// Calls the body with each entry from `lower` to `upper`, both included, nil open-ended, in key order, until it
    /// returns false.
    public func forEach(
        _ table: String, from lower: RawSpan?, through upper: RawSpan?,
        _ body: (_ key: RawSpan, _ value: RawSpan) throws(StoreError) -> Bool
    ) throws(StoreError) {
        var walk = ReaderWalk(from: lower, through: upper, limit: 64 * 1024)
        let database = LMDBTable.databaseName(for: table)
        while !walk.isAtEnd {
            try step(database, &walk)
            if try !walk.drain(body) { return }
        }
    }

    private func step(_ database: String, _ walk: inout ReaderWalk) throws(StoreError) {
        try shared.withEnvironment { (environment, handles) throws(StoreError) in
            let known = handles?[database]
            if handles != nil && known == nil {
                throw StoreError(.unknownStore, "no committed table of that name", store: database)
            }
            do throws(LMDBError) {
                let transaction = try environment.read()
                let handle = if let known { known } else { try transaction.openDatabase(database) }
                try walk.fill(transaction.cursor(handle), RowSeal(database))
            } catch {
                if error.kind == .notFound { throw StoreError(.unknownStore, "no table of that name", store: database) }
                throw StoreError(error, store: database)
            }
        }
    }
}
