internal import TributaryCore

/// The partitions that a walk over records reads: all of the topic, or those that its group gives it.
///
/// Lives on the walk's thread.
final class PartitionReader {
    private struct Partition {
        var number: Int32
        /// Where a walk that doesn't follow ends.
        var end: Int64
    }

    private let log: any Log
    private let topic: TopicDescription
    private let startsLatest: Bool
    private let group: (any LogGroup)?
    private let consumer: any LogConsumer
    private var assigned: [Int: Partition] = [:]
    private var committed: [Int32: Int64] = [:]
    private var lastCommit = MonotonicClock.milliseconds

    /// Begins to read all partitions, or those that the group gives at once.
    init(_ log: any Log, _ topic: TopicDescription, startsLatest: Bool, group: (any LogGroup)?) throws(LogError) {
        self.log = log
        self.topic = topic
        self.startsLatest = startsLatest
        self.group = group
        consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "\(topic.name)-reader"))
        if group == nil { try assign(Array(0..<topic.partitions)) } else { try takeChanges([:]) }
    }

    /// Whether everything was read that was there when the partitions were taken.
    var isAtEnd: Bool { assigned.allSatisfy { consumer.position($0.key) >= $0.value.end } }

    /// The next batch, with its partition and where a walk that doesn't follow ends in it.
    func poll(_ milliseconds: Int64) throws(LogError) -> (batch: RecordBatch, partition: Int32, end: Int64)? {
        guard let batch = try consumer.poll(timeout: milliseconds), let partition = assigned[batch.assignment] else {
            return nil
        }
        return (batch, partition.number, partition.end)
    }

    /// Takes partitions that the group gives, and gives up those that it takes away, what was consumed of them committed.
    ///
    /// - Parameter consumed: by partition the offset behind the last record that was consumed.
    func takeChanges(_ consumed: [Int32: Int64]) throws(LogError) {
        guard let group else { return }
        while let change = try group.nextChange(timeout: 0) {
            switch change {
            case .assigned(let tasks): try assign(tasks.map { Int32($0) })
            case .revoked(let tasks):
                try commit(consumed)
                unassign(tasks)
            case .lost(let tasks): unassign(tasks)
            }
        }
    }

    private func assign(_ numbers: [Int32]) throws(LogError) {
        let places = numbers.filter { $0 < topic.partitions }.map { TopicPartition(topic.name, $0) }
        let before = try group?.committed(places) ?? [:]
        for place in places {
            let ends = try log.watermarks(place, committed: true)
            let start = before[place].map { max($0.offset, ends.low) } ?? (startsLatest ? ends.high : ends.low)
            let assignment = try consumer.assign(place, from: start)
            assigned[assignment] = Partition(number: place.partition, end: ends.high)
            committed[place.partition] = before[place]?.offset
        }
    }

    private func unassign(_ tasks: [Int]) {
        for (assignment, partition) in assigned where tasks.contains(Int(partition.number)) {
            consumer.unassign(assignment)
            assigned[assignment] = nil
        }
    }

    /// Commits what was consumed since the last time, if that is so long ago.
    func commit(_ consumed: [Int32: Int64], after milliseconds: Int64 = 0) throws(LogError) {
        guard let group, MonotonicClock.milliseconds - lastCommit >= milliseconds else { return }
        var offsets: [TopicPartition: CommittedOffset] = [:]
        for partition in assigned.values {
            guard let offset = consumed[partition.number], offset != committed[partition.number] else { continue }
            offsets[TopicPartition(topic.name, partition.number)] = CommittedOffset(
                offset, topicIdentity: topic.identity)
        }
        guard !offsets.isEmpty else { return }
        try group.commit(offsets)
        lastCommit = MonotonicClock.milliseconds
        for (place, offset) in offsets { committed[place.partition] = offset.offset }
    }

    /// Gives up the partitions, and leaves the group.
    func close() {
        consumer.close()
        group?.leave()
    }
}
