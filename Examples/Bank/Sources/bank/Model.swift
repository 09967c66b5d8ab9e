import Tributary

/// Who owns an account; the topic `accounts` holds the latest of each, by account number.
struct Account: JSONRecordable, Sendable {
    var owner: String
    /// What a posting costs, in cents.
    var feeCents: Int64
}

/// Money that came in or, negative, went out; the topic `transactions` holds all, by account number.
struct Transaction: JSONRecordable, Sendable {
    var id: String
    var cents: Int64
    var memo: String
}

/// A transaction with what its account says.
struct Posting: JSONRecordable, Sendable {
    var owner: String
    var cents: Int64

    init(_ transaction: Transaction, _ account: Account) {
        owner = account.owner
        cents = transaction.cents - account.feeCents
    }
}

/// What is on an account.
struct Balance: JSONRecordable, Sendable, Equatable {
    var owner: String
    var cents: Int64
    var postings: Int64

    static let zero = Balance(owner: "", cents: 0, postings: 0)

    mutating func apply(_ posting: Posting) {
        owner = posting.owner
        cents += posting.cents
        postings += 1
    }
}
