import TributaryCore

/// The one member of a group of a ``MemoryLog``.
final class MemoryLogGroup: LogGroup {
    let group: String
    let member: Int
    private let monitor: Monitor<MemoryLogState>

    init(_ monitor: Monitor<MemoryLogState>, group: String, member: Int) {
        self.monitor = monitor
        self.group = group
        self.member = member
    }

    /// Whether this member belongs to the log behind `monitor`.
    func belongs(to monitor: Monitor<MemoryLogState>) -> Bool { self.monitor === monitor }

    func nextChange(timeout milliseconds: Int64) throws(LogError) -> PlacementChange? {
        try monitor.wait(milliseconds: milliseconds) { (state) throws(LogError) -> PlacementChange? in
            try self.check(state)
            guard state.groups[self.group]?.changes.isEmpty == false else { return nil }
            return state.groups[self.group]?.changes.removeFirst()
        }
    }

    func committed(_ partitions: [TopicPartition]) throws(LogError) -> [TopicPartition: CommittedOffset] {
        try monitor.withLock { (state) throws(LogError) in
            try self.check(state)
            let all = state.groups[self.group]?.committed ?? [:]
            return all.filter { partitions.contains($0.key) }
        }
    }

    func commit(_ offsets: [TopicPartition: CommittedOffset]) throws(LogError) {
        try monitor.change { (state) throws(LogError) in
            try self.check(state)
            try self.store(offsets, in: &state)
        }
    }

    func leave() {
        monitor.change { state in
            guard state.groups[self.group]?.member == self.member else { return }
            state.groups[self.group]?.member = nil
            state.groups[self.group]?.changes = []
        }
    }

    /// Throws if the log is closed or this member has left.
    func check(_ state: MemoryLogState) throws(LogError) {
        try state.checkOpen()
        guard state.groups[group]?.member == member else {
            throw LogError(.fenced, "this member is not in the group '\(group)' any more")
        }
    }

    /// Puts offsets down, all or none.
    func store(_ offsets: [TopicPartition: CommittedOffset], in state: inout MemoryLogState) throws(LogError) {
        for (place, offset) in offsets {
            _ = try state.partition(place)
            let identity = try state.topic(place.topic).description.identity
            guard offset.topicIdentity.isEmpty || offset.topicIdentity == identity else {
                throw LogError(
                    .unknownTopic, "an offset of a topic that was deleted, and made again as another",
                    topic: place.topic, partition: place.partition, offset: offset.offset)
            }
            guard offset.offset >= 0 else {
                throw LogError(
                    .invalidRequest, "a committed offset is 0 or more", topic: place.topic, partition: place.partition,
                    offset: offset.offset)
            }
        }
        for (place, offset) in offsets {
            state.groups[group]?.committed[place] = CommittedOffset(offset.offset, metadata: offset.metadata)
        }
    }
}
