internal import TributaryDSL
internal import TributaryState

extension StreamTask {
    /// Whether a kill between two commits can lose what an operator has given on once and for all.
    ///
    /// That is the case where an operator forgets or drops what it has given on (a record that waited for its match, or that is known by
    /// now), while what comes of it waits behind for the next commit: in a cache, or beside the thread.
    var losesWhatWasGivenOn: Bool {
        let own = Set(subTopologies.flatMap(\.nodes))
        var behind: Set<Int> = []
        for node in own where topology.nodes[node].stores.contains(where: { topology.stores[$0]?.givesOnOnce == true })
        {
            if !pending.isEmpty { return true }
            behind.insert(node)
        }
        guard !behind.isEmpty else { return false }
        // Nodes aren't always numbered behind their parents.
        var count = 0
        while behind.count > count {
            count = behind.count
            for node in own where topology.nodes[node].parents.contains(where: behind.contains) { behind.insert(node) }
        }
        return behind.contains { node in
            topology.nodes[node].stores.contains { (try? stores.store($0))?.isCached == true }
        }
    }
}
