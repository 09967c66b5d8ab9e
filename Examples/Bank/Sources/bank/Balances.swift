import Tributary

extension Bank {
    /// Prints the latest balance of each account that the bank has sent out.
    static func balances(_ log: any Log) throws {
        guard let topic = try log.topic(BankTopology.updates) else { throw BankError("no bank has run on this log") }
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "bank-balances"))
        defer { consumer.close() }
        var ends: [Int: Int64] = [:]
        for partition in 0..<topic.partitions {
            let place = TopicPartition(topic.name, partition)
            let watermarks = try log.watermarks(place, committed: true)
            ends[try consumer.assign(place, from: watermarks.low)] = watermarks.high
        }
        let serde = Serde.json(Balance.self)
        var latest: [String: Balance] = [:]
        while ends.contains(where: { consumer.position($0.key) < $0.value }) {
            guard let batch = try consumer.poll(timeout: 1000) else { continue }
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
