package import Tributary

/// The shop app of the crash tests: the operators that the bank app lacks.
///
/// Windows by inactivity, sliding ones and such that say nothing before
/// they close, joins of streams, by foreign key, with a global table and with a versioned one.
///
/// As the bank app's, its values carry tokens, so that each row says by itself what its cell must be. What comes out depends on
/// nothing but what went in: neither on how partitions take turns, nor on what a restart forgets.
package enum ShopApplication {
    package static let id = "shop"
    package static let events = "events"
    package static let left = "left"
    package static let right = "right"
    package static let orders = "orders"
    package static let customers = "customers"
    package static let rates = "rates"
    package static let prices = "prices"
    package static let closed = "closed-windows"
    package static let joined = "joined-orders"
    package static let partitions: Int32 = 4
    package static let windowSize: Int64 = 500
    /// How far apart records of a session, of a sliding window and of a pair may be.
    package static let gap: Int64 = 50
    /// What one that found no other counts as.
    package static let unmatched: Int64 = 1_000_000
    /// As long as a run lasts, and less than what ends its windows.
    package static let grace = Duration.seconds(3600)

    /// The topics that the application reads and writes.
    package static var topics: [TopicSpecification] {
        [events, left, right, orders, customers, rates, prices, closed, joined].map {
            TopicSpecification($0, partitions: partitions)
        }
    }

    package static func topology() throws -> Topology {
        let builder = StreamsBuilder()
        let events = builder.stream(events, key: .int64, value: .transfer)
        addWindows(events)
        addTables(builder, events)
        addPairs(builder)
        return try builder.build()
    }

    private static func add(_ balance: inout Balance, _ transfer: Transfer) {
        balance.count += 1
        balance.amount += transfer.amount
        balance.contributions += 1
        balance.token &+= transfer.token
    }

    private static func add(_ balance: inout Balance, _ other: Balance) {
        balance.count += other.count
        balance.amount += other.amount
        balance.contributions += other.contributions
        balance.token &+= other.token
    }

    private static func addWindows(_ events: KStream<Int64, Transfer>) {
        let grouped = events.groupByKey(key: .int64, value: .transfer)
        _ = grouped.windowedBy(SessionWindows.inactivity(gap: .milliseconds(gap), grace: grace))
            .aggregate(into: Balance(), as: "sessions", value: .balance, merging: { add(&$0, $1) }) { add(&$0, $1) }
        _ = grouped.windowedBy(SlidingWindows.within(.milliseconds(gap), grace: grace))
            .aggregate(into: Balance(), as: "slides", value: .balance) { add(&$0, $1) }
        grouped.windowedBy(TimeWindows.tumbling(size: .milliseconds(windowSize), grace: .zero))
            .aggregate(into: Balance(), as: "windows", value: .balance) { add(&$0, $1) }
            .suppress(.untilWindowCloses(buffer: .shutDownWhenFull()))
            .toStream().to(closed)
    }

    private static func addTables(_ builder: StreamsBuilder, _ events: KStream<Int64, Transfer>) {
        let rates = builder.globalTable(rates, key: .int64, value: .account)
        let prices = builder.table(
            prices, key: .int64, value: .account,
            materialized: Materialized(as: "prices", type: .versioned(history: grace)))
        func total(_ stream: KStream<Int64, Balance>, _ name: String) {
            _ = stream.groupByKey(key: .int64, value: .balance)
                .aggregate(into: Balance(), as: name, value: .balance) { add(&$0, $1) }
        }
        @Sendable func posting(_ transfer: Transfer, _ account: Account) -> Balance {
            var posting = Balance()
            posting.count = 1
            posting.amount = transfer.amount * account.revision
            posting.contributions = 2
            posting.token = transfer.token &+ account.token
            return posting
        }
        total(events.join(rates, value: .balance, by: { key, _ in key % 10 }) { posting($0, $1) }, "rated")
        total(events.join(prices) { posting($0, $1) }, "priced")
        let customers = builder.table(customers, key: .int64, value: .account, as: "customers")
        builder.table(orders, key: .int64, value: .transfer, as: "orders")
            .join(customers, on: { $0.account }, as: "joined", value: .balance) { posting($0, $1) }
            .toStream().to(joined)
    }

    private static func addPairs(_ builder: StreamsBuilder) {
        let right = builder.stream(right, key: .int64, value: .transfer)
        _ = builder.stream(left, key: .int64, value: .transfer)
            .outerJoin(right, within: .within(.milliseconds(gap), grace: grace)) {
                (left: Transfer?, right: Transfer?) -> Balance in
                var pair = Balance()
                pair.count = left == nil || right == nil ? unmatched : 1
                for side in [left, right] {
                    guard let side else { continue }
                    pair.amount += side.amount
                    pair.contributions += 1
                    pair.token &+= side.token
                }
                return pair
            }
            .groupByKey(key: .int64, value: .balance)
            .aggregate(into: Balance(), as: "pairs", value: .balance) { add(&$0, $1) }
    }

    /// Settings as those of the bank app.
    package static func configuration(
        _ log: LogLocation, _ guarantee: ProcessingGuarantee, threads: Int
    ) -> StreamsConfiguration {
        var configuration = BankApplication.configuration(log, guarantee, threads: threads)
        configuration.applicationID = id
        configuration.runtime.emitInterval = .milliseconds(20)
        return configuration
    }
}
