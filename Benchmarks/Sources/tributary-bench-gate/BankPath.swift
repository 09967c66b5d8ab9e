import Tributary

/// Transactions joined with their account and summed up; every value is JSON of a Codable type, as in `bank-json` of the comparison with Kafka Streams.
enum BankPath {
    struct Account: JSONRecordable {
        var owner: String
        var open: Bool
        var limit: Int64
        var opened: Int64
    }

    struct Transaction: JSONRecordable {
        var id: String
        var account: String
        var cents: Int64
        var kind: String
        var at: Int64
    }

    struct Posting: JSONRecordable {
        var owner: String
        var cents: Int64
    }

    struct Balance: JSONRecordable {
        var owner = ""
        var cents: Int64 = 0
        var postings: Int64 = 0
    }

    static func topology() throws -> Topology {
        let builder = StreamsBuilder()
        let accounts = builder.table("accounts", of: Account.self, as: "accounts")
        builder.stream("in", of: Transaction.self)
            .join(accounts) { transaction, account in Posting(owner: account.owner, cents: transaction.cents) }
            .groupByKey()
            .aggregate(into: Balance(), as: "balances") { balance, posting in
                balance.owner = posting.owner
                balance.cents += posting.cents
                balance.postings += 1
            }
            .toStream().to("out")
        return try builder.build()
    }

    static func account(_ number: Int) -> [UInt8] {
        Array(
            #"{"owner":"Owner \#(number)","open":true,"limit":\#(number * 1999),"opened":\#(1_600_000_000_000 - number * 1000)}"#
                .utf8)
    }

    static func transaction(_ number: Int) -> [UInt8] {
        let id = String(number)
        let zeros = String(repeating: "0", count: 15 - id.count)
        let kind = number % 2 == 0 ? "deposit" : "withdrawal"
        return Array(
            #"{"id":"t\#(zeros)\#(id)","account":"key-\#(number % 500)","cents":\#(number * 31 % 100_001 - 50_000),"kind":"\#(kind)","at":\#(1_600_000_000_000 + number)}"#
                .utf8)
    }
}
