import Tributary

extension Bank {
    /// Prints the latest balance of each account that the bank has sent out.
    static func balances(_ log: any Log) async throws {
        guard try log.topic(BankTopology.updates) != nil else { throw BankError("no bank has run on this log") }
        var latest: [String: Balance] = [:]
        for try await update in log.records(BankTopology.updates, of: Balance.self) {
            if let account = update.key { latest[account] = update.value }
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
