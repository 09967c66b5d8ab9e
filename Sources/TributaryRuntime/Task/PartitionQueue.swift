internal import TributaryCore
internal import TributaryDSL
internal import TributaryLineage

/// The records of one input partition that wait to be processed, the head time-stamped.
final class PartitionQueue {
    let partition: TopicPartition
    let topic: Int32
    let source: SourcePartition
    let isInternal: Bool
    let entry: SourceEntry
    let timestamps: TimestampExtractor
    let usesOwnTimestamps: Bool
    let operation: Int32
    private var batches: [RecordBatch] = []
    private var index = 0
    /// How many records wait.
    private(set) var count = 0
    /// The head's timestamp; meaningless without a head.
    private(set) var headTimestamp: Int64 = 0
    private(set) var hasHead = false
    /// The greatest timestamp taken from this partition; -1 before the first.
    var partitionTime: Int64 = -1
    /// The offset to commit: of the next record to process.
    var nextOffset: Int64
    /// Whether the partition is paused at the consumer.
    var isPaused = false
    /// The consumer's number for the partition.
    var assignment = -1

    init(
        _ partition: TopicPartition, topic: Int32, cluster: String, isInternal: Bool, entry: SourceEntry,
        timestamps: TimestampExtractor, usesOwnTimestamps: Bool, operation: Int32, nextOffset: Int64
    ) {
        self.partition = partition
        self.topic = topic
        source = SourcePartition(cluster: cluster, topic: partition.topic, partition: partition.partition)
        self.isInternal = isInternal
        self.entry = entry
        self.timestamps = timestamps
        self.usesOwnTimestamps = usesOwnTimestamps
        self.operation = operation
        self.nextOffset = nextOffset
    }

    func add(_ batch: RecordBatch) {
        if batch.count == 0 {
            if batches.isEmpty { nextOffset = max(nextOffset, batch.nextOffset) }
            return
        }
        batches.append(batch)
        count += batch.count
    }

    /// The record at the head.
    var head: (batch: RecordBatch, index: Int)? {
        guard let batch = batches.first else { return nil }
        return (batch, index)
    }

    /// Finds the head's timestamp.
    ///
    /// Calls `drop` for each record whose timestamp is below 0 and goes on behind it.
    @inline(__always)
    func prepareHead(_ drop: (RecordBatch, Int, Int64) throws -> Void) throws {
        while !hasHead, let batch = batches.first {
            let raw = batch.timestamp(index)
            let time =
                usesOwnTimestamps && raw >= 0 ? raw : try timestamps.extract(raw, batch.value(index), partitionTime)
            if time < 0 {
                try drop(batch, index, time)
                removeHead()
                continue
            }
            headTimestamp = time
            hasHead = true
        }
    }

    /// Takes the head away: it was processed.
    func removeHead() {
        guard let batch = batches.first else { return }
        hasHead = false
        count -= 1
        index += 1
        if index < batch.count {
            nextOffset = batch.offset(index)
        } else {
            nextOffset = batch.nextOffset
            batches.removeFirst()
            index = 0
        }
    }

    func clear() {
        batches = []
        index = 0
        count = 0
        hasHead = false
    }
}
