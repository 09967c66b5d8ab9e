import CrashApplication
import Tributary
import TributaryCore
import TributaryLMDB

/// Writes what the shop app reads, with the hashes of the records' own coordinates as tokens, and keeps it to compute what must come out.
final class ShopInput {
    struct Event {
        var time: Int64
        var amount: Int64
        var token: UInt128
    }

    private(set) var events: [Int64: [Event]] = [:]
    private(set) var left: [Int64: [Event]] = [:]
    private(set) var right: [Int64: [Event]] = [:]
    private(set) var orders: [Int64: Transfer] = [:]
    private(set) var customers: [Int64: Account] = [:]
    private(set) var rates: [Int64: Account] = [:]
    /// The versions of each price, by time.
    private(set) var prices: [Int64: [(time: Int64, row: Account)]] = [:]
    private(set) var sent = 0

    private static let accounts: Int64 = 60
    private let producer: any LogProducer
    private let log: EmbeddedLog
    private var next: [TopicPartition: Int64] = [:]
    private var random: SeededGenerator
    private var time: Int64
    private let base = TimeSource.system.wall.milliseconds / 1000 * 1000

    init(_ log: EmbeddedLog, seed: UInt64) throws {
        self.log = log
        producer = try log.makeProducer(ProducerConfiguration(clientID: "shop-input"))
        random = SeededGenerator(seed: seed)
        time = base
    }

    /// Writes what must be there before everything else: the rates, and all versions of all prices.
    func prepare() throws {
        for rate in Int64(0)..<10 {
            rates[rate] = try send(ShopApplication.rates, rate, at: base) { Account(revision: 1 + rate, token: $0) }
        }
        for version in Int64(0)..<20 {
            for account in 0..<Self.accounts {
                let time = version == 0 ? base - 1000 : base + version * 700
                let row = try send(ShopApplication.prices, account, at: time) {
                    Account(revision: version * 7 % 5 + 1, token: $0)
                }
                prices[account, default: []].append((time, row))
            }
        }
        try change(200)
        try producer.flush()
    }

    /// Sends so many events, half as many records for each side of the pairs, and some changes of orders and customers.
    func work(_ count: Int) throws {
        for number in 0..<count {
            time += Int64(random.next() % 3)
            let account = Int64(random.next() % UInt64(Self.accounts))
            events[account, default: []].append(try event(ShopApplication.events, account))
            if number % 4 == 0 { left[account, default: []].append(try event(ShopApplication.left, account)) }
            if number % 4 == 2 { right[account, default: []].append(try event(ShopApplication.right, account)) }
            if number % 20 == 0 { try change(2) }
        }
        try producer.flush()
        sent += count
    }

    /// Sends to each partition a record of long after, behind which all windows are closed; none of them is judged.
    func close(_ round: Int64) throws {
        let time = base + (1 + round) * 3 * 3_600_000
        for topic in [ShopApplication.events, ShopApplication.left, ShopApplication.right] {
            for partition in 0..<ShopApplication.partitions {
                let key = (Int64(1)...).lazy.map { -$0 }.first { place(topic, $0).partition == partition } ?? 0
                _ = try send(topic, key, at: time) { Transfer(account: key, amount: 0, token: $0) }
            }
        }
        try producer.flush()
    }

    func end() { producer.close() }

    private func event(_ topic: String, _ account: Int64) throws -> Event {
        let amount = Int64(random.next() % 1000)
        let sent = try send(topic, account, at: time) { Transfer(account: account, amount: amount, token: $0) }
        return Event(time: time, amount: amount, token: sent.token)
    }

    /// Changes orders and customers, or deletes them.
    private func change(_ count: Int) throws {
        for _ in 0..<count {
            let key = Int64(random.next() % 80)
            let isGone = random.next() % 8 == 0
            let customer = Int64(random.next() % 12)
            if random.next() % 4 == 0 {
                // None is deleted: a left row that changes meanwhile may keep its result, as in Kafka Streams (Docs/Semantics.md).
                customers[customer] = try send(ShopApplication.customers, customer, at: time) {
                    Account(revision: Int64(truncatingIfNeeded: $0) & 7, token: $0)
                }
            } else if isGone {
                orders[key] = nil
                try delete(ShopApplication.orders, key)
            } else {
                orders[key] = try send(ShopApplication.orders, key, at: time) {
                    Transfer(account: customer, amount: Int64(truncatingIfNeeded: $0) & 255, token: $0)
                }
            }
        }
    }

    // MARK: Sending

    private func place(_ topic: String, _ key: Int64) -> TopicPartition {
        var bytes = ByteWriter()
        bytes.append(bigEndian: key)
        return TopicPartition(topic, partition(forKey: bytes.bytes, count: ShopApplication.partitions))
    }

    private func send(_ topic: String, _ key: Int64, at time: Int64, _ make: (UInt128) -> Account) throws -> Account {
        try send(topic, key, at: time, .account, make)
    }

    private func send(_ topic: String, _ key: Int64, at time: Int64, _ make: (UInt128) -> Transfer) throws -> Transfer {
        try send(topic, key, at: time, .transfer, make)
    }

    private func send<Value>(
        _ topic: String, _ key: Int64, at time: Int64, _ serde: Serde<Value>, _ make: (UInt128) -> Value
    ) throws -> Value {
        let place = place(topic, key)
        let source = SourcePartition(cluster: log.clusterID, topic: topic, partition: place.partition)
        let value = make(source.digest(offset: next[place] ?? 0))
        try write(place, key, try serde.bytes(value), at: time)
        return value
    }

    private func delete(_ topic: String, _ key: Int64) throws { try write(place(topic, key), key, nil, at: time) }

    private func write(_ place: TopicPartition, _ key: Int64, _ value: [UInt8]?, at time: Int64) throws {
        var bytes = ByteWriter()
        bytes.append(bigEndian: key)
        let topic = try producer.number(ofTopic: place.topic)
        if let value {
            try producer.send(
                OutgoingRecord(timestamp: time, key: bytes.bytes, value: value.span.bytes), topic: topic,
                partition: place.partition)
        } else {
            try producer.send(
                OutgoingRecord(timestamp: time, key: bytes.bytes, value: nil), topic: topic, partition: place.partition)
        }
        next[place, default: 0] += 1
    }
}
