public import TributaryCore

/// A log in memory, for tests of what is above a log.
///
/// It keeps every record ever written and shows all of them (``records(in:)``). Records become visible at
/// `LogProducer.flush()`, or as they are sent if it was made with `autoVisible`; those of a transaction at its commit, and
/// never if it is aborted. One member at a time is in a group and gets all tasks. Settings of topics are kept and mean nothing.
public final class MemoryLog: Log {
    /// The identity of the cluster.
    public let clusterID: String
    /// What an application does on this log unless its user says otherwise.
    public let defaults: LogDefaults
    /// Whether records of producers without transactions can be read as soon as they are sent.
    public let autoVisible: Bool
    let monitor = Monitor(MemoryLogState())

    /// Makes an empty log.
    ///
    /// - Parameters:
    ///   - clusterID: the identity of the cluster, which cells of lineage carry.
    ///   - defaults: what an application does unless its user says otherwise.
    ///   - autoVisible: whether records sent outside of transactions become visible before a flush.
    public init(
        clusterID: String = "memory", defaults: LogDefaults = LogDefaults(guarantee: .exactlyOnce),
        autoVisible: Bool = false
    ) {
        self.clusterID = clusterID
        self.defaults = defaults
        self.autoVisible = autoVisible
    }

    /// Everything that was ever written to a partition, in order; empty if there is no such partition.
    ///
    /// Records before the low watermark are among them; records of open transactions or not yet flushed are not.
    public func records(in partition: TopicPartition) -> [LoggedRecord] {
        monitor.withLock { state in (try? state.partition(partition))?.records ?? [] }
    }

    /// Writes a record as some other program would, and returns its offset; it is visible at once.
    @discardableResult
    public func append(_ record: LoggedRecord, to partition: TopicPartition) throws(LogError) -> Int64 {
        try monitor.change { (state) throws(LogError) in
            try state.checkOpen()
            return try state.append([record], to: partition)
        }
    }

    /// Tells the member of a group that its tasks change, as a rebalance would.
    public func place(_ change: PlacementChange, inGroup group: String) {
        monitor.change { state in state.groups[group]?.changes.append(change) }
    }

    /// All topics, by name.
    public func topics() throws(LogError) -> [TopicDescription] {
        try monitor.withLock { (state) throws(LogError) in
            try state.checkOpen()
            return state.topics.values.map(\.description).sorted { $0.name < $1.name }
        }
    }

    /// One topic, or nil if there is none of that name.
    public func topic(_ name: String) throws(LogError) -> TopicDescription? {
        try monitor.withLock { (state) throws(LogError) in
            try state.checkOpen()
            return state.topics[name]?.description
        }
    }

    /// Creates topics; those before the first that exists stay created.
    public func createTopics(_ specifications: [TopicSpecification]) throws(LogError) {
        try monitor.change { (state) throws(LogError) in
            try state.checkOpen()
            for specification in specifications {
                let name = specification.name
                guard TopicName.isValid(name) else {
                    throw LogError(.invalidRequest, TopicName.rule, topic: name)
                }
                guard specification.partitions >= 1, specification.partitions <= 100_000 else {
                    throw LogError(.invalidRequest, "1 to 100000 partitions expected", topic: name)
                }
                guard state.topics[name] == nil else {
                    throw LogError(.topicExists, "the topic exists", topic: name)
                }
                state.topics[name] = MemoryLogState.Topic(
                    description: TopicDescription(
                        name: name, identity: "memory-\(state.nextNumber())", life: (state.deaths[name] ?? 0) + 1,
                        partitions: specification.partitions,
                        settings: specification.settings),
                    partitions: Array(repeating: MemoryLogState.Partition(), count: Int(specification.partitions)))
            }
        }
    }

    /// Deletes topics with all their records.
    public func deleteTopics(_ names: [String]) throws(LogError) {
        try monitor.change { (state) throws(LogError) in
            try state.checkOpen()
            for name in names {
                state.deaths[name] = try state.topic(name).description.life
                state.topics[name] = nil
                state.groups = state.groups.mapValues { group in
                    var group = group
                    group.committed = group.committed.filter { $0.key.topic != name }
                    return group
                }
            }
        }
    }

    /// Hides all records before an offset in each partition from readers.
    public func deleteRecords(before offsets: [TopicPartition: Int64]) throws(LogError) {
        try monitor.change { (state) throws(LogError) in
            try state.checkOpen()
            for (place, offset) in offsets {
                let partition = try state.partition(place)
                guard offset >= 0, offset <= partition.high else {
                    throw LogError(
                        .offsetOutOfRange, "the partition ends at \(partition.high)", topic: place.topic,
                        partition: place.partition, offset: offset)
                }
                state.topics[place.topic]?.partitions[Int(place.partition)].low = max(partition.low, offset)
            }
        }
    }

    /// The ends of a partition.
    ///
    /// Records of open transactions are not in the log yet, so both kinds of readers see the same.
    public func watermarks(_ partition: TopicPartition, committed: Bool) throws(LogError) -> Watermarks {
        try monitor.withLock { (state) throws(LogError) in
            try state.checkOpen()
            let found = try state.partition(partition)
            return Watermarks(low: found.low, high: found.high)
        }
    }

    /// For each partition the offset of the first record at or after a time.
    public func offsets(atOrAfter times: [TopicPartition: Int64]) throws(LogError) -> [TopicPartition: Int64] {
        try monitor.withLock { (state) throws(LogError) in
            try state.checkOpen()
            var result: [TopicPartition: Int64] = [:]
            for (place, time) in times {
                let partition = try state.partition(place)
                let found = partition.records.dropFirst(Int(partition.low)).first { $0.timestamp >= time }
                if let found { result[place] = found.offset }
            }
            return result
        }
    }

    /// Makes a reader.
    public func makeConsumer(_ configuration: ConsumerConfiguration) throws(LogError) -> any LogConsumer {
        let number = try monitor.withLock { (state) throws(LogError) in
            try state.checkOpen()
            return state.nextNumber()
        }
        return MemoryLogConsumer(monitor, number: number, maximumBatchBytes: configuration.maximumBatchBytes)
    }

    /// Makes a writer; one with a transactional id fences the one that had it.
    public func makeProducer(_ configuration: ProducerConfiguration) throws(LogError) -> any LogProducer {
        let number = try monitor.withLock { (state) throws(LogError) in
            try state.checkOpen()
            let number = state.nextNumber()
            if let id = configuration.transactionalID { state.transactionalIDs[id] = number }
            return number
        }
        return MemoryLogProducer(
            monitor, number: number, transactionalID: configuration.transactionalID, autoVisible: autoVisible)
    }

    /// Joins a group; throws `LogError.Code.inUse` while another member is in.
    public func joinGroup(_ configuration: GroupConfiguration) throws(LogError) -> any LogGroup {
        let member = try monitor.change { (state) throws(LogError) in
            try state.checkOpen()
            guard state.groups[configuration.group]?.member == nil else {
                throw LogError(.inUse, "another member is in the group '\(configuration.group)'")
            }
            let member = state.nextNumber()
            state.groups[configuration.group, default: .init()].member = member
            state.groups[configuration.group]?.changes = [.assigned(Array(0..<max(configuration.tasks, 0)))]
            return member
        }
        return MemoryLogGroup(monitor, group: configuration.group, member: member)
    }

    /// What a group has committed, without joining it.
    public func committedOffsets(group: String) throws(LogError) -> [TopicPartition: CommittedOffset] {
        try monitor.withLock { (state) throws(LogError) in
            try state.checkOpen()
            return state.groups[group]?.committed ?? [:]
        }
    }

    /// The groups that have committed offsets or a member, by name.
    public func groups() throws(LogError) -> [GroupDescription] {
        try monitor.withLock { (state) throws(LogError) in
            try state.checkOpen()
            return state.groups.filter { $0.value.member != nil || !$0.value.committed.isEmpty }
                .map { GroupDescription(name: $0.key, members: $0.value.member.map { ["member \($0)"] } ?? []) }
                .sorted { $0.name < $1.name }
        }
    }

    /// Sets what a group has committed, while nobody is in it.
    public func setCommittedOffsets(
        _ offsets: [TopicPartition: CommittedOffset], group: String
    ) throws(LogError) {
        let member = try joinGroup(GroupConfiguration(group: group, clientID: "offsets", tasks: 0))
        defer { member.leave() }
        try member.commit(offsets)
    }

    /// The id of the last commit of a transaction; 0 before the first.
    public func newestCommit() throws(LogError) -> Int64? { monitor.withLock { $0.commits } }

    /// Closes the log; what was written can still be looked at.
    public func close() {
        monitor.change { state in state.isClosed = true }
    }
}
