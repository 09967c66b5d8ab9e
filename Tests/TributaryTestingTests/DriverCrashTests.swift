import Testing
import TributaryCore
import TributaryDSL
import TributaryRuntime
import TributaryTesting

/// A crash in place of a commit, in the middle of what a record sets off.
@Suite struct DriverCrashTests {
    /// Sends three records through a repartition topic into a count, and crashes before a commit of the second.
    private func run(crash: Int?, _ guarantee: ProcessingGuarantee = .exactlyOnce) throws -> [String] {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .selectKey(key: .string) { _, value in value }
            .groupByKey().count(as: "counts").toStream().to("out")
        var configuration = TestDriverConfiguration()
        configuration.runtime.guarantee = guarantee
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration)
        defer { driver.close() }
        for number in 0..<3 {
            driver.crash(insteadOfCommitAfter: number == 1 ? crash : nil)
            try driver.pipe("in", "k", "a", timestamp: Int64(number), .string, .string)
        }
        return try driver.takeRecords(from: "out", .string, .int64).map { "\($0.key)=\($0.value)" }
    }

    @Test(arguments: [0, 1]) func `exactly once, what was done since the commit before is done anew`(_ commits: Int)
        throws
    {
        #expect(try run(crash: commits) == run(crash: nil))
        #expect(try run(crash: nil) == ["a=1", "a=2", "a=3"])
    }

    @Test func `a crash that no commit has come to is forgotten`() throws {
        #expect(try run(crash: 9) == run(crash: nil))
    }
}
