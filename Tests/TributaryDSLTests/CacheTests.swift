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
        func cacheBytes() throws -> Double {
            let name = "kafka.streams.stream_task_metrics.cache_size"
            let metric = driver.metricsRegistry.snapshot().first { $0.description.name == name }
            guard case .number(let bytes) = try #require(metric?.points.first).value else { return .nan }
            return bytes
        }
        for index in 0..<50 { try driver.pipe("t", "k\(index)", "v\(index)", timestamp: 0, .string, .string) }
        // From here on rows only come in by reads: what one brings in is counted, and one that isn't used leaves for it.
        for round in 0..<3 {
            for index in 0..<50 {
                try driver.pipe("s", "k\(index)", "\(round)", timestamp: 1, .string, .string)
                let bytes = try cacheBytes()
                #expect(bytes > 0 && bytes <= 300)
            }
        }
        let out = try driver.takeRecords(from: "out", .string, .string)
        #expect(out.map(\.value) == (0..<3).flatMap { round in (0..<50).map { "\(round)v\($0)" } })
        driver.close()
    }
}
