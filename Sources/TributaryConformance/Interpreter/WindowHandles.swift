internal import TributaryCore
internal import TributaryDSL

/// The windows of a statement as the DSL has them.
enum CaseWindows {
    case time(TimeWindows)
    case sliding(SlidingWindows)
    case session(SessionWindows)
}

extension Statement {
    /// The windows of `windowedBy`.
    var caseWindows: CaseWindows {
        get throws(CaseError) {
            switch try window {
            case .tumbling(let size, let grace):
                .time(.tumbling(size: .milliseconds(size), grace: .milliseconds(grace)))
            case .hopping(let size, let advance, let grace):
                .time(
                    .hopping(
                        size: .milliseconds(size), advance: .milliseconds(advance), grace: .milliseconds(grace)))
            case .unlimited(let start): .time(.unlimited(startingAt: start))
            case .sliding(let difference, let grace):
                .sliding(SlidingWindows(difference: .milliseconds(difference), grace: .milliseconds(grace)))
            case .session(let gap, let grace):
                .session(SessionWindows(gap: .milliseconds(gap), grace: .milliseconds(grace)))
            }
        }
    }

    /// The merger of sessions' aggregates: an aggregator called with the second aggregate as value.
    var merger: @Sendable (inout CaseValue, CaseKey, CaseValue) throws -> Void {
        get throws(CaseError) {
            let function = try aggregator("merger")
            return { $0 = try function($1, $2, $0) }
        }
    }
}

/// A grouped stream with sessions of an interpreted topology.
struct SessionHandle<Value: CaseValueType>: WindowedObject {
    let windowed: SessionWindowedKStream<CaseKey, Value>

    private func handle<Result: CaseValueType>(_ table: KTable<Windowed<CaseKey>, Result>) -> any TableObject {
        TableHandle(table: table, key: .sessionWindowed(.caseKey), keyFormat: .session)
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
                into: initial, value: .caseText, materialized: materialized, named: try statement.named,
                merging: try statement.merger
            ) { $0 = try function($1, $2.caseValue, $0) })
    }
}

/// Grouped streams that are aggregated together, of an interpreted topology.
struct CogroupedHandle {
    let cogrouped: CogroupedKStream<CaseKey, CaseValue>

    func aggregate(_ statement: Statement) throws -> any TableObject {
        let initial = CaseValue(try statement.fields.text("init"))
        return TableHandle(
            table: cogrouped.aggregate(
                into: initial, value: .caseText,
                materialized: try statement.materialized?.materialized(.caseKey, .caseText),
                named: try statement.named), key: .caseKey, keyFormat: .text)
    }

    func windowedBy(_ statement: Statement) throws -> any WindowedObject {
        switch try statement.caseWindows {
        case .time(let windows):
            WindowedCogroupedHandle(windowed: cogrouped.windowedBy(windows), size: windows.size.milliseconds)
        case .sliding(let windows):
            WindowedCogroupedHandle(
                windowed: cogrouped.windowedBy(windows), size: max(windows.difference.milliseconds, 1))
        case .session(let windows): SessionCogroupedHandle(windowed: cogrouped.windowedBy(windows))
        }
    }
}

/// Such a cogrouping with windows of time.
struct WindowedCogroupedHandle: WindowedObject {
    let windowed: TimeWindowedCogroupedKStream<CaseKey, CaseValue>
    let size: Int64

    func count(_ statement: Statement) throws -> any TableObject { throw CaseError("cogroupings don't count") }
    func reduce(_ statement: Statement) throws -> any TableObject { throw CaseError("cogroupings don't reduce") }

    func aggregate(_ statement: Statement) throws -> any TableObject {
        let initial = CaseValue(try statement.fields.text("init"))
        let materialized = try statement.materialized?.materialized(.caseKey, .caseText)
        return TableHandle(
            table: windowed.aggregate(
                into: initial, value: .caseText, materialized: materialized, named: try statement.named),
            key: .timeWindowed(.caseKey, size: .milliseconds(size)),
            keyFormat: .timeWindowed(size: size, sequence: false))
    }
}

/// Such a cogrouping with sessions.
struct SessionCogroupedHandle: WindowedObject {
    let windowed: SessionWindowedCogroupedKStream<CaseKey, CaseValue>

    func count(_ statement: Statement) throws -> any TableObject { throw CaseError("cogroupings don't count") }
    func reduce(_ statement: Statement) throws -> any TableObject { throw CaseError("cogroupings don't reduce") }

    func aggregate(_ statement: Statement) throws -> any TableObject {
        let initial = CaseValue(try statement.fields.text("init"))
        let materialized = try statement.materialized?.materialized(.caseKey, .caseText)
        return TableHandle(
            table: windowed.aggregateWithKey(
                into: initial, value: .caseText, materialized: materialized, named: try statement.named,
                merging: try statement.merger), key: .sessionWindowed(.caseKey), keyFormat: .session)
    }
}
