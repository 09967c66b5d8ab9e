public import TributaryCore
public import TributaryLineage

/// The changes of a table that wait to be sent on: the newest of each key, in the order of the time of the first one that waits.
///
/// Lies in memory; its store is only a changelog, with Kafka Streams' bytes (Docs/Formats.md), written at commits. Of a key that was sent the
/// entry stays until the next commit has told the changelog so. Used by the task's thread.
public final class SuppressionBuffer: StoreBuffer {
    struct Place: BitwiseCopyable {
        var time: Int64 = 0
        var size = 0
        var position: Int32 = -1  // in the heap; -1: it was sent
        var version: UInt32 = 0  // another one with each change
        var isDirty = false
    }

    struct State: ~Copyable {
        var places = FlatList<Place>()
        var heap = FlatList<Int32>()
        var dirty = FlatList<Int32>()
        var bytes: Int64 = 0
        var order = JavaHashOrder()
        // Of the last prior value that was asked for.
        var prior = 0..<0
        var priorLineage = Lineage.none
        var measured = BufferMeasurements()
    }

    let store: StateStore
    let cache: StoreCache
    let recorder: LineageRecorder
    let state = Owned(State())
    private let operation: Int32
    private let isAggregate: Bool
    /// The name of the operator's node.
    let node: String
    /// Whether somebody behind asks what rows were before.
    let sendsOld: Bool
    let keepsOldLineage: Bool
    private let change = ByteBuffer()
    let found = ByteBuffer()
    /// The version of the changelog's format.
    let version = ByteBuffer(capacity: 1)
    private var spare: (key: ByteBuffer, value: ByteBuffer)?

    /// The buffer of a store, made with what its changelog had when it is first asked for.
    ///
    /// - Parameters:
    ///   - store: of the kind ``StoreDescription/Kind/suppression``.
    ///   - recorder: the task's.
    ///   - node: the name of the operator's node.
    ///   - isAggregate: whether what a change replaces is in it, as in an aggregate.
    ///   - sendsOld: whether changes are sent with what the row was before.
    ///   - isRead: whether somebody asks for prior values.
    public static func of(
        _ store: StateStore, _ recorder: LineageRecorder, node: String, isAggregate: Bool, sendsOld: Bool, isRead: Bool
    ) throws(StoreError) -> SuppressionBuffer {
        if let made = store.buffer as? SuppressionBuffer { return made }
        let made = SuppressionBuffer(
            store, recorder, node: node, isAggregate: isAggregate, sendsOld: sendsOld, isRead: isRead)
        try made.load()
        store.buffer = made
        return made
    }

    private init(
        _ store: StateStore, _ recorder: LineageRecorder, node: String, isAggregate: Bool, sendsOld: Bool, isRead: Bool
    ) {
        self.store = store
        self.node = node
        cache = store.cache
        self.recorder = recorder
        self.isAggregate = isAggregate
        self.sendsOld = sendsOld
        keepsOldLineage = (sendsOld || isRead) && recorder.mode != .off
        operation = store.operations.emit
        version.writer.append(3 as UInt8)
    }

    // MARK: What waits

    /// How many keys wait.
    public var count: Int { state.value.heap.count }

    /// How many bytes wait, as Kafka Streams counts them.
    public var byteCount: Int64 { state.value.bytes }

    /// The time of the change that comes next; nil if none waits.
    public var oldestTime: Int64? {
        state.value.heap.count == 0 ? nil : state.value.places[Int(state.value.heap[0])].time
    }

    /// Keeps a change in place of the key's last one.
    ///
    /// - Parameters:
    ///   - new: the row's value; nil if it was deleted.
    ///   - old: what it was before.
    ///   - meta: with the key's bytes.
    ///   - time: says when the key's first change is to be sent on, of the key's bytes; nil for the record's time.
    public func put(
        _ new: RawSpan?, _ old: RawSpan?, _ meta: borrowing RecordMeta, time: ((RawSpan) throws -> Int64)?
    ) throws {
        let probe = StoreCache.probe(meta.key)
        var index = cache.find(meta.key, probe)
        let isWaiting = index >= 0 && state.value.places[Int(index)].position >= 0
        change.writer.removeAll()
        var size: Int
        if isWaiting {
            let kept = cache.longValue(index)
            let parts = try BufferedChange(kept)
            if let prior = parts.prior {
                size = BufferedChange.append(prior: kept.extracting(prior), old: old, new: new, to: &change.writer)
            } else {
                size = BufferedChange.append(prior: nil, old: old, new: new, to: &change.writer)
            }
            if keepsOldLineage {
                var elements = try ElementsReader(kept.dropping(parts.end))
                let prior = try elements.next(into: recorder.arena)
                appendLineage(prior ?? .none, meta.oldLineage ?? .none)
            }
            replace(index, isEnd: parts.new == nil || meta.isAnew)
        } else {
            size = BufferedChange.append(prior: old, old: old, new: new, to: &change.writer)
            if keepsOldLineage { appendLineage(meta.oldLineage ?? .none, meta.oldLineage ?? .none) }
            let time = try time?(meta.key) ?? meta.timestamp
            if index < 0 { index = insert(meta.key, probe) }
            state.value.places[Int(index)].time = time
            if meta.isAnew && cache.keepsFolds { cache.table.value.folds.beginAnew(index) }
        }
        let source = cache.source(meta.origin, store.topics)
        size += 28 + meta.key.byteCount + Int(cache.table.value.sources[Int(source)].topicSize)
        if !meta.headers.isEmpty { size += StateStore.residentSize(ofHeaders: meta.headers) }
        cache.set(
            index, change.bytes, timestamp: meta.timestamp, recordTime: meta.timestamp, source: source,
            offset: meta.origin.offset, headers: recorder.markedHeaders(of: meta), charge: 0)
        cache.setLineage(index, meta.lineage)
        state.value.bytes &+= Int64(size &- (isWaiting ? state.value.places[Int(index)].size : 0))
        state.value.places[Int(index)].size = size
        state.value.places[Int(index)].version &+= 1
        if !isWaiting { push(index) }
        noteDirty(index)
        state.value.measured.note(count: state.value.heap.count, bytes: state.value.bytes)
    }

    private func appendLineage(_ prior: Lineage, _ old: Lineage) {
        Elements.append(count: 2, to: &change.writer)
        Elements.append(prior, of: recorder.arena, to: &change.writer)
        Elements.append(old, of: recorder.arena, to: &change.writer)
    }

    /// Keeps the context of a change that is about to be replaced; `isEnd` if nothing of it is in what comes.
    private func replace(_ index: Int32, isEnd: Bool) {
        guard cache.keepsFolds else { return }
        cache.table.value.folds.add(index, cache.context(index))
        if isEnd { cache.table.value.folds.beginAnew(index) }
    }

    func insert(_ key: RawSpan, _ probe: StoreCache.Probe) -> Int32 {
        let index = cache.insert(key, probe)
        while state.value.places.count <= Int(index) { state.value.places.append(Place()) }
        // Versions go on: whoever looked at the entry before sees that it is another.
        let version = state.value.places[Int(index)].version
        state.value.places[Int(index)] = Place()
        state.value.places[Int(index)].version = version &+ 1
        return index
    }

    private func noteDirty(_ index: Int32) {
        guard store.changelog != nil, !state.value.places[Int(index)].isDirty else { return }
        state.value.places[Int(index)].isDirty = true
        state.value.dirty.append(index)
    }

    // MARK: Sending on

    /// Sends the oldest change on, and forgets it unless that made it change again.
    ///
    /// - Parameters:
    ///   - trigger: the context of what makes it happen now.
    ///   - keepsDeletes: whether deletes are sent on; else they are only forgotten.
    ///   - forward: gets new and old value, and the metadata of the change.
    public func emitOldest(
        because trigger: TraceContext, deletes keepsDeletes: Bool,
        _ forward: (RawSpan?, RawSpan?, borrowing RecordMeta) throws -> Void
    ) throws {
        let index = state.value.heap[0]
        let version = state.value.places[Int(index)].version
        let (key, value) = spare ?? (ByteBuffer(), ByteBuffer())
        spare = nil
        let mark = recorder.arena.mark
        defer {
            recorder.arena.release(to: mark)
            spare = (key, value)
        }
        value.writer.removeAll()
        value.writer.append(cache.longValue(index))
        let parts = try BufferedChange(value.bytes)
        var lineage = cache.lineage(index)
        if parts.new != nil || keepsDeletes {
            key.writer.removeAll()
            cache.copyKey(index, into: &key.writer)
            let keySize = key.count
            let saved = store.keepsHeaders ? recorder.saveHeaders() : nil
            defer { if store.keepsHeaders { recorder.restoreHeaders(saved) } }
            let entry = cache.entry(index)
            let origin = cache.origin(entry)
            if store.keepsHeaders {
                key.writer.append(recorder.ownHeaders(cache.headers(index)))
                recorder.beginHeaders(origin, cache.headers(index))
            } else {
                key.writer.append(cache.headers(index))
            }
            var old = Lineage.none
            if sendsOld && keepsOldLineage { old = try oldLineage(parts, value) }
            let isAnew = cache.keepsFolds && cache.table.value.folds.isAnew(index)
            lineage = try emit(index, lineage, isDelete: parts.new == nil, because: trigger) { lineage in
                let held: InlineArray<2, Lineage> = [lineage, old]
                let meta = RecordMeta(
                    key: key.bytes(in: 0..<keySize), hasKey: true, keyIsStale: false, timestamp: entry.timestamp,
                    origin: origin, headers: key.bytes(from: keySize),
                    lineage: sendsOld ? held.span : held.span.extracting(first: 1), isAnew: isAnew)
                if let new = parts.new {
                    if sendsOld, let replaced = parts.old {
                        try forward(value.bytes(in: new), value.bytes(in: replaced), meta)
                    } else {
                        try forward(value.bytes(in: new), nil, meta)
                    }
                } else if sendsOld, let replaced = parts.old {
                    try forward(nil, value.bytes(in: replaced), meta)
                } else {
                    try forward(nil, nil, meta)
                }
            }
        }
        let place = state.value.places[Int(index)]
        state.value.measured.emitted &+= 1
        if place.version == version && place.position >= 0 { remove(index, lineage) }
    }

    /// Sends on within a span of its own, where there is one; returns the lineage that was sent.
    private func emit(
        _ index: Int32, _ kept: Lineage, isDelete: Bool, because trigger: TraceContext, _ body: (Lineage) throws -> Void
    ) throws -> Lineage {
        var lineage = kept
        var flags: UInt8 = 0
        if cache.keepsFolds && !kept.context.isSampled && cache.table.value.folds.hasSampled(index) {
            // The traces of earlier changes are sampled and would end nowhere: the last one's goes on from here.
            lineage.context = recorder.sampled(kept.context)
            flags = SpanRecord.parentIsUnsampled
        }
        if recorder.makesSpan(lineage.context) {
            // What was there before the row was begun anew, or ended, is no part of what there is now.
            let isMade = isAggregate && !isDelete
            cache.table.value.folds.forEach(index) { recorder.link(isMade && $1 ? .merged : .superseded, $0) }
            recorder.contributors(cache.table.value.folds.count(index) + 1)
        } else {
            lineage.context = kept.context
        }
        try recorder.emit(operation, &lineage, because: trigger, flags: flags, body)
        return lineage
    }

    /// What the old value came from that is sent on.
    ///
    /// Kafka Streams sends what the last change replaced, not what was sent on before: it is marked where they differ, since nobody behind has
    /// seen it.
    private func oldLineage(_ parts: BufferedChange, _ value: ByteBuffer) throws -> Lineage {
        let (prior, old) = try lineages(value.bytes(from: parts.end))
        if parts.old == parts.prior { return prior }
        return recorder.mode == .cells ? Lineage(context: old.context, cell: old.cell.with(flags: Cell.unseen)) : old
    }

    /// What prior and old value came from.
    func lineages(_ elements: RawSpan) throws(MalformedBytes) -> (prior: Lineage, old: Lineage) {
        var reader = try ElementsReader(elements)
        let prior = try reader.next(into: recorder.arena)
        let old = try reader.next(into: recorder.arena)
        return (prior ?? .none, old ?? .none)
    }

    private func remove(_ index: Int32, _ lineage: Lineage) {
        state.value.bytes &-= Int64(state.value.places[Int(index)].size)
        state.value.places[Int(index)].version &+= 1
        pop(index)
        cache.flushed(index)
        guard store.changelog != nil else {
            cache.remove(index)
            return cache.release(index)
        }
        cache.set(index, nil, timestamp: 0, recordTime: 0, source: 0, offset: -1, headers: RawSpan.empty, charge: 0)
        cache.setLineage(index, lineage)
        noteDirty(index)
    }
}
