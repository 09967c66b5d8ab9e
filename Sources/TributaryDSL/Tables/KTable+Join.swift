public import TributaryCore
public import TributaryLineage
public import TributaryState

extension KTable {
    /// Joins two tables of the same keys: a row for each key that both have.
    ///
    /// A change of either makes the row anew, at the later of both rows' times; a delete of either deletes it.
    ///
    /// - Parameters:
    ///   - other: the other table, of topics with as many partitions.
    ///   - name: the name of a store that keeps the result, which makes it queryable.
    ///   - value: the result's serde.
    ///   - materialized: that store's settings, if more than its name is to be said; there is a store, too, if they have no name.
    ///   - named: the node's name; those of the two sides begin with it.
    ///   - joiner: makes a row; gives the same for the same, since it may be asked again.
    @inlinable
    public func join<Other, Result>(
        _ other: KTable<Key, Other>, as name: String? = nil, value: Serde<Result>? = nil,
        materialized: Materialized<Key, Result>? = nil, named: String? = nil,
        @Returning<Result> _ joiner: @escaping @Sendable (Value, Other) throws -> Result
    ) -> KTable<Key, Result> {
        joined(.inner, other, as: name, value, materialized, named) { left, right in
            guard let left, let right else { return nil }
            return try joiner(left, right)
        }
    }

    /// Joins two tables of the same keys: a row for each key of this one, with nil where the other has none.
    ///
    /// See ``join(_:as:value:materialized:named:_:)``.
    @inlinable
    public func leftJoin<Other, Result>(
        _ other: KTable<Key, Other>, as name: String? = nil, value: Serde<Result>? = nil,
        materialized: Materialized<Key, Result>? = nil, named: String? = nil,
        @Returning<Result> _ joiner: @escaping @Sendable (Value, Other?) throws -> Result
    ) -> KTable<Key, Result> {
        joined(.left, other, as: name, value, materialized, named) { left, right in
            guard let left else { return nil }
            return try joiner(left, right)
        }
    }

    /// Joins two tables of the same keys: a row for each key that one of both has, with nil for what the other lacks.
    ///
    /// See ``join(_:as:value:materialized:named:_:)``.
    @inlinable
    public func outerJoin<Other, Result>(
        _ other: KTable<Key, Other>, as name: String? = nil, value: Serde<Result>? = nil,
        materialized: Materialized<Key, Result>? = nil, named: String? = nil,
        @Returning<Result> _ joiner: @escaping @Sendable (Value?, Other?) throws -> Result
    ) -> KTable<Key, Result> {
        joined(.outer, other, as: name, value, materialized, named) { left, right in
            left == nil && right == nil ? nil : try joiner(left, right)
        }
    }

    @inlinable
    func joined<Other, Result>(
        _ kind: JoinKind, _ other: KTable<Key, Other>, as name: String?, _ serde: Serde<Result>?,
        _ materialized: Materialized<Key, Result>?, _ named: String?,
        _ joiner: @escaping @Sendable (Value?, Other?) throws -> Result?
    ) -> KTable<Key, Result> {
        let settings = materialized ?? name.map { Materialized(as: $0) }
        let storeName = settings.map { graph.storeName("KTABLE-MERGE-", $0.name) }
        let mergeName = graph.name("KTABLE-MERGE-", named)
        let leftName = graph.name("KTABLE-JOINTHIS-", named.map { "\($0)-join-this" })
        let rightName = graph.name("KTABLE-JOINOTHER-", named.map { "\($0)-join-other" })
        let leftSide = graph.add(leftName, parents: [node])
        let rightSide = graph.add(rightName, parents: [other.node])
        other.source.connect(graph, leftSide)
        source.connect(graph, rightSide)
        if kind.keepsLeft { _ = source.askForOld(graph, true) }
        if kind.keepsRight { _ = other.source.askForOld(graph, true) }
        let merge = graph.add(mergeName, parents: [leftSide, rightSide])
        let sources = sources.union(other.sources)
        graph.copartition(sources)

        let key = settings?.key ?? keySerde ?? other.keySerde
        let value = settings?.value ?? serde ?? .standard
        let output = TableOutput<Key, Result>()
        let merged = JoinedTables(kind, source, other.source, joiner)
        var own: TableStoreState?
        if let settings, let storeName {
            if key == nil || value == nil { graph.failWithoutSerde("the table '\(storeName)'", key, value) }
            own = TableStoreState(
                settings.description(
                    graph, storeName, .timestampedKeyValue, latestWins: true,
                    generated: settings.name == nil, serdes: "\(key?.name ?? "?") \(value?.name ?? "?")"),
                node: merge, graph: graph, isMaterialized: true)
        }
        let state = own
        let sides = NodeOutput<ChangeInput<Key, Result>>()
        sides.attach(merge, mergeName) { context in
            let next = try output.sink(in: context)
            let user = UserCode(mergeName, context.services)
            guard let state, let value else { return ChangeInput { try next.update($0, $1, $2, $3) } }
            let writer = TableWriter(
                next, key, value, try context.services.store(state.name), user, context.recorder,
                sendsOld: merged.sendsOld, readsRow: false, givesOld: true)
            return ChangeInput { key, new, old, meta in try writer.write(key, new, old: old, meta) }
        }
        let left = self.output
        left.attach(leftSide, leftName) { context in
            joinSide(
                try sides.sink(in: context), UserCode(leftName, context.services), context.recorder,
                try merged.right.view(context), sendsOld: merged.sendsOld, standsAlone: kind.keepsLeft,
                matchStandsAlone: kind.keepsRight, dropsOutdated: merged.left.history != nil, joiner)
        }
        other.output.attach(rightSide, rightName) { context in
            joinSide(
                try sides.sink(in: context), UserCode(rightName, context.services), context.recorder,
                try merged.left.view(context), sendsOld: merged.sendsOld, standsAlone: kind.keepsRight,
                matchStandsAlone: kind.keepsLeft, dropsOutdated: merged.right.history != nil
            ) { right, left in try joiner(left, right) }
        }
        return KTable<Key, Result>(
            graph: graph, node: merge, output: output, keySerde: key, valueSerde: value,
            source: merged.source(storedIn: state, value), sources: sources)
    }
}

/// Which rows of two tables are in their join.
@usableFromInline
enum JoinKind: Sendable {
    case inner
    case left
    case outer

    /// Whether rows of the left table are in it that have no match.
    @inlinable var keepsLeft: Bool { self != .inner }
    /// Whether rows of the right table are in it that have no match.
    @inlinable var keepsRight: Bool { self == .outer }
}

/// The receiving end of what a join makes of both sides' changes.
@usableFromInline
final class ChangeInput<Key, Value>: NodeReceiver {
    @usableFromInline let update: (Key, Value?, Value?, borrowing RecordMeta) throws -> Void

    @inlinable
    init(_ update: @escaping (Key, Value?, Value?, borrowing RecordMeta) throws -> Void) { self.update = update }

    @usableFromInline
    static func all(_ receivers: [ChangeInput]) -> ChangeInput {
        if receivers.count == 1, let only = receivers.first { return only }
        return ChangeInput { key, new, old, meta in for each in receivers { try each.update(key, new, old, meta) } }
    }

    @usableFromInline
    func within(_ around: @escaping Around) -> ChangeInput {
        ChangeInput { key, new, old, meta in try around(meta) { try self.update(key, new, old, $0) } }
    }
}

/// Two joined tables while a topology is built.
@usableFromInline
struct JoinedTables<Key, Left, Right, Result>: Sendable {
    @usableFromInline let kind: JoinKind
    @usableFromInline let left: TableSource<Key, Left>
    @usableFromInline let right: TableSource<Key, Right>
    @usableFromInline let joiner: @Sendable (Left?, Right?) throws -> Result?
    @usableFromInline let old = BuildBox(false)

    @inlinable
    init(
        _ kind: JoinKind, _ left: TableSource<Key, Left>, _ right: TableSource<Key, Right>,
        _ joiner: @escaping @Sendable (Left?, Right?) throws -> Result?
    ) {
        self.kind = kind
        self.left = left
        self.right = right
        self.joiner = joiner
    }

    /// Whether somebody behind asked for old values, which both sides then send.
    @inlinable var sendsOld: Bool { old.get() }

    /// What the join is read from: its store, or both tables.
    @inlinable
    func source(storedIn store: TableStoreState?, _ value: Serde<Result>?) -> TableSource<Key, Result> {
        let stored = store.map { TableSource<Key, Result>($0, value) }
        return TableSource(
            store: store,
            connect: { graph, node in
                if let stored { return stored.connect(graph, node) }
                left.connect(graph, node)
                right.connect(graph, node)
            },
            askForOld: { graph, _ in
                _ = left.askForOld(graph, true)
                _ = right.askForOld(graph, true)
                store?.requireOldValues(graph)
                old.set(true)
                return true
            },
            view: { context in
                if let stored { return try stored.view(context) }
                return TableView(kind, try left.view(context), try right.view(context), context.recorder, joiner)
            })
    }
}

extension TableView {
    /// The rows of a join that nobody keeps.
    @inlinable
    convenience init<Left, Right>(
        _ kind: JoinKind, _ left: TableView<Key, Left>, _ right: TableView<Key, Right>, _ recorder: LineageRecorder,
        _ joiner: @escaping @Sendable (Left?, Right?) throws -> Value?
    ) {
        let nulls = Nullability<Value>.of()
        // Both may lie in one store, which only knows what was read last.
        let found = Owned((lineage: Lineage.none, timestamp: Int64(0)))
        let spans = Owned((left: false, right: false))
        self.init(
            row: { key, meta in
                let one = try left.row(key, meta)
                if one == nil && !kind.keepsRight { return nil }
                let lineage = one == nil ? Lineage.none : left.lineage()
                let time = one == nil ? Int64.min : left.timestamp()
                let other = try right.row(key, meta)
                if other == nil && (one == nil || !kind.keepsLeft) { return nil }
                if other != nil {
                    let right = right.lineage()
                    found.value.lineage =
                        one == nil ? right : recorder.combine(right.context, lineage.cell, right.cell)
                } else {
                    found.value.lineage = lineage
                }
                found.value.timestamp = max(time, other == nil ? Int64.min : right.timestamp())
                spans.value = (one != nil, other != nil)
                guard let result = try joiner(one, other) else { return nil }
                return nulls?.isNull(result) == true ? nil : result
            },
            readSpan: { parent, link in
                var context = parent
                if spans.value.left { context = left.readSpan(context, link) }
                if spans.value.right { context = right.readSpan(context, link) }
                return context
            },
            missSpan: left.missSpan, lineage: { found.value.lineage }, timestamp: { found.value.timestamp },
            passHeaders: { origin in
                if spans.value.left { left.passHeaders(origin) }
                if spans.value.right { right.passHeaders(origin) }
            })
    }
}

/// The receiving end of one side of a join of tables: looks up the other side's row with each change of its own.
///
/// - Parameters:
///   - standsAlone: whether a row of this side makes a result without a match.
///   - matchStandsAlone: whether a row of the other side does.
///   - dropsOutdated: whether changes of rows that have newer versions are left out.
@inlinable
func joinSide<Key, Event, Match, Result>(
    _ next: ChangeInput<Key, Result>, _ user: UserCode, _ recorder: LineageRecorder, _ matches: TableView<Key, Match>,
    sendsOld: Bool, standsAlone: Bool, matchStandsAlone: Bool, dropsOutdated: Bool,
    _ joiner: @escaping @Sendable (Event?, Match?) throws -> Result?
) -> TableInput<Key, Event> {
    let nulls = Nullability<Result>.of()
    @inline(__always)
    func make(_ event: Event?, _ match: Match?) throws -> Result? {
        guard event != nil || match != nil && matchStandsAlone, let result = try joiner(event, match) else {
            return nil
        }
        return nulls?.isNull(result) == true ? nil : result
    }
    return TableInput(update: { key, new, old, meta in
        if dropsOutdated && meta.isOutdated { return user.dropped(.outdated, meta) }
        let match: Match?
        let result: Result?
        var before: Result?
        var context = meta.lineage.context
        var lineage = meta.lineage
        var timestamp = meta.timestamp
        do {
            match = try matches.row(key, meta)
            if match == nil {
                matches.missSpan(context)
                guard standsAlone, new != nil || old != nil else { return }
            } else {
                // A row that is made anew since the other side's has gone is of what is left.
                if new == nil && matchStandsAlone && recorder.makesSpan(context) { recorder.triggered() }
                context = matches.readSpan(context, .joined)
                lineage = matches.lineage()
                timestamp = max(timestamp, matches.timestamp())
                matches.passHeaders(meta.origin)
            }
            result = try make(new, match)
            if sendsOld { before = try make(old, match) }
        } catch {
            return try user.failed(error, meta)
        }
        // A delete is made by the event alone.
        let made =
            match == nil || result == nil
            ? Lineage(context: context, cell: meta.lineage.cell)
            : new == nil
                ? Lineage(context: context, cell: lineage.cell)
                : recorder.combine(context, meta.lineage.cell, lineage.cell)
        guard sendsOld else {
            let held = CollectionOfOne(made)
            return try next.update(key, result, nil, meta.with(timestamp: timestamp, held.span))
        }
        let replaced = meta.oldLineage ?? .none
        let old =
            match == nil || before == nil
            ? replaced
            : old == nil
                ? lineage
                // An initial value made no row before, nor does what a suppression kept to itself.
                : recorder.combine(
                    replaced.context, replaced.cell.isEmpty ? replaced.cell.with(flags: Cell.unseen) : replaced.cell,
                    lineage.cell)
        let held: InlineArray<2, Lineage> = [made, old]
        try next.update(key, result, before, meta.with(timestamp: timestamp, held.span))
    })
}
