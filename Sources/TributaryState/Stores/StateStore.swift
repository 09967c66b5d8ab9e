public import TributaryCore
public import TributaryLineage

/// Where the topics of records come from, by the numbers in ``RecordOrigin``: only their lengths matter to a cache.
public protocol TopicNames: AnyObject {
    /// The length of a topic's name in characters; 0 for no topic.
    func nameLength(ofTopic number: Int32) -> Int
}

/// One store of a task below its typed face: cache, lineage, changelog, engine, composed when the task is made.
///
/// Not generic: keys and values are bytes. Every kind of store keeps its lineage here, none by code of its own. Used by the
/// task's thread.
public final class StateStore {
    /// What the topology says about it.
    public let description: StoreDescription
    /// Whether writes are collected before they reach what follows.
    public let isCached: Bool
    /// The store's name.
    public var name: String { description.name }
    /// Called for each entry of a flush, in the order of the last writes, with the key, the new value (nil: a delete) and the
    /// metadata to forward; set by the operator that owns the store.
    public var onFlush: ((RawSpan, RawSpan?, borrowing RecordMeta) throws -> Void)?
    /// Counts writes that the store refused because they are too old.
    public var onExpired: (() -> Void)?

    let inner: any InnerStore
    let recorder: LineageRecorder
    let changelog: (any ChangelogWriter)?
    /// Empty and unused where ``isCached`` is false: an optional would cost a reference count per use.
    let cache: StoreCache
    let graves: (any StateTable)?
    private let topics: any TopicNames
    private let operations: Operations
    private let timestampSize: Int
    private let keepsCells: Bool
    private let keepsLineage: Bool
    private let isWindowed: Bool
    let state: Owned<State>

    struct Operations {
        let get: Int32
        let put: Int32
        let delete: Int32
        let flush: Int32
        let scan: Int32
    }

    struct State: BitwiseCopyable {
        var start = 0  // where the value begins in what a read found
        var timestamp: Int64 = 0
        var lineage = Lineage.none
        var lineageFrom: Int32 = -1  // the cache's entry that has it; -1: it is here
        var written = Lineage.none
        var isFlushing = false
        var sequence: UInt32 = 0
        // What the last read looked up, for the write that follows.
        var lookedUp: Int32 = -1
        // The length of the name of the topic that the last write's record came from.
        var topic: Int32 = -1
        var topicSize = 0
    }

    // Reused buffers: what a read found, the envelope and cell being written.
    let found = ByteBuffer(capacity: 256)
    private let envelope = ByteBuffer(capacity: 512)
    private let cell = ByteBuffer(capacity: 512)
    private let sorter = Owned(RadixSorter())

    /// Composes a store.
    ///
    /// - Parameters:
    ///   - engine: holds its tables.
    ///   - recorder: the task's.
    ///   - changelog: takes its writes; nil for none.
    ///   - budget: the cache's; nil for a store without cache.
    ///   - topics: names of the topics in ``RecordOrigin``.
    ///   - now: wall clock for graves, ms.
    public init(
        _ description: StoreDescription, engine: any StateEngine, recorder: LineageRecorder,
        changelog: (any ChangelogWriter)?, budget: CacheBudget?, topics: any TopicNames
    ) throws(StoreError) {
        self.description = description
        self.recorder = recorder
        self.changelog = changelog
        self.topics = topics
        if case .window(let retention, _, _, _) = description.kind {
            inner = try SegmentedStore(description.name, engine: engine, retention: retention)
            graves = nil
        } else {
            inner = TableStore(try engine.table(description.name))
            graves = recorder.mode == .off ? nil : try engine.table(description.name + ".graves")
        }
        timestampSize = description.isTimestamped ? 8 : 0
        isCached = description.isCached && budget != nil
        keepsCells = recorder.mode == .cells
        keepsLineage = recorder.mode != .off
        isWindowed = if case .window = description.kind { true } else { false }
        cache = StoreCache(
            budget: budget ?? CacheBudget(limit: 0), recorder: recorder, room: isCached ? 128 : 1)
        func operation(_ name: String) -> Int32 {
            recorder.operation(
                "\(name) \(description.name)", kind: .internal,
                attributes: [
                    AttributeNames.dbSystemName: .string("tributary"),
                    AttributeNames.dbCollectionName: .string(description.name),
                    AttributeNames.dbOperationName: .string(name),
                ])
        }
        operations = Operations(
            get: operation("get"), put: operation("put"), delete: operation("delete"), flush: operation("flush"),
            scan: operation("scan"))
        state = Owned(State())
    }

    // MARK: Reading

    /// Reads a key's value into the store's own buffer: ``value``, ``valueTimestamp`` and ``valueLineage`` until the next read.
    ///
    /// - Returns: whether there is a value.
    @inline(__always)
    public func read(_ key: RawSpan) throws -> Bool {
        guard isCached else { return try readInner(key) }
        let hash = StoreCache.hash(key)
        let index = cache.find(key, hash: hash)
        state.value.lookedUp = index
        if index >= 0 { return readCached(index) }
        return try readThrough(key, hash: hash)
    }

    @inline(__always)
    private func readCached(_ index: Int32) -> Bool {
        cache.touch(index)
        guard cache.hasValue(index) else { return false }
        found.writer.removeAll()
        state.value.start = 0
        cache.copyValue(index, into: &found.writer)
        state.value.timestamp = cache.timestamp(index)
        state.value.lineageFrom = index
        return true
    }

    // Key-value stores keep what they read as a clean entry; window stores don't (semantics 4.6).
    @inline(never)
    private func readThrough(_ key: RawSpan, hash: UInt32) throws -> Bool {
        guard try readInner(key) else { return false }
        if isWindowed { return true }
        state.value.lookedUp = cache.put(
            key, hash: hash, found: -1, value: value, dirty: false, timestamp: valueTimestamp, recordTime: 0,
            origin: .none, headers: RawSpan.empty, topicSize: 0, lineage: valueLineage, timestampSize: timestampSize)
        guard cache.budget.usedBytes > cache.budget.limit else { return true }
        // What is evicted may be forwarded to nodes that read this store, too: read again what they may have overwritten.
        try evict(cache)
        let index = cache.find(key, hash: hash)
        state.value.lookedUp = index
        return index >= 0 ? readCached(index) : try readInner(key)
    }

    func readInner(_ key: RawSpan) throws(StoreError) -> Bool {
        guard try inner.get(key, into: &found.writer) else { return false }
        try decode(key)
        return true
    }

    func decode(_ key: RawSpan) throws(StoreError) {
        do throws(EnvelopeError) {
            let parts = try parts(found.bytes)
            state.value.timestamp = parts.timestamp
            state.value.lineage = parts.lineage
            state.value.lineageFrom = -1
            state.value.start = found.count - parts.size
        } catch {
            throw StoreError(.corrupt, "\(error)", store: name, key: key.hexadecimal)
        }
    }

    private func parts(_ bytes: RawSpan) throws(EnvelopeError) -> (timestamp: Int64, lineage: Lineage, size: Int) {
        let view = try EnvelopeView(bytes)
        let lineage = Lineage(context: view.context, cell: try readCell(view.cell))
        return (view.timestamp ?? 0, lineage, view.payload?.byteCount ?? 0)
    }

    // A row written without cells has a gap, never a silent "complete".
    private func readCell(_ bytes: RawSpan) throws(EnvelopeError) -> Cell {
        guard recorder.mode == .cells else { return .empty }
        if bytes.isEmpty { return gapCell }
        do throws(MalformedBytes) { return try recorder.arena.decode(bytes) } catch { throw EnvelopeError(cell: error) }
    }

    private var gapCell: Cell {
        var cell = Cell.empty
        cell.flags = Cell.gap
        return cell
    }

    /// The value that the last ``read(_:)`` found.
    public var value: RawSpan {
        @_lifetime(immortal)
        get { found.bytes(from: state.value.start) }
    }

    /// The timestamp of the value that the last ``read(_:)`` found, ms.
    @inline(__always) public var valueTimestamp: Int64 { state.value.timestamp }

    /// The lineage of the value that the last ``read(_:)`` found: the context and cell of its write.
    ///
    /// Until the next read or write.
    public var valueLineage: Lineage {
        guard state.value.lineageFrom >= 0 else { return state.value.lineage }
        return cache.lineage(state.value.lineageFrom)
    }

    private var rowContext: TraceContext {
        guard state.value.lineageFrom >= 0 else { return state.value.lineage.context }
        return keepsLineage ? cache.context(state.value.lineageFrom) : .none
    }

    private var rowCell: Cell {
        state.value.lineageFrom >= 0 ? cache.cell(state.value.lineageFrom) : state.value.lineage.cell
    }

    /// Makes the span of a read that found a row, linked to the write that made it, and returns its context.
    @inline(__always)
    public func readSpan(_ parent: TraceContext, link: LinkType, _ row: TraceContext) -> TraceContext {
        guard recorder.makesSpan(parent) else { return parent }
        recorder.link(link, row)
        return recorder.span(operations.get, parent: parent)
    }

    /// Makes the span of the last read, which found a row that an aggregation goes on from.
    @inline(__always)
    public func previousSpan(_ meta: borrowing RecordMeta) {
        guard recorder.makesSpan(meta.lineage.context) else { return }
        recorder.link(.previous, rowContext)
        _ = recorder.span(operations.get, parent: meta.lineage.context)
    }

    /// Makes the span of a read that found nothing.
    @inline(__always)
    public func missSpan(_ parent: TraceContext) {
        guard recorder.makesSpan(parent) else { return }
        _ = recorder.span(operations.get, parent: parent)
    }

    /// Makes the span of a scan.
    public func scanSpan(_ parent: TraceContext) {
        guard recorder.makesSpan(parent) else { return }
        _ = recorder.span(operations.scan, parent: parent)
    }

    // MARK: Writing

    /// Writes the next aggregate of a key (nil: deletes), derived from the record and the row that the last read found.
    ///
    /// - Parameters:
    ///   - exists: whether the last ``read(_:)``, which was of this key, found a row.
    ///   - window: start and end, for the span.
    ///   - meta: of the record that causes the write.
    /// - Returns: the value's timestamp. Its lineage is ``writtenLineage``.
    @inline(__always)
    public func writeAggregate(
        _ key: RawSpan, _ value: RawSpan?, exists: Bool, window: (start: Int64, end: Int64)? = nil,
        _ meta: borrowing RecordMeta
    ) throws -> Int64 {
        let timestamp = exists ? max(meta.timestamp, state.value.timestamp) : meta.timestamp
        guard keepsLineage else {
            if isCached {
                try writeCached(key, value, timestamp: timestamp, .none, meta)
            } else {
                try writeThrough(key, value, timestamp: timestamp, recordTime: meta.timestamp, .none)
            }
            return timestamp
        }
        let cell = exists && keepsCells ? recorder.arena.add(rowCell, meta.lineage.cell) : meta.lineage.cell
        let row = exists && recorder.isRecording ? rowContext : .none
        let lineage = try write(
            key, value, timestamp: timestamp, cell: cell, link: .previous, row: row, window: window, meta)
        if !isCached { state.value.written = lineage }
        return timestamp
    }

    /// The lineage to forward after ``writeAggregate(_:_:exists:window:_:)``, where there is no cache.
    public var writtenLineage: Lineage { state.value.written }

    /// Writes a value (nil: deletes), and returns the lineage that the operator forwards: the write's own context and `cell`.
    ///
    /// - Parameters:
    ///   - timestamp: of the value, ms.
    ///   - cell: what the new value came from.
    ///   - link: how the row that was there is used, if there was one.
    ///   - row: the context of that row's write; ``TraceContext/none`` if there was none.
    ///   - window: start and end, for the span.
    ///   - meta: of the record that causes the write.
    @inline(__always)
    public func write(
        _ key: RawSpan, _ value: RawSpan?, timestamp: Int64, cell: Cell, link: LinkType, row: TraceContext,
        window: (start: Int64, end: Int64)? = nil, parentIsTrigger: Bool = false, _ meta: borrowing RecordMeta
    ) throws -> Lineage {
        var lineage = Lineage(context: meta.lineage.context, cell: cell)
        if recorder.makesSpan(lineage.context) {
            if row.isValid { recorder.link(value == nil ? .deleted : link, row) }
            if let window { recorder.window(start: window.start, end: window.end) }
            lineage.context = recorder.span(
                value == nil ? operations.delete : operations.put, parent: lineage.context,
                flags: parentIsTrigger ? SpanRecord.parentIsTrigger : 0)
        }
        if isCached {
            try writeCached(key, value, timestamp: timestamp, lineage, meta)
        } else {
            try writeThrough(key, value, timestamp: timestamp, recordTime: meta.timestamp, lineage)
        }
        return lineage
    }

    @inline(__always)
    private func writeCached(
        _ key: RawSpan, _ value: RawSpan?, timestamp: Int64, _ lineage: Lineage, _ meta: borrowing RecordMeta
    ) throws {
        var index = state.value.lookedUp
        var hash: UInt32 = 0
        state.value.lineageFrom = -1
        if !cache.isEntry(index, of: key) {
            hash = StoreCache.hash(key)
            index = cache.find(key, hash: hash)
        }
        if meta.origin.topic != state.value.topic {
            state.value.topic = meta.origin.topic
            state.value.topicSize = topics.nameLength(ofTopic: meta.origin.topic)
        }
        _ = cache.put(
            key, hash: hash, found: index, value: value, dirty: true, timestamp: timestamp,
            recordTime: meta.timestamp, origin: meta.origin, headers: meta.headers,
            topicSize: state.value.topicSize, lineage: lineage, timestampSize: timestampSize)
        if cache.budget.usedBytes > cache.budget.limit { try evict(cache) }
    }

    /// Writes to engine and changelog; returns whether the engine took it.
    func writeThrough(
        _ key: RawSpan, _ value: RawSpan?, timestamp: Int64, recordTime: Int64, _ lineage: Lineage
    ) throws {
        encodeCell(lineage)
        try writeEngine(key, value, timestamp: timestamp, recordTime: recordTime, lineage)
        try log(key, value, timestamp: value == nil || !description.isTimestamped ? recordTime : timestamp, lineage)
    }

    @inline(__always)
    private func encodeCell(_ lineage: Lineage) {
        cell.writer.removeAll()
        if recorder.mode == .off { return }
        cell.writer.append(CellHeader.version)
        if recorder.mode == .cells { recorder.arena.encode(lineage.cell, into: &cell.writer) }
    }

    // The cell's bytes are in state.cell: version byte, then the cell.
    private func writeEngine(
        _ key: RawSpan, _ value: RawSpan?, timestamp: Int64, recordTime: Int64, _ lineage: Lineage
    ) throws(StoreError) {
        envelope.writer.removeAll()
        guard let value else {
            _ = try inner.delete(key)
            if let graves {
                Envelope.encode(
                    timestamp: recordTime, context: lineage.context, tracestate: RawSpan.empty, headers: RawSpan.empty,
                    cell: cell.bytes(from: 1), elements: RawSpan.empty, payload: nil,
                    into: &envelope.writer)
                try graves.put(key, envelope.bytes)
            }
            return
        }
        Envelope.encode(
            timestamp: timestamp, context: lineage.context, tracestate: RawSpan.empty, headers: RawSpan.empty,
            cell: cell.bytes(from: 1), elements: RawSpan.empty, payload: value, into: &envelope.writer)
        if try !inner.put(key, envelope.bytes) { onExpired?() }
    }

    private func log(_ key: RawSpan, _ value: RawSpan?, timestamp: Int64, _ lineage: Lineage) throws {
        guard let changelog else { return }
        try changelog.append(
            key: key, value: value, timestamp: timestamp, context: lineage.context, cell: cell.bytes)
    }

    // MARK: Restoring

    /// Puts a changelog record into the engine: the value's timestamp is the record's, its lineage the headers', byte for byte.
    ///
    /// - Parameters:
    ///   - cell: the value of the header `tributary-cell`, version byte included; empty if the record has none.
    ///   - foreign: the cell of the record's own coordinate, for a record that someone else sent.
    public func restore(
        _ key: RawSpan, _ value: RawSpan?, timestamp: Int64, context: TraceContext, cell: RawSpan
    ) throws(StoreError) {
        guard let value else {
            _ = try inner.delete(key)
            if let graves {
                encodeRestored(nil, timestamp: timestamp, context: context, cell: cell)
                try graves.put(key, envelope.bytes)
            }
            return
        }
        encodeRestored(value, timestamp: timestamp, context: context, cell: cell)
        _ = try inner.put(key, envelope.bytes)
    }

    /// Makes the envelope of a changelog record; the bytes are the store's until its next call.
    @_lifetime(immortal)
    public func restoredEnvelope(
        _ value: RawSpan?, timestamp: Int64, context: TraceContext, cell: RawSpan
    ) -> RawSpan {
        encodeRestored(value, timestamp: timestamp, context: context, cell: cell)
        return envelope.bytes
    }

    private func encodeRestored(_ value: RawSpan?, timestamp: Int64, context: TraceContext, cell: RawSpan) {
        envelope.writer.removeAll()
        Envelope.encode(
            timestamp: timestamp, context: context, tracestate: RawSpan.empty, headers: RawSpan.empty,
            cell: cell.dropping(1), elements: RawSpan.empty, payload: value, into: &envelope.writer)
    }
}

extension StateStore {
    // MARK: Flushing

    /// Flushes the cache: on commit, and at close.
    ///
    /// Does nothing without one.
    public func flush() throws {
        guard isCached, cache.dirtyCount > 0 else { return }
        var list: [Int32] = []
        list.reserveCapacity(cache.dirtyCount)
        cache.takeDirty(into: &list)
        try flush(cache, list)
    }

    func evict(_ cache: StoreCache) throws {
        // A flush under way keeps its entries; what it adds goes at the next write.
        if state.value.isFlushing { return }
        state.value.lookedUp = -1
        while cache.budget.usedBytes > cache.budget.limit {
            let index = cache.oldest
            guard index >= 0 else { return }
            let isDirty = cache.entry(index).isDirty
            cache.remove(index)
            if isDirty {
                var list = [index]
                cache.takeDirty(into: &list)
                try flush(cache, list)
            }
            cache.release(index)
        }
    }

    /// Writes entries to the engine sorted by key, then logs and forwards them in the order of `list`.
    private func flush(_ cache: StoreCache, _ list: [Int32]) throws {
        state.value.isFlushing = true
        defer { state.value.isFlushing = false }
        let mark = recorder.arena.mark
        var live = list
        let key = ByteBuffer(capacity: 256)
        let value = ByteBuffer(capacity: 256)
        // A delete of what neither store nor changelog ever had vanishes (semantics 4.6, rule 4).
        if list.contains(where: { !cache.hasValue($0) }) {
            live = try list.filter { index throws(StoreError) in
                guard cache.entry(index).valueCount < 0 else { return true }
                key.writer.removeAll()
                cache.copyKey(index, into: &key.writer)
                if try inner.get(key.bytes, into: &found.writer) { return true }
                cache.flushed(index)
                return false
            }
        }
        if recorder.isRecording {
            for index in live {
                makeFlushSpan(cache, index)
                recorder.arena.release(to: mark)
            }
        }
        try writeSorted(cache, live, key, value)
        let onFlush = self.onFlush
        for index in live {
            let entry = cache.entry(index)
            let lineage = cache.lineage(index)
            cache.flushed(index)
            key.writer.removeAll()
            cache.copyKey(index, into: &key.writer)
            let keySize = key.count
            cache.copyHeaders(index, into: &key.writer)
            value.writer.removeAll()
            cache.copyValue(index, into: &value.writer)
            let isDelete = entry.valueCount < 0
            let time = isDelete || !description.isTimestamped ? entry.recordTime : entry.timestamp
            encodeCell(lineage)
            try log(
                key.bytes(in: 0..<keySize), isDelete ? nil : value.bytes, timestamp: time, lineage)
            if let onFlush {
                let meta = RecordMeta(
                    key: key.bytes(in: 0..<keySize), hasKey: true, timestamp: time, origin: entry.origin,
                    headers: key.bytes(from: keySize), lineage: lineage)
                try onFlush(key.bytes(in: 0..<keySize), isDelete ? nil : value.bytes, meta)
            }
            recorder.arena.release(to: mark)
        }
    }

    private func makeFlushSpan(_ cache: StoreCache, _ index: Int32) {
        let lineage = cache.lineage(index)
        guard recorder.makesSpan(lineage.context) else { return }
        let folded = cache.foldedWrites(index)
        let type: LinkType = description.isLatestWins ? .superseded : .merged
        cache.forEachContributor(index) { recorder.link(type, $0) }
        recorder.contributors(folded + 1)
        let context = recorder.span(operations.flush, parent: lineage.context)
        cache.setLineage(index, Lineage(context: context, cell: lineage.cell))
    }

    private func writeSorted(
        _ cache: StoreCache, _ list: [Int32], _ key: ByteBuffer, _ value: ByteBuffer
    ) throws {
        let mark = recorder.arena.mark
        sorter.value.removeAll()
        for index in list { sorter.value.append(word: cache.entry(index).first, index: UInt32(index)) }
        if inner.takesSortedWrites {
            sorter.value.sort(
                word: { cache.keyWord(Int32($0), at: $1) },
                isBefore: { cache.compareKeys(Int32($0), Int32($1)) < 0 })
        }
        for place in 0..<sorter.value.count {
            let index = Int32(sorter.value[place])
            let entry = cache.entry(index)
            let lineage = cache.lineage(index)
            key.writer.removeAll()
            cache.copyKey(index, into: &key.writer)
            value.writer.removeAll()
            cache.copyValue(index, into: &value.writer)
            encodeCell(lineage)
            try writeEngine(
                key.bytes, entry.valueCount < 0 ? nil : value.bytes, timestamp: entry.timestamp,
                recordTime: entry.recordTime, lineage)
            recorder.arena.release(to: mark)
        }
    }
}
