import Tributary

extension Bank {
    /// Prints the latest balance of each account that the bank has sent out.
    static func balances(_ directory: String) throws {
        let log = try EmbeddedLog.open(at: directory)
        defer { log.close() }
        guard let topic = try log.topic(BankTopology.updates) else {
            throw BankError("no bank has run in \(directory)")
        }
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "bank-balances"))
        defer { consumer.close() }
        for partition in 0..<topic.partitions {
            let place = TopicPartition(topic.name, partition)
            _ = try consumer.assign(place, from: log.watermarks(place, committed: true).low)
        }
        let serde = Serde.json(Balance.self)
        var latest: [String: Balance] = [:]
        while let batch = try consumer.poll(timeout: 0) {
            for index in 0..<batch.count {
                guard let bytes = batch.key(index), let key = String(strictUTF8: bytes) else { continue }
                if let value = batch.value(index) { latest[key] = try serde.decode(value) } else { latest[key] = nil }
            }
        }
        for (account, balance) in latest.sorted(by: { $0.key < $1.key }) {
            print("\(account)  \(euros(balance.cents))  \(balance.postings) postings  \(balance.owner)")
        }
    }

    private static func euros(_ cents: Int64) -> String {
        let rest = cents.magnitude % 100
        return "\(cents < 0 ? "-" : "")\(cents.magnitude / 100).\(rest < 10 ? "0" : "")\(rest)"
    }
}
