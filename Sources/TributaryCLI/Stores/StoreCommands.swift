internal import TributaryCore
internal import TributaryLMDB
internal import TributaryLineage
internal import TributaryRuntime

/// `tributary store get`, `scan`, `stats`.
enum StoreCommands {
    private static let state = OptionSpec.text(
        "state", "DIR", "the application's state directory (<log>/state/<application id>), or one task's in it",
        required: true)
    private static let store = OptionSpec.text("store", "NAME", "the store", required: true)
    private static let log = OptionSpec.text(
        "log", "DIR", "the log whose topics the cells name (found by itself if the state lies in it)")
    private static let keyFormat = OptionSpec.format(
        "key-format", windows: true,
        "how keys are typed and shown: \(BytesFormat.keyHelp). A store's own windows and sessions show without it")
    private static let valueFormat = OptionSpec.format("value-format", "how values are shown: \(BytesFormat.valueHelp)")
    private static let readOnly =
        "Reads what is committed, without a lock: the application may run meanwhile. Its state is made durable every ten "
        + "seconds or so; 'tributary store stats' says how old it is."

    static let specs = [
        CommandSpec(
            words: ["store", "get"], summary: "Shows the value of a key with its time, context and cell; or its grave.",
            details: readOnly
                + "\nThe cell says which source records the value came from: how many, from which partitions, "
                + "offsets and times, and a digest that proves it. Of a store of windows or sessions all of the key are shown, or the one that "
                + "is named. Ends with 1 if the key is in no task.",
            operands: [OperandSpec(name: "KEY", summary: "the key, as --key-format says")],
            options: [state, store, keyFormat, valueFormat] + KeyRows.options + [
                KeyRows.versions, log, LogAccess.kafka, LogAccess.property, TopicsCommands.json,
            ],
            examples: [
                "tributary store get DE100000 --state ./bank-data/state/bank --store balances",
                "tributary store get DE100000 --state ./bank-data/state/bank --store visits --session 1000/5000",
            ],
            run: { try get($0, $1) }),
        CommandSpec(
            words: ["store", "scan"], summary: "Shows the rows of a store in the order of keys, task by task.",
            details: readOnly + "\nWindows and sessions come by segment of time, then by key.",
            options: [
                state, store, .text("from", "KEY", "begin at this key"), .text("through", "KEY", "end with this key"),
                .text("since", "TIME", "windows that start then or later, sessions that end, versions that count"),
                .text("until", "TIME", "windows and sessions that start then or earlier, versions that count"),
                .flag("reverse", "the last first"), .integer("max", "N", "stop after so many rows"),
                .flag("graves", "show the graves of deleted keys instead"), KeyRows.versions,
                keyFormat, valueFormat, log, LogAccess.kafka, LogAccess.property, TopicsCommands.json,
            ],
            examples: ["tributary store scan --state ./bank-data/state/bank --store balances --max 10 --json"],
            run: { try scan($0, $1) }),
        CommandSpec(
            words: ["store", "stats"], summary: "Shows tasks and stores: rows, graves, bytes, changelog position, age.",
            details: readOnly, options: [state, TopicsCommands.json],
            examples: ["tributary store stats --state ./bank-data/state/bank"], run: { try stats($0, $1) }),
    ]

    /// The names of topics, if there is a log to ask.
    static func names(_ arguments: Arguments, _ folder: StateFolder) throws -> SourceNames {
        let log: any Log
        if arguments.has("log") || arguments.has("kafka") {
            log = try LogAccess.open(arguments, for: .reading)
        } else {
            guard let path = folder.surroundingLog else { return SourceNames() }
            log = try LogAccess.open(path, for: .reading)
        }
        defer { log.close() }
        return try LogAccess.sourceNames(log)
    }

    /// The rows of all tasks that have the store.
    static func scans(_ arguments: Arguments) throws -> [StoreScan] {
        let folder = try StateFolder(arguments.required("state"))
        let names = try names(arguments, folder)
        let store = try arguments.required("store")
        var scans: [StoreScan] = []
        var known: Set<String> = []
        for task in folder.tasks {
            let stores = StoreTables.group(try task.reader().tableNames()).map(\.store)
            known.formUnion(stores)
            if stores.contains(store) { scans.append(try StoreScan(task, store, names: names)) }
        }
        guard !scans.isEmpty else {
            let list = known.isEmpty ? "none is committed yet" : "only: \(known.sorted().joined(separator: ", "))"
            throw CommandError("there is no store '\(store)' in \(folder.path), \(list)")
        }
        return scans
    }

    private static func text(_ arguments: Arguments, _ scan: StoreScan) -> RowText {
        RowText(
            key: BytesFormat(arguments["key-format"]).inStore(scan.kind.keys),
            value: BytesFormat(arguments["value-format"]))
    }

    private static func show(_ row: StoredRow, _ scan: StoreScan, _ arguments: Arguments, _ console: Console) throws {
        let text = text(arguments, scan)
        if arguments.has("json") {
            try console.row(text.json(row, place: [("task", scan.task.id), ("store", scan.tables.store)]))
        } else {
            for line in text.lines(row) { try console.row(line) }
        }
    }

    /// The one row that the arguments name, its grave if it was deleted, in whichever task has it.
    static func find(_ keyText: String, _ arguments: Arguments) throws -> (StoredRow, StoreScan)? {
        try KeyRows(keyText, arguments).rows(single: true).first
    }

    static func missing(_ key: String, _ store: String) -> CommandError {
        CommandError(
            "there is no key '\(key)' in '\(store)', and no grave of it (what a running application has written since its "
                + "state was last made durable is not seen here)")
    }

    private static func get(_ arguments: Arguments, _ console: Console) throws -> Int32 {
        let key = try arguments.operand(0)
        let rows = try KeyRows(key, arguments).rows(single: false)
        guard !rows.isEmpty else { throw missing(key, try arguments.required("store")) }
        for (row, scan) in rows { try show(row, scan, arguments, console) }
        return 0
    }

    private static func scan(_ arguments: Arguments, _ console: Console) throws -> Int32 {
        let format = BytesFormat(arguments["key-format"])
        var selection = RowSelection()
        selection.from = try arguments["from"].map { text throws(UsageError) in try format.bytes(text) }
        selection.through = try arguments["through"].map { text throws(UsageError) in try format.bytes(text) }
        selection.areWhole = format.keys != .plain
        let since = try arguments["since"].map { text throws(UsageError) in try TimeText.milliseconds(text) }
        let until = try arguments["until"].map { text throws(UsageError) in try TimeText.milliseconds(text) }
        guard since ?? .min <= until ?? .max else { throw UsageError("--until is before --since") }
        if since != nil || until != nil { selection.times = max(since ?? 0, 0)...max(until ?? .max, since ?? 0, 0) }
        selection.graves = arguments.has("graves")
        selection.versions = arguments.has("versions")
        selection.reverse = arguments.has("reverse")
        var left = arguments.integer("max").map { Int($0) } ?? Int.max
        guard left >= 0 else { throw UsageError("--max must not be negative") }
        for scan in try scans(arguments) where left > 0 {
            try check(selection, scan)
            selection.limit = left
            try scan.forEach(selection) { row in
                left -= 1
                try show(row, scan, arguments, console)
            }
        }
        return 0
    }

    private static func check(_ selection: RowSelection, _ scan: StoreScan) throws(UsageError) {
        let kind = scan.kind
        if selection.versions {
            guard kind.isVersioned else { throw UsageError("'\(scan.tables.store)' keeps no versions") }
            guard !selection.graves else { throw UsageError("say --versions or --graves, not both") }
        } else if selection.times != nil, kind.keys == .plain {
            throw UsageError(
                "'\(scan.tables.store)' keeps rows without times, of which --since and --until say nothing"
                    + (kind.isVersioned ? ": add --versions" : ""))
        }
    }

    private static func stats(_ arguments: Arguments, _ console: Console) throws -> Int32 {
        for task in try StateFolder(arguments.required("state")).tasks {
            let report = try TaskReport(task)
            if arguments.has("json") {
                console.line(report.json)
            } else {
                report.lines(now: TimeSource.system.wall.milliseconds).forEach(console.line)
            }
        }
        return 0
    }
}
