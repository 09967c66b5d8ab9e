public import TributaryCore
internal import TributaryLineage

// Joins of a stream whose keys may be null with a table, whose keys never are.
extension KStream {
    /// Joins each record that has a key with the table's row of that key; null keys are dropped and counted.
    @inlinable
    public func join<TableKey, Other, Result>(
        _ table: KTable<TableKey, Other>, named: String? = nil, key: Serde<Key>? = nil, value: Serde<Value>? = nil,
        result: Serde<Result>? = nil, grace: Duration? = nil,
        @Returning<Result> _ joiner: @escaping @Sendable (Value, Other) throws -> Result
    ) -> KStream<Key, Result> where Key == TableKey? {
        joined(
            "KSTREAM-JOIN-", table, table.keySerde?.optional, { $0 }, named, key, value, result, grace,
            matched: { _, left, right in try joiner(left, right) },
            missed: nil)
    }

    /// Joins each record that has a key with the table's row, the key given to the closure too.
    @inlinable
    public func joinWithKey<TableKey, Other, Result>(
        _ table: KTable<TableKey, Other>, named: String? = nil, key: Serde<Key>? = nil, value: Serde<Value>? = nil,
        result: Serde<Result>? = nil, grace: Duration? = nil,
        @Returning<Result> _ joiner: @escaping @Sendable (Key, Value, Other) throws -> Result
    ) -> KStream<Key, Result> where Key == TableKey? {
        joined(
            "KSTREAM-JOIN-", table, table.keySerde?.optional, { $0 }, named, key, value, result, grace, matched: joiner,
            missed: nil)
    }

    /// Joins each record with the table's row of the same key, or with nil if there is none or the key is null.
    @inlinable
    public func leftJoin<TableKey, Other, Result>(
        _ table: KTable<TableKey, Other>, named: String? = nil, key: Serde<Key>? = nil, value: Serde<Value>? = nil,
        result: Serde<Result>? = nil, grace: Duration? = nil,
        @Returning<Result> _ joiner: @escaping @Sendable (Value, Other?) throws -> Result
    ) -> KStream<Key, Result> where Key == TableKey? {
        joined(
            "KSTREAM-LEFTJOIN-", table, table.keySerde?.optional, { $0 }, named, key, value, result, grace,
            matched: { _, left, right in try joiner(left, right) },
            missed: { _, left in try joiner(left, nil) })
    }

    /// Joins each record with the table's row or with nil, the key given to the closure too.
    @inlinable
    public func leftJoinWithKey<TableKey, Other, Result>(
        _ table: KTable<TableKey, Other>, named: String? = nil, key: Serde<Key>? = nil, value: Serde<Value>? = nil,
        result: Serde<Result>? = nil, grace: Duration? = nil,
        @Returning<Result> _ joiner: @escaping @Sendable (Key, Value, Other?) throws -> Result
    ) -> KStream<Key, Result> where Key == TableKey? {
        joined(
            "KSTREAM-LEFTJOIN-", table, table.keySerde?.optional, { $0 }, named, key, value, result, grace,
            matched: { try joiner($0, $1, $2) },
            missed: { try joiner($0, $1, nil) })
    }
}
