internal import CRdKafka
internal import TributaryCore

/// The calls of a consumer group's member.
extension KafkaHandle {
    func subscribe(to topic: String) -> LogError? {
        let list = PartitionList([TopicPartition(topic, -1)])
        let code = unsafe rd_kafka_subscribe(pointer, list.pointer)
        return code == RD_KAFKA_RESP_ERR_NO_ERROR
            ? nil : LogError(kafka: code, "the group's tasks can't be subscribed to", topic: topic)
    }

    /// Serves the group, rebalances among it, until the time is up or ``endGroupPoll()``; returns what it complains about.
    func pollGroup(milliseconds: Int64) -> LogError? {
        guard let message = unsafe rd_kafka_consumer_poll(pointer, CInt(clamping: milliseconds)) else { return nil }
        defer { unsafe rd_kafka_message_destroy(message) }
        let code = unsafe message.pointee.err
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
        let text = unsafe rd_kafka_message_errstr(message).map { unsafe String(cString: $0) }
        return LogError(kafka: code, text ?? code.text)
    }

    func endGroupPoll() {
        guard let queue = unsafe rd_kafka_queue_get_consumer(pointer) else { return }
        unsafe rd_kafka_queue_yield(queue)
        unsafe rd_kafka_queue_destroy(queue)
    }

    func closeGroup() { _ = unsafe rd_kafka_consumer_close(pointer) }

    /// Commits offsets as this member of the group, and waits for the answer; returns what went wrong.
    func commit(_ offsets: [TopicPartition: CommittedOffset]) -> LogError? {
        guard !offsets.isEmpty else { return nil }
        let list = PartitionList(capacity: offsets.count)
        for (place, offset) in offsets { list.add(place, offset: offset.offset, metadata: offset.metadata) }
        // The answer comes as an event: the call that waits for it keeps the partitions' own errors to itself.
        let queue = unsafe rd_kafka_queue_new(pointer)
        defer { unsafe rd_kafka_queue_destroy(queue) }
        var code = unsafe rd_kafka_commit_queue(pointer, list.pointer, queue, nil, nil)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            return error(code, "the offsets were not committed: \(code.text)")
        }
        guard let answer = unsafe rd_kafka_queue_poll(queue, 30_000) else {
            return error(RD_KAFKA_RESP_ERR__TIMED_OUT, "whether the offsets were committed is unknown")
        }
        defer { unsafe rd_kafka_event_destroy(answer) }
        code = unsafe rd_kafka_event_error(answer)
        guard let told = unsafe rd_kafka_event_topic_partition_list(answer) else {
            return code == RD_KAFKA_RESP_ERR_NO_ERROR
                ? nil : error(code, "the offsets were not committed: \(code.text)")
        }
        for entry in unsafe PartitionList.entries(told) where entry.code != RD_KAFKA_RESP_ERR_NO_ERROR {
            return error(
                entry.code, "the offset was not committed: \(entry.code.text)", topic: entry.place.topic,
                partition: entry.place.partition, offset: offsets[entry.place]?.offset)
        }
        return code == RD_KAFKA_RESP_ERR_NO_ERROR
            ? nil : error(code, "the offsets were not committed: \(code.text)")
    }

    /// The offsets that the group has committed, once no transaction on them is open.
    func committed(
        _ places: [TopicPartition], within milliseconds: Int64
    ) throws(LogError) -> [TopicPartition: CommittedOffset] {
        var found: [TopicPartition: CommittedOffset] = [:]
        var failed: (place: TopicPartition, code: rd_kafka_resp_err_t)?
        try retrying(milliseconds, "committed offsets can't be asked for") { timeout in
            let list = PartitionList(places)
            let code = unsafe rd_kafka_committed(pointer, list.pointer, timeout)
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { return code }
            found = [:]
            failed = nil
            for entry in list.entries {
                if entry.code.isTransient { return entry.code }
                if entry.code != RD_KAFKA_RESP_ERR_NO_ERROR { failed = (entry.place, entry.code) }
                if entry.offset >= 0 {
                    found[entry.place] = CommittedOffset(entry.offset, metadata: entry.metadata)
                }
            }
            return RD_KAFKA_RESP_ERR_NO_ERROR
        }
        if let failed {
            throw error(
                failed.code, "committed offsets can't be asked for: \(failed.code.text)", topic: failed.place.topic,
                partition: failed.place.partition)
        }
        return found
    }
}

/// Takes a rebalance, from within a poll of the group.
func rebalanced(
    _ handle: OpaquePointer?, _ code: rd_kafka_resp_err_t,
    _ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?, _ opaque: UnsafeMutableRawPointer?
) {
    guard let list = unsafe list, let opaque = unsafe opaque else { return }
    let events = unsafe Unmanaged<HandleEvents>.fromOpaque(opaque).takeUnretainedValue()
    let tasks = unsafe PartitionList.entries(list).map { Int($0.place.partition) }
    if code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
        // The tasks' topic is never read nor written: looking for committed offsets of it would find none and complain.
        for index in 0..<Int(unsafe list.pointee.cnt) { unsafe list.pointee.elems[index].offset = 0 }
        unsafe report(rd_kafka_incremental_assign(handle, list), events)
        _ = unsafe rd_kafka_pause_partitions(handle, list)
        events.membership?.assigned(tasks)
    } else {
        let isLost = unsafe rd_kafka_assignment_lost(handle) != 0
        events.membership?.revoked(tasks, isLost: isLost)
        unsafe report(rd_kafka_incremental_unassign(handle, list), events)
    }
}

private func report(_ error: OpaquePointer?, _ events: HandleEvents) {
    guard let error = unsafe error else { return }
    let code = unsafe rd_kafka_error_code(error)
    unsafe rd_kafka_error_destroy(error)
    events.membership?.failed(LogError(kafka: code, "the group's tasks could not be taken: \(code.text)"))
}
