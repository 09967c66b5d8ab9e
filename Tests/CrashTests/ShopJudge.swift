import CrashApplication
import Glibc
import Testing
import Tributary
import TributaryCore
import TributaryLMDB

/// Says whether the shop app has done what it had to, from its log, its state and what was sent.
final class ShopJudge {
    let state: String
    let comment: Comment
    private let guarantee: ProcessingGuarantee
    private let log: EmbeddedLog
    private let input: ShopInput
    private var doubled = 0

    init(_ guarantee: ProcessingGuarantee, _ log: EmbeddedLog, _ input: ShopInput, state: String, comment: Comment) {
        self.guarantee = guarantee
        self.log = log
        self.input = input
        self.state = state
        self.comment = comment
    }

    /// How many records of each partition are not processed.
    func lag() throws -> [TopicPartition: Int64] {
        let committed = try log.committedOffsets(group: ShopApplication.id)
        let written = [ShopApplication.closed, ShopApplication.joined, ShopApplication.rates]
        var lag: [TopicPartition: Int64] = [:]
        for topic in try log.topics() where !topic.name.hasSuffix("-changelog") && !written.contains(topic.name) {
            for partition in 0..<ShopApplication.partitions {
                let place = TopicPartition(topic.name, partition)
                let end = try log.watermarks(place, committed: true).high
                if end > committed[place]?.offset ?? 0 { lag[place] = end - (committed[place]?.offset ?? 0) }
            }
        }
        return lag
    }

    /// All stores with a state on disk, as bytes.
    func stored() throws -> [String: [[UInt8]: [UInt8]]] {
        let tasks = (0..<8).flatMap { part in (0..<ShopApplication.partitions).map { "\(part)_\($0)" } }
            .filter { access("\(state)/\($0)/state.mdb", R_OK) == 0 }
        var stores: [String: [[UInt8]: [UInt8]]] = [:]
        for name in ["sessions", "slides", "rated", "priced", "orders", "customers", "joined", "pairs"] {
            stores[name] = try BankState.rows(state, store: name, tasks: tasks)
        }
        return stores
    }

    /// Compares what is there before the windows close; returns how many rows hold records twice.
    func checkOpen() throws -> Int {
        doubled = 0
        let truth = ShopTruth(input)
        let sessions = try logged("sessions") { key in
            ShopTruth.WindowKey(
                account: key.integer(at: 0, as: Int64.self) ?? -1, start: key.integer(at: 16, as: Int64.self) ?? -1,
                end: key.integer(at: 8, as: Int64.self) ?? -1)
        }
        try compare("session", truth.sessions, sessions)
        let slides = try logged("slides") { key in
            let start = key.integer(at: 8, as: Int64.self) ?? -1
            return ShopTruth.WindowKey(
                account: key.integer(at: 0, as: Int64.self) ?? -1, start: start, end: start + ShopApplication.gap)
        }
        try compare("sliding window", truth.slides, slides)
        try compare("rated", truth.rated, try logged("rated", account))
        try compare("priced", truth.priced, try logged("priced", account))
        let joined = try logged("joined", account)
        try compare("joined", truth.joined, joined, mayDouble: false)
        let sent = try BankState.last(log, ShopApplication.joined).filter { !$0.value.value.isEmpty }
        #expect(Set(sent.keys) == Set(joined.values.map(\.key)), comment)
        for row in joined.values { #expect(sent[row.key]?.value == row.row.value, comment) }
        return doubled
    }

    /// Compares what came when the windows closed.
    func checkClosed() throws -> Int {
        doubled = 0
        let truth = ShopTruth(input)
        try compare("pairs", truth.pairs, try logged("pairs", account))
        var seen: [ShopTruth.WindowKey: Int] = [:]
        // What is done again after a window has closed may close it again, with what was done again.
        var most: [ShopTruth.WindowKey: LoggedRow] = [:]
        for record in try BankState.all(log, ShopApplication.closed) {
            let key = record.key.span.bytes
            let start = key.integer(at: 8, as: Int64.self) ?? -1
            let window = ShopTruth.WindowKey(
                account: key.integer(at: 0, as: Int64.self) ?? -1, start: start, end: start + ShopApplication.windowSize
            )
            guard window.account >= 0 else { continue }
            seen[window, default: 0] += 1
            let count = try Serde<Balance>.balance.value(record.row.value).contributions
            if let before = try most[window].map({ try Serde<Balance>.balance.value($0.row.value).contributions }),
                before > count
            {
                continue
            }
            most[window] = record
        }
        try compare("closed window", truth.closed, most)
        if guarantee == .exactlyOnce {
            for (window, count) in seen where count > 1 { Issue.record("\(window) closed \(count) times \(comment)") }
        }
        return doubled
    }

    private func account(_ key: RawSpan) -> Int64 { key.integer(at: 0, as: Int64.self) ?? -1 }

    /// The rows that a changelog ends with, but for those that only close windows.
    private func logged<Key: Hashable>(_ store: String, _ key: (RawSpan) -> Key) throws -> [Key: LoggedRow] {
        var rows: [Key: LoggedRow] = [:]
        for (bytes, row) in try BankState.last(log, "\(ShopApplication.id)-\(store)-changelog") {
            guard !row.value.isEmpty, account(bytes.span.bytes) >= 0 else { continue }
            rows[key(bytes.span.bytes)] = LoggedRow(key: bytes, row: row)
        }
        return rows
    }

    /// Exactly once: what is there is right.
    ///
    /// At least once: nothing is missing. Always: the cell says what the value came from.
    private func compare<Key: Hashable>(
        _ what: String, _ truth: [Key: Balance], _ rows: [Key: LoggedRow], mayDouble: Bool = true
    ) throws {
        let missing = Set(truth.keys).subtracting(rows.keys)
        let extra = Set(rows.keys).subtracting(truth.keys)
        #expect(
            missing.isEmpty && extra.isEmpty, "\(what): \(missing.count) missing, \(extra.count) too many \(comment)")
        #expect(!rows.isEmpty, "\(what): nothing \(comment)")
        var problems: [String] = []
        for (key, found) in rows {
            let balance = try Serde<Balance>.balance.value(found.row.value)
            guard let right = truth[key] else { continue }
            if guarantee == .exactlyOnce || !mayDouble {
                if balance != right { problems.append("\(key): \(right), \(balance)") }
            } else {
                if balance.contributions > right.contributions { doubled += 1 }
                if balance.count < right.count || balance.contributions < right.contributions {
                    problems.append("\(key): \(right), \(balance)")
                }
            }
            // What is sent to a topic of others has no cell.
            guard !found.row.cell.isEmpty else { continue }
            let report = try found.row.report()
            if !report.flags.isEmpty || Int64(report.count) != balance.contributions
                || UInt128(report.digest, radix: 16) != balance.token
            {
                problems.append("\(key): \(report.line), \(balance)")
            }
        }
        #expect(problems.isEmpty, "\(what): \(problems.prefix(5)), \(problems.count) in all \(comment)")
    }
}
