package import Tributary

/// The depot app of the crash tests: operators that Kafka Streams hasn't, which remember what has passed, call others, or forget rows.
///
/// What comes out depends on nothing but what went in, as in the shop app.
package enum DepotApplication {
    package static let id = "depot"
    package static let calls = "calls"
    package static let parcels = "parcels"
    package static let tariffs = "tariffs"
    package static let places = "places"
    package static let members = "members"
    package static let called = "called"
    package static let calledFirsts = "called-firsts"
    package static let partitions: Int32 = 4
    /// How many of a key pass in how long.
    package static let passes = 2
    package static let period: Int64 = 20
    /// How long a place is kept, ms.
    package static let lifetime: Int64 = 300
    package static let groups: Int64 = 7
    package static let ranks = 3

    /// The topics that the application reads and writes.
    package static var topics: [TopicSpecification] {
        [calls, parcels, tariffs, places, members, called, calledFirsts].map {
            TopicSpecification($0, partitions: partitions)
        }
    }

    package static func topology() throws -> Topology {
        let builder = StreamsBuilder()
        builder.stream(calls, key: .int64, value: .transfer)
            .mapAsync(concurrency: 8, value: .transfer) { try await answer($0) }.to(called)
        addParcels(builder)
        let places = builder.table(
            places, key: .int64, value: .int64,
            materialized: Materialized(as: "places", timeToLive: .milliseconds(lifetime)))
        _ = places.mapValues(as: "copies", value: .int64) { $0 }
        _ = builder.table(members, key: .int64, value: .int64, as: "members")
            .groupBy(key: .int64, value: .int64) { key, value in (key % groups, value) }
            .top(ranks, as: "best", value: .array(of: .int64)) { $0 }
        return try builder.build()
    }

    // Some at once, some later than those behind them.
    private static func answer(_ transfer: Transfer) async throws -> Transfer {
        if transfer.amount % 3 != 0 { try await Task.sleep(for: .microseconds(transfer.amount % 7 * 400)) }
        return transfer
    }

    private static func addParcels(_ builder: StreamsBuilder) {
        let parcels = builder.stream(parcels, key: .int64, value: .transfer)
        func total(_ stream: KStream<Int64, Transfer>, _ name: String) {
            _ = stream.groupByKey(key: .int64, value: .transfer)
                .aggregate(into: Balance(), as: name, value: .balance) { total, transfer in
                    total.count += 1
                    total.amount += transfer.amount
                }
        }
        let firsts = parcels.deduplicate(within: .seconds(3600), as: "seen", id: .int64) { $0.amount }
        total(firsts, "firsts")
        firsts.mapAsync(concurrency: 8, value: .transfer) { try await answer($0) }.to(calledFirsts)
        total(parcels.throttle(passes, per: .milliseconds(period), as: "passed"), "throttled")
        let tariffs = builder.stream(tariffs, key: .int64, value: .int64).latest(within: .seconds(3600), as: "tariffs")
        total(
            parcels.join(tariffs, value: .transfer) { transfer, tariff in
                Transfer(account: transfer.account, amount: transfer.amount * tariff, token: transfer.token)
            }, "priced")
    }

    /// Settings as those of the bank app.
    package static func configuration(
        _ log: LogLocation, _ guarantee: ProcessingGuarantee, threads: Int
    ) -> StreamsConfiguration {
        var configuration = BankApplication.configuration(log, guarantee, threads: threads)
        configuration.applicationID = id
        return configuration
    }
}
