internal import TributaryCore
internal import TributaryTesting

/// Reads what is new in all topics of a log.
final class LogTail {
    private let log: any Log
    private let consumer: any LogConsumer
    private var partitions: [Int: TopicPartition] = [:]
    private var known: Set<TopicPartition> = []

    init(_ log: any Log) throws {
        self.log = log
        consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "conformance"))
    }

    deinit { consumer.close() }

    /// The records since the last call, by topic, partition and offset.
    func take() throws -> [(topic: String, record: LoggedRecord)] {
        try follow()
        var found: [TopicPartition: [LoggedRecord]] = [:]
        while let batch = try consumer.poll(timeout: 0) {
            guard let partition = partitions[batch.assignment] else { continue }
            for index in 0..<batch.count { found[partition, default: []].append(LoggedRecord(batch, index)) }
        }
        return found.sorted { $0.key < $1.key }.flatMap { entry in entry.value.map { (entry.key.topic, $0) } }
    }

    private func follow() throws {
        for topic in try log.topics() {
            for number in 0..<topic.partitions {
                let partition = TopicPartition(topic.name, number)
                guard known.insert(partition).inserted else { continue }
                partitions[try consumer.assign(partition, from: 0)] = partition
            }
        }
    }
}
