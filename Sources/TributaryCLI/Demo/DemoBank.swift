internal import Tributary
internal import TributaryCore
internal import TributaryDSL
internal import TributaryFoundation
internal import TributaryLMDB

/// The bank of `Examples/Bank`, as small as it gets.
enum DemoBank {
    struct Account: Codable, Sendable {
        var owner: String
        var feeCents: Int64
    }

    struct Transaction: Codable, Sendable {
        var id: Int
        var cents: Int64
    }

    struct Balance: Codable, Sendable, Equatable {
        var owner = ""
        var cents: Int64 = 0
        var postings: Int64 = 0
    }

    static let application = "bank"
    static let partitions: Int32 = 2
    static let topics = ["accounts", "transactions", "balance-updates"]

    /// - Parameter onPosting: called for each transaction, while it is processed.
    static func topology(onPosting: @escaping @Sendable () -> Void = {}) throws -> Topology {
        let builder = StreamsBuilder()
        let accounts = builder.table("accounts", key: .string, value: .json(Account.self), as: "accounts")
        builder.stream("transactions", key: .string, value: .json(Transaction.self))
            .join(accounts) { transaction, account in
                onPosting()
                return (owner: account.owner, cents: transaction.cents - account.feeCents)
            }
            .groupByKey()
            .aggregate(into: Balance(), as: "balances", value: .json(Balance.self)) { balance, posting in
                balance.owner = posting.owner
                balance.cents += posting.cents
                balance.postings += 1
            }
            .toStream()
            .to("balance-updates")
        return try builder.build()
    }

    /// Makes the topics and writes accounts, and transactions on them, a millisecond apart up to now.
    static func load(_ log: EmbeddedLog, accounts: Int, transactions: Int, seed: UInt64, _ bar: inout ProgressBar)
        throws
    {
        try log.createTopics(topics.map { TopicSpecification($0, partitions: partitions) })
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "demo-load"))
        defer { producer.close() }
        let now = TimeSource.system.wall.milliseconds
        var random = FastRandom(seed: seed)
        let keys = (0..<accounts).map { Array("account-\($0)".utf8) }
        func send<Value>(_ topic: Int, _ key: [UInt8], _ value: Value, _ serde: Serde<Value>, at time: Int64) throws {
            let bytes = try serde.bytes(value) ?? []
            try producer.send(
                OutgoingRecord(timestamp: time, key: key.span.bytes, value: bytes.span.bytes), topic: topic,
                partition: partition(forKey: key.span.bytes, count: partitions))
        }
        let accountTopic = try producer.number(ofTopic: "accounts")
        for (index, key) in keys.enumerated() {
            let account = Account(owner: "Owner \(index)", feeCents: Int64(index % 3))
            try send(accountTopic, key, account, .json(), at: now - Int64(transactions) - 1)
        }
        let transactionTopic = try producer.number(ofTopic: "transactions")
        for index in 0..<transactions {
            let key = keys[Int(random.next() % UInt64(accounts))]
            let transaction = Transaction(id: index, cents: Int64(random.next() % 20_001) - 10_000)
            try send(transactionTopic, key, transaction, .json(), at: now - Int64(transactions - index))
            if index % 1000 == 0 { try Interrupt.check() }
            bar.update(Int64(index))
        }
        try producer.flush()
    }
}
