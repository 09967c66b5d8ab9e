import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryTesting

@Suite struct CacheTests {
    @Test func `a cache that is only read stays within its budget, and joins stay exact`() throws {
        let builder = StreamsBuilder()
        let table = builder.table("t", key: .string, value: .string, as: "rows")
        builder.stream("s", key: .string, value: .string).join(table, result: .string) { $0 + $1 }.to("out")
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = 300
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration)
        for index in 0..<50 { try driver.pipe("t", "k\(index)", "v\(index)", timestamp: 0, .string, .string) }
        for round in 0..<3 {
            for index in 0..<50 { try driver.pipe("s", "k\(index)", "\(round)", timestamp: 1, .string, .string) }
        }
        let out = try driver.takeRecords(from: "out", .string, .string)
        #expect(out.map(\.value) == (0..<3).flatMap { round in (0..<50).map { "\(round)v\($0)" } })
        driver.close()
    }
}
