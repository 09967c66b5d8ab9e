import TributaryCore
import TributaryTesting

/// A log in memory whose writers refuse what a test says, and some of whose partitions end with the mark of a transaction.
final class RefusingLog: Log {
    private let log: MemoryLog
    /// Says why a record of a topic with a value is refused; nil takes it.
    let refusal = Guarded<(@Sendable (_ topic: String, _ value: String?) -> LogError?)?>(nil)

    /// Partitions whose end lies behind an offset without record, as on Kafka.
    let marked = Guarded<Set<TopicPartition>>([])

    init(_ log: MemoryLog) { self.log = log }

    var clusterID: String { log.clusterID }
    var defaults: LogDefaults { log.defaults }
    func topics() throws(LogError) -> [TopicDescription] { try log.topics() }
    func topic(_ name: String) throws(LogError) -> TopicDescription? { try log.topic(name) }
    func createTopics(_ specifications: [TopicSpecification]) throws(LogError) { try log.createTopics(specifications) }
    func deleteTopics(_ names: [String]) throws(LogError) { try log.deleteTopics(names) }
    func deleteRecords(before offsets: [TopicPartition: Int64]) throws(LogError) {
        try log.deleteRecords(before: offsets)
    }
    func watermarks(_ partition: TopicPartition, committed: Bool) throws(LogError) -> Watermarks {
        var found = try log.watermarks(partition, committed: committed)
        if marked.withLock({ $0.contains(partition) }) { found.high += 1 }
        return found
    }
    func offsets(atOrAfter times: [TopicPartition: Int64]) throws(LogError) -> [TopicPartition: Int64] {
        try log.offsets(atOrAfter: times)
    }
    func makeConsumer(_ configuration: ConsumerConfiguration) throws(LogError) -> any LogConsumer {
        let marked = marked.withLock { $0 }
        let consumer = try log.makeConsumer(configuration)
        return marked.isEmpty ? consumer : MarkedConsumer(consumer, marked)
    }
    func makeProducer(_ configuration: ProducerConfiguration) throws(LogError) -> any LogProducer {
        RefusingProducer(try log.makeProducer(configuration), self)
    }
    func joinGroup(_ configuration: GroupConfiguration) throws(LogError) -> any LogGroup {
        try log.joinGroup(configuration)
    }
    func committedOffsets(group: String) throws(LogError) -> [TopicPartition: CommittedOffset] {
        try log.committedOffsets(group: group)
    }
    func newestCommit() throws(LogError) -> Int64? { try log.newestCommit() }
    func close() { log.close() }
}

/// Reads the mark at a partition's end as a batch without records.
private final class MarkedConsumer: LogConsumer {
    private let inner: any LogConsumer
    private let marked: Set<TopicPartition>
    private var places: [Int: TopicPartition] = [:]
    private var behind: Set<Int> = []

    init(_ inner: any LogConsumer, _ marked: Set<TopicPartition>) {
        self.inner = inner
        self.marked = marked
    }

    func assign(_ partition: TopicPartition, from offset: Int64) throws(LogError) -> Int {
        let number = try inner.assign(partition, from: offset)
        places[number] = marked.contains(partition) ? partition : nil
        behind.remove(number)
        return number
    }
    func unassign(_ assignment: Int) {
        places[assignment] = nil
        inner.unassign(assignment)
    }
    func pause(_ assignment: Int) { inner.pause(assignment) }
    func resume(_ assignment: Int) { inner.resume(assignment) }
    func seek(_ assignment: Int, to offset: Int64) { inner.seek(assignment, to: offset) }
    func position(_ assignment: Int) -> Int64 {
        inner.position(assignment) + (behind.contains(assignment) ? 1 : 0)
    }
    func knownEnd(_ assignment: Int) -> Int64 { inner.knownEnd(assignment) + (places[assignment] == nil ? 0 : 1) }
    func poll(timeout milliseconds: Int64) throws(LogError) -> RecordBatch? {
        if let batch = try inner.poll(timeout: 0) { return batch }
        for number in places.keys.sorted() where !behind.contains(number) {
            behind.insert(number)
            return RecordBatch(copying: [], assignment: number, nextOffset: position(number))
        }
        return try inner.poll(timeout: milliseconds)
    }
    func wake() { inner.wake() }
    func close() { inner.close() }
}

private final class RefusingProducer: LogProducer {
    private let inner: any LogProducer
    private let log: RefusingLog
    private var names: [Int: String] = [:]

    init(_ inner: any LogProducer, _ log: RefusingLog) {
        self.inner = inner
        self.log = log
    }

    func number(ofTopic name: String) throws(LogError) -> Int {
        let number = try inner.number(ofTopic: name)
        names[number] = name
        return number
    }
    func partitions(ofTopic number: Int) -> Int32 { inner.partitions(ofTopic: number) }
    func beginTransaction() throws(LogError) { try inner.beginTransaction() }
    func send(_ record: borrowing OutgoingRecord, topic: Int, partition: Int32) throws(LogError) {
        if let refusal = log.refusal.withLock({ $0 }) {
            var text: String?
            if let value = record.value { text = String(decoding: [UInt8](copying: value), as: UTF8.self) }
            if let error = refusal(names[topic] ?? "", text) { throw error }
        }
        try inner.send(record, topic: topic, partition: partition)
    }
    var pendingBytes: Int { inner.pendingBytes }
    func push() { inner.push() }
    func flush() throws(LogError) { try inner.flush() }
    func lastOffset(topic: Int, partition: Int32) -> Int64 { inner.lastOffset(topic: topic, partition: partition) }
    func commitTransaction(
        offsets: [TopicPartition: CommittedOffset], group: (any LogGroup)?
    ) throws(LogError) -> Int64 { try inner.commitTransaction(offsets: offsets, group: group) }
    func abortTransaction() throws(LogError) { try inner.abortTransaction() }
    func close() { inner.close() }
}
