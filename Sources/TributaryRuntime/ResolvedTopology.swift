internal import TributaryCore
public import TributaryDSL

/// A topology with the names that its topics have in the log of one application: internal ones begin with the application's id.
public struct ResolvedTopology: Sendable {
    /// The topology.
    public let topology: Topology
    /// The application's id.
    public let applicationID: String
    // The repartition topics: the internal ones that nodes read and send to.
    private let repartitions: Set<String>

    /// Resolves a topology's names.
    public init(_ topology: Topology, applicationID: String) {
        self.topology = topology
        self.applicationID = applicationID
        repartitions = Set(topology.internalTopics.filter { $0.kind == .repartition }.map(\.name))
    }

    /// The name in the log of a topic that nodes read or send to.
    public func topic(_ name: String) -> String { isInternal(name) ? internalTopic(name) : name }

    /// Whether a topic that nodes read or send to is one that the topology makes.
    public func isInternal(_ name: String) -> Bool { repartitions.contains(name) }

    /// The name in the log of a topic that the topology makes: a repartition topic or a changelog.
    public func internalTopic(_ name: String) -> String { "\(applicationID)-\(name)" }

    /// The name in the log of a store's changelog.
    public func changelog(of store: String) -> String { internalTopic("\(store)-changelog") }

    /// The names in the log of all topics that the topology makes.
    public var internalTopics: [String] { topology.internalTopics.map { internalTopic($0.name) } }

    /// The node that reads a topic, by its name in the log.
    func reader(of topic: String) -> String? { topology.sources.first { self.topic($0.topic) == topic }?.node }

    /// Where a source topic, by its name in the log, begins where nothing is committed: an internal one with its first record.
    func reset(of topic: String, default way: OffsetReset) -> OffsetReset {
        guard let source = topology.sources.first(where: { self.topic($0.topic) == topic }) else { return way }
        return source.isInternal ? .earliest : source.reset ?? way
    }

    /// The node that sends to a topic, by its name in the log: one that sends there always, or else one that chooses.
    func sender(to topic: String) -> String? {
        func sends(_ kind: NodeDescription.Kind, always: Bool) -> Bool {
            guard case .sink(let name) = kind else { return false }
            guard let name else { return !always }
            return self.topic(name) == topic
        }
        let node =
            topology.nodes.first { sends($0.kind, always: true) }
            ?? topology.nodes.first { sends($0.kind, always: false) }
        return node?.name
    }

    /// The source partitions of a task: those of its number that there are.
    ///
    /// - Parameter counts: partitions by a topic's name in the log.
    func sourcePartitions(
        _ subTopologies: [Topology.SubTopology], _ partition: Int32, counts: [String: Int32]
    ) -> [TopicPartition] {
        subTopologies.flatMap(\.sourceTopics).compactMap { source in
            let topic = topic(source)
            return partition < counts[topic] ?? 0 ? TopicPartition(topic, partition) : nil
        }
    }
}
