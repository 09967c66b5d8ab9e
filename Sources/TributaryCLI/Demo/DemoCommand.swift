/// `tributary demo`, and the child process that it starts.
enum DemoCommand {
    static let specs = [
        CommandSpec(
            words: ["demo"],
            summary:
                "Shows everything at work in one go: a bank that is killed and loses nothing, and knows where every "
                + "balance came from.",
            details: "Writes accounts and transactions into a fresh embedded log, runs a bank over them in a child "
                + "process, which kills itself with SIGKILL in the middle, starts it again, and then proves: every balance against an "
                + "independent sum, every cell against the source records, one transaction's trace, and the store "
                + "against its changelog, byte for byte.\nEverything lies in one folder, which is deleted in the end "
                + "unless --keep names it: then look into it with the other commands.",
            options: [
                .text("keep", "DIR", "use this folder, which must be new or empty, and leave everything in it"),
                .integer("accounts", "N", "how many accounts there are (1000)"),
                .integer("transactions", "N", "how many transactions are written (200000)"),
                .integer("seed", "N", "makes other transactions (1)"),
            ],
            examples: [
                "tributary demo", "tributary demo --keep ./bank",
                "tributary store get account-7 --state ./bank/state/bank --store balances",
            ],
            run: { arguments, console in
                let accounts = arguments.integer("accounts") ?? 1000
                let transactions = arguments.integer("transactions") ?? 200_000
                guard (1...1_000_000).contains(accounts), (100...100_000_000).contains(transactions) else {
                    throw UsageError("accounts must be 1 to 1000000, transactions 100 to 100000000")
                }
                Interrupt.watch()
                defer { Interrupt.release() }
                let folder: String
                if let keep = arguments["keep"] {
                    try Files.makeFolder(keep)
                    guard try Files.entries(keep).isEmpty else { throw CommandError("\(keep) is not empty") }
                    folder = keep
                } else {
                    folder = try Files.makeTemporaryFolder()
                }
                defer { if arguments["keep"] == nil { Files.deleteFolder(folder) } }
                let demo = Demo(
                    folder: folder, accounts: Int(accounts), transactions: Int(transactions),
                    seed: UInt64(bitPattern: arguments.integer("seed") ?? 1), console: console)
                try demo.run()
                if arguments["keep"] != nil {
                    console.line("Everything is in \(folder). Look into it, for example:")
                    for line in demo.suggestions { console.line("  \(line)") }
                }
                return 0
            }),
        CommandSpec(
            words: ["demo-app"], summary: "Runs the demo's bank.",
            operands: [OperandSpec(name: "DIR", summary: "the folder of the log")],
            options: [
                .number("sample", "RATIO", "which share of the accounts is traced"),
                .integer("killed-at", "N", "the transaction at which it kills itself with SIGKILL"),
            ], isHidden: true,
            run: { arguments, console in
                try await DemoApp.run(
                    arguments.operand(0), sampling: arguments.number("sample") ?? 0.01,
                    killedAt: arguments.integer("killed-at"), console: console)
            }),
    ]
}
