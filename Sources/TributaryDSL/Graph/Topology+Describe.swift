extension Topology {
    /// The text that Kafka Streams' `Topology.describe()` gives (Docs/Semantics.md, Names), successors by name.
    public func describe() -> String { text(ofNodes: nodes, allSubTopologies) }

    /// The connected parts with and without tasks, by number.
    var allSubTopologies: [SubTopology] { (subTopologies + globalSubTopologies).sorted { $0.id < $1.id } }
}

func text(ofNodes nodes: [NodeDescription], _ parts: [Topology.SubTopology]) -> String {
    var successors = [[Int]](repeating: [], count: nodes.count)
    for (index, node) in nodes.enumerated() { for parent in node.parents { successors[parent].append(index) } }
    var sizes = [Int](repeating: 0, count: nodes.count)
    func size(_ node: Int) -> Int {
        if sizes[node] == 0 { sizes[node] = 1 + successors[node].reduce(0) { $0 + size($1) } }
        return sizes[node]
    }
    var text = "Topologies:\n"
    for (index, part) in parts.enumerated() {
        text += index == 0 ? "   " : "  "
        text += "Sub-topology: \(part.id)\(part.isGlobal ? " for global store (will not generate tasks)" : "")\n"
        let order = part.nodes.sorted { (size($1), nodes[$0].name) < (size($0), nodes[$1].name) }
        for number in order {
            let node = nodes[number]
            switch node.kind {
            case .source(let topics):
                text += "    Source: \(node.name) (topics: [\(topics.joined(separator: ", "))])\n"
            case .patternSource(let pattern): text += "    Source: \(node.name) (topics: \(pattern))\n"
            case .processor:
                text += "    Processor: \(node.name) (stores: [\(node.stores.joined(separator: ", "))])\n"
            case .sink(let topic?): text += "    Sink: \(node.name) (topic: \(topic))\n"
            case .sink(nil): text += "    Sink: \(node.name) (extractor class: closure)\n"
            }
            let isSink = if case .sink = node.kind { true } else { false }
            let isSource =
                switch node.kind {
                case .source, .patternSource: true
                case .processor, .sink: false
                }
            if !isSink {
                let next = successors[number].map { nodes[$0].name }.sorted()
                text += "      --> \(next.isEmpty ? "none" : next.joined(separator: ", "))\n"
            }
            if !isSource {
                let before = node.parents.map { nodes[$0].name }
                text += "      <-- \(before.isEmpty ? "none" : before.joined(separator: ", "))\n"
            }
        }
        // As there: no empty line behind these.
        if !part.isGlobal { text += "\n" }
    }
    return text
}
