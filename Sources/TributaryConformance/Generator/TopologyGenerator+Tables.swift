/// Operators on tables, and what makes tables of streams.
extension TopologyGenerator {
    // MARK: Aggregations

    private mutating func group(_ stream: Stream, isNamed: Bool = false) -> String {
        let id = nextID()
        let name = name("grp", isNamed ? 100 : 25)
        if random.chance(50) {
            add("groupByKey", id: id, [("in", .string(stream.id)), ("name", name)])
        } else {
            add("groupBy", id: id, [("in", .string(stream.id)), ("fn", keyFunction()), ("name", name)])
        }
        return id
    }

    private struct Windows {
        var json: JSONValue
        var kind: String
        /// How long its rows are kept at least.
        var kept: Int64
    }

    private mutating func windows() -> Windows {
        let grace = random.pick(Int64(0), 0, 0, 5, 20, 1000)
        let size = random.chance(85) ? random.number(4...25) : random.pick(Int64(1), 1000, 70_000, 1 << 40)
        let kept = Int64(clamping: Int128(size) + Int128(grace))
        let times: [(name: String, value: JSONValue)] = [("graceMs", .integer(grace))]
        switch random.number(0...9) {
        case 0...2:
            return Windows(
                json: .fields([("kind", .string("tumbling")), ("sizeMs", .integer(size))] + times), kind: "time",
                kept: kept)
        case 3, 4:
            let advance = max(size / random.number(1...4), 1)
            return Windows(
                json: .fields(
                    [("kind", .string("hopping")), ("sizeMs", .integer(size)), ("advanceMs", .integer(advance))]
                        + times), kind: "time", kept: kept)
        case 5, 6:
            return Windows(
                json: .fields([("kind", .string("session")), ("gapMs", .integer(size))] + times), kind: "session",
                kept: kept)
        case 7:
            return Windows(
                json: .fields([("kind", .string("unlimited")), ("startMs", .integer(random.number(0...20)))]),
                kind: "unlimited", kept: Int64.max)
        default:
            return Windows(
                json: .fields([("kind", .string("sliding")), ("diffMs", .integer(size))] + times), kind: "time",
                kept: Int64(clamping: Int128(2) * Int128(size) + Int128(grace)))
        }
    }

    /// Windows of a grouping in six of ten cases; returns what is aggregated.
    private mutating func windowed(_ grouped: String, canClose: Bool) -> (id: String, windows: Windows?) {
        guard random.chance(60) else { return (grouped, nil) }
        let windows = windows()
        let id = nextID()
        let closes = canClose && windows.kind != "unlimited" && random.chance(25)
        add(
            "windowedBy", id: id,
            [
                ("in", .string(grouped)), ("window", windows.json),
                ("emit", closes ? .string("onWindowClose") : nil),
            ])
        return (id, windows)
    }

    mutating func aggregate() {
        guard let stream = pickStream() else { return }
        let (input, windows) = windowed(group(stream), canClose: true)
        let mat: [(name: String, value: JSONValue)]? =
            random.chance(50) ? materialized(windows: windows.map(\.kept)) : nil
        let id = nextID()
        var table = Table(
            id: id, windows: windows == nil ? nil : id, weight: stream.weight * (windows == nil ? 1 : 3),
            store: storeName(mat), closes: windows.map { $0.kind != "unlimited" } ?? false)
        let shared: [(String, JSONValue?)] = [
            ("in", .string(input)), ("named", name("agg", 20)), ("mat", mat.map { .fields($0) }),
        ]
        switch random.number(0...2) {
        case 0:
            add("count", id: id, shared)
            table.isInteger = true
        case 1 where !stream.isInteger: add("reduce", id: id, shared + [("fn", aggregator())])
        default:
            let isSum = random.chance(25)
            let merger: JSONValue? =
                windows?.kind == "session" ? .string(isSum ? "sum" : random.pick("cat:6", "max")) : nil
            add(
                "aggregate", id: id,
                shared + [
                    ("init", .string(isSum ? "0" : random.pick("", "i"))),
                    ("fn", isSum ? .string("addLen") : aggregator()),
                    ("merger", merger),
                ])
        }
        tables.append(table)
    }

    mutating func cogroup() {
        var inputs: [JSONValue] = []
        var weight = 0
        for _ in 0..<random.number(1...3) {
            guard let stream = pickStream() else { break }
            weight += stream.weight
            inputs.append(.fields([("in", .string(group(stream, isNamed: true))), ("fn", aggregator())]))
        }
        guard !inputs.isEmpty else { return }
        let cogrouped = nextID()
        add("cogroup", id: cogrouped, [("inputs", .array(inputs))])
        let (input, windows) = windowed(cogrouped, canClose: false)
        let mat = random.chance(50) ? materialized(windows: windows.map(\.kept)) : nil
        let id = nextID()
        add(
            "aggregate", id: id,
            [
                ("in", .string(input)), ("init", .string("")),
                ("merger", windows?.kind == "session" ? .string("cat:6") : nil), ("named", name("agg", 20)),
                ("mat", mat.map { .fields($0) }),
            ])
        tables.append(
            Table(
                id: id, windows: windows == nil ? nil : id, weight: weight * (windows == nil ? 1 : 3),
                store: storeName(mat), closes: windows.map { $0.kind != "unlimited" } ?? false))
    }

    // MARK: Tables of tables

    mutating func changeTable() {
        guard let table = pickTable({ _ in true }) else { return }
        let id = nextID()
        let mat: [(name: String, value: JSONValue)]? =
            table.windows == nil && random.chance(35) ? materialized() : nil
        var made = table
        made = Table(
            id: id, windows: table.windows, isInteger: table.isInteger, isVersioned: table.isVersioned && mat == nil,
            weight: table.weight, store: storeName(mat), closes: table.closes)
        let shared: [(String, JSONValue?)] = [
            ("in", .string(table.id)), ("named", name("op", 20)), ("mat", mat.map { .fields($0) }),
        ]
        switch random.number(0...4) {
        case 0, 1: add(random.pick("filter", "filterNot"), id: id, shared + [("fn", predicate())])
        case 2:
            add("mapValues", id: id, shared + [("fn", valueFunction())])
            made.isInteger = false
        case 3:
            add("transformValues", id: id, shared + [("fn", valueFunction())])
            made.isInteger = false
        default:
            _ = asStream(table)
            return
        }
        tables.append(made)
    }

    mutating func joinTables() {
        guard let left = pickTable({ _ in true }), let right = pickTable({ $0.windows == left.windows }) else { return }
        let id = nextID()
        let mat = left.windows == nil && random.chance(40) ? materialized() : nil
        add(
            "join", id: id,
            [
                ("type", .string(random.pick("inner", "left", "outer"))), ("in", .string(left.id)),
                ("in2", .string(right.id)), ("fn", joiner()), ("named", name("j", 20)),
                ("mat", mat.map { .fields($0) }),
            ])
        tables.append(
            Table(
                id: id, windows: left.windows, weight: left.weight + right.weight, store: storeName(mat),
                closes: left.closes))
    }

    mutating func joinByForeignKey() {
        guard let left = pickTable(), let right = pickTable() else { return }
        let id = nextID()
        let ofKey = random.chance(25)
        let mat = random.chance(40) ? materialized() : nil
        add(
            "fkJoin", id: id,
            [
                ("type", .string(random.pick("inner", "left"))), ("in", .string(left.id)), ("in2", .string(right.id)),
                ("fk", .string(ofKey ? "fkOrKey" : random.pick("fk", "fk", "first"))),
                ("fkOfKey", ofKey ? .bool(true) : nil), ("fn", joiner()), ("name", name("fk", 30)),
                ("mat", mat.map { .fields($0) }),
            ])
        tables.append(Table(id: id, weight: (left.weight + right.weight) * 3, store: storeName(mat)))
    }

    mutating func groupTable() {
        guard let table = pickTable({ _ in true }) else { return }
        let grouped = nextID()
        let key: JSONValue =
            table.windows == nil ? keyFunction() : .string(random.pick("innerKey", "const:g", "keyFirst"))
        add(
            "groupBy", id: grouped,
            [
                ("in", .string(table.id)), ("keyFn", key),
                ("fn", .string(random.pick("id", "id", "nullIfStarts:x", "last:2"))),
                ("name", name("grp", 25)),
            ])
        let mat = random.chance(40) ? materialized() : nil
        let id = nextID()
        let shared: [(String, JSONValue?)] = [
            ("in", .string(grouped)), ("named", name("agg", 20)), ("mat", mat.map { .fields($0) }),
        ]
        var made = Table(id: id, weight: table.weight * 2, store: storeName(mat))
        switch random.number(0...3) {
        case 0:
            add("count", id: id, shared)
            made.isInteger = true
        case 1:
            add(
                "reduce", id: id,
                shared + [("fn", .string("cat:12")), ("sub", .string(random.pick("remove", "removeDel")))])
        case 2:
            add(
                "aggregate", id: id,
                shared + [("init", .string("0")), ("fn", .string("addLen")), ("sub", .string("subLen"))])
        default:
            add(
                "aggregate", id: id,
                shared + [("init", .string("")), ("fn", .string("cat:12")), ("sub", .string("removeDel"))])
        }
        tables.append(made)
    }

    mutating func suppress() {
        guard let table = pickTable({ !$0.isVersioned }) else { return }
        let id = nextID()
        let closes = table.closes && random.chance(60)
        var buffer: [(name: String, value: JSONValue)] = []
        if !closes, random.chance(40) { buffer.append(("maxRecords", .integer(random.number(1...5)))) }
        if !closes, random.chance(15) { buffer.append(("maxBytes", .integer(random.number(100...500)))) }
        if random.chance(7) { buffer.append(("log", .bool(false))) }
        add(
            "suppress", id: id,
            [
                ("in", .string(table.id)), ("until", .string(closes ? "windowClose" : "timeLimit")),
                ("limitMs", closes ? nil : .integer(random.number(0...40))), ("buffer", .fields(buffer)),
                ("name", name("sup", 20)),
            ])
        tables.append(
            Table(
                id: id, windows: table.windows, isInteger: table.isInteger, weight: table.weight,
                closes: table.closes))
    }
}
