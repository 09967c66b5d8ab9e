import Tributary

extension Bank {
    /// Writes accounts, and transactions on them; the same seed makes the same bank.
    static func load(_ log: any Log, accounts: Int, transactions: Int, seed: UInt64) throws {
        try BankTopology.makeTopics(in: log)
        var random = SeededRandom(state: seed)
        let numbers = (0..<accounts).map { "DE\(100_000 + $0)" }

        let opened = try log.producer(BankTopology.accounts, of: Account.self)
        for (index, number) in numbers.enumerated() {
            try opened.send(number, Account(owner: "Owner \(index)", feeCents: Int64(index % 3)))
        }
        try opened.close()

        let booked = try log.producer(BankTopology.transactions, of: Transaction.self)
        for index in 0..<transactions {
            let transaction = Transaction(
                id: "T\(index)", cents: Int64.random(in: -10_000...10_000, using: &random),
                memo: index % 2 == 0 ? "card" : "transfer")
            try booked.send(numbers[Int.random(in: 0..<accounts, using: &random)], transaction)
        }
        try booked.close()
        print("wrote \(accounts) accounts and \(transactions) transactions")
    }
}

/// SplitMix64: the same numbers for the same seed, anywhere.
private struct SeededRandom: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
