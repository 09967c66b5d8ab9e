import Tributary

/// The bank's records, as JSON.
enum BankPath {
    static func topology() throws -> Topology {
        let builder = StreamsBuilder()
        Bank.add(to: builder, transactions: "in", accounts: "accounts", output: "out")
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
