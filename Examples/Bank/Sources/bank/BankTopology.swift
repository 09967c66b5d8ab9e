import Tributary

/// The bank: every transaction is posted to the balance of its account.
enum BankTopology {
    static let accounts = "accounts"
    static let transactions = "transactions"
    static let updates = "balance-updates"

    static func build() throws -> Topology {
        let builder = StreamsBuilder()
        let accounts = builder.table(accounts, of: Account.self, as: "accounts")
        builder.stream(transactions, of: Transaction.self)
            .join(accounts) { transaction, account in Posting(transaction, account) }
            .groupByKey()
            .aggregate(into: Balance.zero, as: "balances") { balance, posting in balance.apply(posting) }
            .toStream()
            .to(updates)
        return try builder.build()
    }

    /// Makes the topics that the bank reads and writes, those that aren't there yet.
    static func makeTopics(in log: any Log, partitions: Int32 = 2) throws {
        for name in [accounts, transactions, updates] where try log.topic(name) == nil {
            try log.createTopics([TopicSpecification(name, partitions: partitions)])
        }
    }
}
