internal import TributaryCore
internal import TributaryDSL

/// A table of an interpreted topology.
struct TableHandle<Key: CaseKeyType, Value: CaseValueType>: TableObject {
    let table: KTable<Key, Value>
    let key: Serde<Key>
    let keyFormat: KeyFormat

    private func with<Result: CaseValueType>(_ table: KTable<Key, Result>) -> TableHandle<Key, Result> {
        TableHandle<Key, Result>(table: table, key: key, keyFormat: keyFormat)
    }

    func filter(_ statement: Statement, keeps: Bool) throws -> any TableObject {
        let predicate = try statement.predicate
        let named = try statement.named
        let materialized = try statement.materialized?.materialized(key, Value.serde)
        if keeps {
            return with(
                table.filter(materialized: materialized, named: named) { predicate($0.caseKey, $1.caseValue) })
        }
        return with(
            table.filterNot(materialized: materialized, named: named) { predicate($0.caseKey, $1.caseValue) })
    }

    func mapValues(_ statement: Statement) throws -> any TableObject {
        let function = try statement.valueFunction
        return with(
            table.mapValuesWithKey(
                value: .caseText, materialized: try statement.materialized?.materialized(key, .caseText),
                named: try statement.named
            ) { key, value in try function(key, value.caseValue) })
    }

    func join(_ statement: Statement, _ other: any TableObject) throws -> any TableObject {
        if let other = other as? TableHandle<Key, CaseValue> { return try join(statement, other.table) }
        if let other = other as? TableHandle<Key, Int64> { return try join(statement, other.table) }
        throw CaseError("the tables have keys of different types").inside("in2")
    }

    private func join<Other: CaseValueType>(
        _ statement: Statement, _ other: KTable<Key, Other>
    ) throws -> any TableObject {
        let joiner = try statement.joiner
        let named = try statement.named
        let materialized = try statement.materialized?.materialized(key, Serde.caseText)
        switch try statement.fields.requiredText("type") {
        case "inner":
            return with(
                table.join(other, value: .caseText, materialized: materialized, named: named) { left, right in
                    joiner(CaseKey.null, left.caseValue, right.caseValue)
                })
        case "left":
            return with(
                table.leftJoin(other, value: .caseText, materialized: materialized, named: named) { left, right in
                    joiner(CaseKey.null, left.caseValue, right?.caseValue ?? .null)
                })
        case "outer":
            return with(
                table.outerJoin(other, value: .caseText, materialized: materialized, named: named) { left, right in
                    joiner(CaseKey.null, left?.caseValue ?? .null, right?.caseValue ?? .null)
                })
        case let other: throw CaseError("there is no join '\(other)' of two tables").inside("type")
        }
    }

    func groupBy(_ statement: Statement) throws -> any GroupedTableObject {
        let key = try statement.keyFunction("keyFn")
        let function = try statement.valueFunction
        let grouped = table.groupBy(named: try statement.name, key: .caseKey, value: .caseText) { record, value in
            let value = value.caseValue
            return (key(record.caseKey, value), try function(record.caseKey, value))
        }
        return GroupedTableHandle(grouped: grouped)
    }

    func suppress(_ statement: Statement) throws -> any TableObject {
        let buffer = try SuppressionShape(statement.fields.fields("buffer"))
        let name = try statement.name
        let limit = Duration.milliseconds(try statement.fields.integer("limitMs") ?? 0)
        switch try statement.fields.requiredText("until") {
        case "timeLimit":
            if let eager = buffer.eager {
                return with(table.suppress(.untilTimeLimit(limit, buffer: eager), named: name))
            }
            return with(table.suppress(.untilTimeLimit(limit, buffer: buffer.strict), named: name))
        case "windowClose":
            // What the types refuse, Kafka Streams refuses when it builds.
            guard let windowed = self as? TableHandle<Windowed<CaseKey>, Value> else {
                throw TopologyError(.invalidSetting, "the keys are of no windows")
            }
            return windowed.with(
                windowed.table.suppress(.untilWindowCloses(buffer: buffer.strict), named: name))
        case let other: throw CaseError("nothing waits until '\(other)'").inside("until")
        }
    }

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

/// The buffer of a suppression.
private struct SuppressionShape {
    let records: Int64?
    let bytes: Int64?
    let isStrict: Bool
    let isLogged: Bool

    init(_ fields: CaseFields?) throws(CaseError) {
        records = try fields?.integer("maxRecords")
        bytes = try fields?.integer("maxBytes")
        isStrict = try fields?.text("whenFull") == "shutDown"
        isLogged = try fields?.bool("log") ?? true
    }

    /// The buffer, if it sends on early.
    var eager: EagerBuffer? {
        if isStrict || records == nil && bytes == nil { return nil }
        return .emitEarlyWhenFull(maxRecords: records, maxBytes: bytes, logging: isLogged)
    }

    var strict: StrictBuffer { .shutDownWhenFull(maxRecords: records, maxBytes: bytes, logging: isLogged) }
}

/// A grouped table of an interpreted topology.
struct GroupedTableHandle: GroupedTableObject {
    let grouped: KGroupedTable<CaseKey, CaseValue>

    private func handle<Value: CaseValueType>(_ table: KTable<CaseKey, Value>) -> any TableObject {
        TableHandle(table: table, key: .caseKey, keyFormat: .text)
    }

    func count(_ statement: Statement) throws -> any TableObject {
        handle(
            grouped.count(
                materialized: try statement.materialized?.materialized(.caseKey, .int64), named: try statement.named))
    }

    func reduce(_ statement: Statement) throws -> any TableObject {
        let add = try statement.aggregator()
        let subtract = try statement.aggregator("sub")
        return handle(
            grouped.reduce(
                materialized: try statement.materialized?.materialized(.caseKey, .caseText), named: try statement.named,
                adding: { try add(CaseKey.null, $1, $0) }, subtracting: { try subtract(CaseKey.null, $1, $0) }))
    }

    func aggregate(_ statement: Statement) throws -> any TableObject {
        let add = try statement.aggregator()
        let subtract = try statement.aggregator("sub")
        let initial = CaseValue(try statement.fields.text("init"))
        return handle(
            grouped.aggregateWithKey(
                into: initial, value: .caseText,
                materialized: try statement.materialized?.materialized(.caseKey, .caseText), named: try statement.named,
                adding: { $0 = try add($1, $2, $0) }, subtracting: { $0 = try subtract($1, $2, $0) }))
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
        let emit: EmitStrategy =
            try statement.fields.text("emit") == "onWindowClose" ? .onWindowClose : .onWindowUpdate
        switch try statement.caseWindows {
        case .time(let windows):
            return WindowedHandle(
                windowed: plain.grouped.windowedBy(windows).emitStrategy(emit), size: windows.size.milliseconds)
        case .sliding(let windows):
            return WindowedHandle(
                windowed: plain.grouped.windowedBy(windows).emitStrategy(emit),
                size: max(windows.difference.milliseconds, 1))
        case .session(let windows):
            return SessionHandle(windowed: plain.grouped.windowedBy(windows).emitStrategy(emit))
        }
    }

    func cogroup(_ cogrouped: CogroupedHandle?, _ function: AggregatorFunction) throws -> CogroupedHandle {
        guard let plain = self as? GroupedHandle<CaseKey, Value> else {
            throw CaseError("cogroupings of windowed keys are not interpreted").inside("inputs")
        }
        guard let cogrouped else {
            return CogroupedHandle(
                cogrouped: plain.grouped.cogroupWithKey(of: CaseValue.self) {
                    $0 = try function($1, $2.caseValue, $0)
                })
        }
        return CogroupedHandle(
            cogrouped: cogrouped.cogrouped.cogroupWithKey(plain.grouped) { $0 = try function($1, $2.caseValue, $0) })
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
