/// The values of `bank-json`, as a user of Codable writes them.
///
/// Linked into each program, since a user has them in the module that uses them.
enum Bank {
    struct Transaction: Codable {
        var id: String
        var account: String
        var cents: Int64
        var kind: String
        var at: Int64
    }

    struct Account: Codable {
        var owner: String
        var open: Bool
        var limit: Int64
        var opened: Int64
    }

    struct Balance: Codable {
        var owner = ""
        var cents: Int64 = 0
        var postings: Int64 = 0
    }
}
