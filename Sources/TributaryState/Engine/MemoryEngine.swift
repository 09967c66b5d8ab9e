import TributaryCore

/// A state engine in memory: everything is gone with the process, and restored from changelogs.
///
/// Commit and abort hold as on disk: what was written since the last commit can be taken back at the cost of a pointer,
/// because tables are copy-on-write trees and a commit keeps a snapshot of each.
public final class MemoryEngine: StateEngine {
    private struct State {
        var isOpen = true
        var tables: [String: MemoryTable] = [:]
        var metadata: [String: [UInt8]] = [:]
        var committedMetadata: [String: [UInt8]] = [:]
        var metadataBytes = 0
    }

    private let state = Owned(State())

    /// Makes an empty engine.
    public init() {}

    /// False: nothing survives the process.
    public var isPersistent: Bool { false }

    /// Opens a table, creating it if it isn't there.
    public func table(_ name: String) throws(StoreError) -> any StateTable {
        try checkOpen()
        try StateTableName.check(name)
        let table: MemoryTable
        if let known = state.value.tables[name] {
            table = known
        } else {
            table = MemoryTable(name: name)
            state.value.tables[name] = table
        }
        table.create()
        return table
    }

    /// The names of all tables, sorted.
    public func tableNames() throws(StoreError) -> [String] {
        try checkOpen()
        return state.value.tables.values.filter(\.isPresent).map(\.name).sorted()
    }

    /// Deletes a table with its content; does nothing if there is none.
    public func dropTable(_ name: String) throws(StoreError) {
        try checkOpen()
        state.value.tables[name]?.drop()
    }

    /// A small value kept beside the tables.
    public func metadata(_ key: String) throws(StoreError) -> [UInt8]? {
        try checkOpen()
        return state.value.metadata[key]
    }

    /// Keeps a small value beside the tables; nil deletes.
    public func setMetadata(_ key: String, _ value: [UInt8]?) throws(StoreError) {
        try checkOpen()
        state.value.metadataBytes += key.utf8.count + (value?.count ?? 0)
        state.value.metadata[key] = value
    }

    /// All keys of metadata that begin with `prefix`, sorted.
    public func metadataKeys(prefix: String) throws(StoreError) -> [String] {
        try checkOpen()
        return state.value.metadata.keys.filter { $0.utf8.starts(with: prefix.utf8) }.sorted()
    }

    /// Bytes of keys and values written since the last commit.
    public var dirtyBytes: Int {
        state.value.tables.values.reduce(state.value.metadataBytes) { $0 + $1.dirtyBytes }
    }

    /// Keeps everything since the last commit.
    ///
    /// Open cursors end.
    public func commit() throws(StoreError) {
        try checkOpen()
        for table in state.value.tables.values { table.commit() }
        state.value.committedMetadata = state.value.metadata
        state.value.metadataBytes = 0
    }

    /// Takes back everything since the last commit.
    ///
    /// Open cursors end.
    public func abort() {
        for table in state.value.tables.values { table.abort() }
        state.value.metadata = state.value.committedMetadata
        state.value.metadataBytes = 0
    }

    /// Lets go of everything; tables and cursors throw from now on.
    public func close() {
        for table in state.value.tables.values { table.close() }
        state.value = State()
        state.value.isOpen = false
    }

    private func checkOpen() throws(StoreError) {
        guard state.value.isOpen else { throw StoreError(.closed, "the engine is closed") }
    }
}

/// What a table may be called: 1 to 500 bytes of UTF-8 without a zero byte, on every engine.
public enum StateTableName {
    /// Throws ``StoreError/Code/invalidRequest`` for a name that an engine could not keep.
    public static func check(_ name: String) throws(StoreError) {
        guard (1...500).contains(name.utf8.count), !name.utf8.contains(0) else {
            throw StoreError(.invalidRequest, "a table name has 1 to 500 bytes of UTF-8 and no zero byte", store: name)
        }
    }
}
