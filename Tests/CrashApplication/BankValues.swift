package import Tributary

/// What a transaction moves, with a token: the hash of the record's own coordinate, which its producer knows beforehand.
package struct Transfer: Sendable {
    package var account: Int64
    package var amount: Int64
    package var token: UInt128

    package init(account: Int64, amount: Int64, token: UInt128) {
        self.account = account
        self.amount = amount
        self.token = token
    }
}

/// An account's row, with the token of the record that it came from.
package struct Account: Sendable {
    package var revision: Int64
    package var token: UInt128

    package init(revision: Int64, token: UInt128) {
        self.revision = revision
        self.token = token
    }
}

/// What an account holds, and, counted by the application itself, what it came from: the cell must say the same.
package struct Balance: Sendable, Equatable {
    package var count: Int64 = 0
    package var amount: Int64 = 0
    package var contributions: Int64 = 0
    package var token: UInt128 = 0

    package init() {}
}

extension Serde where Value == Transfer {
    package static var transfer: Serde<Transfer> {
        Serde(
            name: "transfer", size: .fixed(32),
            decode: { bytes in
                guard bytes.byteCount == 32, let account = bytes.integer(at: 0, as: Int64.self),
                    let amount = bytes.integer(at: 8, as: Int64.self),
                    let token = bytes.integer(at: 16, as: UInt128.self)
                else { throw SerdeError(.malformed, serde: "transfer", "32 bytes were expected") }
                return Transfer(account: account, amount: amount, token: token)
            },
            encode: { value, writer in
                writer.append(bigEndian: value.account)
                writer.append(bigEndian: value.amount)
                writer.append(bigEndian: value.token)
            })
    }
}

extension Serde where Value == Account {
    package static var account: Serde<Account> {
        Serde(
            name: "account", size: .fixed(24),
            decode: { bytes in
                guard bytes.byteCount == 24, let revision = bytes.integer(at: 0, as: Int64.self),
                    let token = bytes.integer(at: 8, as: UInt128.self)
                else { throw SerdeError(.malformed, serde: "account", "24 bytes were expected") }
                return Account(revision: revision, token: token)
            },
            encode: { value, writer in
                writer.append(bigEndian: value.revision)
                writer.append(bigEndian: value.token)
            })
    }
}

extension Serde where Value == Balance {
    package static var balance: Serde<Balance> {
        Serde(
            name: "balance", size: .fixed(40),
            decode: { bytes in
                guard bytes.byteCount == 40, let count = bytes.integer(at: 0, as: Int64.self),
                    let amount = bytes.integer(at: 8, as: Int64.self),
                    let contributions = bytes.integer(at: 16, as: Int64.self),
                    let token = bytes.integer(at: 24, as: UInt128.self)
                else { throw SerdeError(.malformed, serde: "balance", "40 bytes were expected") }
                var balance = Balance()
                balance.count = count
                balance.amount = amount
                balance.contributions = contributions
                balance.token = token
                return balance
            },
            encode: { value, writer in
                writer.append(bigEndian: value.count)
                writer.append(bigEndian: value.amount)
                writer.append(bigEndian: value.contributions)
                writer.append(bigEndian: value.token)
            })
    }
}
