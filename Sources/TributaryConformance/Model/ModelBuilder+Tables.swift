extension ModelBuilder {
    // MARK: Tables

    func isCached(_ statement: Statement) throws -> Bool {
        try hasCaches && (statement.materialized?.cache ?? true)
    }

    mutating func table(_ table: ModelNode, _ store: ModelStore, _ statement: Statement) throws {
        store.users = [table.number]
        table.store = store
        table.needsRepartition = false
        tableStores.append((store, table))
        tables[try known(try statement.id, statement)] = table
        store.onFlush = { [unowned table] in
            var change = $0
            if !table.sendsOld { change.old = .null }
            try table.send(change)
        }
        table.askOld = { [unowned table] makesStore in
            guard makesStore || table.isMaterialized else { return false }
            table.isMaterialized = true
            table.sendsOld = true
            return true
        }
        table.row = { store.read($0) }
        table.use = { [unowned table] number in
            table.isMaterialized = true
            store.users.append(number)
        }
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
            let old = node.sendsOld ? store.read(record.key)?.value ?? .null : .null
            store.write(record.key, record.value, time: record.time, record)
            if !store.isCached { try node.send(record.with(value: record.value, old: old)) }
        }
        made.isMaterialized = store.name != nil
        try table(made, store, statement)
    }

    mutating func addToStream(_ statement: Statement) throws {
        let table = try known(tables[try statement.input], statement)
        var made = child(of: table) { try $0.send($1.with(value: $1.value, old: .null)) }
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

    private func steps(_ statement: Statement, _ function: AggregatorFunction? = nil) throws -> ModelSteps {
        switch statement.operation {
        case .count:
            func number(_ value: CaseValue?) -> Int64 { if case .integer(let count) = value { count } else { 0 } }
            return ModelSteps(
                add: { _, _, old in .integer(number(old) &+ 1) },
                merge: { _, old, other in .integer(number(old) &+ number(other)) }, initial: .integer(0))
        case .reduce:
            let function = try statement.aggregator()
            func combine(_ value: CaseValue, _ old: CaseValue?) throws -> CaseValue {
                try old.map { old throws in try function(CaseKey.null, value, old) } ?? value
            }
            return ModelSteps(add: { try combine($1, $2) }, merge: { try combine($2, $1) })
        default:
            let function = try function ?? statement.aggregator()
            let merger = try statement.fields.has("merger") ? statement.aggregator("merger") : function
            let initial = CaseValue(try statement.fields.text("init"))
            return ModelSteps(
                add: { try function($0, $1, $2 ?? initial) }, merge: { try merger($0, $2, $1 ?? initial) },
                initial: initial)
        }
    }

    mutating func addAggregation(_ statement: Statement) throws {
        if let group = groups[try statement.input], group.isOfTable {
            return try addTableAggregation(statement, group)
        }
        let id = try statement.input
        let windowing = windows[id]
        let store = ModelStore(
            name: try statement.materialized?.name,
            isCached: try isCached(statement) && (windowing?.mayBeCached ?? true),
            isTimestamped: windowing?.hasSessions != true, isLogged: try statement.materialized?.log ?? true,
            retention: windowing?.retention)
        store.hasSessions = windowing?.hasSessions ?? false
        store.isOrderedByTime = windowing?.emitsOnClose ?? false
        store.isInMemory = try statement.materialized?.store.map { $0 == .inMemory } ?? inMemoryStores
        let source = windowing?.input ?? id
        if let parts = cogroups[source] { return try addCogroup(parts, windowing, store, statement) }
        let made = aggregation(
            below: input(of: try known(groups[source], statement)), windowing, store, try steps(statement))
        made.isMaterialized = true
        made.grace = windowing?.grace
        try table(made, store, statement)
        forward(windowing, store, made)
    }

    /// The node that adds the records of one stream to a store.
    private mutating func aggregation(
        below input: ModelNode, _ windowing: ModelWindowing?, _ store: ModelStore, _ steps: ModelSteps
    ) -> ModelNode {
        if let windowing {
            let windowed = ModelWindowed(windowing, store, steps)
            return child(of: input) { try windowed.process($0, $1) }
        }
        return child(of: input) { node, record in
            guard record.key != .null, record.value != .null else { return }
            let old = store.read(record.key)
            let value = try steps.add(record.key, record.value, old?.value)
            let time = max(record.time, old?.time ?? record.time)
            store.write(record.key, value, time: time, record)
            guard !store.isCached else { return }
            // Without a cache the initial value stands for what a first update replaces.
            try node.send(record.with(value: value, old: old?.value ?? steps.initial).with(time: time))
        }
    }

    /// What a flush of the store gives on: nothing where results wait for their windows, sessions at their ends.
    private func forward(_ windowing: ModelWindowing?, _ store: ModelStore, _ table: ModelNode) {
        guard let windowing else { return }
        if windowing.emitsOnClose {
            store.onFlush = nil
        } else if windowing.hasSessions {
            store.onFlush = { [unowned table] record in
                try table.send(record.with(time: store.time(of: record.key) ?? record.time))
            }
        }
    }

    private mutating func addCogroup(
        _ parts: [(group: ModelGroup, function: AggregatorFunction)], _ windowing: ModelWindowing?,
        _ store: ModelStore, _ statement: Statement
    ) throws {
        // The same grouping again takes the place of the first.
        var last: [(group: ModelGroup, function: AggregatorFunction)] = []
        for part in parts {
            if let place = last.firstIndex(where: { $0.group === part.group }) {
                last[place] = part
            } else {
                last.append(part)
            }
        }
        let inputs = last.map { input(of: $0.group) }
        var nodes: [ModelNode] = []
        for (part, input) in zip(last, inputs) {
            nodes.append(aggregation(below: input, windowing, store, try steps(statement, part.function)))
        }
        let merge = node(nodes)
        for node in nodes { node.add(merge) { [unowned merge] in try merge.send($0) } }
        merge.isMaterialized = true
        merge.grace = windowing?.grace
        try table(merge, store, statement)
        store.users = nodes.map(\.number)
        forward(windowing, store, merge)
    }

    mutating func addJoin(_ statement: Statement) throws {
        if streams[try statement.secondInput] != nil { return try addStreamJoin(statement) }
        let table = try known(tables[try statement.secondInput], statement)
        let joiner = try statement.joiner
        let isLeft = try statement.fields.text("type") == "left"
        let input = joinInput(try stream(statement), isNamed: try statement.name != nil)
        let made = child(of: input) { node, record in
            guard record.value != .null else { return }
            let row = record.key == .null ? nil : try table.row(record.key)
            if let row {
                try node.send(record.with(value: joiner(record.key, record.value, row.value)))
            } else if isLeft {
                try node.send(record.with(value: joiner(record.key, record.value, .null)))
            }
        }
        table.use(made.number)
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
