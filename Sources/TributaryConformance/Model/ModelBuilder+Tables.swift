extension ModelBuilder {
    // MARK: Tables

    private func isCached(_ statement: Statement) throws -> Bool {
        try hasCaches && (statement.materialized?.cache ?? true)
    }

    private mutating func table(_ table: ModelNode, _ store: ModelStore, _ statement: Statement) throws {
        store.users = [table.number]
        table.store = store
        table.needsRepartition = false
        tableStores.append((store, table))
        tables[try known(try statement.id, statement)] = table
        store.onFlush = { [unowned table] in try table.send($0) }
    }

    mutating func addTable(_ statement: Statement) throws {
        let input: ModelNode
        if statement.operation == .table {
            input = source(try known(try statement.fields.text("topic"), statement))
        } else {
            let stream = try stream(statement)
            input = stream.needsRepartition ? repartitioned(stream) : stream
        }
        let store = ModelStore(
            name: try statement.materialized?.name, isCached: try isCached(statement), isTimestamped: true,
            isLogged: try statement.materialized?.log ?? true)
        let made = child(of: input) { node, record in
            guard record.key != .null else { return }
            guard node.isMaterialized else { return try node.send(record) }
            store.write(record.key, record.value, time: record.time, record)
            if !store.isCached { try node.send(record) }
        }
        made.isMaterialized = store.name != nil
        try table(made, store, statement)
    }

    mutating func addToStream(_ statement: Statement) throws {
        let table = try known(tables[try statement.input], statement)
        var made = child(of: table) { try $0.send($1) }
        made.needsRepartition = false
        if statement.fields.has("fn") {
            let function = try statement.keyFunction()
            made = child(of: made, changesKey: true) { try $0.send($1.with(key: function($1.key, $1.value))) }
        }
        try keep(made, statement)
    }

    private mutating func input(of group: ModelGroup) -> ModelNode {
        guard group.node.needsRepartition else { return group.node }
        if group.isNamed, let shared = group.shared { return shared }
        let made = repartitioned(group.node)
        group.shared = made
        return made
    }

    private func step(_ statement: Statement) throws -> (CaseKey, CaseValue, CaseValue?) throws -> CaseValue {
        switch statement.operation {
        case .count:
            return { _, _, old in
                guard case .integer(let count) = old else { return .integer(1) }
                return .integer(count &+ 1)
            }
        case .reduce:
            let function = try statement.aggregator()
            return { _, value, old in try old.map { old throws in try function(CaseKey.null, value, old) } ?? value }
        default:
            let function = try statement.aggregator()
            let initial = CaseValue(try statement.fields.text("init"))
            return { key, value, old in try function(key, value, old ?? initial) }
        }
    }

    mutating func addAggregation(_ statement: Statement) throws {
        let step = try step(statement)
        let window = windows[try statement.input]
        let group = try known(window?.group ?? groups[try statement.input], statement)
        let input = input(of: group)
        let store = ModelStore(
            name: try statement.materialized?.name, isCached: try isCached(statement), isTimestamped: true,
            isLogged: try statement.materialized?.log ?? true,
            retention: window.map { window in
                Int64(clamping: Int128(window.windows.size) + Int128(window.windows.grace))
            })
        func update(_ node: ModelNode, _ row: CaseKey, _ record: ModelRecord) throws {
            let old = store.read(row)
            let value = try step(record.key, record.value, old?.value)
            let time = max(record.time, old?.time ?? record.time)
            store.write(row, value, time: time, record)
            if !store.isCached {
                try node.send(ModelRecord(key: row, value: value, time: time, headers: record.headers))
            }
        }
        let made: ModelNode
        if let shape = window?.windows {
            made = child(of: input) { node, record in
                guard record.key != .null else { return }
                for window in shape.open(at: record.time) {
                    try update(node, .windowed(record.key.innerKey, start: window.start, end: window.end), record)
                }
            }
        } else {
            made = child(of: input) { node, record in
                guard record.key != .null, record.value != .null else { return }
                try update(node, record.key, record)
            }
        }
        made.isMaterialized = true
        try table(made, store, statement)
    }

    mutating func addJoin(_ statement: Statement) throws {
        if streams[try statement.secondInput] != nil { return try addStreamJoin(statement) }
        let table = try known(tables[try statement.secondInput], statement)
        let store = try known(table.store, statement)
        let joiner = try statement.joiner
        let isLeft = try statement.fields.text("type") == "left"
        let input = joinInput(try stream(statement), isNamed: try statement.name != nil)
        table.isMaterialized = true
        let made = child(of: input) { node, record in
            guard record.value != .null else { return }
            let row = record.key == .null ? nil : store.read(record.key)
            if let row {
                try node.send(record.with(value: joiner(record.key, record.value, row.value)))
            } else if isLeft {
                try node.send(record.with(value: joiner(record.key, record.value, .null)))
            }
        }
        store.users.append(made.number)
        if isLeft { leftJoins.append(made) }
        try keep(made, statement)
    }

    // MARK: Processors

    mutating func addStore(_ statement: Statement) throws {
        let fields = statement.fields
        let name = try known(try fields.text("name"), statement)
        guard userStores[name] == nil else { return }
        let type = try fields.text("type")
        userStores[name] = ModelStore(
            name: name, isCached: try hasCaches && fields.bool("cache") ?? false,
            isTimestamped: type == "timestampedKv", isLogged: try fields.bool("log") ?? true,
            retention: type == "window" ? try fields.integer("retentionMs") : nil,
            windowSize: try fields.integer("sizeMs") ?? 0)
    }

    mutating func addProcessor(_ statement: Statement) throws {
        let shape = try statement.processor
        let store = try shape.store.flatMap { name throws in
            userStores[name] ?? tableStores.first { $0.store.name == name }?.store
        }
        let clock = self.clock
        let processor = try ModelProcessor(shape, store)
        let made = child(of: try stream(statement), changesKey: statement.operation == .process) { node, record in
            try processor.process(record) { try node.send($0) }
        }
        store?.users.append(made.number)
        if let interval = try shape.fields.integer("everyMs") {
            made.start = { [unowned made] in
                clock.schedule(every: interval) { now in try processor.punctuate(now) { try made.send($0) } }
            }
        }
        try keep(made, statement)
    }
}
