internal import TributaryCore
internal import TributaryLineage

/// Makes the spans of a thread's polls and commits, where settings ask for them.
struct BatchSpans {
    private let recorder: LineageRecorder
    private let applicationID: String
    private let cluster: String

    /// Nil where none are made.
    init?(_ recorder: LineageRecorder, applicationID: String, cluster: String) {
        guard recorder.makesBatchSpans else { return nil }
        self.recorder = recorder
        self.applicationID = applicationID
        self.cluster = cluster
    }

    /// The time that a span begins, ns.
    var now: Int64 { recorder.time.wall.nanoseconds() }

    /// A batch of a source's records came.
    func polled(_ batch: RecordBatch, of queue: PartitionQueue, since start: Int64) {
        var links: [SpanDetail.Link] = []
        var others = 0
        for index in 0..<batch.count where queue.takesContexts {
            var context = batch.context(index)
            if !context.isValid && !batch.hasNoHeaders(index) {
                context = StrippedHeaders(batch.headers(index)).context
            }
            guard context.isValid && context.isSampled else { continue }
            if links.count < 128 {
                links.append(
                    LineageRecorder.batchLink(context, offset: batch.offset(index)))
            } else {
                others += 1
            }
        }
        recorder.batchSpan(
            operation("poll", "receive", queue.partition.topic), start: start,
            partition: queue.partition.partition, count: batch.count, links: links, others: others)
    }

    /// What tasks processed was committed, or could not be.
    func committed(_ tasks: [StreamTask], since start: Int64, error: (any Error)? = nil) {
        for task in tasks {
            for queue in task.queues where queue.uncommitted > 0 {
                recorder.batchSpan(
                    operation("commit", "settle", queue.partition.topic), start: start,
                    partition: queue.partition.partition, count: queue.uncommitted, links: queue.uncommittedLinks,
                    others: queue.moreUncommitted, error: error)
                queue.committed()
            }
        }
    }

    private func operation(_ name: String, _ type: String, _ topic: String) -> Int32 {
        recorder.operation(
            "\(name) \(topic)", kind: .client,
            attributes: [
                AttributeNames.messagingSystem: .string("kafka"),
                AttributeNames.messagingOperationName: .string(name),
                AttributeNames.messagingOperationType: .string(type),
                AttributeNames.messagingDestinationName: .string(topic),
                AttributeNames.messagingConsumerGroup: .string(applicationID),
                AttributeNames.messagingKafkaCluster: .string(cluster),
            ])
    }
}
