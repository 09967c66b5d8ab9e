import TestSupport
import Testing
import Tributary
import TributaryCLI
import TributaryCore
import TributaryKafka

/// The program `tributary` on a real broker.
extension RealBrokerTests {
    @Suite struct CommandTests {
        /// Calls the program in this process; returns its exit status and its output.
        private func tributary(_ words: String...) async -> (status: Int32, lines: [String]) {
            let lines = Guarded<[String]>([])
            let keep: @Sendable (String) -> Void = { line in lines.withLock { $0.append(line) } }
            let console = Console(isTerminal: false, output: keep, errors: keep, screen: { _ in })
            let status = await TributaryCommand(console: console).run(words + ["--kafka", RealBroker.bootstrap])
            return (status, lines.withLock { $0 })
        }

        @Test func `topics are made, filled, read, described and deleted`() async throws {
            let topic = RealBroker.name("command")
            let folder = try TemporaryFolder()
            let record =
                #"{"key":"k","value":"v","headers":[["b","1"],["a",null],["b","2"]],"timestamp":5,"partition":1}"#
            let file = try folder.file(
                "records", "\(record)\n{\"key\":\"k\",\"value\":null,\"timestamp\":6,\"partition\":1}\n")
            var run = await tributary("topics", "create", topic, "--partitions", "2", "--set", "retention.ms=-1")
            #expect(run.status == 0, "\(run.lines)")
            run = await tributary("topics", "produce", topic, file)
            #expect(run.status == 0, "\(run.lines)")
            run = await tributary("topics", "consume", topic, "--json")
            #expect(run.lines.count == 2)
            #expect(run.lines.first?.contains(#""partition":1,"offset":0,"timestamp":5,"key":"k","value":"v""#) == true)
            #expect(run.lines.last?.contains(#""value":null"#) == true)
            run = await tributary("topics", "describe", topic)
            #expect(run.lines.contains("  retention.ms=-1"))
            #expect(run.lines.contains("  partition 1: offsets 0 to 2"))
            run = await tributary("topics", "delete", topic, "--yes")
            #expect(run.lines == ["deleted \(topic)"])
            run = await tributary("topics", "describe", topic)
            #expect(run.status == 1)
        }

        @Test func `an application's group is shown, and begins anew`() async throws {
            let bank = try BankTests.Bank()
            let log = try RealBroker.log()
            defer { log.close() }
            try bank.makeTopics(log)
            let truth = try bank.write(0..<300, to: log)
            try await BankTests().run(bank, .open(log)) { $0.metrics.records >= 610 && $0.metrics.lag == 0 }
            let list = await tributary("groups", "list")
            #expect(list.lines.contains { $0.hasPrefix(bank.id) && $0.contains("lag 0  stopped") }, "\(list.lines)")
            let offsets = await tributary("groups", "offsets", bank.id)
            #expect(offsets.lines.contains { $0.hasPrefix("\(bank.transactions)-0 ") && $0.contains("lag 0") })
            let dry = await tributary("reset", bank.id, "--dry-run")
            #expect(dry.status == 0 && dry.lines.contains("delete the topic \(bank.id)-balances-changelog"))
            let reset = await tributary("reset", bank.id, "--yes")
            #expect(reset.status == 0, "\(reset.lines)")
            #expect(try log.topic("\(bank.id)-balances-changelog") == nil)
            #expect(try log.topic("\(bank.id)-tasks") == nil)
            let anew = await tributary("groups", "offsets", bank.id)
            let inputs = anew.lines.filter { $0.hasPrefix("\(bank.id)-in-") }
            #expect(inputs.count == 6 && inputs.allSatisfy { $0.contains("committed 0 ") }, "\(anew.lines)")
            // Its state on this machine is that of a changelog that is gone: everything is counted once.
            try await BankTests().run(bank, .open(log)) { $0.metrics.records >= 610 && $0.metrics.lag == 0 }
            let run = await tributary(
                "changelog", "replay", "--topic", "\(bank.id)-balances-changelog", "--to", "-", "--json",
                "--value-format", "json")
            for (key, balance) in truth {
                let row = try #require(run.lines.first { $0.contains(#""key":"\#(key)""#) })
                #expect(row.contains(#""postings":\#(balance.postings)"#), "\(row)")
            }
        }

        @Test func `a changelog is replayed with its lineage`() async throws {
            let bank = try BankTests.Bank()
            let log = try RealBroker.log()
            defer { log.close() }
            try bank.makeTopics(log)
            let truth = try bank.write(0..<500, to: log)
            try await BankTests().run(bank, .open(log)) { $0.metrics.records >= 1010 && $0.metrics.lag == 0 }
            let run = await tributary(
                "changelog", "replay", "--topic", "\(bank.id)-balances-changelog", "--to", "-", "--json",
                "--value-format", "json")
            #expect(run.status == 0)
            for (key, balance) in truth {
                let row = try #require(run.lines.first { $0.contains(#""key":"\#(key)""#) })
                #expect(
                    row.contains(#""cents":\#(balance.cents)"#) && row.contains(#""postings":\#(balance.postings)"#))
                // A transaction and its account for each posting, told by their topics' names.
                #expect(row.contains(#""n": \#(balance.postings * 2),"#), "\(row)")
                #expect(row.contains(bank.transactions))
            }
            let described = await tributary("topics", "describe", bank.transactions, "--group", bank.id)
            #expect(described.lines.count { $0.contains("lag 0") } == 3)
        }
    }
}
