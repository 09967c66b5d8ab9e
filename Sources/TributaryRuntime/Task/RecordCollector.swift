public import TributaryCore
internal import TributaryLineage
internal import TributaryState

/// Sends what the tasks of one thread produce: outputs, repartition records, changelogs, dead letters.
///
/// Lineage becomes headers here: `traceparent` is the context of the send's own span where there is one, `tributary-cell`
/// goes to internal topics always and to others only if asked for.
public final class RecordCollector {
    let producer: any LogProducer
    let identity: (String) -> String
    private let applicationID: String
    private let sendsCells: Bool
    private let isTransactional: Bool
    private var topics: [Topic] = []
    private var numbers: [String: Int] = [:]
    private var nextPartition: Int32 = 0
    private(set) var isOpen = false
    private let cell = ByteBuffer(capacity: 512)

    struct Topic {
        let name: String
        let number: Int
        let partitions: Int32
        let isInternal: Bool
    }

    /// Makes a collector over a producer.
    ///
    /// - Parameter identity: tells the identity of a topic, for the stores' positions.
    public init(
        _ producer: any LogProducer, applicationID: String, sendsCells: Bool, isTransactional: Bool,
        identity: @escaping (String) -> String = { _ in "" }
    ) {
        self.identity = identity
        self.producer = producer
        self.applicationID = applicationID
        self.sendsCells = sendsCells
        self.isTransactional = isTransactional
    }

    /// The number under which tasks know a topic.
    func topic(_ name: String, isInternal: Bool) throws -> Int {
        if let number = numbers[name] { return number }
        let number = try producer.number(ofTopic: name)
        topics.append(
            Topic(
                name: name, number: number, partitions: producer.partitions(ofTopic: number), isInternal: isInternal))
        numbers[name] = topics.count - 1
        return topics.count - 1
    }

    func name(_ topic: Int) -> String { topics[topic].name }

    /// Begins a transaction if none is open: lazily, with the first record.
    @inline(__always)
    func open() throws {
        if isOpen { return }
        if isTransactional { try producer.beginTransaction() }
        isOpen = true
    }

    /// The transaction ended, either way.
    func closed() { isOpen = false }

    /// Commits what was sent since the last commit, with offsets, as one; returns the log's id of the commit.
    public func commitTransaction(
        _ offsets: [TopicPartition: CommittedOffset], _ group: any LogGroup
    ) throws(LogError) -> Int64 {
        if !isOpen && isTransactional {
            try producer.beginTransaction()
            isOpen = true
        }
        let id = try producer.commitTransaction(offsets: offsets, group: group)
        isOpen = false
        return id
    }

    /// Waits until what was sent is written.
    public func flush() throws(LogError) {
        try producer.flush()
        isOpen = false
    }

    func send(
        _ topic: Int, key: RawSpan?, partitionKeyCount: Int, value: RawSpan?, _ meta: borrowing RecordMeta,
        _ recorder: LineageRecorder, operation: Int32
    ) throws {
        try open()
        let target = topics[topic]
        var to: Int32 = 0
        if target.partitions > 1 {
            if let key {
                to = partition(forKey: key.prefix(partitionKeyCount), count: target.partitions)
            } else {
                nextPartition &+= 1
                to = (nextPartition & 0x7fff_ffff) % target.partitions
            }
        }
        let context = recorder.span(
            operation, parent: meta.lineage.context, flags: value == nil ? SpanRecord.tombstone : 0,
            origin: RecordOrigin(topic: -1, partition: to, offset: -1), level: .log)
        cell.writer.removeAll()
        if recorder.mode != .off && (target.isInternal || sendsCells) {
            cell.writer.append(CellHeader.version)
            if recorder.mode == .cells { recorder.arena.encode(meta.lineage.cell, into: &cell.writer) }
        }
        try producer.send(
            topic: target.number, partition: to, timestamp: meta.timestamp, key: key, value: value,
            headers: meta.headers, context: context, cell: cell.bytes, extras: RawSpan.empty)
    }
}

/// Appends a store's writes to its changelog partition and remembers the last one, so that the state can be checked against it.
final class StoreChangelog: ChangelogWriter {
    let topic: String
    let partition: Int32
    private let collector: RecordCollector
    private let number: Int
    private let last = ByteBuffer(capacity: 256)
    private(set) var hasWritten = false

    /// The topic's identity in the log.
    let identity: String

    init(_ topic: String, _ partition: Int32, _ collector: RecordCollector, identity: String) throws {
        self.identity = identity
        self.topic = topic
        self.partition = partition
        self.collector = collector
        number = try collector.producer.number(ofTopic: topic)
    }

    func append(key: RawSpan, value: RawSpan?, timestamp: Int64, context: TraceContext, cell: RawSpan) throws {
        try collector.open()
        try collector.producer.send(
            topic: number, partition: partition, timestamp: timestamp, key: key, value: value, headers: RawSpan.empty,
            context: context, cell: cell, extras: RawSpan.empty)
        last.writer.removeAll()
        StoreChangelog.describe(key: key, value: value, timestamp: timestamp, into: &last.writer)
        hasWritten = true
    }

    /// The offset after the last record written; nil if none was.
    var position: Int64? {
        guard hasWritten else { return nil }
        let offset = collector.producer.lastOffset(topic: number, partition: partition)
        return offset < 0 ? nil : offset
    }

    /// XXH3-64 of the last record written: key, value, timestamp.
    var lastHash: UInt64 { checksum64(last.bytes) }

    static func describe(key: RawSpan, value: RawSpan?, timestamp: Int64, into writer: inout ByteWriter) {
        writer.append(varint: UInt64(key.byteCount))
        writer.append(key)
        writer.append(value == nil ? 0 : 1)
        if let value { writer.append(value) }
        writer.append(bigEndian: timestamp)
    }
}
