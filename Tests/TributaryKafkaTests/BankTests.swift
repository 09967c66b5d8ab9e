import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryKafka
import TributaryTesting

/// The bank of the examples on a real broker: the log is all that differs.
extension RealBrokerTests {
    @Suite struct BankTests {
        struct Account: Codable, Sendable {
            var owner: String
            var fee: Int64
        }

        struct Balance: Codable, Sendable, Equatable {
            var owner = ""
            var cents: Int64 = 0
            var postings: Int64 = 0
        }

        /// Topics and ids of one bank.
        struct Bank: Sendable {
            let id = RealBroker.name("bank")
            var accounts: String { "\(id)-in-accounts" }
            var transactions: String { "\(id)-in-transactions" }
            var updates: String { "\(id)-out-updates" }
            let folder: TemporaryFolder

            init() throws { folder = try TemporaryFolder() }

            func makeTopics(_ log: any Log) throws {
                try log.createTopics(
                    [accounts, transactions, updates].map { TopicSpecification($0, partitions: 3) })
            }

            func topology() throws -> Topology {
                let builder = StreamsBuilder()
                let accounts = builder.table(accounts, key: .string, value: .json(Account.self), as: "accounts")
                // Keyed by an id of its own: posting by account needs a repartition topic.
                builder.stream(transactions, key: .string, value: .string)
                    .selectKey { (_, value: String) -> String in String(value.split(separator: " ")[0]) }
                    .repartition(named: "by-account", key: .string, value: .string)
                    .join(accounts) { (value: String, account: Account) -> Balance in
                        let cents = Int64(String(value.split(separator: " ")[1])) ?? 0
                        return Balance(owner: account.owner, cents: cents - account.fee, postings: 1)
                    }
                    .groupByKey(key: .string, value: .json(Balance.self))
                    .aggregate(into: Balance(), as: "balances", value: .json(Balance.self)) { balance, posting in
                        balance.owner = posting.owner
                        balance.cents += posting.cents
                        balance.postings += posting.postings
                    }
                    .toStream().to(updates)
                return try builder.build()
            }

            func configuration(_ log: LogLocation) -> StreamsConfiguration {
                var configuration = StreamsConfiguration(
                    applicationID: id, log: log, stateDirectory: folder.path + "/state",
                    commitInterval: .milliseconds(200), threads: 2, handlesSignals: false)
                configuration.stateMapSize = 1 << 30
                configuration.runtime.stateFlushInterval = .milliseconds(500)
                return configuration
            }

            /// Writes transactions `range` on ten accounts; returns what they add to each.
            func write(_ range: Range<Int>, to log: any Log) throws -> [String: Balance] {
                let producer = try log.makeProducer(ProducerConfiguration(clientID: "bank-load"))
                defer { producer.close() }
                let now = TimeSource.system.wall.milliseconds
                var truth: [String: Balance] = [:]
                if range.lowerBound == 0 {
                    let topic = try producer.number(ofTopic: accounts)
                    for index in 0..<10 {
                        let value = try Serde.json(Account.self).bytes(
                            Account(owner: "Owner \(index)", fee: Int64(index)))
                        try send(producer, topic, "account-\(index)", value ?? [], at: now - 100_000)
                    }
                    try producer.flush()
                }
                let topic = try producer.number(ofTopic: transactions)
                for index in range {
                    let account = index * 7 % 10
                    try send(producer, topic, "t\(index)", Array("account-\(account) \(index)".utf8), at: now)
                    var balance = truth["account-\(account)"] ?? Balance(owner: "Owner \(account)")
                    balance.cents += Int64(index - account)
                    balance.postings += 1
                    truth["account-\(account)"] = balance
                }
                try producer.flush()
                return truth
            }

            private func send(
                _ producer: any LogProducer, _ topic: Int, _ key: String, _ value: [UInt8], at time: Int64
            ) throws {
                let key = Array(key.utf8)
                try producer.send(
                    OutgoingRecord(timestamp: time, key: key.span.bytes, value: value.span.bytes), topic: topic,
                    partition: partition(forKey: key.span.bytes, count: producer.partitions(ofTopic: topic)))
            }

            /// The last value of each key of the output.
            func latest(_ log: any Log) throws -> [String: Balance] {
                var latest: [String: Balance] = [:]
                for record in try readAll(log, updates, partitions: 3) {
                    guard let key = record.key, let value = record.value else { continue }
                    latest[String(decoding: key, as: UTF8.self)] = try Serde.json(Balance.self).decode(value.span.bytes)
                }
                return latest
            }
        }

        @Test func `the bank runs on Kafka, goes on after a restart, and restores its state from the changelogs`()
            async throws
        {
            let bank = try Bank()
            let log = try RealBroker.log()
            defer { log.close() }
            try bank.makeTopics(log)
            var truth = try bank.write(0..<2000, to: log)
            let location = LogLocation.kafka(RealBroker.bootstrap)
            try await run(bank, location) { app in app.metrics.records >= 4010 && app.metrics.lag == 0 }
            #expect(try bank.latest(log) == truth)
            try checkInternalTopics(bank, log)

            // Again with the state that is there, and more to do: nothing is lost, and nothing was done twice.
            for (key, more) in try bank.write(2000..<3000, to: log) { truth[key]?.add(more) }
            let restored = Counter()
            try await run(bank, location, restored: restored) { app in
                app.metrics.records >= 2000 && app.metrics.lag == 0
            }
            #expect(try bank.latest(log) == truth)
            #expect(restored.value == 0, "a clean stop leaves nothing to be restored")

            // Without the state: all of it comes from the changelogs.
            removeTree(bank.folder.path + "/state")
            for (key, more) in try bank.write(3000..<3100, to: log) { truth[key]?.add(more) }
            try await run(bank, location, restored: restored) { app in
                app.metrics.records >= 200 && app.metrics.lag == 0
            }
            #expect(try bank.latest(log) == truth)
            #expect(restored.value > 0)
        }

        private func checkInternalTopics(_ bank: Bank, _ log: KafkaLog) throws {
            let changelog = try #require(try log.topic("\(bank.id)-balances-changelog"))
            #expect(changelog.partitions == 3)
            #expect(changelog.settings["cleanup.policy"] == "compact")
            let repartition = try #require(try log.topic("\(bank.id)-by-account-repartition"))
            #expect(repartition.partitions == 3)
            #expect(repartition.settings["cleanup.policy"] == "delete")
            #expect(repartition.settings["retention.ms"] == "-1")
            // What was committed of a repartition topic is deleted.
            let ends = try (0..<3).map {
                try log.watermarks(TopicPartition(repartition.name, Int32($0)), committed: true)
            }
            #expect(ends.map(\.high).reduce(0, +) == 2000)
            #expect(ends.allSatisfy { $0.low == $0.high })
            // As Kafka Streams writes it: key and value as they are, lineage in headers.
            let records = try readAll(log, changelog.name, partitions: 3)
            let first = try #require(records.first)
            #expect(first.key?.starts(with: Array("account-".utf8)) == true)
            let value = first.value ?? []
            let balance = try Serde.json(Balance.self).decode(value.span.bytes)
            #expect(balance.postings > 0)
            #expect(first.cell.first == 1 && first.cell.count > 20)
        }

        @Test func `internal topics that are other than needed are refused`() async throws {
            let log = try RealBroker.log()
            defer { log.close() }
            for (partitions, settings) in [(2, ["cleanup.policy": "compact"]), (3, ["cleanup.policy": "delete"])] {
                let bank = try Bank()
                try bank.makeTopics(log)
                let name = "\(bank.id)-balances-changelog"
                try log.createTopics([TopicSpecification(name, partitions: Int32(partitions), settings: settings)])
                let app = try StreamsApplication(
                    try bank.topology(), configuration: bank.configuration(.open(log)))
                await #expect(throws: TopologyError.self) { try await app.run() }
            }
        }

        @Test func `exactly-once is refused before anything is done`() async throws {
            let bank = try Bank()
            let log = try RealBroker.log()
            defer { log.close() }
            try bank.makeTopics(log)
            var configuration = bank.configuration(.open(log))
            configuration.guarantee = .exactlyOnce
            let app = try StreamsApplication(try bank.topology(), configuration: configuration)
            let error = await #expect(throws: LogError.self) { try await app.run() }
            #expect(error?.code == .unsupported)
            #expect(try log.topic("\(bank.id)-balances-changelog") == nil)
        }

        @Test func `a second instance of an application is refused while the first one runs`() async throws {
            let bank = try Bank()
            let log = try RealBroker.log { $0.sessionTimeout = .milliseconds(1000) }
            defer { log.close() }
            try bank.makeTopics(log)
            _ = try bank.write(0..<100, to: log)
            try await run(bank, .open(log)) { app in
                guard app.metrics.records >= 210 else { return false }
                var configuration = bank.configuration(.open(log))
                configuration.stateDirectory = bank.folder.path + "/other"
                let second = try StreamsApplication(try bank.topology(), configuration: configuration)
                let error = await #expect(throws: LogError.self) { try await second.run() }
                #expect(error?.code == .inUse)
                #expect(error?.message.contains(bank.id) == true)
                return app.state == .running
            }
        }
    }
}

extension RealBrokerTests.BankTests.Balance {
    mutating func add(_ other: Self) {
        cents += other.cents
        postings += other.postings
    }
}
