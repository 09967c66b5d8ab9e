// The bank on Apache Kafka: one line differs.
import Tributary

struct Account: Codable {
    var owner: String
    var feeCents: Int64
}

struct Transaction: Codable {
    var cents: Int64
}

struct Balance: Codable {
    var owner = ""
    var cents: Int64 = 0
}

let builder = StreamsBuilder()
let accounts = builder.table("accounts", key: .string, value: .json(Account.self), as: "accounts")
builder.stream("transactions", key: .string, value: .json(Transaction.self))
    .join(accounts) { Balance(owner: $1.owner, cents: $0.cents - $1.feeCents) }
    .groupByKey()
    .aggregate(as: "balances", value: .json(Balance.self), initial: Balance()) { _, posting, balance in
        balance = Balance(owner: posting.owner, cents: balance.cents + posting.cents)
    }
    .toStream()
    .to("balance-updates")

let brokers = CommandLine.arguments.dropFirst().first ?? "localhost:9092"
// snippet.application
let app = try StreamsApplication(
    builder.build(),
    configuration: .init(
        applicationID: "bank", log: .kafka(brokers, stateDirectory: "./bank-state"), commitInterval: .milliseconds(200))
)
try await app.run()
// snippet.end
