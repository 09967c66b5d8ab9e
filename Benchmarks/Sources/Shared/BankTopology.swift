import Tributary

extension Bank.Transaction: JSONRecordable {}
extension Bank.Account: JSONRecordable {}
extension Bank.Balance: JSONRecordable {}

extension Bank {
    /// Goes from node to node and is never written.
    struct Posting {
        let transaction: Transaction
        let account: Account
    }

    /// Transactions joined with their account and summed up.
    static func add(to builder: StreamsBuilder, transactions: String, accounts: String, output: String) {
        builder.stream(transactions, of: Transaction.self)
            .join(builder.table(accounts, of: Account.self, as: "accounts")) { transaction, account in
                Posting(transaction: transaction, account: account)
            }
            .groupByKey()
            .aggregate(into: Balance(), as: "balances") { balance, posting in
                balance.owner = posting.account.owner
                balance.cents += posting.transaction.cents
                balance.postings += 1
            }
            .toStream().to(output)
    }
}
