/// Makes random topologies whose values carry the tokens of their source records, to judge lineage by.
///
/// Only functions that keep the text of their inputs are used, and no operator sees a null that would leave a record without
/// its token. Such cases expect nothing: the tokens alone decide.
public struct LineageGenerator {
    /// Which settings of a case are fixed, so that one topology is run in several ways.
    public enum Caches: Sendable, CaseIterable {
        /// Whatever comes.
        case random
        /// No store has a cache.
        case off
        /// Every store that may have one has one.
        case on
    }

    enum Shape { case plain, windowed }

    struct Stream {
        let id: String
        let shape: Shape
        /// Whether a value may be null, and so have no token though it has a cell.
        let hasNulls: Bool
        /// How many tokens a value may have: keeps joins of joins from growing beyond all bounds.
        let weight: Int
    }

    struct Table {
        let id: String
        let shape: Shape
        let weight: Int
        /// The store's name, if it was given one.
        let store: String?
        /// Whether each version of a row has a text that nothing else has, so that a group can take it out again.
        var isOfSource = false
    }

    var random: SeededGenerator
    let caches: Caches
    let isWide: Bool
    var statements: [JSONValue] = []
    var streams: [Stream] = []
    var tables: [Table] = []
    var topics: [String] = []
    var tableTopics: Set<String> = []
    var count = 0
    var outputs = 0
    /// The name of the store that was made last.
    var storeName: String?
    static let maximumWeight = 400

    /// The case of a seed.
    ///
    /// - Parameters:
    ///   - seed: what all that is random depends on.
    ///   - caches: which settings are fixed.
    ///   - isWide: whether everything that the generator knows may come, or what its first version knew, whose seeds are
    ///     names of cases.
    public static func makeCase(
        seed: UInt64, caches: Caches = .random, isWide: Bool = true
    ) throws(CaseError) -> ConformanceCase {
        try ConformanceCase(json: json(seed: seed, caches: caches, isWide: isWide))
    }

    /// The case of a seed as the files write it.
    public static func json(seed: UInt64, caches: Caches = .random, isWide: Bool = true) -> JSONValue {
        var generator = LineageGenerator(seed: seed, caches: caches, isWide: isWide)
        return generator.make(seed)
    }

    private init(seed: UInt64, caches: Caches, isWide: Bool) {
        random = SeededGenerator(seed: seed)
        self.caches = caches
        self.isWide = isWide
    }

    private mutating func make(_ seed: UInt64) -> JSONValue {
        for topic in ["S1", "S2"].prefix(Int(random.number(1...2))) { addStream(topic) }
        for topic in ["T1", "T2"].prefix(Int(random.number(0...2))) { addTable(topic) }
        for _ in 0..<random.number(2...9) { if isWide { addWideOperator() } else { addOperator() } }
        // Everything ends somewhere, or its lineage is not seen.
        for table in tables { toStream(table) }
        for stream in streams where outputs == 0 || random.chance(60) { sink(stream) }
        // Numbers are drawn in the same order whatever the caches are, so that the steps stay the same.
        let drawn = isWide ? wideCacheBytes() : random.pick(Int64(0), 0, 10_485_760, 10_485_760, 300)
        let cacheBytes: Int64 =
            switch caches {
            case .random: drawn
            case .off: 0
            case .on: 10_485_760
            }
        let isRefused = isWide && repeatNames()
        let expected: JSONValue =
            .fields(isRefused ? [("error", .fields([("atBuild", .bool(true))]))] : [])
        return .fields([
            ("id", .string("random-lineage-\(seed)")), ("seed", .integer(Int64(bitPattern: seed))),
            ("config", .fields([("cacheBytes", .integer(cacheBytes))])), ("topology", .array(statements)),
            ("steps", .array(isWide ? wideSteps() : steps())), ("expected", expected),
        ])
    }

    // MARK: Statements

    mutating func nextID() -> String {
        count += 1
        return "n\(count)"
    }

    mutating func add(_ operation: String, id: String?, _ fields: [(String, JSONValue?)]) {
        var object = JSONObject()
        if let id { object.append("id", .string(id)) }
        object.append("op", .string(operation))
        for (name, value) in fields { if let value { object.append(name, value) } }
        statements.append(.object(object))
    }

    private mutating func addStream(_ topic: String) {
        let id = nextID()
        topics.append(topic)
        add("stream", id: id, [("topics", .array([.string(topic)]))])
        streams.append(Stream(id: id, shape: .plain, hasNulls: false, weight: 1))
    }

    private mutating func addTable(_ topic: String) {
        let id = nextID()
        topics.append(topic)
        tableTopics.insert(topic)
        add("table", id: id, [("topic", .string(topic)), ("mat", materialized(id))])
        tables.append(Table(id: id, shape: .plain, weight: 1, store: storeName, isOfSource: true))
    }

    mutating func materialized(_ id: String) -> JSONValue? {
        storeName = nil
        guard random.chance(70) else { return nil }
        var object = JSONObject()
        if random.chance(60) {
            object.append("name", .string("store-\(id)"))
            storeName = "store-\(id)"
        }
        if random.chance(40) { object.append("store", .string(random.pick("inMemory", "rocksDB"))) }
        let cache = random.chance(50)
        if random.chance(50), caches != .on { object.append("cache", .bool(cache)) }
        return .object(object)
    }

    mutating func sink(_ stream: Stream) {
        add("to", id: nil, [("in", .string(stream.id)), ("topic", .string("out\(outputs)"))])
        outputs += 1
    }

    mutating func toStream(_ table: Table) {
        let id = nextID()
        let function: String? = table.shape == .windowed && random.chance(60) ? "innerKey" : nil
        add("toStream", id: id, [("in", .string(table.id)), ("fn", function.map { .string($0) })])
        streams.append(
            Stream(id: id, shape: function == nil ? table.shape : .plain, hasNulls: true, weight: table.weight))
    }

    /// A source can't be left out: without one there is nothing to read.
    mutating func pickStream(_ fits: (Stream) -> Bool = { _ in true }) -> Stream? {
        guard let stream = streams.filter(fits).randomElement(using: &random) else { return nil }
        return isWide ? rekeyed(stream, fits) : stream
    }

    mutating func addOperator() {
        switch random.number(0...14) {
        case 0, 1: stateless()
        case 2, 3: rekey()
        case 4, 5, 6: aggregate()
        case 7, 8: window()
        case 9, 10: join()
        case 11: several()
        case 12: fold()
        case 13: if let table = tables.randomElement(using: &random) { toStream(table) }
        default: toTable()
        }
    }

    // MARK: Operators

    private mutating func stateless() {
        guard let stream = pickStream({ $0.weight * 2 <= Self.maximumWeight }) else { return }
        let id = nextID()
        let input = ("in", Optional(JSONValue.string(stream.id)))
        var weight = stream.weight
        var hasNulls = stream.hasNulls
        switch random.number(0...6) {
        case 0:
            add("mapValues", id: id, [input, ("fn", .string(random.pick("append:,", "upper", "id")))])
        case 1:
            // The key's text has no token, but a null would get some text.
            let function = stream.hasNulls ? "append:;" : "withKey"
            add("mapValues", id: id, [input, ("fn", .string(function))])
        case 2:
            let predicate = random.pick("true", "notNull", "starts:a", "lenEven", "keyIs:a", "keyNotNull")
            add("filter", id: id, [input, ("fn", .string(predicate))])
            if ["notNull", "starts:a", "lenEven"].contains(predicate) { hasNulls = false }
        case 3:
            let predicate = random.pick("false", "starts:b", "keyIs:b", "lenOver:60")
            add("filterNot", id: id, [input, ("fn", .string(predicate))])
        case 4:
            add("flatMapValues", id: id, [input, ("fn", .string("twice"))])
            weight *= 2
        case 5: add("peek", id: id, [input])
        default:
            let processor = random.pick(
                ["kind": .string("pass")], ["kind": .string("times"), "n": .integer(2)],
                ["kind": .string("addHeader"), "name": .string("h"), "value": .string("H")] as [String: JSONValue])
            if processor["n"] != nil { weight *= 2 }
            let fields = processor.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
            let operation = stream.shape == .plain ? random.pick("process", "processValues") : "processValues"
            add(operation, id: id, [input, ("processor", .fields(fields))])
        }
        streams.append(Stream(id: id, shape: stream.shape, hasNulls: hasNulls, weight: weight))
    }

    private mutating func rekey() {
        guard let stream = pickStream({ $0.weight * 2 <= Self.maximumWeight }) else { return }
        let id = nextID()
        let input = ("in", Optional(JSONValue.string(stream.id)))
        let key = stream.shape == .windowed ? "innerKey" : random.pick("first", "const:g", "keyFirst", "firstUnless:c")
        var weight = stream.weight
        switch random.number(0...3) {
        case 0: add("selectKey", id: id, [input, ("fn", .string(key))])
        case 1: add("map", id: id, [input, ("keyFn", .string(key)), ("fn", .string(random.pick("append:,", "id")))])
        case 2:
            add("flatMap", id: id, [input, ("keyFn", .string(key)), ("fn", .string("twice"))])
            weight *= 2
        default:
            guard stream.shape == .plain else {
                add("selectKey", id: id, [input, ("fn", .string(key))])
                break
            }
            add("repartition", id: id, [input, ("name", random.chance(50) ? .string("part-\(id)") : nil)])
        }
        streams.append(Stream(id: id, shape: .plain, hasNulls: stream.hasNulls, weight: weight))
    }

    mutating func group(_ stream: Stream, isNamed: Bool = false) -> (id: String, weight: Int) {
        let id = nextID()
        let name: JSONValue? = random.chance(30) || isNamed ? .string("group-\(id)") : nil
        if stream.shape == .windowed || random.chance(50) {
            let key = stream.shape == .windowed ? "innerKey" : random.pick("first", "const:g", "keyFirst")
            add("groupBy", id: id, [("in", .string(stream.id)), ("fn", .string(key)), ("name", name)])
        } else {
            add("groupByKey", id: id, [("in", .string(stream.id)), ("name", name)])
        }
        return (id, stream.weight * 12)
    }

    mutating func fold(_ grouped: String, _ id: String, merger: String? = nil) {
        let function = random.pick("concat", "concat", "plus", "tag:/")
        let input = ("in", Optional(JSONValue.string(grouped)))
        if random.chance(50) {
            add("reduce", id: id, [input, ("fn", .string(function)), ("mat", materialized(id))])
        } else {
            add(
                "aggregate", id: id,
                [
                    input, ("init", .string("")), ("fn", .string(function)), ("merger", merger.map { .string($0) }),
                    ("mat", materialized(id)),
                ])
        }
    }

    private mutating func aggregate() {
        guard let stream = pickStream({ $0.weight * 12 <= Self.maximumWeight }) else { return }
        let grouped = group(stream)
        let id = nextID()
        fold(grouped.id, id)
        tables.append(Table(id: id, shape: .plain, weight: grouped.weight, store: storeName))
    }

    private mutating func window() {
        // Windows take null values, which have cells and no tokens.
        guard let stream = pickStream({ !$0.hasNulls && $0.weight * 12 <= Self.maximumWeight }) else { return }
        let grouped = group(stream)
        if isWide, random.chance(50) { return windowAround(grouped) }
        let id = nextID()
        let size = isWide ? wideSize() : random.number(5...30)
        let grace = isWide ? random.pick(Int64(0), 0, 10, 100, Int64.max) : random.pick(Int64(0), 0, 10, 100)
        var fields: [(name: String, value: JSONValue)] = [("sizeMs", .integer(size)), ("graceMs", .integer(grace))]
        if random.chance(50) {
            fields.insert(("kind", .string("hopping")), at: 0)
            let advance = size <= 30 ? min(random.number(3...5), size) : max(size / random.number(1...5), 1)
            fields.append(("advanceMs", .integer(advance)))
        } else {
            fields.insert(("kind", .string("tumbling")), at: 0)
        }
        add("windowedBy", id: id, [("in", .string(grouped.id)), ("window", .fields(fields))])
        let table = nextID()
        fold(id, table)
        tables.append(Table(id: table, shape: .windowed, weight: grouped.weight, store: storeName))
    }

    private mutating func join() {
        guard let table = tables.filter({ $0.shape == .plain }).randomElement(using: &random),
            let stream = pickStream({
                $0.shape == .plain && $0.weight + table.weight <= Self.maximumWeight
            })
        else { return }
        let id = nextID()
        add(
            "join", id: id,
            [
                ("type", .string(random.pick("inner", "left"))), ("in", .string(stream.id)),
                ("in2", .string(table.id)), ("fn", .string(random.pick("plus", "plus", "keyed"))),
            ])
        // Null values don't join, so none come out.
        streams.append(Stream(id: id, shape: .plain, hasNulls: false, weight: stream.weight + table.weight))
    }

    private mutating func several() {
        guard let stream = pickStream() else { return }
        if random.chance(50), let other = pickStream({ $0.shape == stream.shape && $0.shape == .plain }) {
            let id = nextID()
            add("merge", id: id, [("in", .string(stream.id)), ("in2", .string(other.id))])
            streams.append(
                Stream(
                    id: id, shape: stream.shape, hasNulls: stream.hasNulls || other.hasNulls,
                    weight: max(stream.weight, other.weight)))
            return
        }
        let first = nextID()
        let second = nextID()
        func branch(_ id: String, _ predicate: String?) -> JSONValue {
            .fields([("id", .string(id))] + (predicate.map { [("fn", .string($0))] } ?? []))
        }
        let predicate = random.pick("lenEven", "starts:b", "keyIs:a")
        add(
            "split", id: nil,
            [
                ("in", .string(stream.id)), ("branches", .array([branch(first, predicate)])),
                ("default", branch(second, nil)),
            ])
        for id in [first, second] {
            streams.append(Stream(id: id, shape: stream.shape, hasNulls: stream.hasNulls, weight: stream.weight))
        }
    }

    /// A processor with a store of its own, which says what its values are made of.
    private mutating func fold() {
        guard let stream = pickStream({ $0.shape == .plain && $0.weight * 12 <= Self.maximumWeight }) else { return }
        fold(below: stream)
    }

    mutating func fold(below stream: Stream) {
        let id = nextID()
        let store = "folded-\(id)"
        let cache = random.chance(50)
        addStore([
            ("type", .string(random.pick("kv", "timestampedKv"))), ("name", .string(store)),
            ("inMemory", .bool(random.chance(50))), ("cache", .bool(caches == .on || cache)),
        ])
        var processor: [(name: String, value: JSONValue)] = [("kind", .string("fold")), ("store", .string(store))]
        if random.chance(50) {
            processor += [("everyMs", .integer(random.number(5...40))), ("clock", .string("stream"))]
        }
        add(
            "process", id: id,
            [
                ("in", .string(stream.id)), ("processor", .fields(processor)),
                ("stores", .array([.string(store)])),
            ])
        streams.append(Stream(id: id, shape: .plain, hasNulls: false, weight: stream.weight * 12))
    }

    private mutating func toTable() {
        guard let stream = pickStream({ $0.shape == .plain }) else { return }
        let id = nextID()
        add("toTable", id: id, [("in", .string(stream.id)), ("mat", materialized(id))])
        tables.append(Table(id: id, shape: .plain, weight: stream.weight, store: storeName))
    }
}
