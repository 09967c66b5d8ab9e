internal import TributaryCore
internal import TributaryFoundation
internal import TributaryLMDB
internal import TributaryLineage
internal import TributaryState
internal import TributaryTelemetry

/// The steps of the demo; the first that finds something wrong throws.
final class Demo {
    private let folder: String
    private let accounts: Int
    private let transactions: Int
    private let seed: UInt64
    private let console: Console
    private var step = 0
    private var shown = "account-0"

    init(folder: String, accounts: Int, transactions: Int, seed: UInt64, console: Console) {
        self.folder = folder
        self.accounts = accounts
        self.transactions = transactions
        self.seed = seed
        self.console = console
    }

    private var stateFolder: String { "\(folder)/state/\(DemoBank.application)" }

    var suggestions: [String] {
        [
            "tributary topics list --log \(folder)",
            "tributary store get \(shown) --state \(stateFolder) --store balances",
            "tributary trace --traces \(folder)/traces --state \(stateFolder) --store balances --key \(shown) --follow-links",
            "tributary changelog replay --log \(folder) --topic bank-balances-changelog --to -",
        ]
    }

    private func title(_ text: String) throws {
        try Interrupt.check()
        step += 1
        console.line("\(step). \(text)")
        console.flush()
    }

    private func say(_ text: String) {
        console.line("   \(text)")
        console.flush()
    }

    func run() throws {
        let began = TimeSource.system.monotonic.milliseconds
        let log = try EmbeddedLog.open(at: folder)
        defer { log.close() }
        try write(log)
        try process(log)
        try title("Checking every balance against an independent sum over the topic 'transactions'.")
        let truth = try DemoTruth(log)
        let rows = try storedRows(log)
        try checkBalances(rows, truth)
        try checkUpdates(log, truth)
        let graph = try TraceFiles.graph(["\(folder)/traces"]) { _ in }
        let row = try checkCells(rows, truth, graph)
        try showTrace(row, truth, graph)
        try restore(log)
        let time = TimeText.duration(TimeSource.system.monotonic.milliseconds - began)
        console.line("All of it is as it must be, in \(time).")
    }

    // MARK: Steps

    private func write(_ log: EmbeddedLog) throws {
        try title(
            "Writing \(NumberText.grouped(Int64(accounts))) accounts and \(NumberText.grouped(Int64(transactions))) "
                + "transactions as JSON into a fresh embedded log.")
        let began = TimeSource.system.monotonic.milliseconds
        var bar = ProgressBar(console, "   transactions", total: Int64(transactions))
        try DemoBank.load(log, accounts: accounts, transactions: transactions, seed: seed, &bar)
        bar.finish()
        let size = NumberText.bytes(Files.size("\(folder)/log.mdb") ?? 0)
        say("written in \(TimeText.duration(TimeSource.system.monotonic.milliseconds - began)), \(size)")
    }

    private func process(_ log: EmbeddedLog) throws {
        // Enough accounts that some are traced, few enough that the files stay small.
        let ratio = min(1, max(0.005, 15 / Double(accounts)))
        let arguments = ["demo-app", folder, "--sample", "\(ratio)"]
        try title("Running the bank in a process of its own: join with the account, sum up, exactly once.")
        let first = try DemoWatch(log, arguments + ["--killed-at", "\(transactions / 2)"], console)
        let ending = try first.runToDeath()
        let (committed, total) = try DemoWatch.progress(log)
        guard ending == .killed(9), committed < total else {
            throw CommandError("the bank was to be killed in the middle: \(ending.map { "\($0)" } ?? "it is through")")
        }
        try title("Killed with SIGKILL in the middle, while it computed.")
        say(
            "it died at \(NumberText.grouped(committed)) committed records; what it had not committed never happened")
        try title("Starting it again.")
        let second = try DemoWatch(log, arguments, console)
        try second.runToEnd()
        say(
            "it restored its state from \(NumberText.grouped(second.restored)) changelog records and went on where the log stood"
        )
        let clean = second.stop()
        guard clean == .exited(0) else { throw CommandError("the bank did not stop cleanly on SIGTERM: \(clean)") }
        say("stopped cleanly by SIGTERM")
    }

    /// The rows of the app's store of balances, all tasks.
    private func storedRows(_ log: EmbeddedLog) throws -> [StoredRow] {
        let names = try LogAccess.sourceNames(log)
        var rows: [StoredRow] = []
        for task in try StateFolder(stateFolder).tasks {
            try StoreScan(task, "balances", names: names).forEach { rows.append($0) }
        }
        return rows
    }

    private func checkBalances(_ rows: [StoredRow], _ truth: DemoTruth) throws {
        let serde = Serde.json(DemoBank.Balance.self)
        var seen: Set<String> = []
        for row in rows {
            let key = BytesFormat.text.text(row.key)
            let balance = try serde.value(row.value)
            guard let right = truth.accounts[key]?.balance, seen.insert(key).inserted else {
                throw CommandError("the store has a balance of '\(key)' that must not be there")
            }
            guard balance == right else {
                throw CommandError(
                    "'\(key)' has \(balance.cents) cents after \(balance.postings) postings, not \(right.cents) after "
                        + "\(right.postings)")
            }
        }
        for (key, account) in truth.accounts where account.balance.postings > 0 && !seen.contains(key) {
            throw CommandError("the store has no balance of '\(key)'")
        }
        let total = truth.accounts.values.reduce(0) { $0 + $1.balance.cents }
        say(
            "all \(NumberText.grouped(Int64(rows.count))) balances are exact: \(NumberText.grouped(truth.records)) "
                + "transactions, \(NumberText.grouped(total)) cents in all, nothing lost, nothing twice")
    }

    private func checkUpdates(_ log: EmbeddedLog, _ truth: DemoTruth) throws {
        let serde = Serde.json(DemoBank.Balance.self)
        var latest: [String: DemoBank.Balance] = [:]
        for number in 0..<DemoBank.partitions {
            let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "demo-updates"))
            defer { consumer.close() }
            _ = try consumer.assign(TopicPartition("balance-updates", number), from: 0)
            while let batch = try consumer.poll(timeout: 0) {
                for index in 0..<batch.count {
                    guard let bytes = batch.key(index), let key = String(strictUTF8: bytes) else { continue }
                    if let value = batch.value(index) { latest[key] = try serde.decode(value) }
                }
            }
        }
        for (key, account) in truth.accounts where account.balance.postings > 0 && latest[key] != account.balance {
            throw CommandError("the last record of '\(key)' in 'balance-updates' is not its balance")
        }
        say("the last record of each in 'balance-updates' says the same")
    }

    /// Returns the row that was shown.
    private func checkCells(_ rows: [StoredRow], _ truth: DemoTruth, _ graph: TraceGraph) throws -> StoredRow {
        try title("Asking a balance which records made it: its cell.")
        for row in rows {
            let key = BytesFormat.text.text(row.key)
            guard let account = truth.accounts[key] else { continue }
            if let fault = truth.fault(of: row.cell, account) {
                throw CommandError("the cell of '\(key)': \(fault). The store says: \(row.cell?.line ?? "nothing")")
            }
        }
        // One whose trace is in the files, so that the next step can go on with it: spans that the killed process had not written died with it.
        guard let row = rows.first(where: { !graph.text(ofTrace: $0.context.traceID).isEmpty }) ?? rows.first,
            let account = truth.accounts[BytesFormat.text.text(row.key)]
        else { throw CommandError("there are no balances") }
        shown = BytesFormat.text.text(row.key)
        for line in RowText().lines(row) { say(line) }
        say("recomputed from the source records (each posting came from a transaction and its account):")
        say("    n        \(account.count)")
        say("    digest   \(DemoTruth.hexadecimal(account.digest))")
        say("the same; so are the cells of all \(NumberText.grouped(Int64(rows.count))) balances, sampled or not")
        return row
    }

    private func showTrace(_ row: StoredRow, _ truth: DemoTruth, _ graph: TraceGraph) throws {
        try title("Following a transaction from its record to the balance it changed: its trace.")
        let tree = graph.text(ofTrace: row.context.traceID)
        guard !tree.isEmpty else {
            say(
                "the spans of all last writes that were sampled died with the killed process (the cells do not need them)"
            )
            return
        }
        say("the last write of \(shown) belongs to trace \(row.context.traceID):")
        for line in tree.split(separator: "\n") { say("    \(line)") }
        let why = graph.why(SpanID(row.context), isRow: true)
        let wanted = Int(truth.accounts[shown]?.balance.postings ?? 0) + 1
        let lost = why.count(of: .notThere)
        say(
            "followed back over \(why.steps.count) spans, parents and links lead to \(why.sources.count) of the "
                + "\(wanted) source records of the balance"
                + (lost > 0 ? "; \(lost) spans died with the killed process (the cell does not need them)" : ""))
        if why.isComplete && why.sources.count != wanted {
            throw CommandError("the walk over the spans must reach \(wanted) records")
        }
    }

    private func restore(_ log: EmbeddedLog) throws {
        try title("Restoring the stores from their changelogs into a fresh directory, and comparing byte for byte.")
        let fresh = "\(folder)/restored"
        for store in ["accounts", "balances"] {
            var rows = 0
            var bytes: Int64 = 0
            var records: Int64 = 0
            for task in try StateFolder(stateFolder).tasks {
                guard let number = task.id.split(separator: "_").last.flatMap({ Int32($0) }) else { continue }
                let place = TopicPartition("\(DemoBank.application)-\(store)-changelog", number)
                let directory = "\(fresh)/\(store)/\(task.id)"
                records += try ChangelogReplay(log: log, changelog: place, store: store).write(to: directory)
                let comparison = try StoreComparison(store, task.reader(), LMDBStateReader(directory: directory))
                if let difference = comparison.difference {
                    throw CommandError("'\(store)' of task \(task.id): \(difference)")
                }
                rows += comparison.rows
                bytes += comparison.bytes
            }
            say(
                "\(store): \(NumberText.grouped(Int64(rows))) rows from \(NumberText.grouped(records)) changelog records, "
                    + "\(NumberText.bytes(bytes)) of keys, values, timestamps, contexts and cells: identical")
        }
    }
}
