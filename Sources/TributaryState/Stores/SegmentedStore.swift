internal import TributaryCore

/// The engine side of a store whose rows end with time: one table per segment of time, so that expiry drops whole tables.
///
/// Logical keys are Kafka Streams' (Docs/Formats.md): key, window start (8 bytes), sequence (4 bytes). Segment width and what is
/// visible are Kafka Streams' too (Docs/Semantics.md, Stores): `max(retention / 2, 60 s)`; entries with
/// `start >= stream time - retention + 1`.
///
/// Where rows are found by their times, another table of each segment has their keys in that order: the time, the rest of what comes
/// behind the record's key, the record's key.
final class SegmentedStore: StoreLayout {
    let store: String
    let retention: Int64
    private let engine: any StateEngine
    let width: Int64
    let isPersistent: Bool
    private(set) var segments: [Int64: any StateTable] = [:]
    private var lastSegment: (id: Int64, table: any StateTable)?
    private let isOrderedByTime: Bool
    private(set) var times: [Int64: any StateTable] = [:]
    private let timeEntry = ByteBuffer(capacity: 64)
    /// The greatest window start put so far; -1 before the first.
    private(set) var streamTime: Int64 = -1
    private var savedTime: Int64 = -1
    /// The number of the last row put, where rows of one key and time are kept side by side.
    private var sequence: UInt32 = 0
    private var savedSequence: UInt32 = 0

    /// How keys of rows are made, and with them the time that decides a row's segment.
    let keys: KeySchema

    init(
        _ store: String, engine: any StateEngine, keys: KeySchema, retention: Int64, isOrderedByTime: Bool = false
    ) throws(StoreError) {
        self.isOrderedByTime = isOrderedByTime
        self.store = store
        self.keys = keys
        self.retention = retention
        self.engine = engine
        width = max(retention / 2, 60_000)
        isPersistent = engine.isPersistent
        try reload()
    }

    // Which segments there are, and the time that was kept.
    func reload() throws(StoreError) {
        segments = [:]
        times = [:]
        lastSegment = nil
        streamTime = -1
        savedTime = -1
        sequence = 0
        for name in try engine.tableNames() {
            guard let id = SegmentedStore.segment(of: name, store: store) else { continue }
            segments[id] = try engine.table(name)
            if isOrderedByTime { times[id] = try engine.table(timesName(id)) }
        }
        if let saved = try engine.metadata(timeKey), let time = saved.span.bytes.integer(at: 0, as: Int64.self) {
            streamTime = time
            savedTime = time
            // What was kept before there were numbers has none.
            sequence = saved.span.bytes.integer(at: 8, as: UInt32.self) ?? 0
        }
        savedSequence = sequence
    }

    func advance(to time: Int64) throws(StoreError) {
        guard time > streamTime else { return }
        streamTime = time
        try expire()
    }

    func append(_ key: RawSpan, _ envelope: RawSpan) throws(StoreError) {
        guard let table = try table(forStart: start(of: key)) else { return }
        // Rows come by key: the greatest number is that of the last put.
        if keys == .window { sequence = max(sequence, number(of: key)) }
        try table.append(key, envelope)
        if isOrderedByTime { try noteTime(key) }
    }

    func nextSequence() -> UInt32 {
        sequence = (sequence &+ 1) & 0x7fff_ffff
        return sequence
    }

    func noteSequence(of key: RawSpan) { if keys == .window { sequence = number(of: key) } }

    private func number(of key: RawSpan) -> UInt32 { key.integer(at: key.byteCount &- 4, as: UInt32.self) ?? 0 }

    /// The key of the stream time in the metadata beside the tables.
    static func timeKey(_ store: String) -> String { "time/\(store)" }
    private var timeKey: String { Self.timeKey(store) }

    /// The number of the segment that a table of this store holds; nil for other tables.
    static func segment(of table: String, store: String) -> Int64? {
        guard table.hasPrefix(store + "@"), table.utf8.count == store.utf8.count + 17 else { return nil }
        guard let id = UInt64(String(decoding: table.utf8.suffix(16), as: UTF8.self), radix: 16) else { return nil }
        return Int64(bitPattern: id)
    }

    private func tableName(_ segment: Int64) -> String { Self.tableName(store, segment) }

    /// The name of the table that holds a segment of a store.
    static func tableName(_ store: String, _ segment: Int64) -> String {
        let digits = String(UInt64(bitPattern: segment), radix: 16)
        return store + "@" + String(repeating: "0", count: max(0, 16 - digits.utf8.count)) + digits
    }

    private func timesName(_ segment: Int64) -> String { tableName(segment) + Self.timesSuffix }

    /// What the names of tables of times end with, behind those of their segments.
    static let timesSuffix = ".times"

    @inline(__always)
    private func start(of key: RawSpan) -> Int64 { keys.time(of: key) }

    /// The earliest window start that reads still see.
    var earliestVisible: Int64 {
        let earliest = SegmentedStore.earliestVisible(at: streamTime, retention)
        // Kafka Streams' persistent window stores that are ordered by time show one millisecond more.
        return isOrderedByTime && isPersistent && keys == .window && earliest > Int64.min ? earliest - 1 : earliest
    }

    /// The same for a stream time (-1: none) and a retention in ms, of which the greatest is for ever.
    static func earliestVisible(at streamTime: Int64, _ retention: Int64) -> Int64 {
        if streamTime < 0 || retention == Int64.max { return Int64.min }
        return streamTime.subtractingSaturated(retention).addingSaturated(1)
    }

    func get(_ key: RawSpan, into envelope: inout ByteWriter) throws(StoreError) -> Bool {
        let start = keys.time(of: key)
        guard start >= earliestVisible, let table = existing(start / width) else {
            envelope.removeAll()
            return false
        }
        return try table.get(key, into: &envelope)
    }

    func put(_ key: RawSpan, _ envelope: RawSpan) throws(StoreError) -> Bool {
        guard let table = try table(forStart: start(of: key)) else { return false }
        try table.put(key, envelope)
        if isOrderedByTime { try noteTime(key) }
        return true
    }

    func delete(_ key: RawSpan) throws(StoreError) -> Bool {
        guard let table = try table(forStart: start(of: key)) else { return false }
        if isOrderedByTime { try forgetTime(key) }
        return try table.delete(key)
    }

    func accepts(_ key: RawSpan) -> Bool {
        let start = keys.time(of: key)
        return isPersistent ? start / width >= earliestSegment : start >= earliestVisible
    }

    func existing(_ id: Int64) -> (any StateTable)? {
        if let lastSegment, lastSegment.id == id { return lastSegment.table }
        guard let table = segments[id] else { return nil }
        lastSegment = (id, table)
        return table
    }

    func rank(ofTime time: Int64) -> Int64 { time / width }

    func owns(_ table: String) -> Bool {
        let name = table.hasSuffix(Self.timesSuffix) ? String(table.dropLast(Self.timesSuffix.utf8.count)) : table
        return Self.segment(of: name, store: store) != nil
    }

    func rebuilt(in engine: any StateEngine) throws(StoreError) -> any StoreLayout {
        try SegmentedStore(
            store, engine: engine, keys: keys, retention: retention, isOrderedByTime: isOrderedByTime)
    }

    /// The table that takes a window; nil if it is too old.
    private func table(forStart start: Int64) throws(StoreError) -> (any StateTable)? {
        if start > streamTime {
            streamTime = start
            try expire()
        }
        let id = start / width
        if isPersistent {
            guard id >= earliestSegment else { return nil }
        } else {
            guard start >= earliestVisible else { return nil }
        }
        if let table = existing(id) { return table }
        let table = try engine.table(tableName(id))
        segments[id] = table
        lastSegment = (id, table)
        return table
    }

    private var earliestSegment: Int64 { earliestSegment(at: streamTime) }

    func isExpired(_ key: RawSpan, at time: Int64) -> Bool {
        let start = keys.time(of: key)
        if isPersistent { return start / width < earliestSegment(at: time) }
        return time >= 0 && start < time.subtractingSaturated(retention).addingSaturated(1)
    }

    private func earliestSegment(at time: Int64) -> Int64 {
        let bound = time.subtractingSaturated(retention)
        // Kafka Streams divides towards zero; below 0 nothing is expired.
        return bound < 0 ? Int64.min : bound / width
    }

    private func expire() throws(StoreError) {
        let earliest = earliestSegment
        guard earliest > 0 else { return }
        for id in segments.keys.filter({ $0 < earliest }) {
            try drop(id)
            segments[id] = nil
            if lastSegment?.id == id { lastSegment = nil }
        }
    }

    func clear() throws(StoreError) {
        for id in segments.keys { try drop(id) }
        segments = [:]
        lastSegment = nil
        streamTime = -1
        sequence = 0
    }

    /// Keeps the stream time, and the number of the last row, beside the tables.
    private func drop(_ id: Int64) throws(StoreError) {
        try engine.dropTable(tableName(id))
        guard isOrderedByTime else { return }
        try engine.dropTable(timesName(id))
        times[id] = nil
    }

    /// Keeps the stream time, and the number of the last row, beside the tables.
    func prepareCommit() throws(StoreError) {
        guard streamTime != savedTime || sequence != savedSequence else { return }
        var writer = ByteWriter(capacity: 16)
        writer.append(bigEndian: streamTime)
        if sequence != 0 { writer.append(bigEndian: sequence) }
        try engine.setMetadata(timeKey, writer.copy())
        savedTime = streamTime
        savedSequence = sequence
    }

    func copyRows(
        from lower: RawSpan, through upper: RawSpan?, times first: Int64, _ last: Int64, limit: Int,
        into rows: CopiedRows
    ) throws(StoreError) {
        let end = rows.count.addingReportingOverflow(limit)
        func copy(_ table: any StateTable) throws(StoreError) {
            let left = end.overflow ? Int.max : end.partialValue - rows.count
            if left > 0 { try table.copyRows(from: lower, through: upper, limit: left, into: rows) }
        }
        let (from, through) = (first / width, last / width)
        guard through - from < 8 else {
            for table in tables(from: first, through: last) { try copy(table) }
            return
        }
        // The common case: a few segments, found without a list of all.
        var id = from
        while id <= through {
            if let table = existing(id) { try copy(table) }
            id += 1
        }
    }

    func tables(from first: Int64, through last: Int64) -> [any StateTable] {
        segments.keys.sorted().filter { id in
            let start = id.multipliedSaturated(by: width)
            return start.addingSaturated(width - 1) >= first && start <= last
        }.compactMap { segments[$0] }
    }

    // MARK: By time

    private func noteTime(_ key: RawSpan) throws(StoreError) {
        writeTimeEntry(key)
        let id = start(of: key) / width
        let table: any StateTable
        if let known = times[id] {
            table = known
        } else {
            table = try engine.table(timesName(id))
            times[id] = table
        }
        try table.put(timeEntry.bytes, RawSpan.empty)
    }

    private func forgetTime(_ key: RawSpan) throws(StoreError) {
        guard let table = times[start(of: key) / width] else { return }
        writeTimeEntry(key)
        try table.delete(timeEntry.bytes)
    }

    private func writeTimeEntry(_ key: RawSpan) {
        timeEntry.writer.removeAll()
        let record = keys.recordKey(of: key)
        timeEntry.writer.append(key.dropping(record.byteCount))
        timeEntry.writer.append(record)
    }
}
