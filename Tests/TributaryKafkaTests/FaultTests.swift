import Testing
import Tributary
import TributaryCore
import TributaryKafka

/// What becomes of a running application when something happens to the broker or its topics.
extension RealBrokerTests {
    @Suite struct FaultTests {
        typealias Bank = BankTests.Bank

        @Test(.enabled(if: RealBroker.isOurs, "the broker is not ours to be stopped"))
        func `a broker that is restarted under a running bank costs time and nothing else`() async throws {
            let bank = try Bank()
            let log = try RealBroker.log()
            defer { log.close() }
            try bank.makeTopics(log)
            let truth = Totals()
            truth.add(try bank.write(0..<500, to: log))
            let step = Counter()
            try await BankTests().run(bank, .kafka(RealBroker.bootstrap)) { app in
                if step.value == 0, app.metrics.records >= 1010 {
                    step.add(1)
                    try RealBroker.pause()
                    try RealBroker.goOn()
                    truth.add(try bank.write(500..<900, to: log))
                }
                return step.value == 1 && app.metrics.records >= 1810 && app.metrics.lag == 0
            }
            #expect(try bank.latest(log) == truth.balances)
        }

        @Test(arguments: [true, false])
        func `a topic that is deleted under a running bank stops it with an error that names it`(
            isSource: Bool
        ) async throws {
            let bank = try Bank()
            let log = try RealBroker.log()
            defer { log.close() }
            try bank.makeTopics(log)
            _ = try bank.write(0..<200, to: log)
            let deleted = isSource ? bank.transactions : bank.updates
            let step = Counter()
            let error = await #expect(throws: (any Error).self) {
                try await BankTests().run(bank, .kafka(RealBroker.bootstrap)) { app in
                    if step.value == 0, app.metrics.records >= 410, app.metrics.lag == 0 {
                        step.add(1)
                        try log.deleteTopics([deleted])
                    } else if step.value == 1, !isSource {
                        // Something to be sent to it.
                        step.add(1)
                        _ = try bank.write(200..<300, to: log)
                    }
                    return false
                }
            }
            let cause = (error as? TaskFailure)?.cause ?? error
            #expect((cause as? LogError)?.code == .unknownTopic, "\(String(describing: cause))")
            #expect((cause as? LogError)?.topic == deleted, "\(String(describing: cause))")
        }
    }

    /// What the balances must be.
    final class Totals: Sendable {
        private let all = Guarded<[String: BankTests.Balance]>([:])

        var balances: [String: BankTests.Balance] { all.withLock { $0 } }

        func add(_ more: [String: BankTests.Balance]) {
            all.withLock { all in
                for (key, balance) in more {
                    if all[key] == nil { all[key] = balance } else { all[key]?.add(balance) }
                }
            }
        }
    }
}
