internal import CRdKafka
public import TributaryCore

/// Apache Kafka as a log: topics, records, groups and offsets are the cluster's.
///
/// ```swift
/// let log = try KafkaLog.connect(to: KafkaConfiguration(bootstrap: "localhost:9092"))
/// ```
///
/// Applications run on it at least once; exactly-once is refused with `unsupported` for now. `Docs/Kafka.md` says what each
/// fault of the brokers comes to.
public final class KafkaLog: Log {
    let core: KafkaLogCore

    private init(_ core: KafkaLogCore) { self.core = core }

    /// Connects to a cluster.
    ///
    /// - Throws: `unavailable` if no broker answers within ``KafkaConfiguration/connectTimeout``, `denied` if one refuses who
    ///   we are, `configuration` for a property that librdkafka doesn't know or that is not the user's to set.
    public static func connect(to configuration: KafkaConfiguration) throws(LogError) -> KafkaLog {
        try configuration.check()
        return KafkaLog(try KafkaLogCore(configuration))
    }

    /// The cluster's id.
    public var clusterID: String { core.clusterID }

    /// At least once with a commit each 30 s; state where the configuration says.
    public var defaults: LogDefaults {
        var defaults = LogDefaults(
            guarantee: .atLeastOnce, guarantees: [.atLeastOnce], stateDirectory: core.configuration.stateDirectory)
        defaults.commandOption = "--kafka \(core.configuration.bootstrap)"
        return defaults
    }

    /// How many records went out with timestamp 1 because theirs was 0.
    ///
    /// librdkafka, which all of Kafka's clients but Java's build on, takes 0 for "now".
    public var raisedTimestamps: Int64 { core.raisedTimestamps }

    private var limit: Int64 { core.configuration.requestTimeout.milliseconds }

    // MARK: Topics

    /// All topics by name, but those whose name begins with `__`: they are the brokers' own.
    public func topics() throws(LogError) -> [TopicDescription] {
        try core.check()
        let found = try core.control.allTopics(within: limit)
        let settings = try settings(found.map(\.name))
        return found.map { describe($0.name, $0.partitions, settings[$0.name] ?? [:]) }
    }

    /// One topic, or nil if there is none of that name.
    public func topic(_ name: String) throws(LogError) -> TopicDescription? {
        try core.check()
        guard let partitions = try core.control.partitions(ofTopic: name, within: limit) else { return nil }
        return describe(name, partitions, try settings([name])[name] ?? [:])
    }

    // Whoever may read a topic need not be allowed to see its settings.
    private func settings(_ topics: [String]) throws(LogError) -> [String: [String: String]] {
        do throws(LogError) {
            return try core.control.settings(ofTopics: topics, within: limit)
        } catch {
            guard error.code == .denied else { throw error }
            core.configuration.logs(
                .notice, "the settings of topics can't be seen", [("error", "\(error)")], source: "TributaryKafka")
            return [:]
        }
    }

    // librdkafka 2.0 doesn't tell the ids that brokers give topics.
    private func describe(_ name: String, _ partitions: Int32, _ settings: [String: String]) -> TopicDescription {
        TopicDescription(
            name: name, identity: "\(clusterID)/\(name)", partitions: partitions, settings: settings)
    }

    /// Creates topics one after the other, and waits until each can be used.
    public func createTopics(_ specifications: [TopicSpecification]) throws(LogError) {
        try core.check()
        for specification in specifications {
            guard TopicName.isValid(specification.name) else {
                throw LogError(.invalidRequest, TopicName.rule, topic: specification.name)
            }
            guard specification.partitions >= 1 else {
                throw LogError(.invalidRequest, "1 partition or more expected", topic: specification.name)
            }
            try core.control.createTopic(
                specification, replicationFactor: core.configuration.replicationFactor, within: limit)
            try core.waitForTopic(specification.name, partitions: specification.partitions)
        }
    }

    /// Deletes topics one after the other, and waits until each is gone.
    public func deleteTopics(_ names: [String]) throws(LogError) {
        try core.check()
        for name in names {
            try core.control.deleteTopic(name, within: limit)
            try core.waitForTopic(name, partitions: nil)
        }
    }

    /// Deletes all records before an offset in each partition; -1 stands for the end.
    public func deleteRecords(before offsets: [TopicPartition: Int64]) throws(LogError) {
        try core.check()
        guard !offsets.isEmpty else { return }
        for topic in Set(offsets.keys.map(\.topic)) { _ = try core.partitions(ofTopic: topic) }
        try core.control.deleteRecords(before: offsets, within: limit)
    }

    // MARK: Offsets

    /// The ends of a partition.
    public func watermarks(_ partition: TopicPartition, committed: Bool) throws(LogError) -> Watermarks {
        try core.check()
        return try core.watermarks(partition, committed: committed)
    }

    /// For each partition the offset of the first record at or after a time.
    public func offsets(atOrAfter times: [TopicPartition: Int64]) throws(LogError) -> [TopicPartition: Int64] {
        try core.check()
        guard !times.isEmpty else { return [:] }
        for place in times.keys { try core.checkExists(place) }
        return try core.control.offsets(atOrAfter: times, within: limit)
    }

    /// What a group has committed, without joining it.
    public func committedOffsets(group: String) throws(LogError) -> [TopicPartition: CommittedOffset] {
        try core.check()
        return try core.control.committedOffsets(group: group, within: limit)
    }

    /// The consumer groups with their members, by name.
    public func groups() throws(LogError) -> [GroupDescription] {
        try core.check()
        return try core.control.groups(within: limit)
    }

    /// Sets what a group has committed, while nobody is in it.
    public func setCommittedOffsets(
        _ offsets: [TopicPartition: CommittedOffset], group: String
    ) throws(LogError) {
        try core.check()
        guard !offsets.isEmpty else { return }
        for place in offsets.keys.sorted() { try core.checkExists(place) }
        let members = try core.control.members(ofGroup: group, within: limit)
        guard members.isEmpty else {
            throw LogError(.inUse, "the group '\(group)' has members: \(members.joined(separator: ", "))")
        }
        try core.control.setCommittedOffsets(offsets, group: group, within: limit)
    }

    // MARK: Readers, writers, groups

    /// Makes a reader with connections of its own.
    public func makeConsumer(_ configuration: ConsumerConfiguration) throws(LogError) -> any LogConsumer {
        try core.check()
        return try KafkaConsumer(core, configuration)
    }

    /// Makes a writer with connections of its own; idempotent, `acks=all`.
    ///
    /// - Throws: `unsupported` for one with a transactional id.
    public func makeProducer(_ configuration: ProducerConfiguration) throws(LogError) -> any LogProducer {
        try core.check()
        return try KafkaProducer(core, configuration)
    }

    /// Joins the consumer group of an application as its only member.
    ///
    /// The tasks are the partitions of the topic `<group>-tasks`, made if it isn't there and never written to.
    ///
    /// - Throws: `inUse` if another member is in the group and doesn't go within its session's time.
    public func joinGroup(_ configuration: GroupConfiguration) throws(LogError) -> any LogGroup {
        try core.check()
        return try KafkaGroup(core, configuration)
    }

    /// Closes the log; readers and writers made by it end with their owners.
    public func close() { core.close() }
}

extension KafkaLogCore {
    /// Waits until a broker knows of a new topic, or no longer of one that was deleted.
    func waitForTopic(_ name: String, partitions: Int32?) throws(LogError) {
        let deadline = MonotonicClock.milliseconds.addingSaturated(configuration.requestTimeout.milliseconds)
        while try control.partitions(ofTopic: name, within: configuration.requestTimeout.milliseconds) != partitions {
            guard MonotonicClock.milliseconds < deadline else {
                throw LogError(.unavailable, "the brokers don't agree on the topic's partitions yet", topic: name)
            }
            _ = unsafe rd_kafka_poll(control.pointer, 10)
        }
        if let partitions { try waitForLeaders(name, partitions: partitions) }
    }

    /// Waits until each partition's leader answers for it: a broker tells of a partition before it takes records for it.
    func waitForLeaders(_ name: String, partitions: Int32) throws(LogError) {
        let deadline = MonotonicClock.milliseconds + min(configuration.requestTimeout.milliseconds, 30_000)
        let times = Dictionary(uniqueKeysWithValues: (0..<partitions).map { (TopicPartition(name, $0), Int64(0)) })
        while true {
            do throws(LogError) {
                _ = try control.offsets(atOrAfter: times, within: configuration.requestTimeout.milliseconds)
                return
            } catch {
                guard error.code == .unknownTopic, MonotonicClock.milliseconds < deadline else { throw error }
            }
            _ = unsafe rd_kafka_poll(control.pointer, 10)
        }
    }
}

extension KafkaHandle {
    func offsets(
        atOrAfter times: [TopicPartition: Int64], within milliseconds: Int64
    ) throws(LogError) -> [TopicPartition: Int64] {
        var found: [TopicPartition: Int64] = [:]
        var failed: (place: TopicPartition, code: rd_kafka_resp_err_t)?
        try retrying(milliseconds, "offsets can't be found by time") { timeout in
            let list = PartitionList(capacity: times.count)
            // Negative times have other meanings there.
            for (place, time) in times { list.add(place, offset: max(time, 0)) }
            let code = unsafe rd_kafka_offsets_for_times(pointer, list.pointer, timeout)
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { return code }
            found = [:]
            failed = nil
            for entry in list.entries {
                if entry.code.isTransient { return entry.code }
                if entry.code != RD_KAFKA_RESP_ERR_NO_ERROR { failed = (entry.place, entry.code) }
                if entry.offset >= 0 { found[entry.place] = entry.offset }
            }
            return RD_KAFKA_RESP_ERR_NO_ERROR
        }
        if let failed {
            throw error(
                failed.code, "offsets can't be found by time", topic: failed.place.topic,
                partition: failed.place.partition)
        }
        return found
    }
}
