public import TributaryCore
internal import TributaryLineage

/// A node that changes keys, or merges streams that do, with what its children are given.
struct KeyChange {
    let node: Int
    /// The node's `Output`: the repartition topics below are of its types, as long as no value is changed on the way.
    let output: AnyObject
    /// Names of the serdes that it says.
    let key: String?
    let value: String?
}

/// A repartition topic that the optimiser may merge with others, its types forgotten.
struct MergeableRepartition {
    let topic: String
    let filter: Int
    let sink: Int
    let source: Int
    /// Makes the topic that takes the place of this and others behind a change of key, and moves those children behind it; gives its source node
    /// and what ``dissolve`` takes, or nil if the keys and values there are of other types.
    let merge: (TopologyGraph, KeyChange, RepartitionNames, _ moved: Set<Int>) -> (source: Int, stream: Any)?
    /// Gives what is behind this topic to its parent node instead; `isDirect` if that is the merged topic's source.
    let dissolve: (_ merged: Any, KeyChange, _ isDirect: Bool) -> Void
}

extension TopologyGraph {
    @usableFromInline
    func noteKeyChange<Key, Value>(
        _ node: Int, _ output: Output<Key, Value>, _ key: Serde<Key>?, _ value: Serde<Value>?
    ) {
        keyChanges.append(KeyChange(node: node, output: output, key: key?.name, value: value?.name))
    }

    @usableFromInline
    func noteMerge<Key, Value>(
        _ node: Int, _ output: Output<Key, Value>, _ key: Serde<Key>?, _ value: Serde<Value>?
    ) {
        merges.append(KeyChange(node: node, output: output, key: key?.name, value: value?.name))
    }

    @usableFromInline
    func noteValueChange(_ node: Int) { valueChanges.insert(node) }

    @usableFromInline
    func noteProcessor<Key, Value>(
        _ node: Int, _ output: Output<Key, Value>, _ key: Serde<Key>?, _ value: Serde<Value>?
    ) {
        processors.append(KeyChange(node: node, output: output, key: key?.name, value: value?.name))
    }

    @usableFromInline
    func noteValueProcessor(_ node: Int) { valueProcessors.insert(node) }

    /// Has processors count as what they may be: changes of keys, and of values.
    func countProcessors() {
        keyChanges = (keyChanges + processors).sorted { $0.node < $1.node }
        valueChanges.formUnion(valueProcessors)
    }

    @usableFromInline
    func addMergeable<Key, Value>(
        _ own: RepartitionedStream<Key, Value>, _ names: RepartitionNames, behind parent: Output<Key, Value>
    ) {
        mergeables.append(
            MergeableRepartition(
                topic: names.topic, filter: own.filter, sink: own.sink, source: own.source,
                merge: { graph, change, names, moved in
                    guard let output = change.output as? Output<Key, Value> else { return nil }
                    let made = RepartitionedStream(
                        graph, change.node, output, names, own.keySerde, own.valueSerde, nil)
                    let stays = change.key == own.keySerde.name && change.value == own.valueSerde.name
                    output.moveChildren(to: stays ? made.output : changedKeys(made.output)) { moved.contains($0) }
                    return (made.source, made)
                },
                dissolve: { merged, change, isDirect in
                    guard let merged = merged as? RepartitionedStream<Key, Value> else { return }
                    let names = [merged.keySerde.name, merged.valueSerde.name]
                    let isSame = names == [own.keySerde.name, own.valueSerde.name]
                    guard !isDirect else {
                        return own.output.moveChildren(
                            to: isSame ? merged.output : encodedKeys(merged.output, own.keySerde, always: true))
                    }
                    // What lies between may have changed keys, or was given them in another layout.
                    let isChanged = !isSame || change.key != own.keySerde.name || change.value != own.valueSerde.name
                    own.output.moveChildren(to: encodedKeys(parent, own.keySerde, always: isChanged))
                }))
    }

    /// Has repartition topics that follow one change of key become one.
    func mergeRepartitions() {
        for (change, list) in mergeablesByChange() where !list.isEmpty { merge(list, behind: change) }
    }

    // Which change of key each topic follows, the changes in order (Docs/Semantics.md, Repartitioning).
    private func mergeablesByChange() -> [(change: KeyChange, list: [MergeableRepartition])] {
        var found: [(change: KeyChange, list: [MergeableRepartition])] = keyChanges.map { ($0, []) }
        let changes = Set(keyChanges.map(\.node))
        for item in mergeables {
            let nearest = ancestor(of: item.filter) { changes.contains($0) || valueChanges.contains($0) }
            guard let nearest, changes.contains(nearest), nearest == ancestor(of: item.filter, where: changes.contains),
                let place = found.firstIndex(where: { $0.change.node == nearest })
            else { continue }
            found[place].list.append(item)
        }
        // Several that are merged before any of their records is repartitioned are repartitioned behind the merge.
        var behindMerges: [(change: KeyChange, list: [MergeableRepartition])] = []
        var above: Set<Int> = []
        for merge in merges {
            let own = found.indices.filter { place in
                let (change, list) = found[place]
                return isBelow(merge.node, change.node) && list.allSatisfy { isBelow($0.filter, merge.node) }
            }
            above.formUnion(own)
            behindMerges.append((merge, own.flatMap { found[$0].list }))
        }
        return found.indices.filter { !above.contains($0) }.map { found[$0] } + behindMerges
    }

    private func isBelow(_ node: Int, _ other: Int) -> Bool {
        ancestor(of: node) { nodes[$0].parents.contains(other) } != nil
    }

    // The first node upwards, itself included, for which something is true; of several branches a parent for which it is, else the last.
    private func ancestor(of node: Int, where isIt: (Int) -> Bool) -> Int? {
        if isIt(node) { return node }
        var found: Int?
        for parent in nodes[node].parents {
            if isIt(parent) { return parent }
            found = ancestor(of: parent, where: isIt)
        }
        return found
    }

    private func merge(_ list: [MergeableRepartition], behind change: KeyChange) {
        let list = list.filter { !removed.contains($0.filter) }
        let below = list.map { item in ancestor(of: item.filter) { nodes[$0].parents.contains(change.node) } }
        let own = zip(list, below).filter { $1 != nil }.map(\.0)
        guard let first = own.first else { return }
        let filters = Set(own.map(\.filter))
        let moved = Set(below.compactMap { $0 }).subtracting(filters)
        guard let made = first.merge(self, change, RepartitionNames(topic: first.topic), moved) else { return }
        for node in (made.source - 2)...made.source { places[node] = (change.node, node) }
        for node in moved { replace(parent: change.node, of: node, by: made.source) }
        for item in own {
            let parent = nodes[item.filter].parents.first ?? change.node
            let isDirect = parent == change.node
            item.dissolve(made.stream, change, isDirect)
            for node in nodes.indices { replace(parent: item.source, of: node, by: isDirect ? made.source : parent) }
            remove([item.filter, item.sink, item.source])
            repartitionFilters[item.source] = nil
            replaceInCopartitions(item.source, by: made.source)
            sources.removeAll { $0.node == item.source }
            if item.topic != first.topic { repartitions.removeAll { $0.name == item.topic } }
        }
    }

    /// Takes nodes out that nothing leads to any more.
    func remove(_ gone: [Int]) {
        for node in gone {
            nodes[node] = NodeDescription(name: nodes[node].name, kind: .processor, parents: [], stores: [])
        }
        removed.formUnion(gone)
    }

    private func replace(parent: Int, of node: Int, by other: Int) {
        nodes[node].parents = nodes[node].parents.map { $0 == parent ? other : $0 }
    }
}

/// Children that are told that the key isn't the one its bytes are of, as behind the change itself.
private func changedKeys<Key, Value>(_ output: Output<Key, Value>) -> Output<Key, Value> {
    Output(output) { next, _, _ in
        NodeInput(
            call: { key, value, meta in try next.call(key, value, meta.withChangedKey(isNull: !meta.hasKey)) },
            delete: { key, meta in try next.delete(key, meta.withChangedKey(isNull: !meta.hasKey)) })
    }
}

/// Children that are given the key's bytes in a serde's layout: made anew always, or where they aren't the key's.
private func encodedKeys<Key, Value>(
    _ output: Output<Key, Value>, _ serde: Serde<Key>, always: Bool
) -> Output<Key, Value> {
    Output(output) { next, name, context in
        let encoder = KeyEncoder(serde, UserCode(name, context.services))
        return NodeInput(
            call: { key, value, meta in
                guard always || meta.keyIsStale else { return try next.call(key, value, meta) }
                try encoder.encodeAnew(key, meta) { try next.call(key, value, $0) }
            },
            delete: { key, meta in
                guard always || meta.keyIsStale else { return try next.delete(key, meta) }
                try encoder.encodeAnew(key, meta) { try next.delete(key, $0) }
            })
    }
}
