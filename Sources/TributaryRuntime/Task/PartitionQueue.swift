internal import TributaryCore
internal import TributaryDSL
internal import TributaryLineage

/// The records of one input partition that wait to be processed, the head time-stamped.
final class PartitionQueue {
    let partition: TopicPartition
    let topic: Int32
    let source: SourcePartition
    let isInternal: Bool
    /// Whether records' trace contexts are taken, or new ones made.
    let takesContexts: Bool
    let entry: SourceEntry
    let timestamps: TimestampExtractor
    let usesOwnTimestamps: Bool
    let operation: Int32
    private struct State: ~Copyable {
        var batches: [RecordBatch] = []
        var index = 0
        var count = 0
        var headTimestamp: Int64 = 0
        var hasHead = false
        var partitionTime: Int64 = -1
        var nextOffset: Int64
        // Where the last batch without records ended.
        var emptyUpTo: Int64 = 0
    }
    // What changes with each record.
    private let state: Owned<State>

    /// How many records wait.
    var count: Int { state.value.count }
    /// The head's timestamp; meaningless without a head.
    var headTimestamp: Int64 { state.value.headTimestamp }
    var hasHead: Bool { state.value.hasHead }
    /// The greatest timestamp taken from this partition; -1 before the first.
    var partitionTime: Int64 {
        get { state.value.partitionTime }
        set { state.value.partitionTime = newValue }
    }
    /// The offset to commit: of the next record to process.
    var nextOffset: Int64 { state.value.nextOffset }
    /// Since when the task knows that there is nothing to process, by the monotonic clock, ms; nil while there is.
    var idleSince: Int64?
    /// Whether the partition is paused at the consumer.
    var isPaused = false
    /// The consumer's number for the partition.
    var assignment = -1
    /// The offset that was committed last: the rows of a table that has the partition for its changelog are those before it.
    var committedOffset: Int64
    /// How many records were processed since the last commit.
    var uncommitted = 0
    /// The spans of those of them that have one: the first 128, and how many more.
    private(set) var uncommittedLinks: [SpanDetail.Link] = []
    private(set) var moreUncommitted = 0

    /// Notes the span of a record, for that of the commit.
    func note(_ context: TraceContext, _ offset: Int64) {
        guard uncommittedLinks.count < 128 else {
            moreUncommitted += 1
            return
        }
        uncommittedLinks.append(
            LineageRecorder.batchLink(context, offset: offset))
    }

    /// All that was processed is committed.
    func committed() {
        uncommitted = 0
        moreUncommitted = 0
        uncommittedLinks.removeAll(keepingCapacity: true)
    }

    /// The identity of the topic that is read; empty if it isn't known.
    let topicIdentity: String

    init(
        _ partition: TopicPartition, topic: Int32, of description: TopicDescription?, cluster: String, isInternal: Bool,
        takesContexts: Bool,
        entry: SourceEntry,
        timestamps: TimestampExtractor, usesOwnTimestamps: Bool, operation: Int32, nextOffset: Int64
    ) {
        self.partition = partition
        self.topic = topic
        source = SourcePartition(
            cluster: cluster, topic: partition.topic, partition: partition.partition, life: description?.life ?? 1)
        topicIdentity = description?.identity ?? ""
        self.isInternal = isInternal
        self.takesContexts = takesContexts
        self.entry = entry
        self.timestamps = timestamps
        self.usesOwnTimestamps = usesOwnTimestamps
        self.operation = operation
        state = Owned(State(nextOffset: nextOffset))
        committedOffset = nextOffset
    }

    /// Goes on behind offsets that can't be read, if nothing before them waits.
    func skip(to offset: Int64) {
        if state.value.batches.isEmpty { state.value.nextOffset = max(state.value.nextOffset, offset) }
    }

    func add(_ batch: RecordBatch) {
        if batch.count == 0 {
            // Behind what waits it counts when that is processed.
            state.value.emptyUpTo = batch.nextOffset
            if state.value.batches.isEmpty { skipEmpty() }
            return
        }
        state.value.batches.append(batch)
        state.value.count += batch.count
    }

    private func skipEmpty() { state.value.nextOffset = max(state.value.nextOffset, state.value.emptyUpTo) }

    /// The batch of the record at the head.
    var headBatch: RecordBatch? { state.value.batches.first }

    /// Where in its batch the head is.
    @inline(__always) var headIndex: Int { state.value.index }

    /// Takes the head's timestamp into account, and returns it.
    @inline(__always)
    func takeHeadTime() -> Int64 {
        let time = state.value.headTimestamp
        if time > state.value.partitionTime { state.value.partitionTime = time }
        return time
    }

    /// Finds the head's timestamp.
    ///
    /// Calls `refuse` for each record whose timestamp is below 0, or on which the extractor throws, and goes on behind it.
    func prepareHead(_ refuse: (RecordBatch, Int, (any Error)?) throws -> Void) throws {
        while !hasHead, let batch = headBatch {
            let index = headIndex
            let raw = batch.timestamp(index)
            var time = raw
            var error: (any Error)?
            if !usesOwnTimestamps || raw < 0 {
                do { time = try extractTime(batch, index) } catch let thrown { error = thrown }
            }
            if error != nil || time < 0 {
                try refuse(batch, index, error)
                removeHead(of: batch)
                continue
            }
            state.value.headTimestamp = time
            state.value.hasHead = true
        }
    }

    private func extractTime(_ batch: RecordBatch, _ index: Int) throws -> Int64 {
        try timestamps.extract(
            UndecodedRecord(
                timestamp: batch.timestamp(index), partitionTime: partitionTime, key: batch.key(index),
                value: batch.value(index), headers: batch.headers(index),
                coordinate: RecordCoordinate(
                    topic: partition.topic, partition: partition.partition, offset: batch.offset(index))))
    }

    /// Takes the head away, which was processed, and goes to the next record of its batch.
    ///
    /// - Returns: whether there is one whose timestamp is its own; else ``prepareHead(_:)`` has to look.
    @inline(__always)
    func advance(in batch: borrowing RecordBatch) -> Bool {
        let next = state.value.index &+ 1
        guard next < batch.count else {
            removeHead(of: batch)
            return false
        }
        state.value.index = next
        state.value.count &-= 1
        state.value.nextOffset = batch.offset(next)
        let time = batch.timestamp(next)
        guard usesOwnTimestamps && time >= 0 else {
            state.value.hasHead = false
            return false
        }
        state.value.headTimestamp = time
        return true
    }

    @inline(never)
    private func removeHead(of batch: borrowing RecordBatch) {
        state.value.hasHead = false
        state.value.count -= 1
        state.value.index += 1
        if state.value.index < batch.count {
            state.value.nextOffset = batch.offset(state.value.index)
        } else {
            state.value.nextOffset = batch.nextOffset
            state.value.batches.removeFirst()
            state.value.index = 0
            if state.value.batches.isEmpty { skipEmpty() }
        }
    }

    func clear() {
        state.value.batches = []
        state.value.index = 0
        state.value.count = 0
        state.value.hasHead = false
    }
}
