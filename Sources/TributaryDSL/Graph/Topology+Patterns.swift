internal import TributaryCore

extension Topology {
    /// The patterns of topics that its sources read.
    public var patterns: [TopicPattern] { makers.compactMap(\.pattern) }

    /// The same topology, reading those of some topics that fit its patterns, by name.
    ///
    /// Fingerprint, stores and numbers of nodes and sub-topologies stay. A source of which there is no topic yet reads none.
    ///
    /// - Parameter names: the topics that there are, but for the application's own.
    /// - Throws: ``TopologyError`` for a topic that two sources would read.
    public func resolvingPatterns(_ names: [String]) throws -> Topology {
        guard !patterns.isEmpty else { return self }
        var nodes = nodes
        var makers = makers
        var sources = sources
        var owners = Dictionary(uniqueKeysWithValues: (sources + globalSources).map { ($0.topic, $0.node) })
        for index in makers.indices {
            guard let pattern = makers[index].pattern else { continue }
            let node = makers[index].node
            let name = nodes[node].name
            let topics = names.filter(pattern.matches).sorted()
            makers[index].topics = topics
            nodes[node].kind = .source(topics: topics)
            for topic in topics {
                let owner = owners.updateValue(name, forKey: topic)
                // Streams of one pattern share their node.
                if owner == name { continue }
                if let owner { throw TopologyGraph.twoReaders(of: topic, owner, name) }
                sources.append(
                    Source(
                        topic: topic, node: name, isInternal: false, timestamps: makers[index].settings.timestamps,
                        reset: makers[index].settings.reset, accepts: makers[index].accepts))
            }
        }
        let parts = subTopologies.map { part in
            SubTopology(
                id: part.id, nodes: part.nodes, sourceTopics: TopologyGraph.topics(of: part.nodes, nodes),
                stores: part.stores)
        }
        return Topology(
            nodes: nodes, stores: stores, subTopologies: parts, globalSubTopologies: globalSubTopologies,
            internalTopics: internalTopics,
            copartitionGroups: TopologyGraph.copartitionGroups(copartitions, nodes),
            copartitionGroupsOfKafkaStreams: TopologyGraph.copartitionGroups(
                copartitions.map { $0.filter { $0 >= 0 } }, nodes), sources: sources,
            globalSources: globalSources, fingerprint: fingerprint, makers: makers, copartitions: copartitions)
    }
}
