/// What was added to the generator after faults that it had not found: stores of processors declared anywhere, keys changed
/// before every operator, times and windows at the ends, small caches with many keys, names used twice.
extension LineageGenerator {
    mutating func addWideOperator() {
        switch random.number(0...19) {
        case 16, 17: cogroup()
        case 18, 19: joinStreams()
        case 0: processor()
        case 1: readTable()
        case 2: countOnly()
        case 3, 4: belowTable()
        case 12: tableValues()
        case 13: tableJoin()
        case 14: tableGroup()
        case 15: suppression()
        default: addOperator()
        }
    }

    /// Sometimes the stream under other keys.
    mutating func rekeyed(_ stream: Stream, _ fits: (Stream) -> Bool) -> Stream {
        guard random.chance(30) else { return stream }
        let id = nextID()
        let input = ("in", Optional(JSONValue.string(stream.id)))
        let key =
            stream.shape == .windowed ? "innerKey" : random.pick("first", "keyFirst", "key", "const:g", "firstUnless:c")
        var made = Stream(id: id, shape: .plain, hasNulls: stream.hasNulls, weight: stream.weight)
        switch random.number(0...3) {
        case 0: add("map", id: id, [input, ("keyFn", .string(key)), ("fn", .string(random.pick("append:,", "id")))])
        case 1:
            made = Stream(id: id, shape: .plain, hasNulls: stream.hasNulls, weight: stream.weight * 2)
            // Values of twice the weight may be too many for what is to follow.
            guard fits(made) else { return stream }
            add("flatMap", id: id, [input, ("keyFn", .string(key)), ("fn", .string("twice"))])
        default: add("selectKey", id: id, [input, ("fn", .string(key))])
        }
        streams.append(made)
        return fits(made) ? made : stream
    }

    /// Adds a processors' store before any of the statements so far.
    mutating func addStore(_ fields: [(name: String, value: JSONValue)]) {
        let store = JSONValue.fields([("op", .string("store"))] + fields)
        guard isWide else { return statements.append(store) }
        let place = Int(random.number(0...Int64(statements.count)))
        statements.insert(store, at: place)
        // The same store again is the same store.
        if random.chance(10) { statements.append(store) }
    }

    /// A processor with a store that doesn't say what its outputs are made of.
    private mutating func processor() {
        let kind = random.pick("dedup", "dedup", "kvAll", "window")
        // A list for a null value may have no token at all.
        let takesNulls = kind == "dedup"
        guard
            let stream = pickStream({
                $0.shape == .plain && (takesNulls || !$0.hasNulls) && $0.weight * 24 <= Self.maximumWeight
            })
        else { return }
        let id = nextID()
        let store = "kept-\(id)"
        let type = kind == "window" ? "window" : random.pick("kv", "timestampedKv")
        let isInMemory = random.chance(50)
        // Drawn whatever the caches are.
        let isCached = random.chance(50)
        var fields: [(name: String, value: JSONValue)] = [
            ("type", .string(type)), ("name", .string(store)), ("inMemory", .bool(isInMemory)),
            ("cache", .bool(caches == .on || isCached && caches != .off)),
        ]
        var processor: [(name: String, value: JSONValue)] = [("kind", .string(kind)), ("store", .string(store))]
        if kind == "window" {
            let retention = random.pick(Int64(40), 1000, 100_000, Int64.max)
            fields += [("retentionMs", .integer(retention)), ("sizeMs", .integer(random.pick(Int64(10), Int64.max)))]
            processor.append(("backMs", .integer(random.pick(Int64(0), 10, 70_000, Int64.max))))
        }
        addStore(fields)
        var input = stream.id
        if kind == "kvAll" {
            // What it forwards for a null key may have no token at all.
            input = nextID()
            add("filter", id: input, [("in", .string(stream.id)), ("fn", .string("keyNotNull"))])
        }
        let operation = kind == "dedup" ? random.pick("process", "processValues") : "process"
        add(
            operation, id: id,
            [
                ("in", .string(input)), ("processor", .fields(processor)),
                ("stores", .array([.string(store)])),
            ])
        let weight = kind == "dedup" ? stream.weight : stream.weight * 24
        streams.append(Stream(id: id, shape: .plain, hasNulls: kind == "dedup" && stream.hasNulls, weight: weight))
    }

    /// A processor with a store right below a table: the table's flush writes to it.
    private mutating func belowTable() {
        let fits = tables.filter { $0.shape == .plain && $0.weight * 12 <= Self.maximumWeight }
        guard let table = fits.randomElement(using: &random) else { return }
        toStream(table)
        if let stream = streams.last { fold(below: stream) }
    }

    /// A processor that reads a table's store.
    private mutating func readTable() {
        guard let table = tables.filter({ $0.shape == .plain && $0.store != nil }).randomElement(using: &random),
            let store = table.store,
            // What it forwards for a null value may have no token at all.
            let stream = pickStream({
                $0.shape == .plain && !$0.hasNulls && $0.weight + table.weight <= Self.maximumWeight
            })
        else { return }
        let id = nextID()
        add(
            random.pick("process", "processValues"), id: id,
            [
                ("in", .string(stream.id)),
                ("processor", .fields([("kind", .string("readTable")), ("store", .string(store))])),
                ("stores", .array([.string(store)])),
            ])
        streams.append(Stream(id: id, shape: .plain, hasNulls: false, weight: stream.weight + table.weight))
    }

    /// A count, which has no tokens: nothing follows but a sink.
    private mutating func countOnly() {
        guard let stream = pickStream() else { return }
        let grouped = group(stream).id
        let id = nextID()
        add("count", id: id, [("in", .string(grouped)), ("mat", materialized(id))])
        let changes = nextID()
        add("toStream", id: changes, [("in", .string(id))])
        sink(Stream(id: changes, shape: stream.shape, hasNulls: true, weight: 1))
    }

    /// A join of two streams, or of one with itself.
    private mutating func joinStreams() {
        func fits(_ stream: Stream) -> Bool { stream.shape == .plain && stream.weight * 8 <= Self.maximumWeight }
        guard let left = pickStream(fits), let right = pickStream(fits) else { return }
        let id = nextID()
        let before = random.chance(10) ? -random.number(1...3) : wideSize() - 1
        let after = before < 0 ? random.number(3...20) : random.number(0...20)
        var window: [(name: String, value: JSONValue)] = [
            ("beforeMs", .integer(before)), ("afterMs", .integer(after)),
            ("graceMs", .integer(random.pick(Int64(0), 0, 5, 100))),
        ]
        if random.chance(8) { window = [("deprecatedMs", .integer(after))] }
        var fields: [(String, JSONValue?)] = [
            ("type", .string(random.pick("inner", "left", "outer"))), ("in", .string(left.id)),
            ("in2", .string(right.id)), ("fn", .string(random.pick("plus", "plus", "keyed"))),
            ("window", .fields(window)),
        ]
        if random.chance(30) { fields.append(("name", .string("pair-\(id)"))) }
        if random.chance(40) { fields.append(("storeName", .string("pairs-\(id)"))) }
        if random.chance(40) { fields.append(("store", .string("inMemory"))) }
        add("join", id: id, fields)
        // One record may make many pairs.
        streams.append(Stream(id: id, shape: .plain, hasNulls: false, weight: (left.weight + right.weight) * 4))
    }

    // MARK: Settings

    mutating func wideCacheBytes() -> Int64 {
        random.pick(Int64(0), 0, 10_485_760, 10_485_760, 100, 150, 200, 250, 300, 400, 600, 1000)
    }

    mutating func wideSize() -> Int64 {
        guard random.chance(30) else { return random.number(5...30) }
        return random.pick(Int64(1), 1000, 60_000, 1 << 40, Int64.max / 2, Int64.max)
    }

    /// Makes two names one, in a few cases; returns whether the topology is to be refused for that.
    mutating func repeatNames() -> Bool {
        guard random.chance(4) else { return false }
        var named: [Int] = []
        var stored: [Int] = []
        var aggregated: [Int] = []
        let withNames: Set<String> = [
            "mapValues", "filter", "filterNot", "peek", "selectKey", "map", "flatMap", "merge",
        ]
        for (index, statement) in statements.enumerated() {
            guard let object = statement.object else { continue }
            if let operation = object["op"]?.string, withNames.contains(operation) { named.append(index) }
            guard object["mat"]?.object?["name"] != nil else { continue }
            stored.append(index)
            if let operation = object["op"]?.string, ["count", "reduce", "aggregate"].contains(operation) {
                aggregated.append(index)
            }
        }
        // Alike in all but what they are fed: nothing but the name tells that they are two.
        if let original = aggregated.first, let object = statements[original].object, random.chance(50) {
            let twin = object.setting("id", .string(nextID()))
            statements.insert(twin.json, at: original + 1)
            return true
        }
        if stored.count > 1, random.chance(60) {
            let name = statements[stored[0]].object?["mat"]?.object?["name"] ?? .null
            replace(stored[1]) { $0.setting("mat", $0["mat"]?.object?.setting("name", name).json ?? .null) }
            return true
        }
        if let only = stored.first, random.chance(50) {
            let name = statements[only].object?["mat"]?.object?["name"] ?? .null
            let store = JSONValue.fields([("op", .string("store")), ("type", .string("timestampedKv")), ("name", name)])
            statements.insert(store, at: Int(random.number(0...Int64(statements.count))))
            return true
        }
        guard named.count > 1 else { return false }
        for index in named.prefix(2) { replace(index) { $0.setting("named", .string("same")) } }
        return true
    }

    private mutating func replace(_ index: Int, _ change: (JSONObject) -> JSONObject) {
        guard let object = statements[index].object else { return }
        statements[index] = .object(change(object))
    }
}

extension JSONObject {
    fileprivate func setting(_ name: String, _ value: JSONValue) -> JSONObject {
        var object = JSONObject()
        var isSet = false
        for field in fields {
            object.append(field.name, field.name == name ? value : field.value)
            if field.name == name { isSet = true }
        }
        if !isSet { object.append(name, value) }
        return object
    }

    fileprivate var json: JSONValue { .object(self) }
}
