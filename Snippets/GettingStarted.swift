// The bank: every transaction is posted to the balance of its account.

// snippet.model
import Tributary

struct Account: JSONRecordable {
    var owner: String
    var feeCents: Int64
}

struct Transaction: JSONRecordable {
    var cents: Int64
}

struct Posting: JSONRecordable {
    var owner: String
    var cents: Int64

    init(_ transaction: Transaction, _ account: Account) {
        owner = account.owner
        cents = transaction.cents - account.feeCents
    }
}

struct Balance: JSONRecordable {
    var owner: String
    var cents: Int64

    static let zero = Balance(owner: "", cents: 0)

    mutating func apply(_ posting: Posting) {
        owner = posting.owner
        cents += posting.cents
    }
}
// snippet.end

// snippet.application
let builder = StreamsBuilder()
let accounts = builder.table("accounts", of: Account.self, as: "accounts")
builder.stream("transactions", of: Transaction.self)
    .join(accounts) { transaction, account in Posting(transaction, account) }
    .groupByKey()
    .aggregate(into: Balance.zero, as: "balances") { balance, posting in balance.apply(posting) }
    .toStream()
    .to("balance-updates")

// Until SIGTERM or SIGINT; an error is one line.
await StreamsProgram.run(builder, .init(applicationID: "bank", log: .embedded(at: "./bank-data")))
// snippet.end
