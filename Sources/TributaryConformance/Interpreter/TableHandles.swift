internal import TributaryCore
internal import TributaryDSL

/// A table of an interpreted topology.
struct TableHandle<Key: CaseKeyType, Value: CaseValueType>: TableObject {
    let table: KTable<Key, Value>
    let key: Serde<Key>
    let keyFormat: KeyFormat

    func toStream(_ statement: Statement) throws -> any StreamObject {
        let named = try statement.named
        guard statement.fields.has("fn") else {
            return StreamHandle(stream: table.toStream(named: named), key: key, keyFormat: keyFormat)
        }
        let function = try statement.keyFunction()
        let stream = table.toStream(named: named).selectKey(key: .caseKey) { function($0, $1.caseValue) }
        return StreamHandle(stream: stream, key: .caseKey, keyFormat: .text)
    }
}

/// A grouped stream of an interpreted topology.
struct GroupedHandle<Key: CaseKeyType, Value: CaseValueType>: GroupedObject {
    let grouped: KGroupedStream<Key, Value>
    let key: Serde<Key>
    let keyFormat: KeyFormat

    func count(_ statement: Statement) throws -> any TableObject {
        let table = grouped.count(
            materialized: try statement.materialized?.materialized(key, .int64), named: try statement.named)
        return TableHandle(table: table, key: key, keyFormat: keyFormat)
    }

    func reduce(_ statement: Statement) throws -> any TableObject {
        let function = try statement.aggregator()
        let materialized = try statement.materialized?.materialized(key, Value.serde)
        let table = grouped.reduce(materialized: materialized, named: try statement.named) { aggregate, value in
            try Value.make(try function(CaseKey.null, value.caseValue, aggregate.caseValue))
        }
        return TableHandle(table: table, key: key, keyFormat: keyFormat)
    }

    func aggregate(_ statement: Statement) throws -> any TableObject {
        let function = try statement.aggregator()
        let initial = CaseValue(try statement.fields.text("init"))
        let materialized = try statement.materialized?.materialized(key, .caseText)
        let table = grouped.aggregateWithKey(
            initial, value: .caseText, materialized: materialized, named: try statement.named
        ) { aggregate, key, value in try function(key, value.caseValue, aggregate) }
        return TableHandle(table: table, key: key, keyFormat: keyFormat)
    }

    func windowedBy(_ statement: Statement) throws -> any WindowedObject {
        guard let plain = self as? GroupedHandle<CaseKey, Value> else {
            throw CaseError("windows of windowed keys are not interpreted").inside("in")
        }
        let windows: TimeWindows
        switch try statement.window {
        case .tumbling(let size, let grace):
            windows = .tumbling(size: .milliseconds(size), grace: .milliseconds(grace))
        case .hopping(let size, let advance, let grace):
            windows = .hopping(
                size: .milliseconds(size), advance: .milliseconds(advance), grace: .milliseconds(grace))
        case let other: throw CaseError("windows of kind \(other.kind) are not interpreted").inside("window")
        }
        return WindowedHandle(windowed: plain.grouped.windowedBy(windows), size: windows.size.milliseconds)
    }
}

/// A grouped stream with windows of time of an interpreted topology.
struct WindowedHandle<Value: CaseValueType>: WindowedObject {
    let windowed: TimeWindowedKStream<CaseKey, Value>
    let size: Int64

    private func handle<Result: CaseValueType>(_ table: KTable<Windowed<CaseKey>, Result>) -> any TableObject {
        TableHandle(
            table: table, key: .timeWindowed(.caseKey, size: .milliseconds(size)),
            keyFormat: .timeWindowed(size: size, sequence: false))
    }

    func count(_ statement: Statement) throws -> any TableObject {
        handle(
            windowed.count(
                materialized: try statement.materialized?.materialized(.caseKey, .int64), named: try statement.named))
    }

    func reduce(_ statement: Statement) throws -> any TableObject {
        let function = try statement.aggregator()
        let materialized = try statement.materialized?.materialized(.caseKey, Value.serde)
        return handle(
            windowed.reduce(materialized: materialized, named: try statement.named) { aggregate, value in
                try Value.make(try function(CaseKey.null, value.caseValue, aggregate.caseValue))
            })
    }

    func aggregate(_ statement: Statement) throws -> any TableObject {
        let function = try statement.aggregator()
        let initial = CaseValue(try statement.fields.text("init"))
        let materialized = try statement.materialized?.materialized(.caseKey, .caseText)
        return handle(
            windowed.aggregateWithKey(
                initial, value: .caseText, materialized: materialized, named: try statement.named
            ) { aggregate, key, value in try function(key, value.caseValue, aggregate) })
    }
}
