import TributaryCore

/// All that a ``MemoryLog`` holds, behind its one lock.
struct MemoryLogState {
    struct Partition {
        /// Everything ever written; the index is the offset.
        var records: [LoggedRecord] = []
        /// The offset of the first record that readers still get.
        var low: Int64 = 0

        var high: Int64 { Int64(records.count) }
    }

    struct Topic {
        var description: TopicDescription
        var partitions: [Partition]
    }

    struct Group {
        /// The member that is in, by a number that is never reused; nil if nobody is.
        var member: Int?
        var changes: [PlacementChange] = []
        var committed: [TopicPartition: CommittedOffset] = [:]
    }

    var topics: [String: Topic] = [:]
    /// How many topics of a name were deleted.
    var deaths: [String: UInt64] = [:]
    var groups: [String: Group] = [:]
    /// For each transactional id the number of the producer that may use it.
    var transactionalIDs: [String: Int] = [:]
    /// Consumers that somebody wants to wake.
    var woken: Set<Int> = []
    var commits: Int64 = 0
    var isClosed = false
    private var numbers = 0

    /// A number that no consumer, producer, member or topic had before.
    mutating func nextNumber() -> Int {
        numbers += 1
        return numbers
    }

    func checkOpen() throws(LogError) {
        if isClosed { throw LogError(.closed, "the log is closed") }
    }

    func topic(_ name: String) throws(LogError) -> Topic {
        guard let topic = topics[name] else { throw LogError(.unknownTopic, "no such topic", topic: name) }
        return topic
    }

    func partition(_ place: TopicPartition) throws(LogError) -> Partition {
        let topic = try topic(place.topic)
        guard place.partition >= 0, place.partition < topic.description.partitions else {
            throw LogError(.unknownTopic, "no such partition", topic: place.topic, partition: place.partition)
        }
        return topic.partitions[Int(place.partition)]
    }

    /// Appends records, giving them their offsets, and returns the last offset.
    mutating func append(_ records: [LoggedRecord], to place: TopicPartition) throws(LogError) -> Int64 {
        _ = try partition(place)
        let index = Int(place.partition)
        for var record in records {
            record.offset = topics[place.topic]?.partitions[index].high ?? 0
            topics[place.topic]?.partitions[index].records.append(record)
        }
        return (topics[place.topic]?.partitions[index].high ?? 0) - 1
    }
}
