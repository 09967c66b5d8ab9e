/// Sessions, sliding windows, results that wait for their windows, and streams that are aggregated together.
extension LineageGenerator {
    /// Sessions or sliding windows of a grouping, or windows that say nothing before they close.
    mutating func windowAround(_ grouped: (id: String, weight: Int)) {
        let id = nextID()
        let (window, hasSessions) = anyWindow()
        let emit: JSONValue? = random.chance(40) ? .string("onWindowClose") : nil
        add("windowedBy", id: id, [("in", .string(grouped.id)), ("window", window), ("emit", emit)])
        let table = nextID()
        fold(id, table, merger: hasSessions ? random.pick("concat", "plus") : nil)
        tables.append(Table(id: table, shape: .windowed, weight: grouped.weight, store: storeName))
    }

    private mutating func anyWindow() -> (JSONValue, hasSessions: Bool) {
        let grace = random.pick(Int64(0), 0, 5, 10, 100, 100_000)
        let size = random.chance(85) ? random.number(1...20) : random.pick(Int64(1000), 70_000, 1 << 40)
        switch random.number(0...4) {
        case 0, 1:
            return (
                .fields([("kind", .string("session")), ("gapMs", .integer(size)), ("graceMs", .integer(grace))]), true
            )
        case 2, 3:
            return (
                .fields([("kind", .string("sliding")), ("diffMs", .integer(size)), ("graceMs", .integer(grace))]),
                false
            )
        default:
            let advance = max(size / random.number(1...4), 1)
            return (
                .fields([
                    ("kind", .string("hopping")), ("sizeMs", .integer(size)), ("graceMs", .integer(grace)),
                    ("advanceMs", .integer(advance)),
                ]), false
            )
        }
    }

    /// One to three grouped streams that are aggregated together, in windows or not.
    mutating func cogroup() {
        var inputs: [JSONValue] = []
        var weight = 0
        for _ in 0..<random.number(1...3) {
            guard let stream = pickStream({ !$0.hasNulls && $0.weight * 36 <= Self.maximumWeight }) else { break }
            let grouped = group(stream, isNamed: true)
            weight += grouped.weight
            let function = random.pick("concat", "plus", "tag:/")
            inputs.append(.fields([("in", .string(grouped.id)), ("fn", .string(function))]))
        }
        guard !inputs.isEmpty else { return }
        var id = nextID()
        add("cogroup", id: id, [("inputs", .array(inputs))])
        var merger: JSONValue?
        let isWindowed = random.chance(50)
        if isWindowed {
            let windowed = nextID()
            let (window, hasSessions) = anyWindow()
            add("windowedBy", id: windowed, [("in", .string(id)), ("window", window)])
            if hasSessions { merger = .string(random.pick("concat", "plus")) }
            id = windowed
        }
        let table = nextID()
        add(
            "aggregate", id: table,
            [("in", .string(id)), ("init", .string("")), ("merger", merger), ("mat", materialized(table))])
        tables.append(
            Table(id: table, shape: isWindowed ? .windowed : .plain, weight: weight, store: storeName))
    }
}
