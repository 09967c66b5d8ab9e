/// Operators on streams.
extension TopologyGenerator {
    mutating func addOperator() {
        switch random.number(0...31) {
        case 0...6: stateless()
        case 7: keyed()
        case 8...11: aggregate()
        case 12, 13: cogroup()
        case 14...16: joinStreams()
        case 17...19: joinTable()
        case 20...22: process()
        case 23...26: changeTable()
        case 27, 28: joinTables()
        case 29: joinByForeignKey()
        case 30: suppress()
        default: groupTable()
        }
    }

    private mutating func stateless() {
        guard let stream = pickStream({ _ in true }) else { return }
        let id = nextID()
        let input = ("in", Optional(JSONValue.string(stream.id)))
        let named = name("op", 20)
        var made = Stream(id: id, hasWindows: stream.hasWindows, isInteger: stream.isInteger, weight: stream.weight)
        switch random.number(0...(stream.hasWindows ? 4 : 7)) {
        case 0: add(random.pick("filter", "filterNot"), id: id, [input, ("fn", predicate()), ("named", named)])
        case 1, 2:
            add("mapValues", id: id, [input, ("fn", valueFunction()), ("named", named)])
            made.isInteger = false
        case 3: add("peek", id: id, [input, ("named", named)])
        case 4:
            let key = stream.hasWindows ? .string(random.pick("innerKey", "key")) : keyFunction()
            add("selectKey", id: id, [input, ("fn", key), ("named", named)])
            made.hasWindows = false
        case 5:
            add("flatMapValues", id: id, [input, ("fn", splitter()), ("named", named)])
            made.isInteger = false
            made.weight *= 2
        case 6: return split(stream)
        default:
            guard let other = pickStream({ !$0.hasWindows && $0.isInteger == stream.isInteger && $0.id != stream.id })
            else { return peek(id, stream, made) }
            add("merge", id: id, [input, ("in2", .string(other.id)), ("named", named)])
            made.weight += other.weight
        }
        streams.append(made)
    }

    private mutating func peek(_ id: String, _ stream: Stream, _ made: Stream) {
        add("peek", id: id, [("in", .string(stream.id))])
        streams.append(made)
    }

    // A record for each character of a text in which a processor has put all that it knows makes a case run for minutes.
    private mutating func splitter() -> JSONValue {
        let splitter = random.pick("chars", "comma", "twice", "none")
        return .string(splitter == "chars" && hasLongTexts ? "comma" : splitter)
    }

    /// A processor that makes a text of all it knows, the first time; texts of such texts grow without end.
    func withoutLongTexts(_ kind: String, else other: String) -> String { hasLongTexts ? other : kind }

    var hasLongTexts: Bool {
        statements.contains { statement in
            let kind = statement.object?["processor"]?.object?["kind"]?.string ?? ""
            return kind == "meta" || kind.hasSuffix("All")
        }
    }

    private mutating func split(_ stream: Stream) {
        // Its branches are named by it and their number, which must not be the name of another one.
        let named: JSONValue? = name("spl", 20).flatMap { name in name.string.map { .string("\($0)-") } }
        var branches: [JSONValue] = []
        func branch(_ generator: inout TopologyGenerator, isDefault: Bool) -> JSONValue {
            let id = generator.nextID()
            generator.streams.append(Stream(id: id, isInteger: stream.isInteger, weight: stream.weight))
            var fields: [(name: String, value: JSONValue)] = [("id", .string(id))]
            if !isDefault { fields.append(("fn", generator.predicate())) }
            if let name = generator.name("br", 30) { fields.append(("name", name)) }
            return .fields(fields)
        }
        for _ in 0..<random.number(1...3) { branches.append(branch(&self, isDefault: false)) }
        let other: JSONValue? = random.chance(60) ? branch(&self, isDefault: true) : nil
        add(
            "split", id: nil,
            [("in", .string(stream.id)), ("named", named), ("branches", .array(branches)), ("default", other)])
    }

    /// Operators after which records have other keys, or other places.
    private mutating func keyed() {
        guard let stream = pickStream() else { return }
        let id = nextID()
        let input = ("in", Optional(JSONValue.string(stream.id)))
        var made = Stream(id: id, weight: stream.weight)
        switch random.number(0...3) {
        case 0:
            add(
                "map", id: id,
                [input, ("keyFn", keyFunction()), ("fn", valueFunction()), ("named", name("op", 20))])
        case 1:
            add(
                "flatMap", id: id,
                [input, ("keyFn", keyFunction()), ("fn", splitter()), ("named", name("op", 20))])
            made.weight *= 2
        case 2:
            add("repartition", id: id, [input, ("name", name("rep", 50))])
            made.isInteger = stream.isInteger
        default:
            let isVersioned = !stream.isInteger && random.chance(25)
            let mat = isVersioned ? versionedStore() : random.chance(50) ? materialized() : nil
            add("toTable", id: id, [input, ("named", name("op", 20)), ("mat", mat.map { .fields($0) })])
            tables.append(
                Table(
                    id: id, isInteger: stream.isInteger, isVersioned: isVersioned, weight: stream.weight,
                    store: storeName(mat)))
            return
        }
        streams.append(made)
    }

    // MARK: Joins

    private mutating func joinStreams() {
        guard let left = pickStream({ !$0.hasWindows && $0.weight <= 4 }),
            let right = pickStream({ !$0.hasWindows && $0.weight <= 4 })
        else { return }
        let id = nextID()
        let before = random.chance(10) ? -random.number(1...3) : random.number(0...20)
        let after = before < 0 ? random.number(3...20) : random.number(0...20)
        let window: JSONValue =
            random.chance(6)
            ? .fields([("deprecatedMs", .integer(after))])
            : .fields([
                ("beforeMs", .integer(before)), ("afterMs", .integer(after)),
                ("graceMs", .integer(random.pick(Int64(0), 0, 7, 30, 1000))),
            ])
        add(
            "join", id: id,
            [
                ("type", .string(random.pick("inner", "left", "outer"))), ("in", .string(left.id)),
                ("in2", .string(right.id)), ("fn", joiner()), ("window", window), ("name", name("j", 30)),
                ("storeName", name("js", 20)), ("store", random.chance(25) ? .string("inMemory") : nil),
                ("log", random.chance(5) ? .bool(false) : nil),
            ])
        streams.append(Stream(id: id, weight: (left.weight + right.weight) * 3))
    }

    private mutating func joinTable() {
        guard let stream = pickStream() else { return }
        let id = nextID()
        let type = JSONValue.string(random.pick("inner", "left"))
        if let global = globals.randomElement(using: &random), random.chance(50) {
            add(
                "join", id: id,
                [
                    ("type", type), ("in", .string(stream.id)), ("in2", .string(global)), ("keyFn", keyFunction()),
                    ("fn", joiner()), ("named", name("j", 30)),
                ])
        } else {
            guard let table = pickTable() else { return }
            let grace: JSONValue? = table.isVersioned && random.chance(60) ? .integer(random.number(1...5)) : nil
            var input = stream.id
            if grace != nil {
                // A null key fails a join that waits, as in Kafka Streams.
                input = nextID()
                add("filter", id: input, [("in", .string(stream.id)), ("fn", .string("keyNotNull"))])
            }
            add(
                "join", id: id,
                [
                    ("type", type), ("in", .string(input)), ("in2", .string(table.id)), ("fn", joiner()),
                    ("name", name("j", 30)), ("graceMs", grace),
                ])
        }
        streams.append(Stream(id: id, weight: stream.weight))
    }
}
