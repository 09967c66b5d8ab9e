internal import CRdKafka
internal import Synchronization
internal import TributaryCore

/// A reader of partitions, each with a queue of its own.
///
/// librdkafka fetches ahead into the queues, up to `queued.max.messages.kbytes` each; a paused partition is just not asked.
/// A batch is what one call finds in one queue. What comes into an empty queue ends the wait of ``poll(timeout:)``.
final class KafkaConsumer: LogConsumer {
    private struct Assignment {
        var place: TopicPartition
        var queue: ConsumerQueue?
        var position: Int64
        var knownEnd: Int64
        var isPaused = false
        /// What the partition says until the caller seeks.
        var failure: LogError?
    }

    private let log: KafkaLogCore
    private let handle: KafkaHandle
    private let name: String
    private let batchBytes: Int
    /// What librdkafka fetches ahead of each partition, at most.
    private let queuedBytes: Int
    private let pool = ConsumedPool()
    private let woken = Atomic<Bool>(false)
    private var topics: [String: KafkaTopic] = [:]
    private var assignments: [Assignment?] = []
    /// Where the next poll begins to look, so that one busy partition does not starve the others.
    private var next = 0
    private var isClosed = false
    private var averageBytes = 256
    /// Taken from the pool for a queue that had nothing.
    private var spare: ConsumedRecords?

    init(_ log: KafkaLogCore, _ configuration: ConsumerConfiguration) throws(LogError) {
        self.log = log
        name = configuration.clientID
        batchBytes = max(configuration.maximumBatchBytes, 1)
        queuedBytes = log.properties.queuedBytes
        handle = try KafkaHandle(
            .consumer,
            log.properties.setting([
                "client.id": configuration.clientID, "enable.partition.eof": "true",
                "isolation.level": configuration.readCommitted ? "read_committed" : "read_uncommitted",
            ]), logs: log.configuration.logs)
    }

    deinit { close() }

    // MARK: Assignment

    func assign(_ partition: TopicPartition, from offset: Int64) throws(LogError) -> Int {
        try check()
        guard !assignments.contains(where: { $0?.place == partition }) else {
            throw LogError(
                .invalidRequest, "the partition is assigned", topic: partition.topic, partition: partition.partition)
        }
        try log.checkExists(partition)
        let topic = if let known = topics[partition.topic] { known } else { try KafkaTopic(partition.topic, handle) }
        topics[partition.topic] = topic
        var assignment = Assignment(
            place: partition, position: offset, knownEnd: try log.watermarks(partition, with: handle).high)
        start(&assignment, at: offset)
        if let free = assignments.firstIndex(where: { $0 == nil }) {
            assignments[free] = assignment
            return free
        }
        assignments.append(assignment)
        return assignments.count - 1
    }

    private func start(_ assignment: inout Assignment, at offset: Int64) {
        assignment.position = offset
        assignment.failure = nil
        assignment.queue?.stop()
        assignment.queue = nil
        guard let topic = topics[assignment.place.topic] else { return }
        let place = assignment.place
        guard offset >= 0 else {  // librdkafka has other meanings for those
            assignment.failure = LogError(
                .offsetOutOfRange, "offsets begin at 0", topic: place.topic, partition: place.partition, offset: offset)
            return
        }
        do throws(LogError) {
            assignment.queue = try ConsumerQueue(topic, place.partition, from: offset)
        } catch {
            assignment.failure = error
        }
    }

    func unassign(_ assignment: Int) {
        change(assignment) { assignment in
            assignment?.queue?.stop()
            assignment = nil
        }
    }

    func pause(_ assignment: Int) { change(assignment) { $0?.isPaused = true } }

    func resume(_ assignment: Int) { change(assignment) { $0?.isPaused = false } }

    func seek(_ assignment: Int, to offset: Int64) {
        guard assignments.indices.contains(assignment), var found = assignments[assignment] else { return }
        start(&found, at: offset)
        assignments[assignment] = found
    }

    func position(_ assignment: Int) -> Int64 {
        assignments.indices.contains(assignment) ? assignments[assignment]?.position ?? -1 : -1
    }

    func knownEnd(_ assignment: Int) -> Int64 {
        assignments.indices.contains(assignment) ? assignments[assignment]?.knownEnd ?? -1 : -1
    }

    private func change(_ assignment: Int, _ body: (inout Assignment?) -> Void) {
        if assignments.indices.contains(assignment) { body(&assignments[assignment]) }
    }

    // MARK: Reading

    func poll(timeout milliseconds: Int64) throws(LogError) -> RecordBatch? {
        let deadline = milliseconds > 0 ? MonotonicClock.milliseconds &+ min(milliseconds, 1 << 40) : 0
        while true {
            if woken.exchange(false, ordering: .acquiring) { return nil }
            try check()
            if let batch = try readNext() { return batch }
            guard milliseconds != 0 else { return nil }
            var wait: Int64 = 1000
            if milliseconds > 0 {
                wait = min(wait, deadline - MonotonicClock.milliseconds)
                if wait <= 0 { return nil }
            }
            handle.wait(milliseconds: wait)
        }
    }

    func wake() {
        woken.store(true, ordering: .releasing)
        handle.yield()
    }

    func close() {
        for assignment in assignments { assignment?.queue?.stop() }
        assignments = []
        topics = [:]
        isClosed = true
    }

    private func check() throws(LogError) {
        try log.check()
        if isClosed { throw LogError(.closed, "the consumer \(name) is closed") }
    }

    private func readNext() throws(LogError) -> RecordBatch? {
        // Before the queues are looked at: it would swallow the wake-up of what comes behind that look.
        handle.serve()
        for _ in 0..<assignments.count {
            next = next &+ 1 < assignments.count ? next &+ 1 : 0
            let index = next
            guard let assignment = assignments[index], !assignment.isPaused else { continue }
            if let failure = assignment.failure { throw failure }
            guard let queue = assignment.queue else { continue }
            let records = spare ?? pool.take()
            spare = nil
            queue.fill(records, limit: min(max(batchBytes / averageBytes, 1), ConsumedRecords.capacity))
            if handle.events.takeMissing(), let failure = missing(assignment.place) {
                change(index) { $0?.failure = failure }
            }
            guard records.messageCount > 0 else {
                spare = records
                if let failure = assignments[index]?.failure { throw failure }
                continue
            }
            if let batch = try makeBatch(records, index, assignment.position) { return batch }
        }
        return nil
    }

    // A broker may be behind the others: asked again before the partition is given up.
    private func missing(_ place: TopicPartition) -> LogError? {
        do throws(LogError) {
            try log.checkExists(place)
            return nil
        } catch {
            guard error.code == .unknownTopic else { return nil }
            return LogError(
                .unknownTopic, "the partition is gone: the topic was deleted", topic: place.topic,
                partition: place.partition)
        }
    }

    /// Makes a batch of what a queue gave; nil if no record was among it and the position stays.
    private func makeBatch(_ records: ConsumedRecords, _ index: Int, _ position: Int64) throws(LogError) -> RecordBatch?
    {
        let found = records.makeSlots(from: position)
        var end = max(position, found.next)
        change(index) { assignment in
            guard let place = assignment?.place else { return }
            if found.end >= 0 {
                end = max(end, found.end)
                assignment?.knownEnd = end
            } else if found.next >= 0 {
                assignment?.knownEnd = max(found.next, handle.cachedEnd(place))
            }
            if let failure = found.failure {
                let error = handle.error(
                    failure.code, failure.text, topic: place.topic, partition: place.partition, offset: failure.offset)
                assignment?.failure = error.code == .corrupt ? error.resuming(at: end + 1) : error
            }
            assignment?.position = end
        }
        guard records.slotCount > 0 || end > position else {
            pool.give(records)
            if let failure = assignments[index]?.failure { throw failure }
            return nil
        }
        if records.slotCount > 0 { averageBytes = max(records.byteCount / records.slotCount, 1) }
        assignments[index]?.queue?.took(records.byteCount, of: queuedBytes)
        return unsafe RecordBatch(
            assignment: index, slots: records.slots, count: records.slotCount, nextOffset: end
        ) { [pool, handle] in
            pool.give(records)
            _ = handle  // librdkafka's instance outlives its messages
        }
    }
}
