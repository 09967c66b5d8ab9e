internal import CRdKafka
internal import TributaryCore

/// The one member of an application's consumer group.
///
/// It subscribes to `<group>-tasks`, whose partitions are the tasks, and reads nothing of it. Offsets are committed through
/// it, so that the brokers refuse those of a member that was removed. A thread of its own polls; heartbeats are librdkafka's.
final class KafkaGroup: LogGroup {
    private let core: KafkaLogCore
    private let name: String
    private let handle: KafkaHandle
    private let membership: GroupMembership

    init(_ core: KafkaLogCore, _ configuration: GroupConfiguration) throws(LogError) {
        guard (1...200).contains(configuration.group.utf8.count) else {
            throw LogError(.invalidRequest, "a group's name has 1 to 200 bytes")
        }
        guard configuration.tasks >= 0 else { throw LogError(.invalidRequest, "a group has 0 tasks or more") }
        self.core = core
        name = configuration.group
        let topic = "\(configuration.group)-tasks"
        try core.prepareTasks(topic, count: configuration.tasks)
        try core.waitUntilAlone(in: configuration.group)
        handle = try KafkaHandle(
            .consumer,
            core.properties.setting([
                "group.id": configuration.group, "client.id": configuration.clientID,
                "partition.assignment.strategy": "cooperative-sticky", "heartbeat.interval.ms": "500",
                "session.timeout.ms": String(core.configuration.sessionTimeout.milliseconds),
                "isolation.level": "read_committed",
            ]), logs: core.configuration.logs, callback: .rebalances)
        membership = GroupMembership(tasks: configuration.tasks, signal: KafkaSignal(handle))
        handle.events.follow(membership)
        guard startPolling(topic) else { throw LogError(.io, "the system gave no thread") }
        try waitForTasks()
    }

    deinit { leave() }

    private func startPolling(_ topic: String) -> Bool {
        let logs = core.configuration.logs
        let interval = core.configuration.recommitInterval.milliseconds
        return OSThread.start("kafka-group") { [handle, membership] in
            if let error = handle.subscribe(to: topic) { membership.failed(error) }
            var lastCommit = MonotonicClock.milliseconds
            while !membership.isLeaving {
                handle.serve()
                if let error = handle.pollGroup(milliseconds: 1000) {
                    logs(
                        .warning, "the group has trouble", [("error", "\(error)")], source: "TributaryKafka")
                }
                if let fatal = handle.fatalError { membership.failed(fatal) }
                // Brokers forget offsets of topics that a group isn't subscribed to.
                let now = MonotonicClock.milliseconds
                if now - lastCommit >= interval, membership.ownsAll {
                    lastCommit = now
                    _ = handle.commit(membership.known)
                }
            }
            handle.closeGroup()
            membership.ended()
        } == 0
    }

    private func waitForTasks() throws(LogError) {
        let deadline = MonotonicClock.milliseconds.addingSaturated(core.configuration.requestTimeout.milliseconds)
        while !membership.ownsAll {
            do throws(LogError) {
                try core.check()
                try membership.check()
                let left = deadline - MonotonicClock.milliseconds
                guard left > 0 else {
                    let others =
                        core.configuration.brokersDescribeGroups
                        ? try core.control.members(ofGroup: name, within: 5000) : []
                    if others.count > 1 {
                        throw LogError(
                            .inUse, "the group '\(name)' has other members: \(others.joined(separator: ", "))")
                    }
                    throw handle.events.explain(
                        LogError(.unavailable, "the group '\(name)' could not be joined in time"))
                }
                membership.signal.wait(milliseconds: min(left, 1000))
            } catch {
                leave()
                throw error
            }
        }
    }

    // MARK: Placement

    func nextChange(timeout milliseconds: Int64) throws(LogError) -> PlacementChange? {
        let deadline = MonotonicClock.milliseconds &+ min(max(milliseconds, 0), 1 << 40)
        while true {
            try core.check()
            try membership.check()
            if let change = membership.takeChange() { return change }
            let left = milliseconds < 0 ? 1000 : min(deadline - MonotonicClock.milliseconds, 1000)
            guard left > 0 else { return nil }
            membership.signal.wait(milliseconds: left)
        }
    }

    // MARK: Offsets

    func committed(_ partitions: [TopicPartition]) throws(LogError) -> [TopicPartition: CommittedOffset] {
        try core.check()
        try membership.check()
        guard !partitions.isEmpty else { return [:] }
        let offsets = try handle.committed(partitions, within: core.configuration.requestTimeout.milliseconds)
        membership.remember(offsets)
        return offsets
    }

    /// Commits offsets.
    ///
    /// While no broker answers, or the group is between two generations, it waits and tries again, as long as a request may take.
    /// If this member had lost its tasks meanwhile, it goes on only if nobody else has committed.
    func commit(_ offsets: [TopicPartition: CommittedOffset]) throws(LogError) {
        guard !offsets.isEmpty else {
            try core.check()
            return try membership.check()
        }
        let deadline = MonotonicClock.milliseconds.addingSaturated(core.configuration.requestTimeout.milliseconds)
        let pause = KafkaSignal(handle)
        while true {
            try core.check()
            try membership.check()
            var last = LogError(.fenced, "the group '\(name)' gave tasks of this application to another member")
            if membership.ownsAll {
                try checkNobodyElse(offsets.keys)
                let failure = handle.commit(offsets)
                guard let failure else { return membership.remember(offsets) }
                last = failure
                membership.attempted(offsets)
                if failure.code == .fenced { membership.doubt() }
                // librdkafka gives one partition's error to others, too.
                if failure.code == .unknownTopic { for place in offsets.keys.sorted() { try core.checkExists(place) } }
                guard failure.code == .fenced || failure.code == .unavailable else { throw failure }
            }
            guard MonotonicClock.milliseconds < deadline else { throw last }
            pause.wait(milliseconds: 50)
        }
    }

    private func checkNobodyElse(_ places: some Collection<TopicPartition>) throws(LogError) {
        guard membership.isDoubted else { return }
        let all = Set(membership.known.keys).union(places)
        let now = try handle.committed(Array(all), within: core.configuration.requestTimeout.milliseconds)
        for place in all where !membership.isOwn(now[place], of: place) {
            throw LogError(
                .fenced, "another member committed while this one had lost its tasks", topic: place.topic,
                partition: place.partition, offset: now[place]?.offset)
        }
        membership.trust(now)
    }

    func leave() {
        guard !membership.isLeaving else { return }
        membership.leave()
        handle.endGroupPoll()
        // librdkafka 2.0 can hang while it leaves; the brokers then take the tasks when the session is over.
        let deadline = MonotonicClock.milliseconds + 5000
        while !membership.hasEnded, MonotonicClock.milliseconds < deadline {
            membership.signal.wait(milliseconds: 200)
        }
        if !membership.hasEnded {
            core.configuration.logs(
                .warning, "leaving the group takes too long: left to itself", [("group", name)],
                source: "TributaryKafka")
        }
    }
}

extension KafkaLogCore {
    /// Makes the topic whose partitions are the tasks, or gives it more: the numbers of tasks never change their meaning.
    func prepareTasks(_ topic: String, count: Int) throws(LogError) {
        let wanted = Int32(clamping: max(count, 1))
        let limit = configuration.requestTimeout.milliseconds
        guard let found = try control.partitions(ofTopic: topic, within: limit) else {
            let specification = TopicSpecification(
                topic, partitions: wanted, settings: ["cleanup.policy": "delete", "retention.ms": "3600000"])
            do throws(LogError) {
                try control.createTopic(
                    specification, replicationFactor: configuration.replicationFactor, within: limit)
            } catch {
                guard error.code == .topicExists else { throw error }
            }
            return try waitForTopic(topic, partitions: wanted)
        }
        guard found < wanted else { return }
        try control.createPartitions(topic, total: Int(wanted), within: limit)
        try waitForTopic(topic, partitions: wanted)
    }

    /// Waits until a group has no member: one whose process died is one until its session is over.
    func waitUntilAlone(in group: String) throws(LogError) {
        guard configuration.brokersDescribeGroups else { return }
        let deadline = MonotonicClock.milliseconds.addingSaturated(configuration.sessionTimeout.milliseconds)
            .addingSaturated(3000)
        let pause = KafkaSignal(control)
        var isTold = false
        while true {
            try check()
            let members = try control.members(ofGroup: group, within: configuration.requestTimeout.milliseconds)
            if members.isEmpty { return }
            let list = members.joined(separator: ", ")
            guard MonotonicClock.milliseconds < deadline else {
                throw LogError(.inUse, "the application '\(group)' runs already: \(list)")
            }
            if !isTold {
                isTold = true
                configuration.logs(
                    .notice, "waiting for another member of the group to go", [("group", group), ("members", list)],
                    source: "TributaryKafka")
            }
            pause.wait(milliseconds: 250)
        }
    }
}
