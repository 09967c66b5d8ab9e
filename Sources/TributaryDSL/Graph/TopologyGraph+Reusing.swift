internal import TributaryState

/// A table of a topic, whose store the topic could be the changelog of.
struct SourceTable {
    let store: String
    let topic: String
}

extension TopologyGraph {
    /// A table's rows are its topic's records, byte for byte.
    @usableFromInline
    func noteSourceTable(_ store: String, of topic: String) {
        sourceTables.append(SourceTable(store: store, topic: topic))
    }

    /// Has tables of topics do without changelogs of their own.
    func reuseSourceTopics() {
        for table in sourceTables {
            updateStore(table.store) { store in
                store.isLogged = false
                store.sourceTopic = table.topic
            }
        }
    }
}
