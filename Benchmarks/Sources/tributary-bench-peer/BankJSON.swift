import Tributary

/// The values of `bank-json`, as a user of Codable writes them.
enum BankJSON {
    struct Transaction: JSONRecordable {
        var id: String
        var account: String
        var cents: Int64
        var kind: String
        var at: Int64
    }

    struct Account: JSONRecordable {
        var owner: String
        var open: Bool
        var limit: Int64
        var opened: Int64
    }

    struct Balance: JSONRecordable {
        var owner = ""
        var cents: Int64 = 0
        var postings: Int64 = 0

        mutating func apply(_ posting: Posting) {
            owner = posting.account.owner
            cents += posting.transaction.cents
            postings += 1
        }
    }

    /// Goes from node to node and is never written.
    struct Posting {
        let transaction: Transaction
        let account: Account
    }

    static func add(to builder: StreamsBuilder, from inputs: [String], to output: String) throws {
        guard inputs.count == 2 else { throw PeerError(description: "bank-json needs two input topics") }
        builder.stream(inputs[0], of: Transaction.self)
            .join(builder.table(inputs[1], of: Account.self, as: "accounts")) { transaction, account in
                Posting(transaction: transaction, account: account)
            }
            .groupByKey()
            .aggregate(into: Balance(), as: "balances") { balance, posting in balance.apply(posting) }
            .toStream().to(output)
    }
}
