/// Tables made of tables.
extension LineageGenerator {
    mutating func tableValues() {
        guard let table = tables.randomElement(using: &random) else { return }
        let id = nextID()
        let input = ("in", Optional(JSONValue.string(table.id)))
        let mat = materialized(id)
        if random.chance(50) {
            let predicate = random.pick("true", "starts:a", "lenEven", "keyIs:a")
            add(random.pick("filter", "filterNot"), id: id, [input, ("fn", .string(predicate)), ("mat", mat)])
        } else {
            add("mapValues", id: id, [input, ("fn", .string(random.pick("append:,", "id"))), ("mat", mat)])
        }
        tables.append(
            Table(
                id: id, shape: table.shape, weight: table.weight, store: storeName, isOfSource: table.isOfSource))
    }

    mutating func tableJoin() {
        let plain = tables.filter { $0.shape == .plain }
        guard let left = plain.randomElement(using: &random),
            let right = plain.filter({ $0.weight + left.weight <= Self.maximumWeight }).randomElement(using: &random)
        else { return }
        let id = nextID()
        add(
            "join", id: id,
            [
                ("type", .string(random.pick("inner", "left", "outer"))), ("in", .string(left.id)),
                ("in2", .string(right.id)), ("fn", .string("plus")), ("mat", materialized(id)),
            ])
        tables.append(Table(id: id, shape: .plain, weight: left.weight + right.weight, store: storeName))
    }

    /// Only of rows that come of one record each: what a group takes out has to be found in it.
    mutating func tableGroup() {
        guard let table = tables.filter(\.isOfSource).randomElement(using: &random) else { return }
        let grouped = nextID()
        add(
            "groupBy", id: grouped,
            [
                ("in", .string(table.id)), ("keyFn", .string(random.pick("first", "const:g", "key", "firstUnless:c"))),
                ("fn", .string("id")), ("name", random.chance(30) ? .string("group-\(grouped)") : nil),
            ])
        let id = nextID()
        let input = ("in", Optional(JSONValue.string(grouped)))
        if random.chance(50) {
            add(
                "reduce", id: id,
                [input, ("fn", .string("concat")), ("sub", .string("remove")), ("mat", materialized(id))])
        } else {
            add(
                "aggregate", id: id,
                [
                    input, ("init", .string("")), ("fn", .string("concat")),
                    ("sub", .string(random.pick("remove", "removeDel"))), ("mat", materialized(id)),
                ])
        }
        tables.append(Table(id: id, shape: .plain, weight: 12, store: storeName))
    }

    mutating func suppression() {
        guard let table = tables.randomElement(using: &random) else { return }
        let id = nextID()
        let closes = table.shape == .windowed && random.chance(60)
        let limit = random.pick(Int64(0), 1, 5, 20, 1000)
        let most = random.number(1...3)
        let isLimited = !closes && random.chance(30)
        add(
            "suppress", id: id,
            [
                ("in", .string(table.id)), ("until", .string(closes ? "windowClose" : "timeLimit")),
                ("limitMs", closes ? nil : .integer(limit)),
                ("buffer", .fields(isLimited ? [("maxRecords", .integer(most))] : [])),
            ])
        tables.append(
            Table(id: id, shape: table.shape, weight: table.weight, store: nil, isOfSource: table.isOfSource))
    }
}
