internal import TributaryCore
internal import TributaryLMDB
internal import TributaryLineage
internal import TributaryRuntime
internal import TributaryState

/// What the state of one task holds.
struct TaskReport {
    struct Store {
        var name: String
        var rows: Int64 = 0
        var bytes: Int64 = 0
        var graves: Int64?
        var segments: Int?
        /// How many versions are kept that newer ones have replaced; nil for other stores.
        var replaced: Int64?
        var noun = "rows"
        var position: StorePosition?
    }

    let task: String
    let fileBytes: Int64
    private(set) var stores: [Store] = []
    /// When the state was last made durable, ms; nil if never.
    private(set) var committed: Int64?

    init(_ task: StateFolder.Task) throws {
        self.task = task.id
        fileBytes = Files.size("\(task.directory)/\(LMDBStateEngine.fileName)") ?? 0
        let reader = try task.reader()
        for tables in StoreTables.group(try reader.tableNames()) {
            var store = Store(name: tables.store)
            let kind = try StoreKind(tables, reader)
            store.noun = kind.noun
            if kind.isVersioned { store.replaced = 0 }
            for table in tables.tables {
                let (rows, bytes) = try Self.count(table, reader)
                if kind.isVersioned, table != tables.store { store.replaced? += rows } else { store.rows += rows }
                store.bytes += bytes
            }
            if let graves = tables.graves { store.graves = try Self.count(graves, reader).rows }
            if tables.hasWindows { store.segments = tables.tables.count }
            if let bytes = try reader.metadata(StorePosition.metadataKey(tables.store)) {
                store.position = try StorePosition(bytes, store: tables.store)
                committed = max(committed ?? 0, store.position?.wallTime ?? 0)
            }
            stores.append(store)
        }
        // `<id of the log's commit> <ms>`.
        if let text = try reader.metadata("commit").map({ String(decoding: $0, as: UTF8.self) }),
            let time = text.split(separator: " ").last.flatMap({ Int64($0) })
        {
            committed = max(committed ?? 0, time)
        }
    }

    private static func count(_ table: String, _ reader: LMDBStateReader) throws -> (rows: Int64, bytes: Int64) {
        var rows: Int64 = 0
        var bytes: Int64 = 0
        try reader.forEach(table, from: nil, through: nil) { (key, value) throws(StoreError) in
            rows += 1
            bytes += Int64(key.byteCount + value.byteCount)
            return true
        }
        return (rows, bytes)
    }

    func lines(now: Int64) -> [String] {
        let age =
            committed.map { "committed \(TimeText.duration(max(now.subtractingSaturated($0), 0))) ago" }
            ?? "never committed"
        return ["task \(task)  \(NumberText.bytes(fileBytes)) on disk, \(age)"]
            + stores.map { store in
                var line = "  \(store.name)  \(NumberText.grouped(store.rows)) \(store.noun)"
                if let replaced = store.replaced { line += " and \(NumberText.grouped(replaced)) earlier versions" }
                line += ", \(NumberText.bytes(store.bytes))"
                if let segments = store.segments { line += " in \(segments) segments" }
                if let graves = store.graves, graves > 0 { line += ", \(NumberText.grouped(graves)) graves" }
                if let position = store.position { line += ", changelog applied up to offset \(position.next)" }
                return line
            }
    }

    var json: String {
        var writer = ByteWriter()
        writer.appendObject { writer, members in
            members.string("task", task, &writer)
            members.integer("fileBytes", fileBytes, &writer)
            if let committed { members.integer("committed", committed, &writer) }
            members.name("stores", &writer)
            writer.append(0x5b)
            for (index, store) in stores.enumerated() {
                if index > 0 { writer.append(0x2c) }
                writer.appendObject { writer, inner in
                    inner.string("store", store.name, &writer)
                    inner.integer("rows", store.rows, &writer)
                    if let replaced = store.replaced { inner.integer("earlierVersions", replaced, &writer) }
                    inner.integer("bytes", store.bytes, &writer)
                    if let graves = store.graves { inner.integer("graves", graves, &writer) }
                    if let segments = store.segments { inner.integer("segments", Int64(segments), &writer) }
                    if let position = store.position {
                        inner.integer("changelogPosition", position.next, &writer)
                        inner.integer("logCommit", position.commitID, &writer)
                    }
                }
            }
            writer.append(0x5d)
        }
        return writer.text
    }
}
