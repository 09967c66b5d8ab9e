/// The stores of a case in which streams are folded, with nothing but stateless operators above: their rows come to the same with caches and without.
///
/// Behind tables they need not: what a cache merges is subtracted once, and added once, and a table that is aggregated by another
/// sees fewer of its states. Rows of windows are compared where both runs show them: without a cache a store hides what is older than it keeps.
struct StreamFolds {
    private(set) var stores: Set<String> = []

    init(_ item: ConformanceCase) throws(CaseError) {
        var pure: Set<String> = []
        var windows: Set<String> = []
        var last = Int64.min
        var isInOrder = true
        for case .pipe(let record) in item.steps {
            if record.timestamp < last { isInOrder = false }
            last = max(last, record.timestamp)
        }
        for statement in item.topology {
            let isPure: Bool
            switch statement.operation {
            case .stream: isPure = !statement.fields.has("extractor")
            case .table: isPure = true
            case .filter, .filterNot, .mapValues, .map, .flatMap, .flatMapValues, .selectKey, .peek, .repartition,
                .groupByKey, .groupBy, .toTable, .count, .reduce, .aggregate:
                isPure = pure.contains(try statement.input)
            case .windowedBy:
                // Late records see what a cache still has, and a store no longer; what waits for the end has caches of its own.
                let input = try statement.input
                isPure = isInOrder && !statement.fields.has("emit") && pure.contains(input)
                if isPure, let id = try statement.id { windows.insert(id) }
            case .merge: isPure = pure.isSuperset(of: [try statement.input, try statement.secondInput])
            default: isPure = false
            }
            guard isPure else { continue }
            let makesTable = [.table, .toTable, .count, .reduce, .aggregate].contains(statement.operation)
            if makesTable, let mat = try statement.materialized, let name = mat.name, mat.store?.isSupplier != true {
                stores.insert(name)
            }
            if let id = try statement.id, !makesTable { pure.insert(id) }
        }
    }

    /// What differs between the rows of two runs.
    func differences(_ first: ActualResult, _ second: ActualResult) -> [String] {
        var differences: [String] = []
        for name in stores.sorted() {
            guard case .rows(let one)? = first.stores?[name], case .rows(let other)? = second.stores?[name] else {
                continue
            }
            let rows = Dictionary(other.map { ($0.key, $0) }) { $1 }
            for row in one {
                if case .windowed = row.key, rows[row.key] == nil { continue }
                if rows[row.key] != row {
                    differences.append("\(name): \(row), \(rows[row.key].map { "\($0)" } ?? "nothing")")
                }
            }
        }
        return differences
    }
}
