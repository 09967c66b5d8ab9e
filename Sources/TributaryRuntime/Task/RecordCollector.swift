public import TributaryCore
internal import TributaryLineage
public import TributaryState

/// Sends what the tasks of one thread produce: outputs, repartition records, changelogs, dead letters.
///
/// Lineage becomes headers here: `traceparent` is the context of the send's own span where there is one, `tributary-cell`
/// goes to internal topics always and to others only if asked for.
public final class RecordCollector {
    let producer: any LogProducer
    let identity: (String) -> String
    private let applicationID: String
    private let sendsCells: Bool
    private let sendsContexts: Bool
    private let isTransactional: Bool
    // Told before what is sent that no transaction takes back.
    private let deferral: DeferredEncoding
    private var names: [String] = []
    private var numbers: [String: Int] = [:]
    private let cell = ByteBuffer(capacity: 512)
    private let elements = ByteBuffer()

    private struct Topic: BitwiseCopyable {
        var number = 0
        var partitions: Int32 = 0
        var isInternal = false
        var takesContext = false
    }

    private struct State: ~Copyable {
        var topics = FlatArray<Topic>(repeating: Topic(), count: 0)
        var nextPartition: Int32 = 0
        var isOpen = false
        /// Whether what is sent now belongs to what was: to a transaction, or to the record being processed.
        var isHeld = false
        /// Whether what belongs together ends with each record, and not with the transaction or commit.
        var endsWithRecord: Bool
        /// Bytes sent since the producer was last asked how many wait.
        var unseen = 0
        /// Bytes sent since the transaction began, lineage's own left out.
        var plain = 0
        /// Bytes of lineage in the headers of all records sent.
        var lineageBytes: Int64 = 0
        /// How many of those there may be before it is asked.
        var unseenLimit: Int
    }
    // What changes with each record.
    private let state: Owned<State>
    private let holdsAlways = Owned(false)
    private let limit: Int
    private let waitingLimit: Int

    /// Makes a collector over a producer.
    ///
    /// - Parameters:
    ///   - producer: takes the records.
    ///   - applicationID: begins the names of internal topics.
    ///   - sendsCells: whether records for topics that aren't the application's own carry their cell.
    ///   - sendsContexts: whether those records carry their trace context.
    ///   - isTransactional: whether a transaction is begun with the first record.
    ///   - limit: how many bytes may be sent in a transaction, or wait in the producer without one, before `isFull`.
    ///   - deferral: of the tasks' stores.
    ///   - identity: tells the identity of a topic, for the stores' positions.
    public init(
        _ producer: any LogProducer, applicationID: String, sendsCells: Bool, sendsContexts: Bool = true,
        isTransactional: Bool,
        limit: Int = Int.max, deferral: DeferredEncoding = DeferredEncoding(),
        identity: @escaping (String) -> String = { _ in "" }
    ) {
        self.deferral = deferral
        self.identity = identity
        self.producer = producer
        self.applicationID = applicationID
        self.sendsCells = sendsCells
        self.sendsContexts = sendsContexts
        self.isTransactional = isTransactional
        self.limit = limit
        let four = limit.multipliedReportingOverflow(by: 4)
        waitingLimit = !isTransactional ? limit : four.overflow ? Int.max : four.partialValue
        state = Owned(State(endsWithRecord: !isTransactional, unseenLimit: min(limit / 16, 1 << 18)))
    }

    /// Whether a transaction has as many bytes as it may hold, or as many wait in the producer.
    ///
    /// A transaction's bytes are counted without lineage's own, since when it is committed decides what caches merge. Lineage
    /// may come on top until it is three times as much. The producer, for which this is a lock, is asked after each sixteenth.
    @inline(__always) var isFull: Bool {
        state.value.plain >= limit || state.value.unseen > state.value.unseenLimit && isReallyFull()
    }

    @inline(never)
    private func isReallyFull() -> Bool {
        guard producer.pendingBytes < waitingLimit else { return true }
        state.value.unseen = 0
        return false
    }

    /// The number under which tasks know a topic.
    func topic(_ name: String, isInternal: Bool) throws -> Int {
        if let number = numbers[name] { return number }
        let number = try producer.number(ofTopic: name)
        names.append(name)
        state.value.topics.grow(
            to: names.count,
            filling: Topic(
                number: number, partitions: producer.partitions(ofTopic: number), isInternal: isInternal,
                takesContext: isInternal || sendsContexts))
        numbers[name] = names.count - 1
        return names.count - 1
    }

    /// Whether something was sent since the last commit.
    var isOpen: Bool { state.value.isOpen }

    func name(_ topic: Int) -> String { names[topic] }

    /// Begins a transaction if none is open: lazily, with the first record.
    ///
    /// Without transactions, begins what belongs together.
    @inline(__always)
    func open() throws {
        if !state.value.isHeld { try openNew() }
    }

    @inline(never)
    private func openNew() throws {
        if !state.value.isOpen {
            if !isTransactional { try deferral.encodeAll() }
            try begin()
        }
        if !isTransactional { producer.hold() }
        state.value.isHeld = true
    }

    /// Between records: without transactions, what was sent may be written.
    ///
    /// Not in the middle of a record: done again after a kill, it would find a part of its own changes, a session that is deleted
    /// and not yet merged into a longer one.
    @inline(__always)
    func endRecord() throws {
        if state.value.isHeld && state.value.endsWithRecord { try release() }
    }

    /// What is sent until the next commit, from the record at hand on, belongs together.
    func holdUntilCommit() { state.value.endsWithRecord = false }

    /// The same for what comes after each commit.
    func holdAlwaysUntilCommit() {
        holdsAlways.value = true
        holdUntilCommit()
    }

    @inline(never)
    private func release() throws {
        state.value.isHeld = false
        try producer.release()
    }

    @inline(never)
    private func begin() throws(LogError) {
        if isTransactional { try producer.beginTransaction() }
        state.value.isOpen = true
        state.value.unseen = 0
        state.value.plain = 0
    }

    /// Notes that a record was sent: `headers` and `lineage` are the bytes of each that count for the size of a commit.
    @inline(__always)
    func sent(_ record: borrowing OutgoingRecord, headers: Int, lineage: Int) {
        let size = 64 &+ record.payloadCount &+ headers
        state.value.unseen &+= size &+ lineage
        if isTransactional { state.value.plain &+= size }
        state.value.lineageBytes &+= Int64(record.lineageCount)
    }

    /// Bytes of lineage in the headers of all records sent: contexts as the embedded log has them, cells, tracestates.
    var lineageBytes: Int64 { state.value.lineageBytes }

    /// The transaction ended, either way.
    func closed() {
        state.value.isOpen = false
        state.value.isHeld = false
        state.value.plain = 0
    }

    /// Commits what was sent since the last commit, with offsets, as one; returns the log's id of the commit.
    public func commitTransaction(
        _ offsets: [TopicPartition: CommittedOffset], _ group: any LogGroup
    ) throws(LogError) -> Int64 {
        if !state.value.isOpen && isTransactional { try begin() }
        let id = try producer.commitTransaction(offsets: offsets, group: group)
        closed()
        return id
    }

    /// Waits until what was sent is written.
    public func flush() throws(LogError) {
        try producer.flush()
        state.value.isOpen = false
        state.value.isHeld = false
        state.value.endsWithRecord = !isTransactional && !holdsAlways.value
        deferral.resume()
    }

    func send(
        _ topic: Int, key: RawSpan?, partitionKeyCount: Int, value: RawSpan?, _ meta: borrowing RecordMeta,
        _ recorder: LineageRecorder, operation: Int32
    ) throws {
        try open()
        let target = state.value.topics[topic]
        var to: Int32 = 0
        if target.partitions > 1 {
            if let key {
                to = partition(forKey: key.prefix(partitionKeyCount), count: target.partitions)
            } else {
                state.value.nextPartition &+= 1
                to = (state.value.nextPartition & 0x7fff_ffff) % target.partitions
            }
        }
        try deliver(target, to, key: key, value: value, meta, recorder, operation: operation)
    }

    /// How many partitions a topic has.
    func partitions(_ topic: Int) -> Int32 { state.value.topics[topic].partitions }

    /// Sends a record to a partition that was chosen for it.
    func send(
        _ topic: Int, partition: Int32, key: RawSpan?, value: RawSpan?, _ meta: borrowing RecordMeta,
        _ recorder: LineageRecorder, operation: Int32
    ) throws {
        try open()
        try deliver(
            state.value.topics[topic], partition, key: key, value: value, meta, recorder, operation: operation)
    }

    @inline(__always)
    private func deliver(
        _ target: Topic, _ to: Int32, key: RawSpan?, value: RawSpan?, _ meta: borrowing RecordMeta,
        _ recorder: LineageRecorder, operation: Int32
    ) throws {
        guard recorder.makesSpan(meta.lineage.context, .log) else {
            return try send(target, to, key: key, value: value, meta, meta.lineage.context, recorder)
        }
        var span = recorder.begin(
            operation, parent: meta.lineage.context, origin: RecordOrigin(topic: -1, partition: to, offset: -1),
            flags: (value == nil ? SpanRecord.tombstone : 0) | recorder.sendFlags)
        if recorder.capturesHeaders { recorder.add(recorder.captured(recorder.headers(of: meta)), to: &span) }
        do {
            try send(target, to, key: key, value: value, meta, span.context, recorder)
        } catch {
            recorder.end(span, error: error)
            throw error
        }
        recorder.end(span)
    }

    @inline(__always)
    private func send(
        _ target: Topic, _ partition: Int32, key: RawSpan?, value: RawSpan?, _ meta: borrowing RecordMeta,
        _ context: TraceContext, _ recorder: LineageRecorder
    ) throws {
        let context = target.takesContext ? context : .none
        cell.writer.removeAll()
        if recorder.mode != .off && (target.isInternal || sendsCells) {
            cell.writer.append(CellHeader.version)
            if recorder.mode == .cells { recorder.arena.encode(meta.lineage.cell, into: &cell.writer) }
        }
        if target.isInternal, recorder.mode != .off, let old = meta.oldLineage {
            return try send(target, partition, key: key, value: value, meta, context, recorder, replacing: old)
        }
        let record = OutgoingRecord(
            timestamp: meta.timestamp, key: key, value: value,
            headers: target.isInternal ? recorder.markedHeaders(of: meta) : recorder.headers(of: meta),
            context: context,
            cell: cell.bytes, lineageHeaders: recorder.lineageHeaders(of: context))
        try producer.send(record, topic: target.number, partition: partition)
        sent(record, headers: meta.headers.byteCount, lineage: cell.count)
    }

    /// Sends a change that takes out a row, with what that came from.
    @inline(never)
    private func send(
        _ target: Topic, _ partition: Int32, key: RawSpan?, value: RawSpan?, _ meta: borrowing RecordMeta,
        _ context: TraceContext, _ recorder: LineageRecorder, replacing old: Lineage
    ) throws {
        elements.writer.removeAll()
        recorder.append(recorder.lineageHeaders(of: context), element: old, to: &elements.writer)
        let record = OutgoingRecord(
            timestamp: meta.timestamp, key: key, value: value, headers: recorder.markedHeaders(of: meta),
            context: context, cell: cell.bytes, lineageHeaders: elements.bytes)
        try producer.send(record, topic: target.number, partition: partition)
        sent(record, headers: meta.headers.byteCount, lineage: cell.count)
    }
}

/// Appends a store's writes to its changelog partition and remembers the last one, so that the state can be checked against it.
final class StoreChangelog: ChangelogWriter {
    let topic: String
    let partition: Int32
    private let collector: RecordCollector
    private let producer: any LogProducer
    private let number: Int
    private let last = ByteBuffer(capacity: 256)
    private var hasWritten: Bool { last.count > 0 }

    /// The topic's identity in the log.
    let identity: String

    init(
        _ topic: String, _ partition: Int32, _ collector: RecordCollector, identity: String
    ) throws {
        self.identity = identity
        self.topic = topic
        self.partition = partition
        self.collector = collector
        producer = collector.producer
        number = try collector.producer.number(ofTopic: topic)
    }

    func append(_ record: borrowing OutgoingRecord) throws {
        try collector.open()
        try producer.send(record, topic: number, partition: partition)
        last.writer.removeAll()
        StoreChangelog.describe(
            key: record.key, value: record.value, timestamp: record.timestamp, into: &last.writer)
        collector.sent(record, headers: 0, lineage: record.cell.byteCount &+ record.headers.byteCount)
    }

    func holdUntilCommit() { collector.holdUntilCommit() }

    /// The offset after the last record written; nil if none was.
    var position: Int64? {
        guard hasWritten else { return nil }
        let offset = collector.producer.lastOffset(topic: number, partition: partition)
        return offset < 0 ? nil : offset
    }

    /// XXH3-64 of the last record written: key, value, timestamp.
    var lastHash: UInt64 { checksum64(last.bytes) }

    static func describe(key: RawSpan?, value: RawSpan?, timestamp: Int64, into writer: inout ByteWriter) {
        writer.append(varint: UInt64(key?.byteCount ?? 0))
        if let key { writer.append(key) }
        writer.append(value == nil ? 0 : 1)
        if let value { writer.append(value) }
        // Clients of Kafka write 1 for 0.
        writer.append(bigEndian: timestamp == 0 ? 1 : timestamp)
    }
}
