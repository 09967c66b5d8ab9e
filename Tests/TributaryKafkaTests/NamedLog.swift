import TributaryCore
import TributaryKafka

/// A part of a shared log: topics and groups have a prefix there that is not seen here.
final class NamedLog: Log {
    let log: KafkaLog
    let prefix: String

    init(_ log: KafkaLog, prefix: String) {
        self.log = log
        self.prefix = prefix
    }

    // Names at the limit of length keep it, and those that are none are left as they are: the broker's own rules are seen.
    func outer(_ name: String) -> String {
        if name.isEmpty || name == "." || name == ".." { return name }
        return prefix + (name.utf8.count > 200 ? String(name.dropFirst(prefix.count)) : name)
    }
    func outer(_ place: TopicPartition) -> TopicPartition { TopicPartition(outer(place.topic), place.partition) }
    func inner(_ name: String) -> String { name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name }

    private func inner(_ topic: TopicDescription) -> TopicDescription {
        var topic = topic
        topic.name = inner(topic.name)
        return topic
    }

    private func outer<Value>(_ values: [TopicPartition: Value]) -> [TopicPartition: Value] {
        Dictionary(uniqueKeysWithValues: values.map { (outer($0.key), $0.value) })
    }

    private func inner<Value>(_ values: [TopicPartition: Value]) -> [TopicPartition: Value] {
        Dictionary(
            uniqueKeysWithValues: values.map { (TopicPartition(inner($0.key.topic), $0.key.partition), $0.value) })
    }

    var clusterID: String { log.clusterID }
    var defaults: LogDefaults { log.defaults }

    func topics() throws(LogError) -> [TopicDescription] {
        try log.topics().filter { $0.name.hasPrefix(prefix) && !$0.name.hasSuffix("-tasks") }.map { inner($0) }
    }
    func topic(_ name: String) throws(LogError) -> TopicDescription? { try log.topic(outer(name)).map { inner($0) } }
    func createTopics(_ specifications: [TopicSpecification]) throws(LogError) {
        // Timestamps of 1970 are beyond any retention.
        try log.createTopics(
            specifications.map {
                TopicSpecification(
                    outer($0.name), partitions: $0.partitions,
                    settings: ["retention.ms": "-1"].merging($0.settings) { _, given in given })
            })
    }
    func deleteTopics(_ names: [String]) throws(LogError) { try log.deleteTopics(names.map { outer($0) }) }
    func deleteRecords(before offsets: [TopicPartition: Int64]) throws(LogError) {
        try log.deleteRecords(before: outer(offsets))
    }
    func watermarks(_ partition: TopicPartition, committed: Bool) throws(LogError) -> Watermarks {
        try log.watermarks(outer(partition), committed: committed)
    }
    func offsets(atOrAfter times: [TopicPartition: Int64]) throws(LogError) -> [TopicPartition: Int64] {
        inner(try log.offsets(atOrAfter: outer(times)))
    }
    func committedOffsets(group: String) throws(LogError) -> [TopicPartition: CommittedOffset] {
        inner(try log.committedOffsets(group: prefix + group))
    }
    func close() { log.close() }

    func makeConsumer(_ configuration: ConsumerConfiguration) throws(LogError) -> any LogConsumer {
        NamedConsumer(try log.makeConsumer(configuration), self)
    }
    func makeProducer(_ configuration: ProducerConfiguration) throws(LogError) -> any LogProducer {
        NamedProducer(try log.makeProducer(configuration), self)
    }
    func joinGroup(_ configuration: GroupConfiguration) throws(LogError) -> any LogGroup {
        var configuration = configuration
        configuration.group = prefix + configuration.group
        return NamedGroup(try log.joinGroup(configuration), self)
    }

    final class NamedGroup: LogGroup {
        let group: any LogGroup
        let log: NamedLog
        init(_ group: any LogGroup, _ log: NamedLog) {
            self.group = group
            self.log = log
        }
        func nextChange(timeout milliseconds: Int64) throws(LogError) -> PlacementChange? {
            try group.nextChange(timeout: milliseconds)
        }
        func committed(_ partitions: [TopicPartition]) throws(LogError) -> [TopicPartition: CommittedOffset] {
            log.inner(try group.committed(partitions.map { log.outer($0) }))
        }
        func commit(_ offsets: [TopicPartition: CommittedOffset]) throws(LogError) {
            try group.commit(log.outer(offsets))
        }
        func leave() { group.leave() }
    }

    final class NamedConsumer: LogConsumer {
        let consumer: any LogConsumer
        let log: NamedLog
        init(_ consumer: any LogConsumer, _ log: NamedLog) {
            self.consumer = consumer
            self.log = log
        }
        func assign(_ partition: TopicPartition, from offset: Int64) throws(LogError) -> Int {
            try consumer.assign(log.outer(partition), from: offset)
        }
        func unassign(_ assignment: Int) { consumer.unassign(assignment) }
        func pause(_ assignment: Int) { consumer.pause(assignment) }
        func resume(_ assignment: Int) { consumer.resume(assignment) }
        func seek(_ assignment: Int, to offset: Int64) { consumer.seek(assignment, to: offset) }
        func position(_ assignment: Int) -> Int64 { consumer.position(assignment) }
        func knownEnd(_ assignment: Int) -> Int64 { consumer.knownEnd(assignment) }
        func poll(timeout milliseconds: Int64) throws(LogError) -> RecordBatch? {
            try consumer.poll(timeout: milliseconds)
        }
        func wake() { consumer.wake() }
        func close() { consumer.close() }
    }

    final class NamedProducer: LogProducer {
        let producer: any LogProducer
        let log: NamedLog
        init(_ producer: any LogProducer, _ log: NamedLog) {
            self.producer = producer
            self.log = log
        }
        func number(ofTopic name: String) throws(LogError) -> Int { try producer.number(ofTopic: log.outer(name)) }
        func partitions(ofTopic number: Int) -> Int32 { producer.partitions(ofTopic: number) }
        func beginTransaction() throws(LogError) { try producer.beginTransaction() }
        func send(_ record: borrowing OutgoingRecord, topic: Int, partition: Int32) throws(LogError) {
            try producer.send(record, topic: topic, partition: partition)
        }
        var pendingBytes: Int { producer.pendingBytes }
        func flush() throws(LogError) { try producer.flush() }
        func lastOffset(topic: Int, partition: Int32) -> Int64 {
            producer.lastOffset(topic: topic, partition: partition)
        }
        func commitTransaction(
            offsets: [TopicPartition: CommittedOffset], group: (any LogGroup)?
        ) throws(LogError) -> Int64 { try producer.commitTransaction(offsets: log.outer(offsets), group: group) }
        func abortTransaction() throws(LogError) { try producer.abortTransaction() }
        func close() { producer.close() }
    }
}
