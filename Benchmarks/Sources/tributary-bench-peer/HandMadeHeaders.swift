import Tributary
import TributaryCore

/// A log that adds to each record it sends the headers that lineage would, with bytes that mean nothing.
///
/// What is left between an application on it with lineage off and one with lineage on is the cost of lineage itself.
final class HandMadeHeaders: Log {
    private let log: any Log
    /// How many bytes a cell has behind its version; 0 for what `context` sends.
    private let cellBytes: Int

    init(_ log: any Log, cellBytes: Int) {
        self.log = log
        self.cellBytes = cellBytes
    }

    func makeProducer(_ configuration: ProducerConfiguration) throws(LogError) -> any LogProducer {
        Producer(try log.makeProducer(configuration), cellBytes: cellBytes)
    }

    var clusterID: String { log.clusterID }
    var defaults: LogDefaults { log.defaults }
    func topics() throws(LogError) -> [TopicDescription] { try log.topics() }
    func topic(_ name: String) throws(LogError) -> TopicDescription? { try log.topic(name) }
    func createTopics(_ topics: [TopicSpecification]) throws(LogError) { try log.createTopics(topics) }
    func deleteTopics(_ names: [String]) throws(LogError) { try log.deleteTopics(names) }
    func deleteRecords(before offsets: [TopicPartition: Int64]) throws(LogError) {
        try log.deleteRecords(before: offsets)
    }
    func watermarks(_ partition: TopicPartition, committed: Bool) throws(LogError) -> Watermarks {
        try log.watermarks(partition, committed: committed)
    }
    func offsets(atOrAfter times: [TopicPartition: Int64]) throws(LogError) -> [TopicPartition: Int64] {
        try log.offsets(atOrAfter: times)
    }
    func makeConsumer(_ configuration: ConsumerConfiguration) throws(LogError) -> any LogConsumer {
        try log.makeConsumer(configuration)
    }
    func joinGroup(_ configuration: GroupConfiguration) throws(LogError) -> any LogGroup {
        try log.joinGroup(configuration)
    }
    func committedOffsets(group: String) throws(LogError) -> [TopicPartition: CommittedOffset] {
        try log.committedOffsets(group: group)
    }
    func close() { log.close() }
}

extension HandMadeHeaders {
    private final class Producer: LogProducer {
        private let producer: any LogProducer
        private let outside: [UInt8]
        private let inside: [UInt8]
        private var isInternal: [Bool] = []

        init(_ producer: any LogProducer, cellBytes: Int) {
            self.producer = producer
            let context: (String, [UInt8]?) = ("traceparent", Array(repeating: 0x30, count: 55))
            outside = Headers([context]).encoded
            inside = Headers([context, ("tributary-cell", Array(repeating: 1, count: 1 + cellBytes))]).encoded
        }

        func number(ofTopic name: String) throws(LogError) -> Int {
            let number = try producer.number(ofTopic: name)
            while isInternal.count <= number { isInternal.append(false) }
            isInternal[number] = name.hasSuffix("-changelog") || name.hasSuffix("-repartition")
            return number
        }

        func send(_ record: borrowing OutgoingRecord, topic: Int, partition: Int32) throws(LogError) {
            let added = isInternal[topic] ? inside : outside
            try producer.send(
                OutgoingRecord(
                    timestamp: record.timestamp, key: record.key, value: record.value, headers: added.span.bytes,
                    context: record.context, cell: record.cell, lineageHeaders: record.lineageHeaders), topic: topic,
                partition: partition)
        }

        func partitions(ofTopic number: Int) -> Int32 { producer.partitions(ofTopic: number) }
        func beginTransaction() throws(LogError) { try producer.beginTransaction() }
        func push() { producer.push() }
        var pendingBytes: Int { producer.pendingBytes }
        func flush() throws(LogError) { try producer.flush() }
        func lastOffset(topic: Int, partition: Int32) -> Int64 {
            producer.lastOffset(topic: topic, partition: partition)
        }
        func commitTransaction(
            offsets: [TopicPartition: CommittedOffset], group: (any LogGroup)?
        ) throws(LogError) -> Int64 { try producer.commitTransaction(offsets: offsets, group: group) }
        func abortTransaction() throws(LogError) { try producer.abortTransaction() }
        func close() { producer.close() }
    }
}
