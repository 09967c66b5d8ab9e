import TributaryCore
import TributaryTesting

/// A log whose transactions are none: what a conformance suite must notice.
final class Leaky: Log {
    private let inner = MemoryLog(autoVisible: true)

    var clusterID: String { inner.clusterID }
    var defaults: LogDefaults { inner.defaults }

    func topics() throws(LogError) -> [TopicDescription] { try inner.topics() }
    func topic(_ name: String) throws(LogError) -> TopicDescription? { try inner.topic(name) }
    func createTopics(_ specifications: [TopicSpecification]) throws(LogError) {
        try inner.createTopics(specifications)
    }
    func deleteTopics(_ names: [String]) throws(LogError) { try inner.deleteTopics(names) }
    func deleteRecords(before offsets: [TopicPartition: Int64]) throws(LogError) {
        try inner.deleteRecords(before: offsets)
    }
    func watermarks(_ partition: TopicPartition, committed: Bool) throws(LogError) -> Watermarks {
        try inner.watermarks(partition, committed: committed)
    }
    func offsets(atOrAfter times: [TopicPartition: Int64]) throws(LogError) -> [TopicPartition: Int64] {
        try inner.offsets(atOrAfter: times)
    }
    func makeConsumer(_ configuration: ConsumerConfiguration) throws(LogError) -> any LogConsumer {
        try inner.makeConsumer(configuration)
    }
    func makeProducer(_ configuration: ProducerConfiguration) throws(LogError) -> any LogProducer {
        LeakyProducer(try inner.makeProducer(ProducerConfiguration(clientID: configuration.clientID)))
    }
    func joinGroup(_ configuration: GroupConfiguration) throws(LogError) -> any LogGroup {
        try inner.joinGroup(configuration)
    }
    func committedOffsets(group: String) throws(LogError) -> [TopicPartition: CommittedOffset] {
        try inner.committedOffsets(group: group)
    }
    func close() { inner.close() }
}

private final class LeakyProducer: LogProducer {
    private let inner: any LogProducer

    init(_ inner: any LogProducer) { self.inner = inner }

    var pendingBytes: Int { inner.pendingBytes }

    func number(ofTopic name: String) throws(LogError) -> Int { try inner.number(ofTopic: name) }
    func partitions(ofTopic number: Int) -> Int32 { inner.partitions(ofTopic: number) }
    func beginTransaction() throws(LogError) {}
    func send(_ record: borrowing OutgoingRecord, topic: Int, partition: Int32) throws(LogError) {
        try inner.send(record, topic: topic, partition: partition)
    }
    func flush() throws(LogError) { try inner.flush() }
    func lastOffset(topic: Int, partition: Int32) -> Int64 { inner.lastOffset(topic: topic, partition: partition) }
    func commitTransaction(offsets: [TopicPartition: CommittedOffset], group: (any LogGroup)?) throws(LogError) -> Int64
    {
        1
    }
    func abortTransaction() throws(LogError) {}
    func close() { inner.close() }
}
