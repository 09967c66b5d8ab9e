public import TributaryCore
public import TributaryDSL

/// How many partitions and tasks a topology has on a log: found before the first record, or refused with what to change.
public struct TopicPlan: Sendable {
    /// One task to be run.
    public struct Task: Sendable, Hashable {
        /// The number in the group, append-only: a sub-topology added later moves nothing.
        public var number: Int
        /// The sub-topology.
        public var subTopology: Int
        /// The partition.
        public var partition: Int32

        /// The id, `<sub-topology>_<partition>`.
        public var id: String { "\(subTopology)_\(partition)" }
    }

    /// The task of a number.
    func task(_ number: Int) -> Task? { tasks.first { $0.number == number } }

    /// Partitions by topic, internal ones with the application's prefix.
    public let partitions: [String: Int32]
    /// The tasks, by number.
    public let tasks: [Task]
    /// The internal topics to be made or checked.
    public let internalTopics: [TopicSpecification]

    /// The names of the topics in the log.
    public let names: ResolvedTopology

    /// Resolves counts against a log.
    ///
    /// - Throws: `TopologyError` for a missing source topic or counts that contradict each other; `LogError` from the log.
    public init(_ topology: Topology, applicationID: String, log: any Log) throws {
        let resolved = ResolvedTopology(topology, applicationID: applicationID)
        var counts: [String: Int32] = [:]
        for source in topology.sources where !source.isInternal {
            guard let description = try log.topic(source.topic) else {
                throw TopicPlan.missing([("the source topic '\(source.topic)'", source.topic)], log)
            }
            counts[source.topic] = description.partitions
        }
        let repartitions = topology.internalTopics.filter { $0.kind == .repartition }
        let names = Set(repartitions.map(\.name))
        for topic in repartitions { if let given = topic.partitions { counts[topic.name] = given } }
        try TopicPlan.copartition(topology, names, &counts)
        // A repartition topic outside of a group has as many partitions as the sources that feed it.
        for _ in 0...repartitions.count {
            for topic in repartitions where counts[topic.name] == nil {
                counts[topic.name] = TopicPlan.feeding(topic.name, topology, counts)
            }
            try TopicPlan.copartition(topology, names, &counts)
        }
        // A source by pattern may have no topic yet: what follows from it has no tasks and topics then, until there is one.
        let least: Int32? = topology.patterns.isEmpty ? 1 : nil
        var tasks: [Task] = []
        var byStore: [String: Int32] = [:]
        for part in topology.subTopologies where !part.sourceTopics.isEmpty {
            guard let count = part.sourceTopics.compactMap({ counts[$0] }).max() ?? least else { continue }
            for store in part.stores { byStore[store] = count }
            for partition in 0..<count {
                tasks.append(Task(number: tasks.count, subTopology: part.id, partition: partition))
            }
        }
        var specifications: [TopicSpecification] = []
        var all: [String: Int32] = [:]
        for (name, count) in counts { all[resolved.topic(name)] = count }
        for topic in topology.internalTopics {
            guard let count = topic.store.flatMap({ byStore[$0] }) ?? counts[topic.name] ?? least else { continue }
            specifications.append(
                TopicSpecification(resolved.internalTopic(topic.name), partitions: count, settings: topic.settings))
            all[resolved.internalTopic(topic.name)] = count
        }
        self.names = resolved
        self.tasks = tasks
        partitions = all
        internalTopics = specifications
    }

    private static func copartition(
        _ topology: Topology, _ internalNames: Set<String>, _ counts: inout [String: Int32]
    ) throws {
        for group in topology.copartitionGroups {
            let outside = group.filter { !internalNames.contains($0) }
            let known = outside.compactMap { name in counts[name].map { (name, $0) } }
            if let first = known.first {
                if let other = known.first(where: { $0.1 != first.1 }) {
                    throw TopologyError(
                        .notCopartitioned,
                        "topics that are joined must have equally many partitions: '\(first.0)' has \(first.1), "
                            + "'\(other.0)' has \(other.1). Repartition one of the streams")
                }
                for name in group where internalNames.contains(name) {
                    let given = topology.internalTopics.first { $0.name == name }?.partitions
                    if let given, given != first.1 {
                        throw TopologyError(
                            .notCopartitioned,
                            "the repartition topic '\(name)' is to have \(given) partitions, but is joined with "
                                + "'\(first.0)', which has \(first.1)")
                    }
                    counts[name] = first.1
                }
            } else {
                let given = Set(
                    group.compactMap { name in topology.internalTopics.first { $0.name == name }?.partitions })
                if given.count > 1 {
                    throw TopologyError(
                        .notCopartitioned,
                        "the repartition topics \(group.joined(separator: ", ")) are joined, "
                            + "but are to have different numbers of partitions")
                }
                let most = given.first ?? group.compactMap { counts[$0] }.max()
                if let most { for name in group { counts[name] = most } }
            }
        }
    }

    private static func feeding(_ topic: String, _ topology: Topology, _ counts: [String: Int32]) -> Int32? {
        for part in topology.subTopologies {
            let writes = part.nodes.contains { node in
                if case .sink(let name?) = topology.nodes[node].kind { name == topic } else { false }
            }
            if writes { return part.sourceTopics.compactMap { counts[$0] }.max() }
        }
        return nil
    }

    /// Checks that the topics which are read, and those which records are sent to as far as they are known before the first, exist.
    ///
    /// - Throws: `TopologyError` that names all that don't.
    public static func checkTopics(_ topology: Topology, deadLetterTopic: String?, log: any Log) throws {
        var missing: [(what: String, topic: String)] = []
        func add(_ what: String, _ topic: String) {
            if !missing.contains(where: { $0.topic == topic }) { missing.append((what, topic)) }
        }
        for source in topology.sources + topology.globalSources where !source.isInternal {
            if try log.topic(source.topic) == nil { add("the source topic '\(source.topic)'", source.topic) }
        }
        let internalNames = Set(topology.internalTopics.map(\.name))
        for node in topology.nodes {
            guard case .sink(let name?) = node.kind, !internalNames.contains(name) else { continue }
            if try log.topic(name) == nil { add("the output topic '\(name)' of node '\(node.name)'", name) }
        }
        if let deadLetterTopic, try log.topic(deadLetterTopic) == nil {
            add("the dead-letter topic '\(deadLetterTopic)'", deadLetterTopic)
        }
        if !missing.isEmpty { throw Self.missing(missing, log) }
    }

    private static func missing(_ topics: [(what: String, topic: String)], _ log: any Log) -> TopologyError {
        let names = topics.map(\.topic).joined(separator: " ")
        let option = log.defaults.commandOption
        let (verb, object) = topics.count == 1 ? ("does", "it") : ("do", "them")
        return TopologyError(
            .unknownTopic,
            "\(topics.map(\.what).joined(separator: ", ")) \(verb) not exist: create \(object) (for example: tributary topics "
                + "create \(names) --partitions 1\(option.isEmpty ? "" : " \(option)"))")
    }

    /// Makes the internal topics that are missing and checks those that exist.
    ///
    /// - Throws: `TopologyError` for one with another number of partitions or another clean-up policy.
    public func prepare(_ log: any Log) throws {
        for topic in internalTopics {
            guard let existing = try log.topic(topic.name) else {
                var topic = topic
                topic.settings.merge(log.defaults.internalTopicSettings) { own, _ in own }
                try log.createTopics([topic])
                continue
            }
            guard existing.partitions == topic.partitions else {
                throw TopologyError(
                    .changedTopic,
                    "the internal topic '\(topic.name)' has \(existing.partitions) partitions, but the topology needs "
                        + "\(topic.partitions): restore the number of source partitions, or reset the application")
            }
            let wanted = topic.settings["cleanup.policy"]
            let found = existing.settings["cleanup.policy"] ?? "delete"
            if let wanted, Set(wanted.split(separator: ",")) != Set(found.split(separator: ",")) {
                throw TopologyError(
                    .changedTopic,
                    "the internal topic '\(topic.name)' has cleanup.policy \(found), but the topology needs \(wanted)")
            }
        }
    }
}
