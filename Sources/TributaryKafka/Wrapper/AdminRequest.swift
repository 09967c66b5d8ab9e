internal import CRdKafka
internal import TributaryCore

/// The answer to one request of the admin API, until this object ends.
@safe struct AdminAnswer: ~Copyable {
    let event: OpaquePointer
    private let queue: OpaquePointer

    /// Makes a request and waits for its answer.
    ///
    /// - Parameter send: calls the API with an instance, options and the queue for the answer.
    init(
        _ handle: KafkaHandle, _ operation: rd_kafka_admin_op_t, within milliseconds: Int64, _ what: String,
        topic: String? = nil, _ send: (OpaquePointer, OpaquePointer?, OpaquePointer?) -> Void
    ) throws(LogError) {
        let options = unsafe rd_kafka_AdminOptions_new(handle.pointer, operation)
        defer { unsafe rd_kafka_AdminOptions_destroy(options) }
        var message = [CChar](repeating: 0, count: 256)
        let limit = CInt(clamping: milliseconds)
        _ = unsafe rd_kafka_AdminOptions_set_request_timeout(options, limit, &message, message.count)
        // Only some requests know it; those wait until the cluster has done it.
        _ = unsafe rd_kafka_AdminOptions_set_operation_timeout(options, min(limit, 30_000), &message, message.count)
        guard let queue = unsafe rd_kafka_queue_new(handle.pointer) else {
            throw LogError(.io, "no memory", topic: topic)
        }
        unsafe send(handle.pointer, options, queue)
        guard let event = unsafe rd_kafka_queue_poll(queue, limit + 1000) else {
            unsafe rd_kafka_queue_destroy(queue)
            throw handle.error(RD_KAFKA_RESP_ERR__TIMED_OUT, what, topic: topic)
        }
        let code = unsafe rd_kafka_event_error(event)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            let text = unsafe rd_kafka_event_error_string(event).map { unsafe String(cString: $0) } ?? code.text
            unsafe rd_kafka_event_destroy(event)
            unsafe rd_kafka_queue_destroy(queue)
            throw handle.error(code, "\(what): \(text)", topic: topic)
        }
        unsafe self.event = event
        unsafe self.queue = queue
    }

    deinit {
        unsafe rd_kafka_event_destroy(event)
        unsafe rd_kafka_queue_destroy(queue)
    }
}

extension KafkaHandle {
    func createTopic(
        _ specification: TopicSpecification, replicationFactor: Int16, within milliseconds: Int64
    ) throws(LogError) {
        let name = specification.name
        var message = [CChar](repeating: 0, count: 512)
        guard
            let new = unsafe rd_kafka_NewTopic_new(
                name, specification.partitions, CInt(replicationFactor), &message, message.count)
        else { throw LogError(.invalidRequest, text(message), topic: name) }
        defer { unsafe rd_kafka_NewTopic_destroy(new) }
        for (setting, value) in specification.settings.sorted(by: { $0.key < $1.key }) {
            _ = unsafe rd_kafka_NewTopic_set_config(new, setting, value)
        }
        let answer = try unsafe AdminAnswer(
            self, RD_KAFKA_ADMIN_OP_CREATETOPICS, within: milliseconds, "the topic can't be created", topic: name
        ) { handle, options, queue in
            var list: OpaquePointer? = unsafe new
            unsafe rd_kafka_CreateTopics(handle, &list, 1, options, queue)
        }
        var count = 0
        let results = unsafe rd_kafka_CreateTopics_result_topics(
            rd_kafka_event_CreateTopics_result(answer.event), &count)
        try unsafe check(results, count, "the topic can't be created")
    }

    func deleteTopic(_ name: String, within milliseconds: Int64) throws(LogError) {
        guard let topic = unsafe rd_kafka_DeleteTopic_new(name) else { throw LogError(.io, "no memory", topic: name) }
        defer { unsafe rd_kafka_DeleteTopic_destroy(topic) }
        let answer = try unsafe AdminAnswer(
            self, RD_KAFKA_ADMIN_OP_DELETETOPICS, within: milliseconds, "the topic can't be deleted", topic: name
        ) { handle, options, queue in
            var list: OpaquePointer? = unsafe topic
            unsafe rd_kafka_DeleteTopics(handle, &list, 1, options, queue)
        }
        var count = 0
        let results = unsafe rd_kafka_DeleteTopics_result_topics(
            rd_kafka_event_DeleteTopics_result(answer.event), &count)
        try unsafe check(results, count, "the topic can't be deleted")
    }

    /// Gives a topic more partitions.
    func createPartitions(_ name: String, total: Int, within milliseconds: Int64) throws(LogError) {
        var message = [CChar](repeating: 0, count: 512)
        guard let new = unsafe rd_kafka_NewPartitions_new(name, total, &message, message.count) else {
            throw LogError(.invalidRequest, text(message), topic: name)
        }
        defer { unsafe rd_kafka_NewPartitions_destroy(new) }
        let answer = try unsafe AdminAnswer(
            self, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, within: milliseconds, "the topic can't get more partitions",
            topic: name
        ) { handle, options, queue in
            var list: OpaquePointer? = unsafe new
            unsafe rd_kafka_CreatePartitions(handle, &list, 1, options, queue)
        }
        var count = 0
        let results = unsafe rd_kafka_CreatePartitions_result_topics(
            rd_kafka_event_CreatePartitions_result(answer.event), &count)
        try unsafe check(results, count, "the topic can't get more partitions")
    }

    @unsafe private func check(
        _ results: UnsafeMutablePointer<OpaquePointer?>?, _ count: Int, _ what: String
    ) throws(LogError) {
        for index in 0..<count {
            guard let result = unsafe results?[index] else { continue }
            let code = unsafe rd_kafka_topic_result_error(result)
            guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { continue }
            let detail = unsafe rd_kafka_topic_result_error_string(result).map { unsafe String(cString: $0) }
            let name = unsafe rd_kafka_topic_result_name(result).map { unsafe String(cString: $0) }
            throw error(code, "\(what): \(detail ?? code.text)", topic: name)
        }
    }

    /// Settings of topics that are not Kafka's own defaults, by topic.
    func settings(ofTopics names: [String], within milliseconds: Int64) throws(LogError) -> [String: [String: String]] {
        guard !names.isEmpty else { return [:] }
        var resources = unsafe names.map { name in unsafe rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name) }
        defer { unsafe rd_kafka_ConfigResource_destroy_array(&resources, resources.count) }
        let answer = try unsafe AdminAnswer(
            self, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, within: milliseconds, "the topics' settings can't be asked for",
            topic: names.count == 1 ? names[0] : nil
        ) { handle, options, queue in
            unsafe rd_kafka_DescribeConfigs(handle, &resources, resources.count, options, queue)
        }
        var count = 0
        let results = unsafe rd_kafka_DescribeConfigs_result_resources(
            rd_kafka_event_DescribeConfigs_result(answer.event), &count)
        var all: [String: [String: String]] = [:]
        for index in 0..<count {
            guard let result = unsafe results?[index], let name = unsafe rd_kafka_ConfigResource_name(result) else {
                continue
            }
            let code = unsafe rd_kafka_ConfigResource_error(result)
            let topic = unsafe String(cString: name)
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
                throw error(code, "the topic's settings can't be asked for", topic: topic)
            }
            all[topic] = unsafe settings(result)
        }
        return all
    }

    @unsafe private func settings(_ result: OpaquePointer) -> [String: String] {
        var count = 0
        let entries = unsafe rd_kafka_ConfigResource_configs(result, &count)
        var settings: [String: String] = [:]
        for index in 0..<count {
            guard let entry = unsafe entries?[index], unsafe rd_kafka_ConfigEntry_is_default(entry) == 0,
                let name = unsafe rd_kafka_ConfigEntry_name(entry), let value = unsafe rd_kafka_ConfigEntry_value(entry)
            else { continue }
            unsafe settings[String(cString: name)] = String(cString: value)
        }
        return settings
    }

    func deleteRecords(before offsets: [TopicPartition: Int64], within milliseconds: Int64) throws(LogError) {
        let list = PartitionList(capacity: offsets.count)
        for (place, offset) in offsets { list.add(place, offset: offset) }
        guard let request = unsafe rd_kafka_DeleteRecords_new(list.pointer) else { throw LogError(.io, "no memory") }
        defer { unsafe rd_kafka_DeleteRecords_destroy(request) }
        let answer = try unsafe AdminAnswer(
            self, RD_KAFKA_ADMIN_OP_DELETERECORDS, within: milliseconds, "records can't be deleted"
        ) { handle, options, queue in
            var list: OpaquePointer? = unsafe request
            unsafe rd_kafka_DeleteRecords(handle, &list, 1, options, queue)
        }
        guard
            let done = unsafe rd_kafka_DeleteRecords_result_offsets(
                rd_kafka_event_DeleteRecords_result(answer.event))
        else { return }
        for entry in unsafe PartitionList.entries(done) where entry.code != RD_KAFKA_RESP_ERR_NO_ERROR {
            throw error(
                entry.code, "records can't be deleted: \(entry.code.text)", topic: entry.place.topic,
                partition: entry.place.partition, offset: offsets[entry.place])
        }
    }

    /// All offsets that a group has committed.
    func committedOffsets(group: String, within milliseconds: Int64) throws(LogError) -> [TopicPartition:
        CommittedOffset]
    {
        guard let request = unsafe rd_kafka_ListConsumerGroupOffsets_new(group, nil) else {
            throw LogError(.io, "no memory")
        }
        defer { unsafe rd_kafka_ListConsumerGroupOffsets_destroy(request) }
        let answer = try unsafe AdminAnswer(
            self, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, within: milliseconds,
            "the offsets of the group '\(group)' can't be asked for"
        ) { handle, options, queue in
            var list: OpaquePointer? = unsafe request
            unsafe rd_kafka_ListConsumerGroupOffsets(handle, &list, 1, options, queue)
        }
        var count = 0
        let groups = unsafe rd_kafka_ListConsumerGroupOffsets_result_groups(
            rd_kafka_event_ListConsumerGroupOffsets_result(answer.event), &count)
        var offsets: [TopicPartition: CommittedOffset] = [:]
        for index in 0..<count {
            guard let group = unsafe groups?[index], let list = unsafe rd_kafka_group_result_partitions(group) else {
                continue
            }
            for entry in unsafe PartitionList.entries(list) where entry.offset >= 0 {
                offsets[entry.place] = CommittedOffset(entry.offset, metadata: entry.metadata)
            }
        }
        return offsets
    }

    /// The members of a group, in words.
    func members(ofGroup group: String, within milliseconds: Int64) throws(LogError) -> [String] {
        let answer = try unsafe AdminAnswer(
            self, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, within: milliseconds,
            "the members of the group '\(group)' can't be asked for"
        ) { handle, options, queue in
            unsafe group.withCString { name in
                var names: UnsafePointer<CChar>? = unsafe name
                unsafe rd_kafka_DescribeConsumerGroups(handle, &names, 1, options, queue)
            }
        }
        var count = 0
        let groups = unsafe rd_kafka_DescribeConsumerGroups_result_groups(
            rd_kafka_event_DescribeConsumerGroups_result(answer.event), &count)
        guard count > 0, let found = unsafe groups?[0] else { return [] }
        if let failure = unsafe rd_kafka_ConsumerGroupDescription_error(found) {
            let code = unsafe rd_kafka_error_code(failure)
            if code != RD_KAFKA_RESP_ERR_NO_ERROR, code != RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND {
                throw error(code, "the members of the group '\(group)' can't be asked for")
            }
        }
        let size = unsafe rd_kafka_ConsumerGroupDescription_member_count(found)
        return (0..<size).compactMap { index in
            guard let member = unsafe rd_kafka_ConsumerGroupDescription_member(found, index) else { return nil }
            let client = unsafe rd_kafka_MemberDescription_client_id(member).map { unsafe String(cString: $0) } ?? "?"
            let host = unsafe rd_kafka_MemberDescription_host(member).map { unsafe String(cString: $0) } ?? "?"
            return "\(client) at \(host)"
        }
    }
}
