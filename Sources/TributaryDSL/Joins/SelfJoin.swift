public import TributaryCore
public import TributaryLineage
public import TributaryState

/// A join of a stream with itself that needs only one of its stores, since each record finds at least itself; the types forgotten.
struct SelfJoinCandidate {
    let nodes: JoinNodes
    let stores: JoinStores
    /// Has the node of the results make them from one store.
    let merge: () -> Void
}

extension TopologyGraph {
    @usableFromInline
    func addSelfJoin(_ nodes: JoinNodes, _ stores: JoinStores, merge: @escaping () -> Void) {
        selfJoins.append(SelfJoinCandidate(nodes: nodes, stores: stores, merge: merge))
    }

    /// Has joins of a stream with itself do with one store.
    func mergeSelfJoins() {
        for join in selfJoins where nodes[join.nodes.leftWindowed].parents == nodes[join.nodes.rightWindowed].parents {
            join.merge()
            remove([join.nodes.rightWindowed, join.nodes.left, join.nodes.right])
            for store in [join.stores.right, join.stores.unmatched].compactMap({ $0 }) {
                stores[store] = nil
                storeOrder.removeAll { $0 == store }
            }
            stores[join.stores.left]?.nodes = [join.nodes.leftWindowed]
            nodes[join.nodes.merge].parents = [join.nodes.leftWindowed]
            connect(join.stores.left, to: join.nodes.merge)
        }
    }
}

/// A join of a stream with itself in one task: both sides' results, and that of each record with itself, in the order in which two stores
/// would give them.
@usableFromInline
final class SelfJoin<Key, Value, Other, Result> {
    @usableFromInline let left: JoinSide<Key, Value, Other, Result>
    @usableFromInline let right: JoinSide<Key, Other, Value, Result>
    @usableFromInline let retention: Int64

    @inlinable
    init(
        _ left: JoinSide<Key, Value, Other, Result>, _ right: JoinSide<Key, Other, Value, Result>, retention: Int64
    ) {
        self.left = left
        self.right = right
        self.retention = retention
    }

    @inlinable var input: JoinInput<Key, Value> {
        JoinInput { key, value, bytes, meta in try self.take(key, value, bytes, meta) }
    }

    @inlinable
    func take(_ key: Key?, _ value: Value?, _ bytes: RawSpan?, _ meta: borrowing RecordMeta) throws {
        let time = meta.timestamp
        left.progress.advance(to: time)
        guard let bytes else { return left.user.dropped(meta.hasKey ? .nullValue : .nullKey, meta) }
        guard meta.hasKey else { return left.user.dropped(.nullKey, meta) }
        let rows = left.rows.take()
        defer { left.rows.give(rows) }
        guard try left.find(meta, into: rows) else { return }
        try left.match(key, value, bytes, rows, 0..<rows.count, meta)
        guard try right.find(meta, into: rows) else { return }
        // A pair has the later time: itself, with its own, comes before what is later.
        let later = (0..<rows.count).first { KeySchema.window.time(of: rows.key($0)) > time } ?? rows.count
        try right.match(key, nil, bytes, rows, 0..<later, meta)
        if time > left.progress.time.subtractingSaturated(retention).addingSaturated(1) {
            try pairWithItself(key, value, bytes, meta)
        }
        try right.match(key, nil, bytes, rows, later..<rows.count, meta)
    }

    @inlinable
    func pairWithItself(_ key: Key?, _ value: Value?, _ bytes: RawSpan, _ meta: borrowing RecordMeta) throws {
        let result: Result
        let record: Key?
        do {
            record = try left.decoded(key, meta)
            result = try left.joiner(record, value ?? left.own.decode(bytes), left.other.decode(bytes))
        } catch {
            return try left.user.failed(error, meta)
        }
        let own = meta.lineage
        let twice = CollectionOfOne(left.recorder.combine(own.context, own.cell, own.cell))
        try left.send(record, result, meta.with(twice.span))
    }
}
