internal import TributaryCore
internal import TributaryLineage
internal import TributaryState

/// `tributary changelog replay`.
enum ReplayCommand {
    static let spec = CommandSpec(
        words: ["changelog", "replay"],
        summary: "Rebuilds what a store held from its changelog, with its lineage: as of now, an offset or a time.",
        details:
            "--to - prints each row with value, time, context and cell, in the order of keys; --to OUTDIR writes a "
            + "state directory with a folder for each partition, which 'tributary store' reads. What kind of store it is, is taken from the "
            + "application's state beside the log, if it is there.\n"
            + "A changelog is compacted: of records that a later one of the same key replaced, those that compaction has "
            + "removed are gone, so that the content as of long ago may lack rows.",
        options: LogAccess.options + [
            .text("topic", "TOPIC", "the changelog topic, <application>-<store>-changelog", required: true),
            .text("to", "OUTDIR|-", "a folder that is new or empty, or '-' for the terminal", required: true),
            .integer("partition", "P", "only this partition"),
            .integer("until-offset", "N", "leave out the record at this offset and later ones (of one partition)"),
            .text("until-time", "TIME", "leave out records with a later timestamp: ms, or 2026-01-31T13:00:00Z"),
            .integer("window-retention", "MS", "it is a window store that keeps its windows so long"),
            .integer("session-retention", "MS", "it is a session store that keeps its sessions so long"),
            .integer("history", "MS", "it is a store of versions that keeps them so long after they were replaced"),
            .text("store", "NAME", "the store's name (taken from the topic's)"),
            .flag("graves", "print deleted keys, too, as far as their tombstones are there"),
            .format("key-format", windows: true, "how keys are shown: \(BytesFormat.keyHelp)"),
            .format("value-format", "how values are shown: \(BytesFormat.valueHelp)"), TopicsCommands.json,
        ],
        examples: [
            "tributary changelog replay --log ./bank-data --topic bank-balances-changelog --to -",
            "tributary changelog replay --log ./bank-data --topic bank-balances-changelog --to ./yesterday "
                + "--until-time 2026-01-30T23:59:59Z",
        ], run: { try run($0, $1) })

    private static func run(_ arguments: Arguments, _ console: Console) throws -> Int32 {
        let time = try arguments["until-time"].map { text throws(UsageError) in try TimeText.milliseconds(text) }
        let target = try arguments.required("to")
        let log = try LogAccess.open(arguments, for: .reading)
        defer { log.close() }
        let topic = try LogAccess.topic(arguments.required("topic"), of: log)
        let places = try LogAccess.partitions(arguments, of: topic)
        let bound = ChangelogReplay.Bound(offset: arguments.integer("until-offset"), time: time)
        guard bound.offset == nil || places.count == 1 else {
            throw UsageError("--until-offset is of one partition: add --partition, 0 to \(places.count - 1)")
        }
        let store = arguments["store"] ?? storeName(topic.name, log: arguments["log"])
        let description = try description(of: store, topic.name, arguments)
        let text = RowText(
            key: BytesFormat(arguments["key-format"]).inStore(description.keys),
            value: BytesFormat(arguments["value-format"]))
        let names = try LogAccess.sourceNames(log)
        var rows = 0
        var records: Int64 = 0
        for place in places {
            var replay = ChangelogReplay(
                log: log, changelog: place, store: store, kind: description.kind, bound: bound)
            var bar = ProgressBar(console, "\(place)", total: 100)
            replay.onProgress = { done, total in bar.update(done * 100 / max(total, 1)) }
            if target == "-" {
                records += try replay.rows(graves: arguments.has("graves")) { key, envelope in
                    let row = try StoredRow(key: key, envelope: envelope, names: names)
                    rows += 1
                    if arguments.has("json") {
                        try console.row(text.json(row, place: [("store", store), ("changelog", "\(place)")]))
                    } else {
                        for line in text.lines(row) { try console.row(line) }
                    }
                }
            } else {
                records += try replay.write(to: "\(target)/\(place.partition)")
            }
            bar.finish()
        }
        let count = NumberText.grouped(records)
        if target == "-" {
            console.note("\(NumberText.grouped(Int64(rows))) rows from \(count) changelog records")
        } else {
            console.line("rebuilt '\(store)' from \(count) changelog records in \(target)")
        }
        return 0
    }

    /// What kind of store it is: as the options say, or the state beside the log.
    private static func description(
        of store: String, _ topic: String, _ arguments: Arguments
    ) throws(UsageError) -> StoreDescription {
        let given = ["window-retention", "session-retention", "history"].filter { arguments.has($0) }
        guard given.count < 2 else { throw UsageError("a store is of one kind: --\(given[0]) or --\(given[1])") }
        for name in given where arguments.integer(name) ?? 0 < 0 { throw UsageError("--\(name) must not be negative") }
        let kind: StoreDescription.Kind
        if let retention = arguments.integer("window-retention") {
            kind = .window(retention: retention, size: 0, retainsDuplicates: false, timestamped: true)
        } else if let retention = arguments.integer("session-retention") {
            kind = .session(retention: retention)
        } else if let history = arguments.integer("history") {
            kind = .versioned(history: history)
        } else if let known = StoreKind.beside(log: arguments["log"], changelog: topic, store: store) {
            return known
        } else {
            kind = .timestampedKeyValue
        }
        return StoreDescription(name: store, kind: kind)
    }

    /// The store of `<application>-<store>-changelog`: the application is one that has state beside the log, if there is one.
    static func storeName(_ topic: String, log: String?) -> String {
        let name = topic.hasSuffix("-changelog") ? String(topic.dropLast("-changelog".count)) : topic
        let applications = log.flatMap { try? Files.entries("\($0)/state") } ?? []
        if let application = applications.filter({ name.hasPrefix("\($0)-") }).max(by: { $0.count < $1.count }) {
            return String(name.dropFirst(application.count + 1))
        }
        guard let dash = name.firstIndex(of: "-") else { return name }
        return String(name[name.index(after: dash)...])
    }
}
