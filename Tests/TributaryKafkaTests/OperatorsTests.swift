import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryKafka
import TributaryTesting

/// Sessions, suppressed results, joins of streams and by foreign key on a real broker, with a restart in between.
extension RealBrokerTests {
    @Suite struct OperatorsTests {
        /// Topics, input and what must come of it.
        private final class Shop {
            let id = RealBroker.name("shop")
            let folder: TemporaryFolder
            let log: KafkaLog
            private let producer: any LogProducer
            // A broker takes nothing of the future.
            private let base = TimeSource.system.wall.milliseconds - 120_000
            var closed: [String: Int64] = [:]
            var pairs: [String: Int64] = [:]
            var joined: [String: String] = [:]
            private var orders: [String: (customer: String, revision: Int)] = [:]
            private var customers: [String: Int] = [:]

            static let partitions: Int32 = 3

            init() throws {
                folder = try TemporaryFolder()
                log = try RealBroker.log()
                let topics = ["events", "left", "right", "orders", "customers", "closed", "pairs", "joined"]
                try log.createTopics(
                    topics.map { [id] in TopicSpecification("\(id)-\($0)", partitions: Self.partitions) })
                producer = try log.makeProducer(ProducerConfiguration(clientID: "shop-load"))
            }

            deinit {
                producer.close()
                log.close()
            }

            func topic(_ name: String) -> String { "\(id)-\(name)" }

            func topology() throws -> Topology {
                let builder = StreamsBuilder()
                let base = self.base
                builder.stream(topic("events"), key: .string, value: .string)
                    .groupByKey().windowedBy(SessionWindows.inactivity(gap: .milliseconds(50)))
                    .count(as: "sessions")
                    .suppress(.untilWindowCloses(buffer: .shutDownWhenFull()))
                    .toStream().selectKey(key: .string) { session, _ in
                        "\(session.key)@\(session.window.start - base)-\(session.window.end - base)"
                    }
                    .to(topic("closed"))
                let right = builder.stream(topic("right"), key: .string, value: .string)
                builder.stream(topic("left"), key: .string, value: .string)
                    .join(right, within: .within(.milliseconds(20), grace: .seconds(60))) { left, right in left + right
                    }
                    .groupByKey().count(as: "pairs").toStream().to(topic("pairs"))
                let customers = builder.table(topic("customers"), key: .string, value: .string)
                builder.table(topic("orders"), key: .string, value: .string)
                    .join(customers, on: { String($0.prefix { $0 != " " }) }, as: "joined", value: .string) {
                        "\($0) \($1)"
                    }
                    .toStream().to(topic("joined"))
                return try builder.build()
            }

            func configuration() -> StreamsConfiguration {
                var configuration = StreamsConfiguration(
                    applicationID: id, log: .kafka(RealBroker.bootstrap), stateDirectory: folder.path + "/state",
                    commitInterval: .milliseconds(100), threads: 2, handlesSignals: false)
                configuration.stateMapSize = 1 << 30
                return configuration
            }

            private func send(_ name: String, _ key: String, _ value: String?, at time: Int64) throws {
                let number = try producer.number(ofTopic: topic(name))
                let bytes = Array(key.utf8)
                let place = partition(forKey: bytes.span.bytes, count: Self.partitions)
                if let value {
                    try producer.send(
                        OutgoingRecord(
                            timestamp: base + time, key: bytes.span.bytes, value: Array(value.utf8).span.bytes),
                        topic: number, partition: place)
                } else {
                    try producer.send(
                        OutgoingRecord(timestamp: base + time, key: bytes.span.bytes, value: nil), topic: number,
                        partition: place)
                }
            }

            /// Sessions of 1 to 4 records each, pairs, orders that change and go, in rounds that follow each other in time.
            func write(_ rounds: Range<Int>) throws {
                for round in rounds {
                    let start = Int64(round) * 1000
                    // In the order of time, so that none is late.
                    for index in 0..<4 {
                        for key in 0..<6 where index <= (round + key) % 4 {
                            try send("events", "k\(key)", "e", at: start + Int64(index) * 40)
                        }
                    }
                    for key in 0..<6 {
                        let more = Int64((round + key) % 4)
                        closed["k\(key)@\(start)-\(start + more * 40)"] = more + 1
                        try send("left", "k\(key)", "l", at: start)
                        for index in 0..<(key % 3) { try send("right", "k\(key)", "r", at: start + Int64(index) * 15) }
                        try send("right", "k\(key)", "r", at: start + 500)
                        if key % 3 > 0 { pairs["k\(key)", default: 0] += Int64(key % 3) }
                    }
                    let customer = "c\(round % 3)"
                    customers[customer] = round
                    try send("customers", customer, "\(round)", at: start)
                    for order in 0..<8 {
                        let key = "o\(order)"
                        let isGone = (round + order) % 5 == 0
                        let chosen = "c\((round + order) % 3)"
                        orders[key] = isGone ? nil : (chosen, round)
                        try send("orders", key, isGone ? nil : "\(chosen) \(round)", at: start)
                    }
                }
                joined = [:]
                for (key, order) in orders {
                    guard let revision = customers[order.customer] else { continue }
                    joined[key] = "\(order.customer) \(order.revision) \(revision)"
                }
                try producer.flush()
            }

            /// Ends the last sessions: each partition gets a record of long after.
            func close() throws {
                for number in 0..<30 { try send("events", "end-\(number)", "e", at: 100_000) }
                try producer.flush()
            }

            private func latest(_ name: String) throws -> [String: [UInt8]] {
                var latest: [String: [UInt8]] = [:]
                for record in try readAll(log, topic(name), partitions: Self.partitions) {
                    latest[String(decoding: record.key ?? [], as: UTF8.self)] = record.value
                }
                return latest
            }

            /// What is not yet as it must be; nothing where all is.
            func differences(closes: Bool) throws -> String {
                let sessions = try latest("closed").mapValues { try Serde<Int64>.int64.value($0) }
                    .filter { !$0.key.hasPrefix("end-") }
                let found = try latest("pairs").mapValues { try Serde<Int64>.int64.value($0) }
                let rows = try latest("joined").mapValues { String(decoding: $0, as: UTF8.self) }
                if closes, sessions != closed {
                    return
                        "closed: \(sessions.count) of \(closed.count), without \(closed.keys.filter { sessions[$0] != closed[$0] }.sorted())"
                }
                if found != pairs { return "pairs: \(found), not \(pairs)" }
                return rows == joined ? "" : "joined: \(rows), not \(joined)"
            }
        }

        private func run(_ shop: Shop, closes: Bool) async throws {
            let app = try StreamsApplication(shop.topology(), configuration: shop.configuration())
            let running = Task { try await app.run() }
            let deadline = TimeSource.system.monotonic.milliseconds + 90_000
            var left = "nothing yet"
            while app.state != .error, TimeSource.system.monotonic.milliseconds < deadline {
                left = try shop.differences(closes: closes)
                if left.isEmpty { break }
                try await Task.sleep(for: .milliseconds(200))
            }
            app.shutdown()
            try await running.value
            #expect(left.isEmpty)
        }

        @Test func `sessions, suppressed results and joins go on after a restart, and after the state is lost`()
            async throws
        {
            let shop = try Shop()
            try shop.write(0..<10)
            try await run(shop, closes: false)
            // With the state that is there.
            try shop.write(10..<20)
            try await run(shop, closes: false)
            removeTree(shop.folder.path + "/state")
            try shop.write(20..<25)
            try shop.close()
            try await run(shop, closes: true)
        }
    }
}
