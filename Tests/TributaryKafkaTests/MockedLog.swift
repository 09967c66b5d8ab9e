import TributaryCore
import TributaryKafka
import TributaryTesting

/// A Kafka log on pretended brokers, where topics are made in the pretence: it has no admin requests.
final class MockedLog: Log {
    let cluster: MockCluster
    let kafka: KafkaLog
    private let made = Guarded<[String: Int32]>([:])

    init(_ change: (inout KafkaConfiguration) -> Void = { _ in }) throws {
        cluster = try MockCluster()
        var configuration = KafkaConfiguration(bootstrap: cluster.bootstrap)
        configuration.requestTimeout = .milliseconds(30_000)
        configuration.brokersDescribeGroups = false
        change(&configuration)
        kafka = try KafkaLog.connect(to: configuration)
    }

    var clusterID: String { kafka.clusterID }
    var defaults: LogDefaults { kafka.defaults }

    func createTopics(_ specifications: [TopicSpecification]) throws(LogError) {
        for specification in specifications {
            try cluster.createTopic(specification.name, partitions: specification.partitions)
            made.withLock { $0[specification.name] = specification.partitions }
        }
    }

    func topic(_ name: String) throws(LogError) -> TopicDescription? {
        made.withLock { made in
            made[name].map { TopicDescription(name: name, identity: name, partitions: $0, settings: [:]) }
        }
    }

    func topics() throws(LogError) -> [TopicDescription] {
        var found: [TopicDescription] = []
        for name in made.withLock({ $0.keys.sorted() }) { if let topic = try topic(name) { found.append(topic) } }
        return found
    }

    func joinGroup(_ configuration: GroupConfiguration) throws(LogError) -> any LogGroup {
        let tasks = "\(configuration.group)-tasks"
        if try topic(tasks) == nil {
            try createTopics([TopicSpecification(tasks, partitions: Int32(configuration.tasks))])
        }
        return try kafka.joinGroup(configuration)
    }

    func deleteTopics(_ names: [String]) throws(LogError) { try kafka.deleteTopics(names) }
    func deleteRecords(before offsets: [TopicPartition: Int64]) throws(LogError) {
        try kafka.deleteRecords(before: offsets)
    }
    func watermarks(_ partition: TopicPartition, committed: Bool) throws(LogError) -> Watermarks {
        try kafka.watermarks(partition, committed: committed)
    }
    func offsets(atOrAfter times: [TopicPartition: Int64]) throws(LogError) -> [TopicPartition: Int64] {
        try kafka.offsets(atOrAfter: times)
    }
    func makeConsumer(_ configuration: ConsumerConfiguration) throws(LogError) -> any LogConsumer {
        try kafka.makeConsumer(configuration)
    }
    func makeProducer(_ configuration: ProducerConfiguration) throws(LogError) -> any LogProducer {
        try kafka.makeProducer(configuration)
    }
    func committedOffsets(group: String) throws(LogError) -> [TopicPartition: CommittedOffset] {
        try kafka.committedOffsets(group: group)
    }
    func close() { kafka.close() }
}
