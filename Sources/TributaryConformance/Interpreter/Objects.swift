internal import TributaryCore
internal import TributaryDSL

/// What a statement made, for the statements after it.
enum CaseObject {
    case stream(any StreamObject)
    case table(any TableObject)
    case grouped(any GroupedObject)
    case windowed(any WindowedObject)
    case groupedTable(any GroupedTableObject)
    case globalTable(GlobalKTable<CaseKey, CaseValue>)
    case cogrouped(CogroupedHandle)
}

/// A stream of whatever key and value types, as statements see it.
protocol StreamObject {
    func filter(_ statement: Statement, keeps: Bool) throws -> any StreamObject
    func mapValues(_ statement: Statement) throws -> any StreamObject
    func map(_ statement: Statement) throws -> any StreamObject
    func flatMap(_ statement: Statement) throws -> any StreamObject
    func flatMapValues(_ statement: Statement) throws -> any StreamObject
    func selectKey(_ statement: Statement) throws -> any StreamObject
    func peek(_ statement: Statement, _ seen: SeenRecords) throws -> any StreamObject
    func forEach(_ statement: Statement, _ seen: SeenRecords) throws
    func split(_ statement: Statement) throws -> [(id: String, stream: any StreamObject)]
    func merge(_ statement: Statement, _ other: any StreamObject) throws -> any StreamObject
    func repartition(_ statement: Statement) throws -> any StreamObject
    func toTable(_ statement: Statement) throws -> any TableObject
    func groupByKey(_ statement: Statement) throws -> any GroupedObject
    func groupBy(_ statement: Statement) throws -> any GroupedObject
    func join(_ statement: Statement, _ table: any TableObject) throws -> any StreamObject
    func join(_ statement: Statement, _ table: GlobalKTable<CaseKey, CaseValue>) throws -> any StreamObject
    func join(_ statement: Statement, _ other: any StreamObject) throws -> any StreamObject
    func process(_ statement: Statement, integerStores: Set<String>) throws -> any StreamObject
    func processValues(_ statement: Statement, integerStores: Set<String>) throws -> any StreamObject
    func to(_ statement: Statement, _ formats: OutputFormats) throws
}

/// A table of whatever key and value types, as statements see it.
protocol TableObject {
    func filter(_ statement: Statement, keeps: Bool) throws -> any TableObject
    func mapValues(_ statement: Statement) throws -> any TableObject
    func join(_ statement: Statement, _ other: any TableObject) throws -> any TableObject
    func groupBy(_ statement: Statement) throws -> any GroupedTableObject
    func suppress(_ statement: Statement) throws -> any TableObject
    func toStream(_ statement: Statement) throws -> any StreamObject
}

/// A grouped stream of whatever key and value types, as statements see it.
protocol GroupedObject {
    func count(_ statement: Statement) throws -> any TableObject
    func reduce(_ statement: Statement) throws -> any TableObject
    func aggregate(_ statement: Statement) throws -> any TableObject
    func windowedBy(_ statement: Statement) throws -> any WindowedObject
    func cogroup(_ cogrouped: CogroupedHandle?, _ function: AggregatorFunction) throws -> CogroupedHandle
}

/// A grouped table of whatever key and value types, as statements see it.
protocol GroupedTableObject {
    func count(_ statement: Statement) throws -> any TableObject
    func reduce(_ statement: Statement) throws -> any TableObject
    func aggregate(_ statement: Statement) throws -> any TableObject
}

/// A windowed grouping of whatever value type, as statements see it.
protocol WindowedObject {
    func count(_ statement: Statement) throws -> any TableObject
    func reduce(_ statement: Statement) throws -> any TableObject
    func aggregate(_ statement: Statement) throws -> any TableObject
}

extension Materialization {
    /// The DSL's settings for a table of these types.
    func materialized<Key: CaseKeyType, Value: CaseValueType>(
        _ key: Serde<Key>, _ value: Serde<Value>
    ) throws -> Materialized<Key, Value> {
        var type: Materialized<Key, Value>.StoreType?
        switch store {
        case .inMemory: type = .inMemory
        case .rocksDB: type = .persistent
        case nil: type = nil
        case .supplierPersistent: type = .persistent
        case .supplierInMemory: type = .inMemory
        case .supplierPlain: type = .withoutTimestamps
        case .supplierLRU: type = .leastRecentlyUsed(maximum: Int(maximumEntries ?? 0))
        case .supplierVersioned: type = .versioned(history: .milliseconds(history ?? 0))
        }
        return Materialized(
            as: name, key: key, value: value, type: type, caching: cache ?? true, logging: log ?? true,
            retention: retention.map { .milliseconds($0) })
    }
}
