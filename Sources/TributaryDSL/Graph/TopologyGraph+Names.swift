internal import TributaryCore
internal import TributaryState

extension TopologyGraph {
    /// What tables beside a store's rows are called behind its name.
    private static var graves: String { ".graves" }
    private static var expiries: String { ".expiries" }

    /// Checks what becomes names of topics and tables, and the numbers of stores.
    ///
    /// - Throws: `TopologyError` that says which and what it can be.
    func checkSpelling() throws {
        for node in nodes {
            switch node.kind {
            case .source(let topics): for topic in topics { try check(topic: topic, "reads", node.name) }
            case .sink(let topic?): try check(topic: topic, "writes", node.name)
            case .sink(nil), .processor, .patternSource: break
            }
        }
        for (name, store) in stores {
            if name.hasSuffix(Self.graves) || name.hasSuffix(Self.expiries) {
                throw TopologyError(
                    .invalidName, "the store's name '\(name)' ends like a table of Tributary's own: give it another")
            }
            let (retention, size) = (store.description.retention ?? 0, store.description.windowSize ?? 0)
            guard retention >= 0, size >= 0 else {
                throw TopologyError(
                    .invalidSetting,
                    "the store '\(name)' has a retention of \(retention) ms and windows of \(size) ms: neither can be below 0"
                )
            }
        }
    }

    private func check(topic: String, _ verb: String, _ node: String) throws {
        guard TopicName.isValid(topic) else {
            throw TopologyError(
                .invalidName,
                "node '\(node)' \(verb) the topic '\(topic)', which is no topic's name: 1 to \(TopicName.maximumLength) of the "
                    + "characters A-Z a-z 0-9 . _ - and neither '.' nor '..'")
        }
    }
}
