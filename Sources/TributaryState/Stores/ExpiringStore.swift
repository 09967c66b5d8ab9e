internal import TributaryCore
internal import TributaryLineage

/// When rows of a task's stores expire: looked at before each record.
///
/// Used by the task's thread.
public final class ExpirySchedule {
    private let time = Owned(Int64.max)

    /// Makes a schedule of no rows.
    public init() {}

    /// The stream time at which the first row may have expired, ms; the greatest if there is none.
    @inline(__always) public var earliest: Int64 { time.value }

    /// Rows are looked at from a stream time on at the latest.
    func lower(to due: Int64) { if due < time.value { time.value = due } }

    /// Forgets all times: what follows is ``StateStore/expireRows(at:because:)`` of each store.
    public func begin() { time.value = Int64.max }
}

/// The engine side of a store whose rows expire: a table of rows, and one of times and keys.
///
/// Each row has an entry at its timestamp or earlier, so that a row that is written again and again costs nothing there: whoever finds the entry
/// of a row that is younger moves it. Entries of rows that were deleted stay until they are found.
final class ExpiringStore: StoreLayout {
    private let store: String
    private let table: any StateTable
    private let entries: any StateTable
    private let schedule: ExpirySchedule
    /// How long a row is kept behind its timestamp, ms of stream time.
    let lifetime: Int64
    private let entry = ByteBuffer(capacity: 64)
    private let found = ByteBuffer(capacity: 256)
    private let bound = ByteBuffer(capacity: 8)
    // The time of an entry that comes no later than the first.
    private let first = Owned(Int64.max)

    init(_ store: String, engine: any StateEngine, lifetime: Int64, _ schedule: ExpirySchedule) throws(StoreError) {
        self.store = store
        self.lifetime = lifetime
        self.schedule = schedule
        table = try engine.table(store)
        entries = try engine.table(store + Self.suffix)
        try reload()
    }

    /// What the name of the table of times ends with, behind the store's.
    static let suffix = ".expiries"

    // MARK: Expiry

    /// Whether a row may have expired.
    func isDue(at streamTime: Int64) -> Bool { due(first.value) <= streamTime }

    /// When a row of a timestamp expires.
    func due(_ time: Int64) -> Int64 { time.addingSaturated(lifetime) }

    /// Copies the first entries of rows that may have expired.
    func copyDue(at streamTime: Int64, limit: Int, into rows: CopiedRows) throws(StoreError) {
        rows.removeAll()
        bound.writer.removeAll()
        bound.writer.append(bigEndian: streamTime.subtractingSaturated(lifetime).addingSaturated(1))
        try entries.copyRows(from: RawSpan.empty, through: bound.bytes, limit: limit, into: rows)
    }

    static func time(ofEntry entry: RawSpan) -> Int64 { entry.integer(at: 0, as: Int64.self) ?? 0 }

    @_lifetime(copy entry)
    static func key(ofEntry entry: RawSpan) -> RawSpan { entry.dropping(8) }

    func forget(_ entry: RawSpan) throws(StoreError) { try entries.delete(entry) }

    /// A row is younger than its entry says.
    func move(_ old: RawSpan, to time: Int64) throws(StoreError) {
        try entries.delete(old)
        try note(time, Self.key(ofEntry: old))
    }

    /// Looks when the next row may expire.
    func findFirst() throws(StoreError) {
        first.value = Int64.max
        if try entries.neighbour(of: RawSpan.empty, before: false, orEqual: true, into: &entry.writer) {
            first.value = Self.time(ofEntry: entry.bytes)
            schedule.lower(to: due(first.value))
        }
    }

    private func note(_ time: Int64, _ key: RawSpan) throws(StoreError) {
        write(time, key)
        try entries.put(entry.bytes, RawSpan.empty)
        guard time < first.value else { return }
        first.value = time
        schedule.lower(to: due(time))
    }

    private func write(_ time: Int64, _ key: RawSpan) {
        entry.writer.removeAll()
        entry.writer.append(bigEndian: time)
        entry.writer.append(key)
    }

    private static func time(of envelope: RawSpan) -> Int64 { max((try? EnvelopeView(envelope))?.timestamp ?? 0, 0) }

    // MARK: Rows

    var keys: KeySchema { .plain }
    var streamTime: Int64 { -1 }
    var earliestVisible: Int64 { Int64.min }

    func get(_ key: RawSpan, into envelope: inout ByteWriter) throws(StoreError) -> Bool {
        try table.get(key, into: &envelope)
    }

    func put(_ key: RawSpan, _ envelope: RawSpan) throws(StoreError) -> Bool {
        let time = Self.time(of: envelope)
        let isLater = try table.get(key, into: &found.writer) && Self.time(of: found.bytes) <= time
        if !isLater { try note(time, key) }
        try table.put(key, envelope)
        return true
    }

    func delete(_ key: RawSpan) throws(StoreError) -> Bool {
        guard try table.get(key, into: &found.writer) else { return false }
        // Where it was written once that is its entry.
        write(Self.time(of: found.bytes), key)
        try entries.delete(entry.bytes)
        return try table.delete(key)
    }

    func append(_ key: RawSpan, _ envelope: RawSpan) throws(StoreError) {
        try note(Self.time(of: envelope), key)
        try table.append(key, envelope)
    }

    func accepts(_ key: RawSpan) -> Bool { true }
    func isExpired(_ key: RawSpan, at streamTime: Int64) -> Bool { false }
    func tables(from first: Int64, through last: Int64) -> [any StateTable] { [table] }
    func rank(ofTime time: Int64) -> Int64 { 0 }
    func owns(_ table: String) -> Bool { table == store || table == store + Self.suffix }
    func rebuilt(in engine: any StateEngine) throws(StoreError) -> any StoreLayout {
        try ExpiringStore(store, engine: engine, lifetime: lifetime, ExpirySchedule())
    }
    func advance(to time: Int64) {}

    func clear() throws(StoreError) {
        try table.deleteAll()
        try entries.deleteAll()
        first.value = Int64.max
    }

    func reload() throws(StoreError) { try findFirst() }
    func prepareCommit() {}
}
