internal import TributaryCore
internal import TributaryLineage

/// The engine side of a store that keeps all versions of its rows for a time.
///
/// The newest version of a key lies in a table of its own, as in other stores, or, if it is a delete, among the graves. What a newer version has
/// replaced lies in tables that are dropped as a whole, one per segment of the time when it was replaced: under the key's length (4 bytes), the key, and
/// that time (8 bytes). All versions of a key, deletes too, follow each other without gaps, so that each ends where the next begins.
final class VersionedStore: StoreLayout {
    /// The answer to a put that is older than what is kept.
    static var refused: Int64 { Int64.min }
    /// The answer to a put of the newest version.
    static var newest: Int64 { -1 }

    private let store: String
    private let engine: any StateEngine
    private let table: any StateTable
    private let deleted: any StateTable
    /// How long versions are kept after they were replaced, ms of stream time.
    let history: Int64
    private let width: Int64
    private var segments: [Int64: any StateTable] = [:]
    private var numbers: [Int64] = []
    /// The greatest time of a version so far, ms; -1 before the first.
    private(set) var streamTime: Int64 = -1
    private var savedTime: Int64 = -1
    private let place = ByteBuffer()
    private let end = ByteBuffer()
    private let found = ByteBuffer()
    private let kept = ByteBuffer()

    /// - Parameter history: how long versions are kept after they were replaced, ms of stream time.
    init(_ store: String, engine: any StateEngine, history: Int64) throws(StoreError) {
        self.store = store
        self.engine = engine
        self.history = history
        width = Self.segmentWidth(history)
        table = try engine.table(store)
        deleted = try engine.table(store + ".graves")
        try reload()
    }

    /// Kafka Streams' segments, ms: what is kept at most is not to be seen.
    private static func segmentWidth(_ history: Int64) -> Int64 {
        switch history {
        case ...60_000: max(history / 3, 2_000)
        case ...300_000: max(history / 5, 20_000)
        case ...3_600_000: max(history / 12, 60_000)
        default: max(history / 24, 300_000)
        }
    }

    var keys: KeySchema { .plain }
    var earliestVisible: Int64 { Int64.min }

    /// The earliest time of a version that is still taken.
    var earliest: Int64 { Self.earliest(at: streamTime, history) }

    static func earliest(at streamTime: Int64, _ history: Int64) -> Int64 {
        streamTime < 0 ? Int64.min : streamTime.subtractingSaturated(history)
    }

    // MARK: Reading

    func get(_ key: RawSpan, into envelope: inout ByteWriter) throws(StoreError) -> Bool {
        try table.get(key, into: &envelope)
    }

    /// Reads the version that was the newest at a time.
    func get(_ key: RawSpan, at time: Int64, into envelope: inout ByteWriter) throws(StoreError) -> Bool {
        if try table.get(key, into: &envelope) {
            if Self.time(of: envelope.bytes) <= time { return true }
        } else if try deleted.get(key, into: &envelope), Self.time(of: envelope.bytes) <= time {
            envelope.removeAll()
            return false
        }
        if time >= earliest, try replaced(key, behind: time) != nil, Self.time(of: found.bytes) <= time,
            !Self.isDelete(found.bytes)
        {
            envelope.removeAll()
            envelope.append(found.bytes)
            return true
        }
        envelope.removeAll()
        return false
    }

    static func time(of envelope: RawSpan) -> Int64 { (try? EnvelopeView(envelope))?.timestamp ?? -1 }
    static func isDelete(_ envelope: RawSpan) -> Bool { (try? EnvelopeView(envelope))?.payload == nil }

    /// Finds the first version of a key that was replaced after a time, and returns when; its envelope is in `found`.
    private func replaced(_ key: RawSpan, behind time: Int64) throws(StoreError) -> Int64? {
        guard time < Int64.max else { return nil }
        setPlace(key, time + 1)
        end.writer.removeAll()
        end.writer.append(place.bytes.prefix(place.count - 8))
        end.writer.append(bigEndian: Int64.max)
        // Iterators of collections would allocate in debug builds, where allocations are counted.
        for place in 0..<numbers.count where numbers[place] >= (time + 1) / width {
            guard let segment = segments[numbers[place]],
                try segment.neighbour(of: self.place.bytes, before: false, orEqual: true, into: &kept.writer),
                kept.bytes.compare(to: end.bytes) <= 0, try segment.get(kept.bytes, into: &found.writer)
            else { continue }
            return kept.bytes.integer(at: kept.count - 8, as: Int64.self)
        }
        return nil
    }

    /// Reads the newest version of a key, a delete, too.
    func newestOrDelete(_ key: RawSpan, into envelope: inout ByteWriter) throws(StoreError) -> Bool {
        if try table.get(key, into: &envelope) { return true }
        return try deleted.get(key, into: &envelope)
    }

    /// Calls the body with what was replaced, from one place through another, until it returns false.
    func forEachReplaced(
        from low: [UInt8], through high: [UInt8], since time: Int64,
        _ body: (_ place: RawSpan, _ envelope: RawSpan) throws(StoreError) -> Bool
    ) throws(StoreError) {
        for number in numbers where number >= time / width {
            guard let segment = segments[number] else { continue }
            let cursor = try segment.cursor(from: low.span.bytes, through: high.span.bytes, reverse: false)
            defer { cursor.close() }
            while try cursor.next(key: &kept.writer, value: &found.writer) {
                guard try body(kept.bytes, found.bytes) else { return }
            }
        }
    }

    private func setPlace(_ key: RawSpan, _ time: Int64) {
        place.writer.removeAll()
        place.writer.append(bigEndian: UInt32(truncatingIfNeeded: key.byteCount))
        place.writer.append(key)
        place.writer.append(bigEndian: time)
    }

    // MARK: Writing

    /// Adds a version, or replaces the one of the same time.
    ///
    /// - Returns: until when it counts: the time of the next version, ``newest`` or ``refused``.
    func put(_ key: RawSpan, _ envelope: RawSpan, at time: Int64, isDelete: Bool) throws(StoreError) -> Int64 {
        guard time >= earliest else { return Self.refused }
        if time > streamTime {
            streamTime = time
            try expire()
        }
        var wasDelete = false
        var last: Int64?
        if try table.get(key, into: &kept.writer) {
            last = Self.time(of: kept.bytes)
        } else if try deleted.get(key, into: &kept.writer) {
            last = Self.time(of: kept.bytes)
            wasDelete = true
        }
        if let last, time < last { return try insert(key, envelope, at: time, before: last) }
        if let last {
            if time > last { try keep(key, kept.bytes, until: time) }
            if wasDelete != isDelete { _ = try wasDelete ? deleted.delete(key) : table.delete(key) }
        }
        if isDelete { try deleted.put(key, envelope) } else { try table.put(key, envelope) }
        return Self.newest
    }

    /// Adds a version before the newest one.
    private func insert(
        _ key: RawSpan, _ envelope: RawSpan, at time: Int64, before last: Int64
    ) throws(StoreError) -> Int64 {
        guard let replacedAt = try replaced(key, behind: time) else {
            try keep(key, envelope, until: last)
            return last
        }
        let from = Self.time(of: found.bytes)
        // What is before it ends here; it goes on until what was there ended.
        if from < time { try keep(key, found.bytes, until: time) }
        let validTo = from > time ? from : replacedAt
        try keep(key, envelope, until: validTo)
        return validTo
    }

    private func keep(_ key: RawSpan, _ envelope: RawSpan, until time: Int64) throws(StoreError) {
        let number = time / width
        setPlace(key, time)
        let segment: any StateTable
        if let known = segments[number] {
            segment = known
        } else {
            guard number >= earliestSegment else { return }
            segment = try engine.table(SegmentedStore.tableName(store, number))
            segments[number] = segment
            numbers.append(number)
            numbers.sort()
        }
        try segment.put(place.bytes, envelope)
    }

    private var earliestSegment: Int64 { earliest <= 0 ? 0 : earliest / width }

    private func expire() throws(StoreError) {
        let first = earliestSegment
        guard !numbers.isEmpty, numbers[0] < first else { return }
        for number in numbers where number < first {
            try engine.dropTable(SegmentedStore.tableName(store, number))
            segments[number] = nil
        }
        numbers.removeAll { $0 < first }
    }

    /// Whether no version can be added any more that a delete at a time would end.
    func isOver(deleteAt time: Int64) -> Bool { time < earliest }

    // MARK: The rest

    // Versions are written with their times, by `put(_:_:at:isDelete:)`.
    func put(_ key: RawSpan, _ envelope: RawSpan) throws(StoreError) -> Bool {
        try put(key, envelope, at: Self.time(of: envelope), isDelete: Self.isDelete(envelope)) != Self.refused
    }
    func delete(_ key: RawSpan) throws(StoreError) -> Bool { false }
    func accepts(_ key: RawSpan) -> Bool { true }
    func isExpired(_ key: RawSpan, at streamTime: Int64) -> Bool { false }
    func tables(from first: Int64, through last: Int64) -> [any StateTable] { [table] }
    func rank(ofTime time: Int64) -> Int64 { 0 }
    func owns(_ table: String) -> Bool { table == store || SegmentedStore.segment(of: table, store: store) != nil }
    func rebuilt(in engine: any StateEngine) throws(StoreError) -> any StoreLayout {
        try VersionedStore(store, engine: engine, history: history)
    }
    func advance(to time: Int64) {}
    func append(_ key: RawSpan, _ envelope: RawSpan) throws(StoreError) { _ = try put(key, envelope) }

    func clear() throws(StoreError) {
        for number in numbers { try engine.dropTable(SegmentedStore.tableName(store, number)) }
        segments = [:]
        numbers = []
        streamTime = -1
        try table.deleteAll()
    }

    func reload() throws(StoreError) {
        segments = [:]
        streamTime = -1
        savedTime = -1
        for name in try engine.tableNames() {
            guard let number = SegmentedStore.segment(of: name, store: store) else { continue }
            segments[number] = try engine.table(name)
        }
        numbers = segments.keys.sorted()
        if let saved = try engine.metadata(SegmentedStore.timeKey(store)),
            let time = saved.span.bytes.integer(at: 0, as: Int64.self)
        {
            streamTime = time
            savedTime = time
        }
    }

    func prepareCommit() throws(StoreError) {
        guard streamTime != savedTime else { return }
        var writer = ByteWriter(capacity: 16)
        writer.append(bigEndian: streamTime)
        try engine.setMetadata(SegmentedStore.timeKey(store), writer.copy())
        savedTime = streamTime
    }
}

extension StateStore {
    /// Whether all versions of rows are kept.
    public var isVersioned: Bool { versions != nil }

    /// Until when the version counts that was written last, ms: the time of the next one; nil if it is the newest.
    ///
    /// Only if ``wasRefused`` is false.
    public var writtenValidTo: Int64? { state.value.validTo == VersionedStore.newest ? nil : state.value.validTo }

    /// Whether the version that was written last is older than what is kept, and was not taken.
    public var wasRefused: Bool { state.value.validTo == VersionedStore.refused }

    /// Reads the version of a row that was the newest at a time, as ``read(_:)`` does with the newest.
    ///
    /// Of a time before what is kept there is only a newest version that is no younger.
    public func read(_ key: RawSpan, at time: Int64) throws -> RowHandle {
        guard let versions else { return try read(key) }
        state.value.gets &+= 1
        guard try versions.get(key, at: time, into: &found.writer) else { return handle(-1, exists: false) }
        try decode(key)
        return handle(-1, exists: true)
    }

    /// Writes a version.
    func writeVersion(
        _ versions: VersionedStore, _ key: RawSpan, _ value: RawSpan?, timestamp: Int64, _ lineage: Lineage
    ) throws(StoreError) -> Bool {
        let tracestate = recorder.tracestate(of: lineage.context)
        if let value {
            Envelope.encode(
                timestamp: timestamp, context: lineage.context, tracestate: tracestate, headers: storedHeaders(),
                cell: cell.bytes(from: 1), elements: RawSpan.empty, payload: value, into: &envelope.writer)
            state.value.lineageBytes &+= Int64(envelope.count &- value.byteCount &- Envelope.plainSize)
        } else {
            encodeGrave(
                timestamp: timestamp, context: lineage.context, tracestate: tracestate, cell: cell.bytes(from: 1))
            state.value.hasGraves = true
        }
        state.value.validTo = try versions.put(key, envelope.bytes, at: timestamp, isDelete: value == nil)
        return !wasRefused
    }
}
