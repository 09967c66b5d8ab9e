import CrashApplication
import Tributary
import TributaryCore
import TributaryLMDB

/// Writes transactions and accounts whose tokens are the hashes of their own coordinates, and sums up what must come out.
final class BankInput {
    /// What one account, or one account in one window, must hold.
    struct Sum: Equatable {
        var count: Int64 = 0
        var amount: Int64 = 0
        var token: UInt128 = 0
    }

    struct WindowKey: Hashable {
        var account: Int64
        var start: Int64
    }

    private(set) var sums: [Int64: Sum] = [:]
    private(set) var windows: [WindowKey: Sum] = [:]
    private(set) var sent: Int64 = 0
    let accountCount: Int64
    private let producer: any LogProducer
    private let transactions: Int
    private let accounts: Int
    private var next: [TopicPartition: Int64] = [:]
    private var sources: [TopicPartition: SourcePartition] = [:]
    private var random: SeededGenerator
    // Near the present: retention looks at timestamps.
    private let base = TimeSource.system.wall.milliseconds / 1000 * 1000

    init(_ log: EmbeddedLog, accounts count: Int64, seed: UInt64) throws {
        producer = try log.makeProducer(ProducerConfiguration(clientID: "bank-input"))
        transactions = try producer.number(ofTopic: BankApplication.transactions)
        accounts = try producer.number(ofTopic: BankApplication.accounts)
        accountCount = count
        random = SeededGenerator(seed: seed)
        for topic in [BankApplication.transactions, BankApplication.accounts] {
            for partition in 0..<BankApplication.partitions {
                let place = TopicPartition(topic, partition)
                next[place] = 0
                sources[place] = SourcePartition(cluster: log.clusterID, topic: topic, partition: partition)
            }
        }
    }

    /// Opens all accounts, or writes a new row for some of them.
    func openAccounts(_ chosen: Range<Int64>? = nil) throws {
        for account in chosen ?? 0..<accountCount {
            try send(accounts, BankApplication.accounts, account, timestamp: base + sent) { token, writer in
                let row = Account(revision: self.sent, token: token)
                try Serde<Account>.account.encode(row, &writer)
            }
        }
        try producer.flush()
    }

    /// Sends transactions between random accounts, few of which get most.
    func transfer(_ count: Int) throws {
        for _ in 0..<count {
            let isHot = random.next() % 4 != 0
            let account = Int64(random.next() % UInt64(isHot ? max(accountCount / 20, 1) : accountCount))
            try enqueue(account, headers: [])
        }
        try producer.flush()
    }

    /// Sends one transaction.
    func transferOne(account: Int64 = 0, headers: [UInt8] = []) throws(LogError) {
        do { try enqueue(account, headers: headers) } catch let error as LogError { throw error } catch {
            throw LogError(.invalidRequest, "\(error)")
        }
        try producer.flush()
    }

    private func enqueue(_ account: Int64, headers: [UInt8]) throws {
        let amount = Int64(random.next() % 1000) - 300
        let time = base + sent
        var own: UInt128 = 0
        try send(transactions, BankApplication.transactions, sent, timestamp: time, headers: headers) { token, writer in
            own = token
            let transfer = Transfer(account: account, amount: amount, token: token)
            try Serde<Transfer>.transfer.encode(transfer, &writer)
        }
        sums[account, default: Sum()].add(amount, own)
        let start = time / BankApplication.windowSize * BankApplication.windowSize
        windows[WindowKey(account: account, start: start), default: Sum()].add(amount, own)
        sent += 1
    }

    private func send(
        _ topic: Int, _ name: String, _ key: Int64, timestamp: Int64, headers: [UInt8] = [],
        _ encode: (UInt128, inout ByteWriter) throws -> Void
    ) throws {
        var keyBytes = ByteWriter()
        keyBytes.append(bigEndian: key)
        let place = TopicPartition(name, partition(forKey: keyBytes.bytes, count: BankApplication.partitions))
        let offset = next[place] ?? 0
        var value = ByteWriter()
        try encode(sources[place]?.digest(offset: offset) ?? 0, &value)
        try producer.send(
            OutgoingRecord(timestamp: timestamp, key: keyBytes.bytes, value: value.bytes, headers: headers.span.bytes),
            topic: topic, partition: place.partition)
        next[place] = offset + 1
    }

    /// Sends bytes as they are; nothing of them is in the sums.
    func sendRaw(_ name: String, _ partition: Int32, key: [UInt8], value: [UInt8], cell: [UInt8] = []) throws {
        try producer.send(
            OutgoingRecord(timestamp: base + sent, key: key.span.bytes, value: value.span.bytes, cell: cell.span.bytes),
            topic: producer.number(ofTopic: name), partition: partition)
        try producer.flush()
        next[TopicPartition(name, partition), default: 0] += 1
    }

    func close() { producer.close() }
}

extension BankInput.Sum {
    fileprivate mutating func add(_ amount: Int64, _ token: UInt128) {
        count += 1
        self.amount += amount
        self.token &+= token
    }
}

/// Random numbers that are the same for the same seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &+ 0x9e37_79b9_7f4a_7c15 }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
