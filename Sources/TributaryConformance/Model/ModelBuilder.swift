/// Makes the model of a case's statements.
struct ModelBuilder {
    let output = ModelOutput()
    let clock = ModelClock()
    let network = ModelNetwork()
    let hasCaches: Bool
    var streams: [String: ModelNode] = [:]
    var tables: [String: ModelNode] = [:]
    var groups: [String: ModelGroup] = [:]
    var cogroups: [String: [(group: ModelGroup, function: AggregatorFunction)]] = [:]
    var windows: [String: ModelWindowing] = [:]
    var inMemoryStores = false
    var userStores: [String: ModelStore] = [:]
    var tableStores: [(store: ModelStore, table: ModelNode)] = []
    private var nodes: [ModelNode] = []
    /// All nodes, in the order in which they were made.
    var allNodes: [ModelNode] { nodes }
    var leftJoins: [ModelNode] = []

    init(hasCaches: Bool) { self.hasCaches = hasCaches }

    /// The stores that something uses.
    var existingStores: [ModelStore] {
        tableStores.filter { $0.table.isMaterialized }.map(\.store) + userStores.values.filter { !$0.users.isEmpty }
    }

    // MARK: Nodes

    mutating func node(_ parents: ModelNode...) -> ModelNode { node(parents) }

    mutating func node(_ parents: [ModelNode]) -> ModelNode {
        let node = ModelNode(nodes.count, parents: parents)
        nodes.append(node)
        return node
    }

    mutating func child(
        of parent: ModelNode, changesKey: Bool = false,
        _ receive: @escaping (ModelNode, ModelRecord) throws -> Void
    ) -> ModelNode {
        let node = self.node(parent)
        if changesKey { node.needsRepartition = true }
        parent.add(node) { [unowned node] record in
            if let received = node.received { return try received(record) }
            try receive(node, record)
        }
        return node
    }

    mutating func source(_ topic: String?) -> ModelNode {
        let node = self.node()
        network.sources.append(ModelSource(node: node, topic: topic))
        return node
    }

    /// The stream behind a repartition topic; null keys are left out unless a left join follows.
    mutating func repartitioned(_ stream: ModelNode) -> ModelNode {
        let node = source(nil)
        node.feeder = stream
        let network = self.network
        let index = network.sources.count - 1
        stream.add(nil) { [unowned node] record in
            if record.key != .null || node.passesNullKeys { network.sources[index].queue.append(record) }
        }
        return node
    }

    /// Null keys pass into the repartition topics above left joins (Docs/Semantics.md, Repartitioning).
    func openFilters() {
        var waiting = leftJoins
        while let node = waiting.popLast() {
            waiting += node.parents
            guard let feeder = node.feeder, !node.passesNullKeys else { continue }
            node.passesNullKeys = true
            waiting.append(feeder)
        }
    }

    /// The sources in the order in which ties are decided: by the topics' names.
    ///
    /// The names of topics that have generated ones are the library's, whose sources are those of the model in the order of sub-topologies and nodes.
    func sourceOrder(_ topics: [String]) throws -> [Int] {
        let declared = declaredSources
        guard topics.count == declared.count else {
            throw CaseError("the model has \(declared.count) sources, the topology \(topics)")
        }
        let names = Dictionary(uniqueKeysWithValues: zip(declared, topics))
        for (index, name) in names {
            let own = network.sources[index].topic
            guard own == nil || own == name else {
                throw CaseError("the model has a source '\(own ?? "")', the topology '\(name)'")
            }
        }
        return declared.sorted { names[$0] ?? "" < names[$1] ?? "" }
    }

    /// The sources by sub-topology, then by node.
    private var declaredSources: [Int] {
        var root = Array(nodes.indices)
        func find(_ node: Int) -> Int { root[node] == node ? node : find(root[node]) }
        func join(_ one: Int, _ other: Int) {
            let (one, other) = (find(one), find(other))
            root[max(one, other)] = min(one, other)
        }
        for node in nodes { for parent in node.parents { join(node.number, parent.number) } }
        for store in existingStores { for user in store.users.dropFirst() { join(user, store.users[0]) } }
        return network.sources.indices.sorted {
            let one = network.sources[$0].node.number
            let other = network.sources[$1].node.number
            return (find(one), one) < (find(other), other)
        }
    }

    // MARK: Statements

    func known<Part>(_ part: Part?, _ statement: Statement) throws -> Part {
        guard let part else { throw CaseError("the model doesn't know this '\(statement.operation.rawValue)'") }
        return part
    }

    func stream(_ statement: Statement) throws -> ModelNode {
        try known(streams[try statement.input], statement)
    }

    mutating func add(_ statement: Statement) throws {
        switch statement.operation {
        case .stream:
            let topics = try statement.fields.texts("topics") ?? []
            guard topics.count == 1, !statement.fields.has("extractor") else { return try known(nil, statement) }
            try keep(source(topics[0]), statement)
        case .table, .toTable: try addTable(statement)
        case .store: try addStore(statement)
        case .toStream: try addToStream(statement)
        case .groupByKey:
            groups[try known(try statement.id, statement)] = ModelGroup(
                try stream(statement), isNamed: try statement.name != nil)
        case .groupBy:
            if tables[try statement.input] != nil { return try addTableGroup(statement) }
            let function = try statement.keyFunction()
            let keyed = child(of: try stream(statement), changesKey: true) { node, record in
                try node.send(record.with(key: function(record.key, record.value)))
            }
            groups[try known(try statement.id, statement)] = ModelGroup(keyed, isNamed: try statement.name != nil)
        case .windowedBy:
            windows[try known(try statement.id, statement)] = ModelWindowing(
                input: try statement.input, shape: try statement.window,
                emitsOnClose: try statement.fields.text("emit") == "onWindowClose")
        case .cogroup:
            cogroups[try known(try statement.id, statement)] = try (statement.fields.list("inputs") ?? []).map { item in
                let fields = try CaseFields(item)
                return (
                    try known(groups[try fields.requiredText("in")], statement),
                    try AggregatorFunction(try fields.requiredText("fn"))
                )
            }
        case .count, .reduce, .aggregate: try addAggregation(statement)
        case .join:
            if tables[try statement.input] != nil { return try addTableJoin(statement) }
            try addJoin(statement)
        case .suppress: try addSuppression(statement)
        case .filter, .filterNot, .mapValues:
            if tables[try statement.input] != nil { return try addTableValues(statement) }
            try addStateless(statement)
        case .process, .processValues: try addProcessor(statement)
        case .split: try addSplit(statement)
        case .to:
            let topic = try known(try statement.fields.text("topic"), statement)
            let output = self.output
            try stream(statement).add(nil) { output.add(topic, $0) }
        default: try addStateless(statement)
        }
    }

    mutating func keep(_ node: ModelNode, _ statement: Statement) throws {
        streams[try known(try statement.id, statement)] = node
    }

    private mutating func addStateless(_ statement: Statement) throws {
        let input = try stream(statement)
        let made: ModelNode
        switch statement.operation {
        case .filter, .filterNot:
            let predicate = try statement.predicate
            let keeps = statement.operation == .filter
            made = child(of: input) { if predicate($1.key, $1.value) == keeps { try $0.send($1) } }
        case .mapValues:
            let function = try statement.valueFunction
            made = child(of: input) { try $0.send($1.with(value: function($1.key, $1.value))) }
        case .flatMapValues:
            let split = try statement.splitter
            made = child(of: input) { node, record in
                for part in split(record.value) ?? [] { try node.send(record.with(value: part)) }
            }
        case .selectKey:
            let function = try statement.keyFunction()
            made = child(of: input, changesKey: true) { try $0.send($1.with(key: function($1.key, $1.value))) }
        case .map:
            let key = try statement.keyFunction("keyFn")
            let function = try statement.valueFunction
            made = child(of: input, changesKey: true) { node, record in
                let value = try function(record.key, record.value)
                try node.send(record.with(key: key(record.key, record.value)).with(value: value))
            }
        case .flatMap:
            let key = try statement.keyFunction("keyFn")
            let split = try statement.splitter
            made = child(of: input, changesKey: true) { node, record in
                for part in split(record.value) ?? [] {
                    try node.send(record.with(key: key(record.key, part)).with(value: part))
                }
            }
        case .peek:
            let id = try known(try statement.id, statement)
            let output = self.output
            made = child(of: input) {
                output.see(id, $1)
                try $0.send($1)
            }
        case .repartition: made = repartitioned(input)
        case .merge:
            let other = try known(streams[try statement.secondInput], statement)
            made = node(input, other)
            for parent in [input, other] { parent.add(made) { [unowned made] in try made.send($0) } }
        default: return try known(nil, statement)
        }
        try keep(made, statement)
    }

    private mutating func addSplit(_ statement: Statement) throws {
        let input = try stream(statement)
        let splitter = node(input)
        let branches = try statement.branches.map { branch throws in
            (predicate: try branch.predicate.map { text throws in try PredicateFunction(text) }, node: node(splitter))
        }
        for (branch, made) in zip(try statement.branches, branches) { streams[branch.id] = made.node }
        input.add(splitter) { record in
            guard let branch = branches.first(where: { $0.predicate?(record.key, record.value) ?? true }) else {
                return
            }
            try branch.node.send(record)
        }
        // Where the splitter's own children are looked for.
        for branch in branches { splitter.add(branch.node) { _ in } }
    }
}

extension ModelRecord {
    func with(key: CaseKey) -> ModelRecord { ModelRecord(key: key, value: value, time: time, headers: headers) }
    func with(value: CaseValue, old: CaseValue) -> ModelRecord {
        ModelRecord(key: key, value: value, time: time, headers: headers, old: old)
    }
    func with(time: Int64) -> ModelRecord {
        ModelRecord(key: key, value: value, time: time, headers: headers, old: old)
    }
    func with(value: CaseValue) -> ModelRecord { ModelRecord(key: key, value: value, time: time, headers: headers) }
}
