public import TributaryCore
public import TributaryLineage

extension KStream {
    /// Joins each record with the global table's row of a key that is selected from it; records without a row are left out.
    ///
    /// The result has the record's key and timestamp, and nothing is repartitioned. Records with a null value or for which no key is selected
    /// are dropped and counted; a null key of the record's own is no obstacle.
    ///
    /// - Parameters:
    ///   - table: the table.
    ///   - named: the node's name.
    ///   - value: the serde of the results.
    ///   - select: the key of the row, from the record's key and value; nil for none.
    ///   - joiner: makes the result, from the record's value and the row.
    @inlinable
    public func join<RowKey, Other, Result>(
        _ table: GlobalKTable<RowKey, Other>, named: String? = nil, value: Serde<Result>? = nil,
        by select: @escaping @Sendable (Key, Value) throws -> RowKey?,
        @Returning<Result> _ joiner: @escaping @Sendable (Value, Other) throws -> Result
    ) -> KStream<Key, Result> {
        joinedGlobally(
            table, named, value, select, matched: { _, left, right in try joiner(left, right) }, missed: nil)
    }

    /// Joins each record with the global table's row of a key that is selected from it, the record's key given to the closure too.
    @inlinable
    public func joinWithKey<RowKey, Other, Result>(
        _ table: GlobalKTable<RowKey, Other>, named: String? = nil, value: Serde<Result>? = nil,
        by select: @escaping @Sendable (Key, Value) throws -> RowKey?,
        @Returning<Result> _ joiner: @escaping @Sendable (Key, Value, Other) throws -> Result
    ) -> KStream<Key, Result> {
        joinedGlobally(table, named, value, select, matched: joiner, missed: nil)
    }

    /// Joins each record with the global table's row of a key that is selected from it, or with nil if there is none or no key is selected.
    ///
    /// Records with a null value are dropped and counted.
    @inlinable
    public func leftJoin<RowKey, Other, Result>(
        _ table: GlobalKTable<RowKey, Other>, named: String? = nil, value: Serde<Result>? = nil,
        by select: @escaping @Sendable (Key, Value) throws -> RowKey?,
        @Returning<Result> _ joiner: @escaping @Sendable (Value, Other?) throws -> Result
    ) -> KStream<Key, Result> {
        joinedGlobally(
            table, named, value, select, matched: { _, left, right in try joiner(left, right) },
            missed: { _, left in try joiner(left, nil) })
    }

    /// Joins each record with the global table's row of a key that is selected from it, or with nil; the record's key given to the closure too.
    @inlinable
    public func leftJoinWithKey<RowKey, Other, Result>(
        _ table: GlobalKTable<RowKey, Other>, named: String? = nil, value: Serde<Result>? = nil,
        by select: @escaping @Sendable (Key, Value) throws -> RowKey?,
        @Returning<Result> _ joiner: @escaping @Sendable (Key, Value, Other?) throws -> Result
    ) -> KStream<Key, Result> {
        joinedGlobally(
            table, named, value, select, matched: { try joiner($0, $1, $2) }, missed: { try joiner($0, $1, nil) })
    }

    @inlinable
    func joinedGlobally<RowKey, Other, Result>(
        _ table: GlobalKTable<RowKey, Other>, _ named: String?, _ value: Serde<Result>?,
        _ select: @escaping @Sendable (Key, Value) throws -> RowKey?,
        matched: @escaping @Sendable (Key, Value, Other) throws -> Result,
        missed: (@Sendable (Key, Value) throws -> Result)?
    ) -> KStream<Key, Result> {
        // Kafka Streams calls both kinds of join that, and connects neither to the store.
        let name = graph.name("KSTREAM-LEFTJOIN-", named)
        let id = graph.add(name, parents: [node])
        if missed != nil { graph.relaxedJoins.append(id) }
        let output = Output<Key, Result>()
        let (store, rowKey, row) = (table.storeName, table.keySerde, table.valueSerde)
        attachLookup(
            self.output, id, name, output, view: { TableView<RowKey, Other>(try $0.services.store(store), row) },
            find: { view, _ in
                let scratch = ScratchBuffer()
                let nulls = Nullability<RowKey>.of()
                return { key, left, meta in
                    guard let wanted = try select(key, left), nulls?.isNull(wanted) != true else { return .noKey }
                    let buffer = scratch.take()
                    defer { scratch.give(buffer) }
                    try rowKey.encode(wanted, &buffer.writer)
                    return Lookup(try view.row(wanted, meta.with(key: buffer.bytes)))
                }
            }, matched: matched, missed: missed)
        return KStream<Key, Result>(
            graph: graph, node: id, output: output, keySerde: keySerde, valueSerde: value,
            needsRepartition: needsRepartition, sources: sources)
    }
}
