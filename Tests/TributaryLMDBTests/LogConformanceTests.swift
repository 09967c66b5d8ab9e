import TestSupport
import Testing
import TributaryCore
import TributaryLMDB
import TributaryTesting

@Suite(.timeLimit(.minutes(10))) struct EmbeddedLogConformanceTests {
    @Test(arguments: LogConformance.checks)
    func `the embedded log conforms`(check: LogConformance.Check) throws {
        let folder = try TemporaryFolder()
        try LogConformance(makeLog: { try openLog(folder) }).run(check)
    }
}
