internal import CRdKafka
internal import TributaryCore

extension KafkaHandle {
    /// The consumer groups that the brokers know, with their members.
    func groups(within milliseconds: Int64) throws(LogError) -> [GroupDescription] {
        let answer = try unsafe AdminAnswer(
            self, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS, within: milliseconds, "the groups can't be listed"
        ) { handle, options, queue in
            unsafe rd_kafka_ListConsumerGroups(handle, options, queue)
        }
        let result = unsafe rd_kafka_event_ListConsumerGroups_result(answer.event)
        var count = 0
        let failures = unsafe rd_kafka_ListConsumerGroups_result_errors(result, &count)
        if count > 0, let failure = unsafe failures?[0] {
            throw error(unsafe rd_kafka_error_code(failure), "some brokers don't list their groups")
        }
        let listed = unsafe rd_kafka_ListConsumerGroups_result_valid(result, &count)
        var names: [String] = []
        for index in 0..<count {
            guard let group = unsafe listed?[index],
                let name = unsafe rd_kafka_ConsumerGroupListing_group_id(group)
            else { continue }
            names.append(unsafe String(cString: name))
        }
        var groups: [GroupDescription] = []
        for name in names.sorted() {
            groups.append(GroupDescription(name: name, members: try members(ofGroup: name, within: milliseconds)))
        }
        return groups
    }

    /// Sets what a group without members has committed.
    func setCommittedOffsets(
        _ offsets: [TopicPartition: CommittedOffset], group: String, within milliseconds: Int64
    ) throws(LogError) {
        let what = "the offsets of the group '\(group)' can't be changed"
        let list = PartitionList(capacity: offsets.count)
        for (place, offset) in offsets { list.add(place, offset: offset.offset, metadata: offset.metadata) }
        guard let request = unsafe rd_kafka_AlterConsumerGroupOffsets_new(group, list.pointer) else {
            throw LogError(.io, "no memory")
        }
        defer { unsafe rd_kafka_AlterConsumerGroupOffsets_destroy(request) }
        let answer = try unsafe AdminAnswer(
            self, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS, within: milliseconds, what
        ) { handle, options, queue in
            var list: OpaquePointer? = unsafe request
            unsafe rd_kafka_AlterConsumerGroupOffsets(handle, &list, 1, options, queue)
        }
        var count = 0
        let groups = unsafe rd_kafka_AlterConsumerGroupOffsets_result_groups(
            rd_kafka_event_AlterConsumerGroupOffsets_result(answer.event), &count)
        for index in 0..<count {
            guard let result = unsafe groups?[index] else { continue }
            if let failure = unsafe rd_kafka_group_result_error(result) {
                throw error(unsafe rd_kafka_error_code(failure), what)
            }
            guard let done = unsafe rd_kafka_group_result_partitions(result) else { continue }
            for entry in unsafe PartitionList.entries(done) where entry.code != RD_KAFKA_RESP_ERR_NO_ERROR {
                throw error(entry.code, what, topic: entry.place.topic, partition: entry.place.partition)
            }
        }
    }
}
