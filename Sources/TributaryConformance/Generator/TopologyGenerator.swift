/// Makes random topologies of the whole DSL, to compare runs of one case with each other: nothing has to know what is right.
///
/// Beside ``LineageGenerator``, whose values carry tokens and whose operators a model knows, there are all operators, functions and settings
/// here: 5 to 30 nodes, several sub-topologies, stores that processors share, null keys and values, times at the ends.
public struct TopologyGenerator {
    struct Stream {
        let id: String
        var hasWindows = false
        var isInteger = false
        /// How many records may come of one.
        var weight = 1
    }

    struct Table {
        let id: String
        /// The statement that made its windows; nil for plain keys.
        ///
        /// Tables of different ones don't join.
        var windows: String?
        var isInteger = false
        var isVersioned = false
        var weight = 1
        /// Its store's name, if it was given one.
        var store: String?
        /// Whether its windows have an end to wait for.
        var closes = false
    }

    struct Store {
        let name: String
        var type: String
    }

    var random: SeededGenerator
    /// The time of the first records, ms.
    let start: Int64
    var statements: [JSONValue] = []
    var streams: [Stream] = []
    var tables: [Table] = []
    var globals: [String] = []
    var topics: [(name: String, isTable: Bool)] = []
    var stores: [Store] = []
    var count = 0
    private var names = 0
    private var outputs = 0
    static let maximumWeight = 60

    /// The case of a seed.
    public static func makeCase(seed: UInt64) throws(CaseError) -> ConformanceCase {
        try ConformanceCase(json: json(seed: seed))
    }

    /// The case of a seed as the files write it.
    public static func json(seed: UInt64) -> JSONValue {
        var generator = TopologyGenerator(random: SeededGenerator(seed: seed ^ 0x7c15_9e37))
        return generator.make(seed)
    }

    private init(random: SeededGenerator) {
        self.random = random
        start =
            self.random.chance(75)
            ? self.random.number(0...30) : self.random.pick(Int64(1) << 40, Int64.max - 70_000, Int64.max)
    }

    private mutating func make(_ seed: UInt64) -> JSONValue {
        let config = config()
        for number in 1...Int(random.number(1...4)) { addSource(number) }
        let wanted = Int(random.number(3...18))
        var attempts = 0
        while count < wanted * 2 && attempts < 100 {
            attempts += 1
            addOperator()
        }
        // Everything ends somewhere, or nobody sees it.
        for table in tables where outputs < 2 || random.chance(60) { sink(asStream(table)) }
        for stream in streams where outputs == 0 || random.chance(40) { sink(stream) }
        return .fields([
            ("id", .string("random-topology-\(seed)")), ("seed", .integer(Int64(bitPattern: seed))),
            ("config", .fields(config)), ("topology", .array(statements)), ("steps", .array(steps())),
            ("expected", .fields([])),
        ])
    }

    private mutating func config() -> [(name: String, value: JSONValue)] {
        var config: [(name: String, value: JSONValue)] = [
            ("cacheBytes", .integer(random.pick(Int64(0), 0, 10_485_760, 10_485_760, 200, 300, 600, 2000)))
        ]
        if random.chance(35) {
            let optimization = random.pick(
                "all", "all", "reuse.ktable.source.topics", "merge.repartition.topics", "single.store.self.join")
            config.append(("optimization", .string(optimization)))
        }
        if random.chance(30) { config.append(("processingGuarantee", .string("exactly_once_v2"))) }
        if random.chance(20) { config.append(("dslStore", .string("in_memory"))) }
        if random.chance(10) { config.append(("emitIntervalMs", .integer(1000))) }
        if random.chance(30) { config.append(("processingExceptions", .string("continue"))) }
        if random.chance(10) { config.append(("timestampExtractor", .string("usePartitionTime"))) }
        return config
    }

    // MARK: Statements

    mutating func nextID() -> String {
        count += 1
        return "n\(count)"
    }

    /// A name, as often as it says in 100 cases.
    mutating func name(_ prefix: String, _ chance: Int) -> JSONValue? {
        guard random.chance(chance) else { return nil }
        names += 1
        return .string("\(prefix)\(names)")
    }

    mutating func add(_ operation: String, id: String?, _ fields: [(String, JSONValue?)]) {
        var object = JSONObject()
        if let id { object.append("id", .string(id)) }
        object.append("op", .string(operation))
        for (name, value) in fields { if let value { object.append(name, value) } }
        statements.append(.object(object))
    }

    private mutating func sink(_ stream: Stream) {
        if outputs > 1, random.chance(10) { return add("foreach", id: nextID(), [("in", .string(stream.id))]) }
        outputs += 1
        add(
            "to", id: nil,
            [("in", .string(stream.id)), ("topic", .string("out\(outputs)")), ("named", name("snk", 10))])
    }

    mutating func asStream(_ table: Table) -> Stream {
        let id = nextID()
        var hasWindows = table.windows != nil
        var function: String?
        if random.chance(40) {
            function = hasWindows ? random.pick("innerKey", "key", "keyFirst") : random.pick("first", "key", "value")
            hasWindows = false
        }
        add(
            "toStream", id: id,
            [("in", .string(table.id)), ("fn", function.map { .string($0) }), ("named", name("str", 10))])
        let stream = Stream(id: id, hasWindows: hasWindows, isInteger: table.isInteger, weight: table.weight)
        streams.append(stream)
        return stream
    }

    private mutating func addSource(_ number: Int) {
        let topic = "t\(number)"
        let id = nextID()
        switch random.number(0...9) {
        case 0...4:
            var names = [topic]
            if random.chance(10) { names.append("u\(number)") }
            topics += names.map { ($0, false) }
            let reads: (String, JSONValue?) =
                random.chance(8)
                ? ("pattern", .string("[tu]\(number)")) : ("topics", .array(names.map { .string($0) }))
            let extractor: JSONValue? = random.chance(5) ? .string("fromValue") : nil
            add("stream", id: id, [reads, ("named", name("src", 15)), ("extractor", extractor)])
            streams.append(Stream(id: id))
        case 5...8:
            topics.append((topic, true))
            let isVersioned = random.chance(25)
            let mat = isVersioned ? versionedStore() : random.chance(50) ? materialized() : nil
            add(
                "table", id: id,
                [("topic", .string(topic)), ("named", name("tab", 15)), ("mat", mat.map { .fields($0) })])
            tables.append(Table(id: id, isVersioned: isVersioned, store: storeName(mat)))
        default:
            topics.append((topic, true))
            let mat: JSONValue? = name("glob", 40).map { .fields([("name", $0)]) }
            add("globalTable", id: id, [("topic", .string(topic)), ("mat", mat)])
            globals.append(id)
        }
    }

    // MARK: Stores

    mutating func versionedStore() -> [(name: String, value: JSONValue)] {
        [
            ("name", name("ver", 100) ?? .null), ("store", .string("supplier:versioned")),
            ("historyMs", .integer(random.number(5...80))),
        ]
    }

    /// Settings of a store; of one with windows if `windows` says for how long at least they are kept.
    mutating func materialized(windows: Int64? = nil) -> [(name: String, value: JSONValue)] {
        var mat: [(name: String, value: JSONValue)] = []
        if let name = name("st", 70) { mat.append(("name", name)) }
        if !mat.isEmpty && random.chance(12) {
            if windows == nil {
                let store = random.pick("persistent", "plain", "inMemory", "lru")
                mat.append(("store", .string("supplier:\(store)")))
                if store == "lru" { mat.append(("maxEntries", .integer(random.number(1...4)))) }
            }
        } else if random.chance(30) {
            mat.append(("store", .string(random.pick("inMemory", "rocksDB"))))
        }
        if random.chance(20) { mat.append(("cache", .bool(random.chance(40)))) }
        if random.chance(6) { mat.append(("log", .bool(false))) }
        if let windows, random.chance(40) {
            let longer = random.pick(Int64(0), 1, 200, 5000)
            mat.append(("retentionMs", .integer(Int64(clamping: Int128(windows) + Int128(longer)))))
        }
        return mat
    }

    func storeName(_ mat: [(name: String, value: JSONValue)]?) -> String? {
        mat?.first { $0.name == "name" }?.value.string
    }

    // MARK: Picking

    mutating func pickStream(_ fits: (Stream) -> Bool = { !$0.hasWindows }) -> Stream? {
        streams.filter { fits($0) && $0.weight <= Self.maximumWeight }.randomElement(using: &random)
    }

    /// A stream of text under plain keys.
    mutating func pickText(_ most: Int = TopologyGenerator.maximumWeight) -> Stream? {
        guard let stream = pickStream({ !$0.hasWindows && $0.weight <= most }) else { return nil }
        guard stream.isInteger else { return stream }
        let id = nextID()
        add("mapValues", id: id, [("in", .string(stream.id)), ("fn", .string("id"))])
        let text = Stream(id: id, weight: stream.weight)
        streams.append(text)
        return text
    }

    mutating func pickTable(_ fits: (Table) -> Bool = { $0.windows == nil }) -> Table? {
        tables.filter { fits($0) && $0.weight <= Self.maximumWeight }.randomElement(using: &random)
    }

    // MARK: Functions

    mutating func valueFunction() -> JSONValue {
        .string(
            random.pick(
                "id", "upper", "append:z", "last:2", "withKey", "len", "const:k", "nullIfStarts:d", "nullIf:a1",
                "orElse:n", "tagNull"))
    }

    mutating func keyFunction() -> JSONValue {
        .string(
            random.pick(
                "key", "first", "first", "value", "fk", "keyFirst", "const:g", "firstUnless:x", "constUnless:a1",
                "valueUnless:b2", "keyUnless:c3"))
    }

    mutating func predicate() -> JSONValue {
        .string(
            random.pick(
                "true", "false", "starts:a", "starts:b", "is:c4", "notNull", "keyIs:a", "keyNotNull", "lenOver:1",
                "lenEven", "starts:d"))
    }

    mutating func joiner() -> JSONValue {
        .string(random.pick("short", "short", "left", "right", "nullIfNoRight", "short", "null"))
    }

    mutating func aggregator() -> JSONValue {
        .string(random.pick("cat:6", "cat:9", "catDel:6", "max", "last"))
    }
}
