import TributaryCore
import TributaryState

/// An engine as somebody else may write one: each table a sorted array, copied when it is changed.
///
/// Values of Swift make commits, aborts and walks trivial: all of them are copies. It is no model of speed.
final class SortedArrayEngine: StateEngine {
    typealias Row = (key: [UInt8], value: [UInt8])

    struct Content {
        var tables: [String: [Row]] = [:]
        var metadata: [String: [UInt8]] = [:]
    }

    /// Where what is committed stays when the engine is closed.
    final class Disk {
        var content = Content()
        var commits = 0
        var opened: [String] = []
        var damage: [String] = []
    }

    let isPersistent: Bool
    private let disk: Disk
    fileprivate var content: Content
    fileprivate var dropped: Set<String> = []
    /// Counts what ends the walks.
    fileprivate var era = 0
    private(set) var isOpen = true
    private(set) var dirtyBytes = 0

    init(on disk: Disk? = nil) {
        isPersistent = disk != nil
        self.disk = disk ?? Disk()
        content = self.disk.content
    }

    func table(_ name: String) throws(StoreError) -> any StateTable {
        try checkOpen()
        try StateTableName.check(name)
        dropped.remove(name)
        if content.tables[name] == nil { content.tables[name] = [] }
        return SortedArrayTable(self, name)
    }

    func tableNames() throws(StoreError) -> [String] {
        try checkOpen()
        return content.tables.keys.sorted()
    }

    func dropTable(_ name: String) throws(StoreError) {
        try checkOpen()
        if content.tables.removeValue(forKey: name) != nil { dropped.insert(name) }
    }

    func metadata(_ key: String) throws(StoreError) -> [UInt8]? {
        try checkOpen()
        return content.metadata[key]
    }

    func setMetadata(_ key: String, _ value: [UInt8]?) throws(StoreError) {
        try checkOpen()
        content.metadata[key] = value
        dirtyBytes += key.utf8.count + (value?.count ?? 0)
    }

    func metadataKeys(prefix: String) throws(StoreError) -> [String] {
        try checkOpen()
        return content.metadata.keys.filter { $0.hasPrefix(prefix) }.sorted()
    }

    func commit() throws(StoreError) {
        try checkOpen()
        disk.content = content
        disk.commits += 1
        dropped = []
        dirtyBytes = 0
        era += 1
    }

    func abort() {
        guard isOpen else { return }
        content = disk.content
        dropped = []
        dirtyBytes = 0
        era += 1
    }

    func close() {
        isOpen = false
        era += 1
    }

    func noteDamage(_ what: String) { disk.damage.append(what) }

    fileprivate func noteWrite(_ bytes: Int) { dirtyBytes += bytes }

    fileprivate func checkOpen() throws(StoreError) {
        guard isOpen else { throw StoreError(.closed, "the engine is closed") }
    }
}

final class SortedArrayTable: StateTable {
    private let engine: SortedArrayEngine
    private let name: String

    init(_ engine: SortedArrayEngine, _ name: String) {
        self.engine = engine
        self.name = name
    }

    fileprivate func rows() throws(StoreError) -> [SortedArrayEngine.Row] {
        try engine.checkOpen()
        guard !engine.dropped.contains(name) else { throw StoreError(.unknownStore, "the table is gone", store: name) }
        return engine.content.tables[name] ?? []
    }

    /// The place of the first row whose key is not below another, and whether it is that one's.
    fileprivate static func place(
        of key: RawSpan, in rows: [SortedArrayEngine.Row]
    ) -> (place: Int, isThere: Bool) {
        var low = 0
        var high = rows.count
        while low < high {
            let middle = (low + high) / 2
            // A span needs something to be of that has a name.
            let own = rows[middle].key
            if own.span.bytes.compare(to: key) < 0 { low = middle + 1 } else { high = middle }
        }
        guard low < rows.count else { return (low, false) }
        let found = rows[low].key
        return (low, found.span.bytes.isEqual(to: key))
    }

    func get(_ key: RawSpan, into value: inout ByteWriter) throws(StoreError) -> Bool {
        value.removeAll()
        let rows = try rows()
        let (place, isThere) = Self.place(of: key, in: rows)
        if isThere { value.append(rows[place].value) }
        return isThere
    }

    func put(_ key: RawSpan, _ value: RawSpan) throws(StoreError) {
        var rows = try rows()
        // The only one: it is changed in its place.
        engine.content.tables[name] = nil
        let (place, isThere) = Self.place(of: key, in: rows)
        let row = (key: [UInt8](copying: key), value: [UInt8](copying: value))
        if isThere { rows[place] = row } else { rows.insert(row, at: place) }
        engine.content.tables[name] = rows
        engine.noteWrite(key.byteCount + value.byteCount)
    }

    func delete(_ key: RawSpan) throws(StoreError) -> Bool {
        var rows = try rows()
        let (place, isThere) = Self.place(of: key, in: rows)
        guard isThere else { return false }
        rows.remove(at: place)
        engine.content.tables[name] = rows
        engine.noteWrite(key.byteCount)
        return true
    }

    func append(_ key: RawSpan, _ value: RawSpan) throws(StoreError) {
        let rows = try rows()
        if let last = rows.last, last.key.span.bytes.compare(to: key) >= 0 {
            throw StoreError(.invalidRequest, "the key is not the greatest", store: name)
        }
        try put(key, value)
    }

    func count() throws(StoreError) -> Int { try rows().count }

    func byteCount() throws(StoreError) -> Int { try rows().reduce(0) { $0 + $1.key.count + $1.value.count } }

    private static func copy(_ key: RawSpan?) -> [UInt8]? {
        guard let key else { return nil }
        return [UInt8](copying: key)
    }

    func cursor(from lower: RawSpan?, through upper: RawSpan?, reverse: Bool) throws(StoreError) -> any StateCursor {
        var rows = try rows()
        let low = Self.copy(lower)
        let high = Self.copy(upper)
        rows.removeAll { row in
            let own = row.key
            if let low, own.span.bytes.compare(to: low.span.bytes) < 0 { return true }
            if let high, own.span.bytes.compare(to: high.span.bytes) > 0 { return true }
            return false
        }
        if reverse { rows.reverse() }
        return SortedArrayCursor(engine, rows)
    }
}

final class SortedArrayCursor: StateCursor {
    private let engine: SortedArrayEngine
    private let era: Int
    private var rows: [SortedArrayEngine.Row]?
    private var next = 0

    init(_ engine: SortedArrayEngine, _ rows: [SortedArrayEngine.Row]) {
        self.engine = engine
        self.rows = rows
        era = engine.era
    }

    func next(key: inout ByteWriter, value: inout ByteWriter) throws(StoreError) -> Bool {
        guard let rows, era == engine.era else { throw StoreError(.closed, "the walk has ended") }
        guard next < rows.count else { return false }
        key.removeAll()
        key.append(rows[next].key)
        value.removeAll()
        value.append(rows[next].value)
        next += 1
        return true
    }

    func close() { rows = nil }
}
