/// Tables made of tables.
extension ModelBuilder {
    private func parent(_ statement: Statement, _ id: String? = nil) throws -> ModelNode {
        try known(tables[try id ?? statement.input], statement)
    }

    private mutating func keepTable(_ node: ModelNode, _ statement: Statement) throws {
        node.needsRepartition = false
        tables[try known(try statement.id, statement)] = node
    }

    /// What happens to the rows of a table that has a store of its own.
    private mutating func keptTable(_ node: ModelNode, _ statement: Statement) throws -> ModelStore {
        let store = ModelStore(
            name: try statement.materialized?.name, isCached: try isCached(statement), isTimestamped: true,
            isLogged: try statement.materialized?.log ?? true)
        store.hasSessions = hasSessions(node)
        node.isMaterialized = true
        try table(node, store, statement)
        return store
    }

    private func hasSessions(_ node: ModelNode) -> Bool {
        node.parents.contains { $0.store?.hasSessions ?? hasSessions($0) }
    }

    // MARK: filter, mapValues

    mutating func addTableValues(_ statement: Statement) throws {
        let parent = try parent(statement)
        let isFilter = statement.operation != .mapValues
        let change: (CaseKey, CaseValue) throws -> CaseValue
        if isFilter {
            let predicate = try statement.predicate
            let keeps = statement.operation == .filter
            change = { predicate($0, $1) == keeps ? $1 : .null }
        } else {
            let function = try statement.valueFunction
            change = { try function($0, $1) }
        }
        func made(_ key: CaseKey, _ value: CaseValue) throws -> CaseValue {
            value == .null ? .null : try change(key, value)
        }
        // Where old values cost nothing, a filter knows what was not there before.
        let knowsOld = isFilter && parent.askOld(false)
        guard try statement.materialized?.name != nil else {
            let node = child(of: parent) { node, record in
                let old = node.sendsOld ? try made(record.key, record.old) : .null
                let new = try made(record.key, record.value)
                if isFilter && node.sendsOld && new == .null && old == .null { return }
                try node.send(record.with(value: new, old: old))
            }
            node.sendsOld = knowsOld
            node.askOld = { [unowned node] in
                guard parent.askOld($0) else { return false }
                node.sendsOld = true
                return true
            }
            node.use = parent.use
            node.row = { key in
                guard let row = try parent.row(key) else { return nil }
                let value = try change(key, row.value)
                return value == .null ? nil : ModelRow(value: value, time: row.time)
            }
            return try keepTable(node, statement)
        }
        var kept: ModelStore?
        let node = child(of: parent) { node, record in
            guard let store = kept else { return }
            let new = try made(record.key, record.value)
            let old = node.sendsOld ? store.read(record.key)?.value ?? .null : .null
            if isFilter && node.sendsOld && new == .null && old == .null { return }
            store.write(record.key, new, time: record.time, record)
            if !store.isCached { try node.send(record.with(value: new, old: old)) }
        }
        kept = try keptTable(node, statement)
        if knowsOld { node.sendsOld = true }
    }

    // MARK: Joins of tables

    mutating func addTableJoin(_ statement: Statement) throws {
        let left = try parent(statement)
        let right = try parent(statement, try statement.secondInput)
        let joiner = try statement.joiner
        let type = try statement.fields.text("type")
        let keepsLeft = type != "inner"
        let keepsRight = type == "outer"
        if keepsLeft { _ = left.askOld(true) }
        if keepsRight { _ = right.askOld(true) }
        func join(_ one: CaseValue, _ other: CaseValue) -> CaseValue {
            if one == .null && (other == .null || !keepsRight) || other == .null && !keepsLeft { return .null }
            return joiner(CaseKey.null, one, other)
        }
        let leftSide = child(of: left) { _, _ in }
        let rightSide = child(of: right) { _, _ in }
        right.use(leftSide.number)
        left.use(rightSide.number)
        let merge = node(leftSide, rightSide)
        let isKept = try statement.materialized != nil
        let store = isKept ? try keptTable(merge, statement) : nil
        func give(_ record: ModelRecord, _ new: CaseValue, _ old: CaseValue, time: Int64) throws {
            let result = ModelRecord(key: record.key, value: new, time: time, headers: record.headers, old: old)
            guard let store else { return try merge.send(result) }
            store.write(record.key, new, time: time, result)
            if !store.isCached { try merge.send(result) }
        }
        leftSide.received = { [unowned merge] record in
            let match = try right.row(record.key)
            guard match != nil || keepsLeft && (record.value != .null || record.old != .null) else { return }
            let other = match?.value ?? .null
            try give(
                record, join(record.value, other), merge.sendsOld ? join(record.old, other) : .null,
                time: max(record.time, match?.time ?? record.time))
        }
        rightSide.received = { [unowned merge] record in
            let match = try left.row(record.key)
            guard match != nil || keepsRight && (record.value != .null || record.old != .null) else { return }
            let other = match?.value ?? .null
            try give(
                record, join(other, record.value), merge.sendsOld ? join(other, record.old) : .null,
                time: max(record.time, match?.time ?? record.time))
        }
        let own = merge.askOld
        merge.askOld = { [unowned merge] in
            _ = left.askOld(true)
            _ = right.askOld(true)
            if isKept { _ = own($0) }
            merge.sendsOld = true
            return true
        }
        guard !isKept else { return }
        merge.use = { number in
            left.use(number)
            right.use(number)
        }
        merge.row = { key in
            let one = try left.row(key)
            let other = try right.row(key)
            let value = join(one?.value ?? .null, other?.value ?? .null)
            if value == .null { return nil }
            return ModelRow(value: value, time: max(one?.time ?? Int64.min, other?.time ?? Int64.min))
        }
        try keepTable(merge, statement)
    }

    // MARK: Groups of tables

    mutating func addTableGroup(_ statement: Statement) throws {
        let parent = try parent(statement)
        _ = parent.askOld(true)
        let key = try statement.keyFunction("keyFn")
        let function = try statement.valueFunction
        let node = child(of: parent) { node, record in
            func pair(_ value: CaseValue) throws -> (key: CaseKey, value: CaseValue)? {
                guard value != .null else { return nil }
                let pair = (key: key(record.key, value), value: try function(record.key, value))
                return pair.key == .null || pair.value == .null ? nil : pair
            }
            let new = try pair(record.value)
            let old = try pair(record.old)
            if let new, let old, new.key == old.key {
                return try node.send(record.with(key: new.key).with(value: new.value, old: old.value))
            }
            if let old { try node.send(record.with(key: old.key).with(value: .null, old: old.value)) }
            if let new { try node.send(record.with(key: new.key).with(value: new.value, old: .null)) }
        }
        groups[try known(try statement.id, statement)] = ModelGroup(
            node, isNamed: try statement.name != nil, isOfTable: true)
    }

    mutating func addTableAggregation(_ statement: Statement, _ group: ModelGroup) throws {
        let input: ModelNode
        if group.isNamed, let shared = group.shared {
            input = shared
        } else {
            input = repartitioned(group.node)
            group.shared = input
        }
        let begin: (CaseKey, CaseValue) throws -> CaseValue
        let add: (CaseKey, CaseValue, CaseValue) throws -> CaseValue
        let subtract: (CaseKey, CaseValue, CaseValue) throws -> CaseValue
        if statement.operation == .count {
            func more(_ count: CaseValue, by step: Int64) -> CaseValue {
                guard case .integer(let count) = count else { return .integer(step) }
                return .integer(count &+ step)
            }
            begin = { _, _ in .integer(1) }
            add = { _, _, count in more(count, by: 1) }
            subtract = { _, _, count in more(count, by: -1) }
        } else {
            let adder = try statement.aggregator()
            let subtractor = try statement.aggregator("sub")
            let isReduce = statement.operation == .reduce
            let initial = CaseValue(try statement.fields.text("init"))
            begin = { key, value in isReduce ? value : try adder(key, value, initial) }
            add = { key, value, old in try adder(isReduce ? CaseKey.null : key, value, old) }
            subtract = { key, value, old in try subtractor(isReduce ? CaseKey.null : key, value, old) }
        }
        var kept: ModelStore?
        let node = child(of: input) { node, record in
            guard let store = kept else { return }
            let row = store.read(record.key)
            var aggregate = row?.value ?? .null
            var time = record.time
            if record.old != .null, aggregate != .null {
                aggregate = try subtract(record.key, record.old, aggregate)
                time = max(record.time, row?.time ?? record.time)
            }
            if record.value != .null {
                aggregate =
                    aggregate == .null
                    ? try begin(record.key, record.value) : try add(record.key, record.value, aggregate)
                time = max(record.time, row?.time ?? record.time)
            }
            store.write(record.key, aggregate, time: time, record)
            guard !store.isCached else { return }
            try node.send(
                ModelRecord(
                    key: record.key, value: aggregate, time: time, headers: record.headers,
                    old: node.sendsOld ? row?.value ?? .null : .null))
        }
        kept = try keptTable(node, statement)
    }

    // MARK: Suppression

    mutating func addSuppression(_ statement: Statement) throws {
        let parent = try parent(statement)
        _ = parent.askOld(true)
        let buffer = ModelBuffer(
            limit: try statement.fields.fields("buffer")?.integer("maxRecords") ?? Int64.max,
            isOfWindows: try statement.fields.text("until") == "windowClose",
            wait: try statement.fields.integer("limitMs") ?? windowGrace(parent) ?? 0)
        guard try statement.fields.fields("buffer")?.has("maxBytes") != true,
            try statement.fields.fields("buffer")?.text("whenFull") == nil
        else { return try known(nil, statement) }
        let node = child(of: parent) { node, record in try buffer.take(record) { try node.send($0) } }
        node.askOld = { [unowned node] in
            node.sendsOld = true
            return parent.askOld($0)
        }
        node.use = parent.use
        node.row = { key in
            guard let prior = buffer.prior(key) else { return try parent.row(key) }
            return prior == .null ? nil : ModelRow(value: prior, time: -1)
        }
        try keepTable(node, statement)
    }

    private func windowGrace(_ node: ModelNode) -> Int64? {
        if let grace = node.grace { return grace }
        return (node.parents + (node.feeder.map { [$0] } ?? [])).compactMap { windowGrace($0) }.max()
    }
}

/// The changes that a suppression of the model keeps.
final class ModelBuffer {
    private struct Waiting {
        var time: Int64
        var prior: CaseValue
        var record: ModelRecord
    }

    private let limit: Int64
    private let isOfWindows: Bool
    private let wait: Int64
    private var waiting: [CaseKey: Waiting] = [:]
    private var streamTime: Int64 = -1

    init(limit: Int64, isOfWindows: Bool, wait: Int64) {
        self.limit = limit
        self.isOfWindows = isOfWindows
        self.wait = wait
    }

    /// What was sent on last of a key whose change waits; nil if none does.
    func prior(_ key: CaseKey) -> CaseValue? { waiting[key]?.prior }

    func take(_ record: ModelRecord, _ send: (ModelRecord) throws -> Void) throws {
        streamTime = max(streamTime, record.time)
        var time = record.time
        if isOfWindows, case .windowed(_, _, let end) = record.key { time = end }
        let before = waiting[record.key]
        waiting[record.key] = Waiting(
            time: before?.time ?? time, prior: before?.prior ?? record.old, record: record)
        let due = Int64(clamping: Int128(streamTime) - Int128(wait))
        while let next = oldest, next.time <= due || waiting.count > limit {
            if next.record.value != .null || !isOfWindows { try send(next.record) }
            waiting[next.record.key] = nil
        }
    }

    private var oldest: Waiting? {
        waiting.values.min { one, other in
            one.time == other.time
                ? one.record.key.modelOrder.lexicographicallyPrecedes(other.record.key.modelOrder)
                : one.time < other.time
        }
    }
}
