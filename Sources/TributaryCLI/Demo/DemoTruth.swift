internal import TributaryCore
internal import TributaryFoundation
internal import TributaryLMDB
internal import TributaryLineage

/// What every balance must be, worked out from the source topics alone: no store, no cell, no code of the topology.
struct DemoTruth {
    struct Account {
        var balance = DemoBank.Balance()
        var fee: Int64 = 0
        /// The cell's digest of the record that made the account; each posting used it once.
        var accountDigest: UInt128 = 0
        var accountTime: Int64 = 0
        var accountOffset: Int64 = 0
        var digest: UInt128 = 0
        var firstOffset = Int64.max
        var lastOffset: Int64 = -1
        var earliest = Int64.max
        var latest = Int64.min
        var partition: Int32 = 0

        /// How many contributions the cell must count: a transaction and its account for each posting.
        var count: UInt64 { UInt64(balance.postings) * 2 }
    }

    private(set) var accounts: [String: Account] = [:]
    private(set) var records: Int64 = 0

    init(_ log: EmbeddedLog) throws {
        let accountSerde = Serde.json(DemoBank.Account.self)
        let transactionSerde = Serde.json(DemoBank.Transaction.self)
        try Self.forEach("accounts", log) { key, batch, index, digest in
            guard let value = batch.value(index) else { return }
            let account = try accountSerde.decode(value)
            var truth = Account()
            truth.balance.owner = account.owner
            truth.fee = account.feeCents
            truth.accountDigest = digest
            truth.accountTime = batch.timestamp(index)
            truth.accountOffset = batch.offset(index)
            accounts[key] = truth
        }
        try Self.forEach("transactions", log) { key, batch, index, digest in
            guard let value = batch.value(index), var truth = accounts[key] else { return }
            let offset = batch.offset(index)
            let time = batch.timestamp(index)
            truth.balance.cents += try transactionSerde.decode(value).cents - truth.fee
            truth.balance.postings += 1
            truth.digest &+= digest &+ truth.accountDigest
            truth.firstOffset = min(truth.firstOffset, offset)
            truth.lastOffset = max(truth.lastOffset, offset)
            truth.earliest = min(truth.earliest, time, truth.accountTime)
            truth.latest = max(truth.latest, time, truth.accountTime)
            truth.partition = partition(forKey: Array(key.utf8).span.bytes, count: DemoBank.partitions)
            accounts[key] = truth
            records += 1
        }
    }

    private static func forEach(
        _ topic: String, _ log: EmbeddedLog, _ body: (String, RecordBatch, Int, UInt128) throws -> Void
    ) throws {
        for number in 0..<DemoBank.partitions {
            let source = SourcePartition(cluster: log.clusterID, topic: topic, partition: number)
            let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "demo-truth"))
            defer { consumer.close() }
            _ = try consumer.assign(TopicPartition(topic, number), from: 0)
            while let batch = try consumer.poll(timeout: 0) {
                for index in 0..<batch.count {
                    guard let bytes = batch.key(index), let key = String(strictUTF8: bytes) else { continue }
                    try body(key, batch, index, source.digest(offset: batch.offset(index)))
                }
            }
        }
    }

    /// What a cell says wrongly; nil if it is exactly right.
    func fault(of cell: CellReport?, _ account: Account) -> String? {
        guard let cell else { return "there is no cell" }
        if cell.count != account.count { return "it counts \(cell.count) contributions, not \(account.count)" }
        if cell.digest != Self.hexadecimal(account.digest) { return "its digest is \(cell.digest)" }
        if !cell.flags.isEmpty { return "it has the flags \(cell.flags.joined(separator: ", "))" }
        if cell.earliest != account.earliest || cell.latest != account.latest { return "its times are wrong" }
        let transactions = CellReport.Source(
            topic: "transactions", partition: account.partition, first: account.firstOffset, last: account.lastOffset,
            count: account.count / 2)
        let accounts = CellReport.Source(
            topic: "accounts", partition: account.partition, first: account.accountOffset, last: account.accountOffset,
            count: account.count / 2)
        let isRight = cell.sources.count == 2 && cell.sources.contains(transactions) && cell.sources.contains(accounts)
        return isRight ? nil : "its ranges are wrong"
    }

    static func hexadecimal(_ digest: UInt128) -> String {
        let digits = String(digest, radix: 16)
        return String(repeating: "0", count: 32 - digits.utf8.count) + digits
    }
}
