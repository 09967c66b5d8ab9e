import TributaryCore

/// A reader of a ``MemoryLog``.
///
/// Its own fields belong to the thread that reads; ``wake()`` touches only the log's state.
final class MemoryLogConsumer: LogConsumer {
    private struct Assignment {
        var place: TopicPartition
        var identity: String
        var position: Int64
        var knownEnd: Int64
        var isPaused = false
    }

    private let monitor: Monitor<MemoryLogState>
    private let number: Int
    private let maximumBatchBytes: Int
    private var assignments: [Assignment?] = []
    /// Where the next poll begins to look, so that one busy partition does not starve the others.
    private var next = 0
    private var isClosed = false

    init(_ monitor: Monitor<MemoryLogState>, number: Int, maximumBatchBytes: Int) {
        self.monitor = monitor
        self.number = number
        self.maximumBatchBytes = maximumBatchBytes
    }

    func assign(_ partition: TopicPartition, from offset: Int64) throws(LogError) -> Int {
        guard !isClosed else { throw LogError(.closed, "the consumer is closed") }
        guard !assignments.contains(where: { $0?.place == partition }) else {
            throw LogError(
                .invalidRequest, "the partition is assigned", topic: partition.topic, partition: partition.partition)
        }
        let assignment = try monitor.withLock { (state) throws(LogError) in
            try state.checkOpen()
            let end = try state.partition(partition).high
            return Assignment(
                place: partition, identity: try state.topic(partition.topic).description.identity, position: offset,
                knownEnd: end)
        }
        if let free = assignments.firstIndex(where: { $0 == nil }) {
            assignments[free] = assignment
            return free
        }
        assignments.append(assignment)
        return assignments.count - 1
    }

    func unassign(_ assignment: Int) { change(assignment) { $0 = nil } }

    func pause(_ assignment: Int) { change(assignment) { $0?.isPaused = true } }

    func resume(_ assignment: Int) { change(assignment) { $0?.isPaused = false } }

    func seek(_ assignment: Int, to offset: Int64) { change(assignment) { $0?.position = offset } }

    func position(_ assignment: Int) -> Int64 { self[assignment]?.position ?? -1 }

    func knownEnd(_ assignment: Int) -> Int64 { self[assignment]?.knownEnd ?? -1 }

    func poll(timeout milliseconds: Int64) throws(LogError) -> RecordBatch? {
        guard !isClosed else { throw LogError(.closed, "the consumer is closed") }
        // The outer optional says that the wait is over, the inner one whether there is a batch.
        let answer = try monitor.wait(milliseconds: milliseconds) { (state) throws(LogError) -> RecordBatch?? in
            try state.checkOpen()
            let isWoken = state.woken.remove(self.number) != nil
            if let batch = try self.nextBatch(of: state) { return .some(batch) }
            return isWoken ? .some(nil) : nil
        }
        return answer ?? nil
    }

    func wake() {
        monitor.change { state in _ = state.woken.insert(self.number) }
    }

    func close() {
        assignments = []
        isClosed = true
        monitor.withLock { state in _ = state.woken.remove(self.number) }
    }

    private subscript(_ assignment: Int) -> Assignment? {
        assignments.indices.contains(assignment) ? assignments[assignment] : nil
    }

    private func change(_ assignment: Int, _ body: (inout Assignment?) -> Void) {
        guard assignments.indices.contains(assignment) else { return }
        body(&assignments[assignment])
    }

    private func nextBatch(of state: MemoryLogState) throws(LogError) -> RecordBatch? {
        for step in 0..<assignments.count {
            let index = (next + step) % assignments.count
            guard var assignment = assignments[index], !assignment.isPaused else { continue }
            let place = assignment.place
            guard state.topics[place.topic]?.description.identity == assignment.identity else {
                throw LogError(
                    .unknownTopic, "the topic was deleted", topic: place.topic, partition: place.partition)
            }
            let partition = try state.partition(place)
            assignment.knownEnd = partition.high
            assignments[index] = assignment
            guard assignment.position >= partition.low, assignment.position <= partition.high else {
                throw LogError(
                    .offsetOutOfRange, "the partition holds \(partition.low) to \(partition.high)",
                    topic: assignment.place.topic, partition: assignment.place.partition, offset: assignment.position)
            }
            guard assignment.position < partition.high else { continue }
            var records: [LoggedRecord] = []
            var bytes = 0
            for record in partition.records[Int(assignment.position)...] {
                guard records.isEmpty || bytes + record.byteCount <= maximumBatchBytes else { break }
                bytes += record.byteCount
                records.append(record)
            }
            let batch = RecordBatch(copying: records, assignment: index)
            assignments[index]?.position = batch.nextOffset
            next = index + 1
            return batch
        }
        return nil
    }
}
