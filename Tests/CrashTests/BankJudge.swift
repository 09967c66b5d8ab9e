import CrashApplication
import Glibc
import Testing
import Tributary
import TributaryLMDB

/// Says whether the bank app has done what it had to, from its log, its state directory and what was sent.
final class BankJudge {
    let state: String
    let comment: Comment
    private let guarantee: ProcessingGuarantee
    private let log: EmbeddedLog
    private let input: BankInput
    private var doubled = 0

    init(
        _ guarantee: ProcessingGuarantee, _ log: EmbeddedLog, _ input: BankInput, state: String, comment: Comment
    ) {
        self.guarantee = guarantee
        self.log = log
        self.input = input
        self.state = state
        self.comment = comment
    }

    /// How many records of each partition are not processed.
    func lag() throws -> [TopicPartition: Int64] {
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

    var tasks: [String] {
        (0..<BankApplication.partitions).flatMap { ["0_\($0)", "1_\($0)"] }
            .filter { access("\(state)/\($0)/state.mdb", R_OK) == 0 }
    }

    /// Compares stores, changelogs and outputs with the sums of what was sent; returns how many counts are too high.
    func check() throws -> Int {
        doubled = 0
        try checkBalances()
        try checkWindows()
        try checkCounts()
        try checkAccounts()
        return doubled
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
}
