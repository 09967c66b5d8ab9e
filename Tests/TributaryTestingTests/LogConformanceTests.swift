import Testing
import TributaryCore
import TributaryTesting

@Suite struct LogConformanceTests {
    @Test(arguments: LogConformance.checks)
    func `the log in memory conforms`(check: LogConformance.Check) throws {
        try LogConformance(makeLog: { MemoryLog(clusterID: "conformance") }).run(check)
    }

    @Test func `a log that shows records too early is found out`() {
        let failures = LogConformance(patience: 200, makeLog: { Leaky() }).run()
        #expect(failures.contains { $0.check == "records of a transaction are seen when it is committed, all at once" })
        #expect(failures.contains { $0.check == "an aborted transaction is never read" })
    }
}
