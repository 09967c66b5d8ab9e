import CrashApplication
import Glibc
import Testing
import Tributary
import TributaryLMDB

/// One application on one log that is killed again and again, and judged at the end.
final class CrashRun {
    private let guarantee: ProcessingGuarantee
    private let seed: UInt64
    private let folder: TemporaryFolder
    private let log: EmbeddedLog
    private let input: BankInput
    private var random: SeededGenerator
    private var points: [String: Int] = [:]
    private var doubled = 0

    private var state: String { folder.path + "/log/state/" + BankApplication.id }
    private var comment: Comment { "\(guarantee.rawValue), TRIBUTARY_SEED=\(seed)" }

    init(_ guarantee: ProcessingGuarantee, seed: UInt64) throws {
        self.guarantee = guarantee
        self.seed = seed
        folder = try TemporaryFolder()
        log = try EmbeddedLog.open(at: folder.path + "/log", configuration: BankApplication.logConfiguration)
        try log.createTopics(BankApplication.topics)
        random = SeededGenerator(seed: seed)
        input = try BankInput(log, accounts: 400, seed: seed)
        try input.openAccounts()
    }

    private func start() throws -> ChildProcess {
        try ChildProcess(
            folder: folder.path + "/log", guarantee: guarantee.rawValue, threads: 1 + Int(random.next() % 3))
    }

    private func pause(upTo milliseconds: UInt64) {
        usleep(UInt32(random.next() % (milliseconds * 1000)))
    }

    /// Starts the application and kills it: some time after its start, in full work, or in its shutdown.
    func kill(_ number: Int) throws {
        try input.transfer(Int(random.next() % 3000))
        let child = try start()
        let point = random.next() % 4
        if point == 0 {
            points["during start", default: 0] += 1
            pause(upTo: 250)
        } else {
            let said = child.read(milliseconds: 30_000)
            try #require(said == "running\n", "\(said) \(comment)")
            for _ in 0..<(random.next() % 4) {
                try input.transfer(Int(random.next() % 1500))
                if random.next() % 3 == 0 { try input.openAccounts(Int64(number % 100)..<Int64(number % 100 + 10)) }
                pause(upTo: 60)
            }
            pause(upTo: 60)
            points[point == 1 ? "in shutdown" : "in work", default: 0] += 1
            if point == 1 {
                child.signal(SIGTERM)
                pause(upTo: 30)
            }
        }
        child.signal(SIGKILL)
        let status = child.wait()
        if try !isDone() { points["with work left", default: 0] += 1 }
        #expect(status == -SIGKILL || (point == 1 && status == 0), "ended by itself: \(status) \(comment)")
    }

    /// Lets the application work until it has committed everything, and stops it.
    func finish() throws {
        try input.transfer(1000)
        let child = try start()
        var last: [TopicPartition: Int64] = [:]
        var waited = 0
        while true {
            let lag = try lag()
            if lag.isEmpty { break }
            waited = lag == last ? waited + 1 : 0
            last = lag
            try #require(waited < 2000, "the application does not get on: \(lag) \(comment)")
            usleep(10_000)
        }
        child.signal(SIGTERM)
        #expect(child.wait() == 0, comment)
    }

    private func lag() throws -> [TopicPartition: Int64] {
        let committed = try log.committedOffsets(group: BankApplication.id)
        var lag: [TopicPartition: Int64] = [:]
        let topics = [BankApplication.transactions, BankApplication.accounts, "bank-by-account-repartition"]
        for topic in topics {
            for partition in 0..<BankApplication.partitions {
                let place = TopicPartition(topic, partition)
                guard try log.topic(topic) != nil else { return [place: -1] }
                let end = try log.watermarks(place, committed: true).high
                if end > committed[place]?.offset ?? 0 { lag[place] = end - (committed[place]?.offset ?? 0) }
            }
        }
        return lag
    }

    // The sources first: what they led to is in the repartition topic by then.
    private func isDone() throws -> Bool { try lag().isEmpty }

    // MARK: Judging

    private var tasks: [String] {
        (0..<BankApplication.partitions).flatMap { ["0_\($0)", "1_\($0)"] }
            .filter { access("\(state)/\($0)/state.mdb", R_OK) == 0 }
    }

    /// Compares stores, changelogs and outputs with the sums of what was sent.
    func check() throws {
        try checkBalances()
        try checkWindows()
        try checkCounts()
        try checkAccounts()
        print(
            "\(guarantee.rawValue): \(input.sent) transactions, \(doubled) counts doubled, kills \(points), "
                + "TRIBUTARY_SEED=\(seed)")
    }

    private func checkBalances() throws {
        let rows = try storedAsLogged("balances")
        #expect(rows.count == input.sums.count, comment)
        for (key, row) in rows {
            let account = key.span.bytes.integer(at: 0, as: Int64.self) ?? -1
            let balance = try Serde<Balance>.balance.value(row.value)
            try compare("balance of \(account)", input.sums[account], balance, row)
        }
        expectSame(BankApplication.updates, try BankState.last(log, BankApplication.updates), rows)
    }

    private func checkWindows() throws {
        let rows = try storedAsLogged("windows")
        #expect(rows.count == input.windows.count, comment)
        for (key, row) in rows {
            let bytes = key.span.bytes
            let place = BankInput.WindowKey(
                account: bytes.integer(at: 0, as: Int64.self) ?? -1, start: bytes.integer(at: 8, as: Int64.self) ?? -1)
            let balance = try Serde<Balance>.balance.value(row.value)
            try compare("window \(place)", input.windows[place], balance, row)
            if guarantee == .exactlyOnce { #expect(balance.token == input.windows[place]?.token, comment) }
        }
    }

    /// The in-memory store: its changelog is all that remains of it.
    private func checkCounts() throws {
        let rows = try BankState.last(log, "bank-counts-changelog")
        #expect(rows.count == input.sums.count, comment)
        for (key, row) in rows {
            let account = key.span.bytes.integer(at: 0, as: Int64.self) ?? -1
            var balance = Balance()
            balance.count = try Serde<Int64>.int64.value(row.value)
            balance.contributions = balance.count
            balance.amount = input.sums[account]?.amount ?? 0
            let report = try row.report()
            balance.token = UInt128(report.digest, radix: 16) ?? 0
            try compare("count of \(account)", input.sums[account], balance, row)
            if guarantee == .exactlyOnce { #expect(balance.token == input.sums[account]?.token, comment) }
        }
        expectSame(BankApplication.counts, try BankState.last(log, BankApplication.counts), rows)
    }

    private func checkAccounts() throws {
        let rows = try storedAsLogged("accounts")
        #expect(rows.count == Int(input.accountCount), comment)
        for row in rows.values {
            let account = try Serde<Account>.account.value(row.value)
            let report = try row.report()
            #expect(report.count == 1 && UInt128(report.digest, radix: 16) == account.token, comment)
        }
    }

    /// Exactly once: the sum is right.
    ///
    /// At least once: nothing is missing. Always: the cell says what the value came from.
    private func compare(_ what: String, _ truth: BankInput.Sum?, _ balance: Balance, _ row: StoredRow) throws {
        let truth = try #require(truth, "\(what) came from nowhere \(comment)")
        let report = try row.report()
        #expect(report.flags.isEmpty, "\(what): \(report.line) \(comment)")
        #expect(Int64(report.count) == balance.contributions, "\(what): \(report.line), \(balance) \(comment)")
        #expect(UInt128(report.digest, radix: 16) == balance.token, "\(what): \(report.line), \(balance) \(comment)")
        if guarantee == .exactlyOnce {
            #expect(
                balance.count == truth.count && balance.amount == truth.amount,
                "\(what): \(truth), \(balance) \(comment)")
        } else {
            if balance.count > truth.count { doubled += 1 }
            #expect(balance.count >= truth.count, "\(what): \(truth), \(balance) \(comment)")
        }
    }

    /// The rows of a store, which must be those that its changelog ends with.
    private func storedAsLogged(_ store: String) throws -> [[UInt8]: StoredRow] {
        var rows: [[UInt8]: StoredRow] = [:]
        for (key, envelope) in try BankState.rows(state, store: store, tasks: tasks) {
            rows[key] = try StoredRow(envelope: envelope.span.bytes)
        }
        expectSame(store, try BankState.last(log, "bank-\(store)-changelog"), rows)
        return rows
    }

    private func expectSame(_ what: String, _ logged: [[UInt8]: StoredRow], _ rows: [[UInt8]: StoredRow]) {
        let ignoresLineage = what == BankApplication.updates || what == BankApplication.counts
        #expect(logged.count == rows.count, "\(what) \(comment)")
        for (key, row) in rows {
            guard let other = logged[key] else {
                Issue.record("\(what): a key is only in the store \(comment)")
                return
            }
            let isSame = other.value == row.value && other.timestamp == row.timestamp
            let isSameLineage = ignoresLineage || other == row
            guard isSame && isSameLineage else {
                Issue.record("\(what): \(key) \(row) but in the log \(other) \(comment)")
                return
            }
        }
    }

    /// A state directory made from nothing but the changelogs holds the same bytes.
    func checkRestored() throws {
        let stores = ["balances", "windows", "accounts"]
        let before = try stores.map { try BankState.rows(state, store: $0, tasks: tasks) }
        guard rename(state, folder.path + "/old-state") == 0 else { throw SystemFailure(call: "rename", code: errno) }
        let child = try start()
        #expect(child.read(milliseconds: 60_000) == "running\n", comment)
        child.signal(SIGTERM)
        #expect(child.wait() == 0, comment)
        for (store, rows) in zip(stores, before) {
            let restored = try BankState.rows(state, store: store, tasks: tasks)
            #expect(restored == rows, "\(store) restored differs \(comment)")
        }
    }
}
