internal import TributaryCore
internal import TributaryLineage
public import TributaryState

/// A whole topology: a description, and how to make its typed nodes.
///
/// Immutable; used from any thread.
public struct Topology: Sendable {
    /// One connected part: nodes that share edges or stores.
    ///
    /// Its tasks are one per partition.
    public struct SubTopology: Sendable {
        /// The number, as in task ids.
        public let id: Int
        /// Its nodes, by number.
        public let nodes: [Int]
        /// The topics it reads, repartition topics without the application's prefix.
        public let sourceTopics: [String]
        /// The stores it uses, in the order in which caches are flushed.
        public let stores: [String]
        /// Whether it keeps global tables: it has no tasks, each thread runs it for itself.
        public var isGlobal = false
    }

    /// A source topic and how its timestamps are found.
    public struct Source: Sendable {
        /// The topic, repartition topics without the application's prefix.
        public let topic: String
        /// The node's name.
        public let node: String
        /// Whether it is a repartition topic.
        public let isInternal: Bool
        /// The source's own timestamp extractor.
        public let timestamps: TimestampExtractor?
        /// Where it begins where nothing is committed; nil for the application's way.
        public let reset: OffsetReset?
        /// Whether the serdes take a record (null key, or null value, as nil); those that they refuse never get further than the source.
        package let accepts: @Sendable (_ key: RawSpan?, _ value: RawSpan?) -> Bool
    }

    /// All nodes; numbers elsewhere are indices here.
    public let nodes: [NodeDescription]
    /// All stores that exist, by name.
    public let stores: [String: StoreDescription]
    /// The connected parts that have tasks.
    public let subTopologies: [SubTopology]
    /// The connected parts that keep global tables.
    public let globalSubTopologies: [SubTopology]
    /// Topics that the application makes for itself.
    public let internalTopics: [InternalTopic]
    /// Groups of topics that must have equally many partitions.
    public let copartitionGroups: [[String]]
    /// The groups that Kafka Streams makes: it forgets a repartition topic where another join shares it, which is no reason to join what
    /// doesn't fit.
    package let copartitionGroupsOfKafkaStreams: [[String]]
    /// All source topics, but for those of global tables.
    public let sources: [Source]
    /// The topics of global tables.
    public let globalSources: [Source]
    /// The low 4 bytes of XXH3-64 of the description and the stores: cells carry it.
    public let fingerprint: UInt32
    let makers: [SourceNode]
    // The source nodes of groups that must have equally many partitions.
    let copartitions: [[Int]]

    /// Source topics that are the changelogs of tables, with the settings that they should have.
    public var sourceChangelogs: [InternalTopic] {
        stores.values.compactMap { store in
            guard let topic = store.sourceTopic, !store.isGlobal else { return nil }
            return InternalTopic(
                name: topic, kind: .changelog, partitions: nil, settings: store.changelogConfiguration,
                store: store.name, hasGeneratedName: false)
        }.sorted { $0.name < $1.name }
    }

    /// Makes the nodes of sub-topologies for a task: for each source topic what to call with its records.
    public func instantiate(_ subTopologies: [SubTopology], in context: NodeContext) throws -> [String: SourceEntry] {
        let wanted = Set(subTopologies.flatMap(\.nodes))
        context.begin(wanted)
        var entries: [String: [SourceEntry]] = [:]
        for maker in makers where wanted.contains(maker.node) {
            let entry = try maker.make(context)
            for topic in maker.topics { entries[topic, default: []].append(entry) }
        }
        try context.start()
        return entries.mapValues(SourceEntry.all)
    }
}

extension TopologyGraph {
    /// Checks everything and freezes it.
    @usableFromInline
    func freeze(explicitNames: Bool, _ optimization: TopologyOptimization) throws -> Topology {
        if let firstError { throw firstError }
        if optimization.contains(.reuseSourceTopics) { reuseSourceTopics() }
        if optimization.contains(.processorsAsChanges) { countProcessors() }
        if optimization.contains(.mergeRepartitionTopics) { mergeRepartitions() }
        try mergeEqualSources()
        if optimization.contains(.singleStoreSelfJoins) { mergeSelfJoins() }
        markNullKeyFilters()
        try checkSources()
        try checkNames()
        try checkSpelling()
        let existing = stores.filter { $0.value.isNeeded }
        for node in nodes.indices { nodes[node].stores.removeAll { existing[$0] == nil } }
        for (name, store) in existing where store.nodes.isEmpty && !userStores.contains(name) {
            throw TopologyError(.notConnected, "store '\(name)' is connected to no node")
        }
        var topics = repartitions
        for name in storeOrder {
            guard let store = existing[name], store.description.isLogged, !store.nodes.isEmpty else { continue }
            topics.append(
                InternalTopic(
                    name: "\(name)-changelog", kind: .changelog, partitions: nil,
                    settings: store.description.changelogConfiguration, store: name,
                    hasGeneratedName: store.description.hasGeneratedName))
        }
        if explicitNames {
            let names =
                existing.values.filter(\.description.hasGeneratedName).map { "store \($0.description.name)" }
                + topics.filter(\.hasGeneratedName).map { "topic \($0.name)" }
            guard names.isEmpty else {
                throw TopologyError(
                    .invalidName,
                    "explicit names are required, but these are generated: \(names.sorted().joined(separator: ", "))")
            }
        }
        let parts = subTopologies(existing)
        let internalNames = Set(repartitions.map(\.name))
        var sourceList: [Topology.Source] = []
        var globalList: [Topology.Source] = []
        for source in sources {
            for topic in source.topics where !(sourceList + globalList).contains(where: { $0.topic == topic }) {
                let found = Topology.Source(
                    topic: topic, node: nodes[source.node].name, isInternal: internalNames.contains(topic),
                    timestamps: source.settings.timestamps, reset: source.settings.reset, accepts: source.accepts)
                if source.isGlobal { globalList.append(found) } else { sourceList.append(found) }
            }
        }
        let storeList = existing.mapValues(\.description)
        let text = text(ofNodes: nodes, parts)
        return Topology(
            nodes: nodes, stores: storeList, subTopologies: parts.filter { !$0.isGlobal },
            globalSubTopologies: parts.filter(\.isGlobal), internalTopics: topics,
            copartitionGroups: Self.copartitionGroups(copartitions, nodes),
            copartitionGroupsOfKafkaStreams: Self.copartitionGroups(
                copartitions.map { $0.filter { $0 >= 0 } }, nodes),
            sources: sourceList, globalSources: globalList, fingerprint: fingerprint(text, storeList), makers: sources,
            copartitions: copartitions)
    }

    /// How a source node is named among those that must have equally many partitions where it is another join's that is shared, and back.
    @usableFromInline
    static func shared(_ source: Int) -> Int { -source - 1 }

    func replaceInCopartitions(_ source: Int, by other: Int) {
        let (shared, otherShared) = (Self.shared(source), Self.shared(other))
        copartitions = copartitions.map { $0.map { $0 == source ? other : $0 == shared ? otherShared : $0 } }
    }

    // Groups that share a topic are one: having equally many partitions is transitive (Docs/Semantics.md, Tasks).
    static func copartitionGroups(_ copartitions: [[Int]], _ nodes: [NodeDescription]) -> [[String]] {
        var groups: [Set<String>] = []
        for list in copartitions {
            var group = Set(topics(of: list.map { $0 < 0 ? shared($0) : $0 }, nodes))
            if group.isEmpty { continue }
            guard let first = groups.firstIndex(where: { !$0.isDisjoint(with: group) }) else {
                groups.append(group)
                continue
            }
            for other in groups[first...] where !other.isDisjoint(with: group) { group.formUnion(other) }
            groups[first...].removeAll { $0.isSubset(of: group) }
            groups.insert(group, at: first)
        }
        return groups.map { $0.sorted() }
    }

    private struct SourceKey: Hashable {
        var topics: [String]
        var pattern: TopicPattern?
    }

    // Several streams of exactly the same topics share the first one's node.
    private func mergeEqualSources() throws {
        var kept: [SourceKey: SourceNode] = [:]
        var replaced: [Int: Int] = [:]
        for source in sources where !source.isTable {
            let key = SourceKey(topics: source.topics.sorted(), pattern: source.pattern)
            guard let first = kept[key] else {
                kept[key] = source
                continue
            }
            guard first.settings.reset == source.settings.reset else {
                throw TopologyError(
                    .conflict,
                    "'\(nodes[first.node].name)' and '\(nodes[source.node].name)' read the same topics from different "
                        + "starts: they are read once, so give both the same")
            }
            guard first.settings.timestamps?.name == source.settings.timestamps?.name else {
                throw TopologyError(
                    .conflict,
                    "'\(nodes[first.node].name)' and '\(nodes[source.node].name)' read the same topics with different "
                        + "timestamp extractors: a record has one timestamp, so give both the same")
            }
            replaced[source.node] = first.node
        }
        guard !replaced.isEmpty else { return }
        for node in nodes.indices {
            nodes[node].parents = nodes[node].parents.map { replaced[$0] ?? $0 }
        }
        for (node, first) in replaced { replaceInCopartitions(node, by: first) }
        sources = sources.map { source in
            guard let first = replaced[source.node] else { return source }
            var merged = source
            merged.node = first
            return merged
        }
        removed.formUnion(replaced.keys)
    }

    private func checkSources() throws {
        var owners: [String: Int] = [:]
        for source in sources {
            for topic in source.topics {
                if let other = owners[topic], other != source.node {
                    throw Self.twoReaders(of: topic, nodes[other].name, nodes[source.node].name)
                }
                owners[topic] = source.node
            }
        }
        let internalNames = Set(repartitions.map(\.name))
        for source in sources {
            guard let pattern = source.pattern else { continue }
            for (topic, owner) in owners.sorted(by: { $0.key < $1.key })
            where !internalNames.contains(topic) && pattern.matches(topic) {
                throw Self.twoReaders(of: topic, nodes[owner].name, nodes[source.node].name)
            }
        }
    }

    private func checkNames() throws {
        guard !sources.isEmpty else {
            throw TopologyError(.notConnected, "the topology reads no topic: begin with a stream or a table")
        }
        var seen: Set<String> = []
        for (index, node) in nodes.enumerated() where !removed.contains(index) {
            guard seen.insert(node.name).inserted else {
                throw TopologyError(
                    .conflict, "a node named '\(node.name)' is there already: give one of the two another name")
            }
        }
    }

    private func fingerprint(_ text: String, _ stores: [String: StoreDescription]) -> UInt32 {
        var writer = ByteWriter()
        writer.append(utf8: text)
        for name in stores.keys.sorted() {
            guard let store = stores[name] else { continue }
            writer.append(utf8: "\n\(name) \(store.identity)")
        }
        let low = UInt32(truncatingIfNeeded: checksum64(writer.bytes))
        return low == 0 ? 1 : low
    }

    // MARK: Connected parts

    private func subTopologies(_ existing: [String: Store]) -> [Topology.SubTopology] {
        var root = Array(nodes.indices)
        func find(_ node: Int) -> Int {
            var node = node
            while root[node] != node { node = root[node] }
            return node
        }
        func join(_ left: Int, _ right: Int) { root[find(left)] = find(right) }
        for (index, node) in nodes.enumerated() { for parent in node.parents { join(index, parent) } }
        for store in existing.values {
            for node in store.nodes.dropFirst() { join(node, store.nodes[0]) }
        }
        // Ids go by the first node of each part, in the order in which nodes were added (Docs/Semantics.md, Tasks).
        let live = nodes.indices.filter { !removed.contains($0) }.sorted {
            (places[$0] ?? ($0, 0)) < (places[$1] ?? ($1, 0))
        }
        var groups: [Int: Int] = [:]
        var order: [Int] = []
        for node in live {
            let top = find(node)
            if groups[top] == nil {
                groups[top] = order.count
                order.append(top)
            }
        }
        return order.enumerated().map { id, top in
            let members = live.filter { find($0) == top }
            let topics = Self.topics(of: members, nodes)
            let names = Set(members.flatMap { nodes[$0].stores })
            return Topology.SubTopology(
                id: id, nodes: members, sourceTopics: topics, stores: flushOrder(names, existing),
                isGlobal: sources.contains { $0.isGlobal && find($0.node) == top })
        }
    }

    // The order in which caches are flushed: what a flush forwards comes to nodes behind it, so that their stores have their turn
    // later. A node is added after its parents, which makes the numbers of nodes such an order. The store of an operator goes with
    // the operator, which forwards what is flushed; one that the user added forwards nothing, and goes with the last node that
    // writes into it.
    private func flushOrder(_ names: Set<String>, _ existing: [String: Store]) -> [String] {
        func place(_ name: String) -> Int {
            let nodes = existing[name]?.nodes ?? []
            return (userStores.contains(name) ? nodes.max() : nodes.first) ?? Int.max
        }
        return storeOrder.filter { names.contains($0) && existing[$0] != nil }.enumerated()
            .sorted { (place($0.element), $0.offset) < (place($1.element), $1.offset) }.map(\.element)
    }
}
