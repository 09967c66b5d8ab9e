internal import CRdKafka
internal import Synchronization
internal import TributaryCore

/// A topic as one instance of librdkafka knows it.
@safe final class KafkaTopic: Sendable {
    let name: String
    let handle: KafkaHandle
    // librdkafka's calls may come from any thread.
    nonisolated(unsafe) let pointer: OpaquePointer

    init(_ name: String, _ handle: KafkaHandle) throws(LogError) {
        guard let pointer = unsafe rd_kafka_topic_new(handle.pointer, name, nil) else {
            throw LogError(kafka: rd_kafka_last_error(), "the topic can't be used", topic: name)
        }
        self.name = name
        self.handle = handle
        unsafe self.pointer = pointer
    }

    deinit { unsafe rd_kafka_topic_destroy(pointer) }

    /// Asks a partition's leader something, for the sake of asking; waits half a second at most.
    func ask(_ partition: Int32) {
        var low: Int64 = 0
        var high: Int64 = 0
        _ = unsafe rd_kafka_query_watermark_offsets(handle.pointer, name, partition, &low, &high, 500)
    }
}

/// Whether a partition's leader is being asked; shared with the thread that does.
final class AskFlag: Sendable {
    let isSet = Atomic<Bool>(false)
}

/// What librdkafka fetches of one partition from one offset on, until it is stopped.
@safe final class ConsumerQueue {
    private let topic: KafkaTopic
    private let partition: Int32
    private let queue: OpaquePointer
    private let main: OpaquePointer
    private var isRunning = true
    /// How many messages the last fill left; there are more only if some came.
    private var left = 0
    /// Bytes taken since something came.
    private var takenAlone = 0
    private let isAsking = AskFlag()

    init(_ topic: KafkaTopic, _ partition: Int32, from offset: Int64) throws(LogError) {
        self.topic = topic
        self.partition = partition
        let handle = unsafe topic.handle.pointer
        unsafe queue = rd_kafka_queue_new(handle)
        unsafe main = rd_kafka_queue_get_main(handle)
        // Runs on librdkafka's threads when the first message comes into the empty queue: ends the consumer's wait.
        unsafe rd_kafka_queue_cb_event_enable(
            queue, { _, main in if let main = unsafe main { unsafe rd_kafka_queue_yield(OpaquePointer(main)) } },
            UnsafeMutableRawPointer(main))
        guard unsafe rd_kafka_consume_start_queue(topic.pointer, partition, offset, queue) == 0 else {
            let code = rd_kafka_last_error()
            unsafe rd_kafka_queue_cb_event_enable(queue, nil, nil)
            unsafe rd_kafka_queue_destroy(queue)
            unsafe rd_kafka_queue_destroy(main)
            throw LogError(
                kafka: code, "the partition can't be read", topic: topic.name, partition: partition, offset: offset)
        }
    }

    deinit {
        stop()
        unsafe rd_kafka_queue_cb_event_enable(queue, nil, nil)
        unsafe rd_kafka_queue_destroy(queue)
        unsafe rd_kafka_queue_destroy(main)
    }

    /// Ends fetching, and with it the partition's only queue: another may follow.
    func stop() {
        guard isRunning else { return }
        isRunning = false
        _ = unsafe rd_kafka_consume_stop(topic.pointer, partition)
    }

    /// Takes what is there, at most `limit` messages, without waiting.
    func fill(_ records: ConsumedRecords, limit: Int) {
        let count = unsafe rd_kafka_consume_batch_queue(queue, 0, records.messages, limit)
        records.messageCount = max(count, 0)
        let length = unsafe Int(rd_kafka_queue_length(queue))
        if length + records.messageCount > left { takenAlone = 0 }
        left = length
    }

    /// Has fetching go on where it rests, now that `bytes` were taken of at most `limit`.
    ///
    /// The thread that fetches stops when the queue is full, and looks again when something else wakes it, or after a second: a
    /// busy reader has long emptied the queue by then. A question to the partition's leader goes through that thread. It is
    /// asked when a quarter of the queue was taken and nothing came.
    func took(_ bytes: Int, of limit: Int) {
        takenAlone += bytes
        guard takenAlone >= limit / 4, !isAsking.isSet.exchange(true, ordering: .acquiring) else { return }
        takenAlone = 0
        // On a thread of its own: the answer may stand behind that of a fetch which waits for other partitions' records.
        let status = OSThread.start("kafka-fetch") { [topic, partition, isAsking] in
            topic.ask(partition)
            isAsking.isSet.store(false, ordering: .releasing)
        }
        if status != 0 { isAsking.isSet.store(false, ordering: .releasing) }
    }
}

extension ConsumedRecords {
    /// What messages say besides records.
    struct Findings {
        /// The offset after the last record; -1 if there was none.
        var next: Int64 = -1
        /// Where the partition ends, if the end was reached; else -1.
        var end: Int64 = -1
        /// The first error that waiting does not cure.
        var failure: (code: rd_kafka_resp_err_t, text: String, offset: Int64?)?
    }

    /// Makes slots of the messages that are records at or after `position`.
    func makeSlots(from position: Int64) -> Findings {
        var findings = Findings()
        for index in 0..<messageCount {
            guard let message = unsafe messages[index] else { continue }
            if unsafe message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR {
                // A fetch begins with the batch that holds the offset asked for.
                guard unsafe message.pointee.offset >= position, findings.failure == nil else { continue }
                unsafe add(message)
                unsafe findings.next = message.pointee.offset + 1
                findings.end = -1
            } else if unsafe message.pointee.err == RD_KAFKA_RESP_ERR__PARTITION_EOF {
                unsafe findings.end = message.pointee.offset
            } else if findings.failure == nil, unsafe !message.pointee.err.isTransient {
                let text = unsafe rd_kafka_message_errstr(message).map { unsafe String(cString: $0) }
                let offset = unsafe message.pointee.offset
                unsafe findings.failure = (
                    message.pointee.err, text ?? message.pointee.err.text, offset >= 0 ? offset : nil
                )
            }
        }
        return findings
    }
}

extension KafkaHandle {
    /// Waits until a queue has something or ``yield()`` is called, at most so long.
    func wait(milliseconds: Int64) {
        let main = unsafe rd_kafka_queue_get_main(pointer)
        if let event = unsafe rd_kafka_queue_poll(main, CInt(clamping: milliseconds)) {
            unsafe rd_kafka_event_destroy(event)
        }
        unsafe rd_kafka_queue_destroy(main)
    }

    /// Ends a wait.
    func yield() {
        let main = unsafe rd_kafka_queue_get_main(pointer)
        unsafe rd_kafka_queue_yield(main)
        unsafe rd_kafka_queue_destroy(main)
    }

    /// The end of a partition as the last answer of the broker told it.
    func cachedEnd(_ place: TopicPartition) -> Int64 {
        var low: Int64 = -1
        var high: Int64 = -1
        let code = unsafe rd_kafka_get_watermark_offsets(pointer, place.topic, place.partition, &low, &high)
        return code == RD_KAFKA_RESP_ERR_NO_ERROR ? high : -1
    }
}
