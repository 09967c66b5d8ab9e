internal import TributaryCore

extension Topology {
    /// The topology as a Mermaid flowchart: topics, nodes and stores, sub-topologies as frames.
    public func mermaid() -> String {
        var text = "flowchart TD\n"
        draw(
            part: { id, lines in
                text += "  subgraph s\(id)[\"Sub-topology \(id)\"]\n\(lines.map { "    \($0)\n" }.joined())  end\n"
            },
            node: { id, label, shape in
                let label = label.replacingQuotes(with: "#quot;")
                return switch shape {
                case .topic: "\(id)[/\"\(label)\"/]"
                case .processor: "\(id)[\"\(label)\"]"
                case .store: "\(id)[(\"\(label)\")]"
                }
            },
            line: { text += "  \($0)\n" }, edge: { "\($0) \($2 ? "---" : "-->") \($1)" })
        return text
    }

    /// The topology as a graph in Graphviz's DOT language.
    public func dot() -> String {
        var text = "digraph topology {\n  node [shape=box];\n"
        draw(
            part: { id, lines in
                text += "  subgraph cluster_\(id) {\n    label=\"Sub-topology \(id)\";\n"
                text += lines.map { "    \($0);\n" }.joined() + "  }\n"
            },
            node: { id, label, shape in
                let label = label.replacingQuotes(with: "\\\"")
                return switch shape {
                case .topic: "\(id) [label=\"\(label)\", shape=parallelogram]"
                case .processor: "\(id) [label=\"\(label)\"]"
                case .store: "\(id) [label=\"\(label)\", shape=cylinder]"
                }
            },
            line: { text += "  \($0);\n" }, edge: { "\($0) -> \($1)\($2 ? " [dir=none]" : "")" })
        return text + "}\n"
    }

    private enum Shape {
        case topic
        case processor
        case store
    }

    private func draw(
        part: (Int, [String]) -> Void, node: (String, String, Shape) -> String, line: (String) -> Void,
        edge: (_ from: String, _ to: String, _ isStore: Bool) -> String
    ) {
        var topics: [String] = []
        func topic(_ name: String) -> String {
            if let known = topics.firstIndex(of: name) { return "t\(known)" }
            topics.append(name)
            return "t\(topics.count - 1)"
        }
        var edges: [String] = []
        var stores: [String] = []
        for subTopology in allSubTopologies {
            var lines: [String] = []
            for number in subTopology.nodes {
                let found = nodes[number]
                lines.append(node("n\(number)", found.name, .processor))
                for parent in found.parents { edges.append(edge("n\(parent)", "n\(number)", false)) }
                switch found.kind {
                case .source(let names): for name in names { edges.append(edge(topic(name), "n\(number)", false)) }
                case .patternSource(let pattern): edges.append(edge(topic(pattern.description), "n\(number)", false))
                case .sink(let name?): edges.append(edge("n\(number)", topic(name), false))
                case .sink(nil), .processor: break
                }
                for name in found.stores {
                    if !stores.contains(name) {
                        stores.append(name)
                        lines.append(node("k\(stores.count - 1)", name, .store))
                    }
                    if let store = stores.firstIndex(of: name) {
                        edges.append(edge("n\(number)", "k\(store)", true))
                    }
                }
            }
            part(subTopology.id, lines)
        }
        for (number, name) in topics.enumerated() { line(node("t\(number)", name, .topic)) }
        for edge in edges { line(edge) }
    }

    /// The topology as JSON: `subTopologies`, each with its `nodes` (name, kind, topics, stores, successors), and `internalTopics`.
    public func json() -> String {
        var successors = [[String]](repeating: [], count: nodes.count)
        for node in nodes { for parent in node.parents { successors[parent].append(node.name) } }
        func list(_ names: [String]) -> String { "[" + names.map(\.jsonQuoted).joined(separator: ",") + "]" }
        let parts = allSubTopologies.map { part in
            let shown = part.nodes.map { number in
                let node = nodes[number]
                let (kind, topics) =
                    switch node.kind {
                    case .source(let topics): ("source", topics)
                    case .patternSource(let pattern): ("source", [pattern.description])
                    case .processor: ("processor", [])
                    case .sink(let topic): ("sink", topic.map { [$0] } ?? [])
                    }
                return "{\"name\":\(node.name.jsonQuoted),\"kind\":\"\(kind)\",\"topics\":\(list(topics)),"
                    + "\"stores\":\(list(node.stores)),\"successors\":\(list(successors[number]))}"
            }
            return "{\"id\":\(part.id),\"global\":\(part.isGlobal),\"nodes\":[\(shown.joined(separator: ","))]}"
        }
        let topics = internalTopics.map { topic in
            "{\"name\":\(topic.name.jsonQuoted),\"kind\":\"\(topic.kind.rawValue)\"}"
        }
        return "{\"subTopologies\":[\(parts.joined(separator: ","))],"
            + "\"internalTopics\":[\(topics.joined(separator: ","))]}\n"
    }
}

extension String {
    fileprivate func replacingQuotes(with other: String) -> String {
        split(separator: "\"", omittingEmptySubsequences: false).joined(separator: other)
    }

    /// The text as a JSON string (RFC 8259, section 7).
    fileprivate var jsonQuoted: String {
        var text = "\""
        for scalar in unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }
}
