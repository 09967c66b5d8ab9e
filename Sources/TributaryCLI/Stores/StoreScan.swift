internal import TributaryCore
internal import TributaryLMDB
internal import TributaryLineage
internal import TributaryState

/// Reads rows of one store of one task, without a lock, while its app may run.
struct StoreScan {
    let task: StateFolder.Task
    let reader: LMDBStateReader
    let tables: StoreTables
    let names: SourceNames

    init(_ task: StateFolder.Task, _ store: String, names: SourceNames) throws {
        self.task = task
        self.names = names
        reader = try task.reader()
        let stores = StoreTables.group(try reader.tableNames())
        guard let tables = stores.first(where: { $0.store == store }) else {
            throw CommandError(
                "task \(task.id) has no store '\(store)', only: \(stores.map(\.store).joined(separator: ", "))")
        }
        self.tables = tables
    }

    /// Gives rows in the order of keys (of window stores: by segment, then key), from and through keys that may be open.
    func forEach(
        from lower: [UInt8]? = nil, through upper: [UInt8]? = nil, graves: Bool = false, limit: Int = .max,
        _ body: (StoredRow) throws -> Void
    ) throws {
        var left = limit
        var failure: (any Error)?
        for table in graves ? [tables.graves].compactMap({ $0 }) : tables.tables where left > 0 {
            let take = { (key: RawSpan, value: RawSpan) throws(StoreError) -> Bool in
                do {
                    try body(try StoredRow(key: key, envelope: value, names: names))
                } catch {
                    failure = error
                    return false
                }
                left -= 1
                return left > 0
            }
            // A span can't be made of an optional array in one expression.
            let from = lower ?? []
            let to = upper ?? []
            switch (lower, upper) {
            case (nil, nil): try reader.forEach(table, from: nil, through: nil, take)
            case (_, nil): try reader.forEach(table, from: from.span.bytes, through: nil, take)
            case (nil, _): try reader.forEach(table, from: nil, through: to.span.bytes, take)
            default: try reader.forEach(table, from: from.span.bytes, through: to.span.bytes, take)
            }
            if let failure { throw failure }
        }
    }

    /// The row of one key; nil if there is none.
    func row(_ key: [UInt8], grave: Bool = false) throws -> StoredRow? {
        var found: StoredRow?
        try forEach(from: key, through: key, graves: grave) { found = $0 }
        return found
    }
}
