package import Tributary
package import TributaryLMDB

/// The bank app of the crash tests: transactions are repartitioned by account, joined with a table of accounts and summed up
/// in a balance per account; besides, counted per account in memory and per account and window.
///
/// All values carry tokens (hashes of their own coordinates), so that each row says by itself what its cell must be.
package enum BankApplication {
    package static let id = "bank"
    package static let transactions = "transactions"
    package static let accounts = "accounts"
    package static let updates = "balance-updates"
    package static let counts = "count-updates"
    package static let partitions: Int32 = 4
    package static let windowSize: Int64 = 500

    /// The topics that the application reads and writes.
    package static var topics: [TopicSpecification] {
        [transactions, accounts, updates, counts].map { TopicSpecification($0, partitions: partitions) }
    }

    package static func topology() throws -> Topology {
        let builder = StreamsBuilder()
        let table = builder.table(accounts, key: .int64, value: .account, as: "accounts")
        let transfers = builder.stream(transactions, key: .int64, value: .transfer)
            .selectKey { (_, transfer) -> Int64 in transfer.account }
            .repartition(named: "by-account", key: .int64, value: .transfer)
        transfers
            .leftJoin(table) { (transfer: Transfer, account: Account?) -> Balance in
                var posting = Balance()
                posting.count = 1
                posting.amount = transfer.amount
                posting.contributions = account == nil ? 1 : 2
                posting.token = transfer.token &+ (account?.token ?? 0)
                return posting
            }
            .groupByKey(key: .int64, value: .balance)
            .aggregate(into: Balance(), as: "balances", value: .balance) { balance, posting in
                balance.count += posting.count
                balance.amount += posting.amount
                balance.contributions += posting.contributions
                balance.token &+= posting.token
            }
            .toStream().to(updates)
        let grouped = transfers.groupByKey(key: .int64, value: .transfer)
        grouped.count(materialized: Materialized(as: "counts", type: .inMemory)).toStream().to(counts)
        _ = grouped.windowedBy(.tumbling(size: .milliseconds(windowSize), grace: .seconds(3600)))
            .aggregate(into: Balance(), as: "windows", value: .balance) { balance, transfer in
                balance.count += 1
                balance.amount += transfer.amount
                balance.contributions += 1
                balance.token &+= transfer.token
            }
        return try builder.build()
    }

    /// Settings that make everything happen often: commits, evictions, state commits, log lines of none.
    package static func configuration(
        _ log: LogLocation, _ guarantee: ProcessingGuarantee, threads: Int
    ) -> StreamsConfiguration {
        var configuration = StreamsConfiguration(
            applicationID: id, log: log, guarantee: guarantee, commitInterval: .milliseconds(10), threads: threads,
            cacheBytes: 96 << 10)
        configuration.runtime.stateFlushInterval = .milliseconds(40)
        configuration.stateMapSize = 1 << 30
        return configuration
    }

    /// Settings of the log: small, and without waiting for the disk, since a killed process loses nothing of what it wrote.
    package static var logConfiguration: EmbeddedLogConfiguration {
        var configuration = EmbeddedLogConfiguration()
        configuration.mapSize = 4 << 30
        configuration.durability = .relaxed
        configuration.linger = .milliseconds(1)
        configuration.maintenanceInterval = .milliseconds(20)
        return configuration
    }
}
