import Tributary

extension Bank {
    /// Writes accounts, and transactions on them; the same seed makes the same bank.
    static func load(_ log: any Log, accounts: Int, transactions: Int, seed: UInt64) throws {
        try BankTopology.makeTopics(in: log)
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "bank-load"))
        defer { producer.close() }

        var random = FastRandom(seed: seed)
        let numbers = (0..<accounts).map { "DE\(100_000 + $0)" }
        try write(numbers, to: BankTopology.accounts, by: producer, as: .json(Account.self)) { index in
            Account(owner: "Owner \(index)", feeCents: Int64(index % 3))
        }
        let booked = (0..<transactions).map { _ in numbers[Int(random.next() % UInt64(accounts))] }
        try write(booked, to: BankTopology.transactions, by: producer, as: .json(Transaction.self)) { index in
            Transaction(
                id: "T\(index)", cents: Int64(random.next() % 20_001) - 10_000,
                memo: index % 2 == 0 ? "card" : "transfer")
        }
        print("wrote \(accounts) accounts and \(transactions) transactions")
    }

    private static func write<Value>(
        _ keys: [String], to topic: String, by producer: any LogProducer, as serde: Serde<Value>,
        _ value: (Int) -> Value
    ) throws {
        let number = try producer.number(ofTopic: topic)
        let partitions = producer.partitions(ofTopic: number)
        for (index, key) in keys.enumerated() {
            let keyBytes = Array(key.utf8)
            let valueBytes = try serde.bytes(value(index)) ?? []
            try producer.send(
                topic: number, partition: partition(forKey: keyBytes.span.bytes, count: partitions),
                timestamp: TimeSource.system.wall.milliseconds, key: keyBytes.span.bytes, value: valueBytes.span.bytes,
                headers: RawSpan(), context: .none, cell: RawSpan(), extras: RawSpan())
        }
        try producer.flush()
    }
}
