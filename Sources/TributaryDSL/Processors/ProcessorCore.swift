internal import TributaryCore
public import TributaryLineage
internal import TributaryState

/// The part of a processor's context that doesn't depend on its types: the record being processed, its lineage, what was read.
@usableFromInline
final class ProcessorCore {
    let services: any TaskServices
    let recorder: LineageRecorder
    let node: String
    let stores: [String]
    /// The store that it alone writes, with what a topic has.
    private let filledStore: String?
    @usableFromInline var lineage = Lineage.none
    var origin = RecordOrigin.none
    var timestamp: Int64 = 0
    var isPunctuating = false
    private(set) var headers = ByteBuffer()
    private let valueHeaders = ByteBuffer()
    private(set) var key = ByteBuffer()
    var hasKey = false
    private(set) var keyIsStale = false
    private var isActive = false
    // What the callback has read: the contexts of the newest rows, how many there were, the sum of their cells. A callback that
    // reads and writes by turns costs no more for each write that way.
    private var reads: [TraceContext] = []
    private var oldestRead = 0
    private var readCount: Int64 = 0
    private var readCell = Cell.empty
    private let forwardOperation: Int32
    private let punctuateOperation: Int32
    /// The number of the callback at hand: an entry of an earlier one is refused.
    private(set) var callback = 0
    private var callbacks = 0

    /// A callback that another one of the same processor interrupts.
    ///
    /// A store that the processor reads evicts a row, which comes to the processor by a table above it.
    @usableFromInline
    final class Interrupted {
        fileprivate let lineage: Lineage
        fileprivate let origin: RecordOrigin
        fileprivate let timestamp: Int64
        fileprivate let isPunctuating: Bool
        fileprivate let headers: ByteBuffer
        fileprivate let key: ByteBuffer
        fileprivate let hasKey: Bool
        fileprivate let keyIsStale: Bool
        fileprivate let reads: [TraceContext]
        fileprivate let oldestRead: Int
        fileprivate let readCount: Int64
        fileprivate let readCell: Cell
        fileprivate let callback: Int

        fileprivate init(_ core: ProcessorCore) {
            lineage = core.lineage
            origin = core.origin
            timestamp = core.timestamp
            isPunctuating = core.isPunctuating
            headers = core.headers
            key = core.key
            hasKey = core.hasKey
            keyIsStale = core.keyIsStale
            reads = core.reads
            oldestRead = core.oldestRead
            readCount = core.readCount
            readCell = core.readCell
            callback = core.callback
        }
    }

    @usableFromInline
    init(_ context: NodeContext, _ node: String, stores: [String], fills filled: String? = nil) {
        services = context.services
        recorder = context.recorder
        self.node = node
        self.stores = stores
        filledStore = filled
        forwardOperation = recorder.operation("forward \(node)", kind: .internal)
        punctuateOperation = recorder.operation("punctuate \(node)", kind: .internal)
    }

    /// Begins a callback with a record; what it returns is for ``end(_:)``.
    @usableFromInline
    func begin(_ meta: borrowing RecordMeta) -> Interrupted? {
        let interrupted = isActive ? interrupt() : nil
        isActive = true
        lineage = meta.lineage
        origin = meta.origin
        timestamp = meta.timestamp
        isPunctuating = false
        headers.writer.removeAll()
        headers.writer.append(meta.headers)
        key.writer.removeAll()
        key.writer.append(meta.key)
        hasKey = meta.hasKey
        keyIsStale = meta.keyIsStale
        callbacks &+= 1
        callback = callbacks
        if readCount > 0 { forgetReads() }
        return interrupted
    }

    // Views of the buffers are still in use: the callback that interrupts gets others.
    private func interrupt() -> Interrupted {
        let state = Interrupted(self)
        headers = ByteBuffer()
        key = ByteBuffer()
        reads = []
        forgetReads()
        return state
    }

    /// Ends a callback; the one that it interrupted goes on.
    @usableFromInline
    func end(_ interrupted: Interrupted?) {
        guard let interrupted else {
            isActive = false
            return
        }
        lineage = interrupted.lineage
        origin = interrupted.origin
        timestamp = interrupted.timestamp
        isPunctuating = interrupted.isPunctuating
        headers = interrupted.headers
        key = interrupted.key
        hasKey = interrupted.hasKey
        keyIsStale = interrupted.keyIsStale
        reads = interrupted.reads
        oldestRead = interrupted.oldestRead
        readCount = interrupted.readCount
        readCell = interrupted.readCell
        callback = interrupted.callback
    }

    private func forgetReads() {
        reads.removeAll(keepingCapacity: true)
        oldestRead = 0
        readCount = 0
        readCell = .empty
    }

    /// Runs a punctuation: a root of its own, without record.
    func punctuate(_ time: Int64, _ body: (Int64) throws -> Void) throws {
        let mark = recorder.arena.mark
        defer { recorder.arena.release(to: mark) }
        var context = recorder.root()
        var span: SpanRecord?
        if recorder.makesSpan(context) {
            let open = recorder.begin(punctuateOperation, parent: context)
            context = open.context
            span = open
        }
        lineage = Lineage(context: context, cell: .empty)
        origin = .none
        timestamp = time
        isPunctuating = true
        isActive = true
        defer { isActive = false }
        headers.writer.removeAll()
        key.writer.removeAll()
        hasKey = false
        keyIsStale = false
        callbacks &+= 1
        callback = callbacks
        forgetReads()
        let seen = recorder.show(lineage)
        defer { recorder.show(again: seen) }
        let around = recorder.startNotes()
        do {
            try body(time)
        } catch {
            if let span { recorder.end(span, around: around, error: error) }
            guard !(error is TaskFailure) else { throw error }
            let held = CollectionOfOne(lineage)
            return try services.processingFailed(node: node, error, meta(held.span))
        }
        if let span { recorder.end(span, around: around) }
    }

    @_lifetime(copy lineage)
    func meta(_ lineage: Span<Lineage>) -> RecordMeta {
        RecordMeta(
            key: key.bytes, hasKey: hasKey, keyIsStale: keyIsStale, timestamp: timestamp, origin: origin,
            headers: headers.bytes, lineage: lineage)
    }

    /// What a value is written with: the headers that were given for it, else the record's.
    @_lifetime(copy lineage)
    func meta(_ lineage: Span<Lineage>, _ given: Headers?, for store: StateStore) throws -> RecordMeta {
        guard let given else { return meta(lineage) }
        guard store.description.keepsHeaders else {
            throw StoreError(
                .invalidRequest, "the store keeps no headers: make it with headers: true", store: store.name)
        }
        valueHeaders.writer.removeAll()
        valueHeaders.writer.append(given.encoded.span.bytes)
        return RecordMeta(
            key: key.bytes, hasKey: hasKey, keyIsStale: keyIsStale, timestamp: timestamp, origin: origin,
            headers: valueHeaders.bytes, lineage: lineage)
    }

    /// Notes that the callback read a row.
    func noteRead(_ row: Lineage) {
        guard recorder.mode != .off else { return }
        readCount += 1
        if recorder.mode == .cells { readCell = recorder.add(readCell, row.cell) }
        guard recorder.isRecording else { return }
        if reads.count < ProcessorCore.linkedReads {
            reads.append(row.context)
        } else {
            reads[oldestRead] = row.context
            oldestRead = (oldestRead + 1) % ProcessorCore.linkedReads
        }
    }

    /// How many rows that a callback read are linked, the newest; all of them are counted.
    static let linkedReads = 64

    /// The lineage of a write or forward, its links waiting for the span that comes next: exact with `from`, bound without.
    func derived(from entries: [EntryLineage]?) throws -> Lineage {
        guard recorder.mode != .off else { return lineage }
        guard let entries else { return bound() }
        var result = lineage
        for entry in entries {
            guard entry.callback == callback else {
                throw ProcessorError(
                    "an entry that was read in an earlier callback of '\(node)' can't be given as from:, since its "
                        + "lineage has ended: read it again")
            }
            result.cell = recorder.add(result.cell, entry.lineage.cell)
        }
        if isPunctuating, let first = entries.first {
            result.context = first.lineage.context
            if recorder.makesSpan(result.context) {
                recorder.link(.trigger, lineage.context)
                for entry in entries.dropFirst() { recorder.link(.joined, entry.lineage.context) }
            }
        } else if recorder.makesSpan(result.context) {
            for entry in entries { recorder.link(.joined, entry.lineage.context) }
        }
        return result
    }

    private func bound() -> Lineage {
        guard readCount > 0 else { return lineage }
        var result = lineage
        if recorder.mode == .cells {
            result.cell = recorder.add(result.cell, readCell)
            result.cell.flags |= Cell.bound
        }
        guard recorder.makesSpan(result.context) else { return result }
        for age in 0..<reads.count {
            recorder.link(.bound, reads[(oldestRead + reads.count - 1 - age) % reads.count])
        }
        recorder.contributors(readCount + 1)
        return result
    }

    /// The context of the row that a write deletes, where a span will link to it; nothing else is to be seen of the look.
    func deletedRow(of store: StateStore, _ key: RawSpan, _ context: TraceContext) throws -> TraceContext? {
        recorder.makesSpan(context) ? try store.peekContext(key) : nil
    }

    /// Forwards with the lineage that this gives to `body`: a span of its own, over all that follows, only where links need one.
    func forward(from entries: [EntryLineage]?, _ body: (borrowing Lineage) throws -> Void) throws {
        var result = try derived(from: entries)
        let links = entries.map { !$0.isEmpty } ?? (readCount > 0)
        guard links, recorder.makesSpan(result.context) else { return try body(result) }
        let span = recorder.begin(forwardOperation, parent: result.context)
        result.context = span.context
        do { try body(result) } catch {
            recorder.end(span, error: error)
            throw error
        }
        recorder.end(span)
    }

    /// Forwards what was made of the record being processed, and maybe of what the callback has read.
    @usableFromInline
    func passOn(_ body: (borrowing Lineage) throws -> Void) throws { try forward(from: nil, body) }

    /// A lineage with what the callback has read, which may have contributed.
    @usableFromInline
    func withReads(_ lineage: Lineage) -> Lineage {
        guard readCount > 0, recorder.mode == .cells else { return lineage }
        return Lineage(
            context: lineage.context, cell: recorder.add(lineage.cell, readCell).with(flags: Cell.bound))
    }

    /// What code that forwards nothing itself can ask and do.
    @usableFromInline var processingContext: ProcessingContext { ProcessingContext(self) }

    /// Runs the nodes behind; user code may swallow what they throw, but not what ends the task.
    @inline(__always)
    func forwarding(_ body: () throws -> Void) throws {
        do { try body() } catch {
            noteFailure(error)
            throw error
        }
    }

    /// Notes what no handler lets pass: that a node behind failed, or the state, or the log.
    @inline(never)
    func noteFailure(_ error: any Error) {
        if error is TaskFailure || error is StoreError || error is LogError { services.failed(by: error) }
    }

    func store(_ name: String) throws -> StateStore {
        guard stores.contains(name) || services.isGlobalStore(name) else {
            throw ProcessorError(
                "processor '\(node)' is not connected to store '\(name)': name it in stores: where the processor is added"
            )
        }
        return try services.store(name)
    }

    /// Throws for a store that holds what a topic says, if another fills it.
    @inline(__always)
    func checkWritable(_ store: StateStore) throws {
        if store.description.isReadOnly, filledStore != store.name { try refuseWrite(store) }
    }

    @inline(never)
    private func refuseWrite(_ store: StateStore) throws {
        throw StoreError(
            .invalidRequest,
            "the store is read-only here, since it holds what its topic has: send the record to the topic",
            store: store.name)
    }
}

/// The lineage of an entry that was read, and the callback that read it.
struct EntryLineage {
    let lineage: Lineage
    let callback: Int
}
