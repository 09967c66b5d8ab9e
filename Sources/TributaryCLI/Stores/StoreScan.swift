internal import TributaryCore
internal import TributaryLMDB
internal import TributaryLineage
internal import TributaryState

/// Which rows of a store are wanted; both ends of all ranges are included.
struct RowSelection: Sendable {
    /// Only rows of this record's key.
    var key: [UInt8]?
    /// The first key.
    var from: [UInt8]?
    /// The last key.
    var through: [UInt8]?
    /// Whether the three are whole keys of rows, with their windows.
    var areWhole = false
    /// When windows start, what sessions reach into, when versions counted, in ms.
    var times: ClosedRange<Int64>?
    /// Whether the graves of what was deleted are wanted instead.
    var graves = false
    /// Whether all versions are wanted, not only the newest.
    var versions = false
    /// Whether the last come first.
    var reverse = false
    var limit = Int.max
}

/// Reads rows of one store of one task, without a lock, while its app may run.
struct StoreScan {
    let task: StateFolder.Task
    let reader: LMDBStateReader
    let tables: StoreTables
    let names: SourceNames
    let kind: StoreKind

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
        kind = try StoreKind(tables, reader)
    }

    /// Gives rows in the order of keys; of windows and sessions by segment of time, then key; versions of a key by their times.
    func forEach(_ selection: RowSelection = RowSelection(), _ body: (StoredRow) throws -> Void) throws {
        guard selection.reverse else {
            var left = selection.limit
            guard left > 0 else { return }
            return try walk(selection) { row in
                try body(row)
                left -= 1
                return left > 0
            }
        }
        // Of a walk that only goes forward the last are kept.
        var last: [StoredRow] = []
        try walk(selection) { row in
            last.append(row)
            if last.count > 1000, last.count / 2 >= selection.limit { last.removeFirst(last.count - selection.limit) }
            return true
        }
        for row in last.reversed().prefix(selection.limit) { try body(row) }
    }

    private func walk(_ selection: RowSelection, _ body: (StoredRow) throws -> Bool) throws {
        if selection.versions { return try walkVersions(selection, body) }
        var low = selection.from ?? selection.key
        var high = selection.through ?? selection.key
        if kind.keys != .plain, !selection.areWhole {
            let times = selection.times ?? 0...Int64.max
            high = selection.key.map { kind.keys.bounds(of: $0, from: times.lowerBound, through: Int64.max).high }
            low = selection.key ?? selection.from
        }
        var failure: (any Error)?
        var goesOn = true
        let take = { (key: RawSpan, value: RawSpan) throws(StoreError) -> Bool in
            do {
                guard isWanted(key, selection) else { return true }
                goesOn = try body(try StoredRow(key: key, envelope: value, names: names))
            } catch {
                failure = error
                goesOn = false
            }
            return goesOn
        }
        for table in selection.graves ? [tables.graves].compactMap({ $0 }) : rowTables where goesOn {
            // A span can't be made of an optional array in one expression.
            let from = low ?? []
            let to = high ?? []
            switch (low, high) {
            case (nil, nil): try reader.forEach(table, from: nil, through: nil, take)
            case (_, nil): try reader.forEach(table, from: from.span.bytes, through: nil, take)
            case (nil, _): try reader.forEach(table, from: nil, through: to.span.bytes, take)
            default: try reader.forEach(table, from: from.span.bytes, through: to.span.bytes, take)
            }
            if let failure { throw failure }
        }
    }

    /// The tables of rows that count now: what newer versions have replaced lies in others.
    private var rowTables: [String] { kind.isVersioned ? tables.tables.filter { $0 == tables.store } : tables.tables }

    private func isWanted(_ key: RawSpan, _ selection: RowSelection) -> Bool {
        guard kind.keys != .plain, !selection.areWhole else { return true }
        let own = kind.keys.recordKey(of: key)
        if let wanted = selection.key, !own.isEqual(to: wanted.span.bytes) { return false }
        if let from = selection.from, own.compare(to: from.span.bytes) < 0 { return false }
        if let through = selection.through, own.compare(to: through.span.bytes) > 0 { return false }
        guard let times = selection.times, let suffix = WindowSuffix([UInt8](copying: key), kind.keys) else {
            return true
        }
        guard let end = suffix.end else { return times.contains(suffix.start) }
        return end >= times.lowerBound && suffix.start <= times.upperBound
    }

    private func walkVersions(_ selection: RowSelection, _ body: (StoredRow) throws -> Bool) throws {
        guard let description = kind.description else { return }
        let times = selection.times ?? 0...Int64.max
        var wanted = RowSelection()
        wanted.key = selection.key
        wanted.from = selection.from
        wanted.through = selection.through
        // Of keys that are deleted there may be versions, too.
        var keys: Set<[UInt8]> = []
        for graves in [false, true] {
            wanted.graves = graves
            try walk(wanted) { row in
                keys.insert(row.key)
                return true
            }
        }
        for key in keys.sorted(by: { $0.span.bytes.compare(to: $1.span.bytes) < 0 }) {
            for version in try reader.versions(description, of: key, from: times.lowerBound, through: times.upperBound)
            {
                var row = try StoredRow(key: key.span.bytes, envelope: version.envelope.span.bytes, names: names)
                row.validTo = version.validTo
                guard try body(row) else { return }
            }
        }
    }

    /// The row of one key; nil if there is none.
    func row(_ key: [UInt8], grave: Bool = false) throws -> StoredRow? {
        var selection = RowSelection()
        selection.key = key
        selection.areWhole = true
        selection.graves = grave
        var found: StoredRow?
        try forEach(selection) { found = $0 }
        return found
    }
}
