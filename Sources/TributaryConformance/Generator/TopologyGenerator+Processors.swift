/// Processors, whose stores may be those of others.
extension TopologyGenerator {
    /// A store of a type, new or one that others have.
    private mutating func store(_ type: String, _ fields: [(String, JSONValue?)] = []) -> String {
        if random.chance(30), let store = stores.filter({ $0.type == type }).randomElement(using: &random) {
            return store.name
        }
        let name = "ps\(stores.count + 1)"
        let canCache = type != "versioned"
        add(
            "store", id: nil,
            [
                ("type", .string(type)), ("name", .string(name)),
                ("inMemory", type != "versioned" && random.chance(40) ? .bool(true) : nil),
                ("cache", canCache && random.chance(40) ? .bool(true) : nil),
                ("log", random.chance(5) ? .bool(false) : nil),
            ] + fields)
        stores.append(Store(name: name, type: type))
        return name
    }

    mutating func process() {
        // What lists rows makes long values of them.
        guard var stream = pickText(12) else { return }
        if random.chance(30) { return processValues(stream) }
        let clock = ("clock", JSONValue.string(random.pick("stream", "stream", "wall")))
        var used: String?
        var settings: [(name: String, value: JSONValue)] = []
        switch random.number(0...12) {
        case 0:
            settings = [("kind", .string("dedup"))]
            used = store(random.pick("kv", "timestampedKv"))
        case 1:
            settings = [("kind", .string("counter")), ("everyMs", .integer(random.number(5...60))), clock]
            used = counterStore()
        case 2:
            settings = [
                ("kind", .string("ttl")), ("everyMs", .integer(random.number(5...40))),
                ("ttlMs", .integer(random.number(5...60))), clock,
            ]
            used = counterStore()
        case 3, 4:
            settings = [
                ("kind", .string(withoutLongTexts(random.pick("window", "windowAll"), else: "window"))),
                ("backMs", .integer(random.pick(Int64(0), 7, 40, Int64.max))),
            ]
            used = store(
                "window",
                [
                    ("retentionMs", .integer(random.pick(Int64(40), 300, 100_000))), ("sizeMs", .integer(10)),
                    ("duplicates", random.chance(30) ? .bool(true) : nil),
                ])
        case 5, 6:
            settings = [("kind", .string("session")), ("backMs", .integer(random.number(2...20)))]
            used = store("session", [("retentionMs", .integer(random.pick(Int64(40), 300, 100_000)))])
        case 7:
            settings = [("kind", .string("versioned")), ("backMs", .integer(random.number(0...30)))]
            used = store("versioned", [("historyMs", .integer(random.number(10...100)))])
        case 8:
            settings = [
                ("kind", .string("punctuate")), ("everyMs", .integer(random.number(5...50))), clock,
                ("forward", .bool(random.chance(60))), ("meta", .bool(random.chance(30))),
            ]
            if random.chance(30) { settings.append(("cancelAfter", .integer(random.number(1...3)))) }
            if random.chance(20) { settings.append(("scheduleOn", .string("a1"))) }
        case 9:
            // At the end of time there is nothing to shift to.
            settings = [("kind", .string("shiftTs")), ("byMs", .integer(start > 1 << 41 ? 0 : random.number(0...20)))]
        case 10:
            settings =
                hasLongTexts
                ? [("kind", .string("shiftTs")), ("byMs", .integer(0))] : [("kind", .string("meta"))]
        case 11:
            settings = [("kind", .string(withoutLongTexts("kvAll", else: "dedup")))]
            used = store("kv")
        default:
            let filtered = nextID()
            add("filter", id: filtered, [("in", .string(stream.id)), ("fn", .string("notNull"))])
            stream = Stream(id: filtered, weight: stream.weight)
            settings = [("kind", .string("putChars"))]
            used = store("kv")
        }
        add("process", stream, settings, used)
    }

    // Its numbers are no texts of others.
    private mutating func counterStore() -> String {
        let name = "ps\(stores.count + 1)"
        add("store", id: nil, [("type", .string("kv")), ("name", .string(name)), ("cache", .bool(random.chance(40)))])
        stores.append(Store(name: name, type: "own"))
        return name
    }

    private mutating func processValues(_ stream: Stream) {
        if random.chance(30), let table = pickTable({ $0.windows == nil && !$0.isVersioned && $0.store != nil }) {
            return add(
                random.pick("process", "processValues"), stream, [("kind", .string("readTable"))], table.store)
        }
        switch random.number(0...3) {
        case 0: add("processValues", stream, [("kind", .string("dedup"))], store("kv"))
        case 1:
            add(
                "processValues", stream,
                [("kind", .string("addHeader")), ("name", .string("x")), ("value", .string("y"))], nil)
        case 2 where !hasLongTexts: add("processValues", stream, [("kind", .string("meta"))], nil)
        default: add("processValues", stream, [("kind", .string("times")), ("n", .integer(random.number(0...2)))], nil)
        }
    }

    private mutating func add(
        _ operation: String, _ stream: Stream, _ settings: [(name: String, value: JSONValue)], _ store: String?
    ) {
        if hasKind("All", settings), let index = stores.firstIndex(where: { $0.name == store }) {
            // What comes of it would be listed again, and the lists of that.
            stores[index].type = "own"
        }
        let id = nextID()
        let fields = settings + (store.map { [(name: "store", value: JSONValue.string($0))] } ?? [])
        add(
            operation, id: id,
            [
                ("in", .string(stream.id)), ("processor", .fields(fields)),
                ("stores", store.map { .array([.string($0)]) }), ("named", name("proc", 40)),
            ])
        streams.append(Stream(id: id, weight: stream.weight * 2))
    }

    private func hasKind(_ suffix: String, _ settings: [(name: String, value: JSONValue)]) -> Bool {
        settings.contains { $0.name == "kind" && $0.value.string?.hasSuffix(suffix) == true }
    }
}
