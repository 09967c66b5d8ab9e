import Testing
import TributaryCore
import TributaryDSL
import TributaryRuntime
import TributaryTesting

/// Aggregates are written as `reduce(into:)` and `reduce` of the standard library, with the key or without, in windows or not.
@Suite struct AggregateTests {
    private typealias Tables = @Sendable (KGroupedStream<String, Int64>) -> KStream<String, String>

    /// The sum of each key's values so far, and how its key begins where the closure sees it.
    private static let tables: [(name: String, showsKey: Bool, table: Tables)] = [
        (
            "into", false,
            {
                $0.aggregate(into: "", as: "t", value: .string) { all, value in all += "\(value)" }.toStream()
            }
        ),
        ("returning", false, { $0.aggregate("", as: "t", value: .string) { $0 + "\($1)" }.toStream() }),
        (
            "into, with key", true,
            {
                $0.aggregateWithKey(into: "", as: "t", value: .string) { all, key, value in all += "\(key)\(value)" }
                    .toStream()
            }
        ),
        (
            "returning, with key", true,
            { $0.aggregateWithKey("", as: "t", value: .string) { $0 + $1 + "\($2)" }.toStream() }
        ),
        (
            "windowed into", false,
            {
                plain(windowed($0).aggregate(into: "", as: "t", value: .string) { all, value in all += "\(value)" })
            }
        ),
        (
            "windowed returning", false,
            { plain(windowed($0).aggregate("", as: "t", value: .string) { $0 + "\($1)" }) }
        ),
        (
            "windowed into, with key", true,
            {
                plain(
                    windowed($0).aggregateWithKey(into: "", as: "t", value: .string) { all, key, value in
                        all += "\(key)\(value)"
                    })
            }
        ),
        (
            "windowed returning, with key", true,
            { plain(windowed($0).aggregateWithKey("", as: "t", value: .string) { $0 + $1 + "\($2)" }) }
        ),
    ]

    private static func windowed(_ grouped: KGroupedStream<String, Int64>) -> TimeWindowedKStream<String, Int64> {
        grouped.windowedBy(.tumbling(size: .seconds(60)))
    }

    private static func plain(_ table: KTable<Windowed<String>, String>) -> KStream<String, String> {
        table.toStream().map(key: .string, value: .string) { windowed, value in (windowed.key, value) }
    }

    @Test(arguments: [0, 1 << 20])
    func `each way of aggregating gives the same`(_ cacheBytes: Int) throws {
        for (name, showsKey, table) in Self.tables {
            let builder = StreamsBuilder()
            table(builder.stream("in", key: .string, value: .int64).groupByKey()).to("out")
            var configuration = TestDriverConfiguration()
            configuration.runtime.cacheBytes = cacheBytes
            let driver = try TopologyTestDriver(builder.build(), configuration: configuration)
            defer { driver.close() }
            for (number, key) in ["a", "b", "a"].enumerated() {
                try driver.pipe("in", key, Int64(number), timestamp: Int64(number), .string, .int64)
            }
            let out = try driver.takeRecords(from: "out", .string, .string)
            let expected = showsKey ? ["a0", "b1", "a0a2"] : ["0", "1", "02"]
            #expect(out.map(\.value) == expected, "\(name)")
            #expect(out.map(\.key) == ["a", "b", "a"], "\(name)")
        }
    }

    @Test func `an aggregate that is null is deleted, whichever way it became so`() throws {
        let builder = StreamsBuilder()
        let grouped = builder.stream("in", key: .string, value: .int64).groupByKey()
        let text = Serde<String>.string.optional
        grouped.aggregate(into: String?.some(""), as: "changed", value: text) { all, value in
            if value < 0 { all = nil } else { all?.append("\(value)") }
        }.toStream().to("changed")
        grouped.aggregate(String?.some(""), as: "returned", value: text) { all, value in
            value < 0 ? nil : (all ?? "") + "\(value)"
        }.toStream().to("returned")
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = 0
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration)
        defer { driver.close() }
        for value in [1, -1, 2] as [Int64] { try driver.pipe("in", "k", value, timestamp: 0, .string, .int64) }
        for topic in ["changed", "returned"] {
            #expect(try driver.takeRecords(from: topic, .string, text).map(\.value) == ["1", nil, "2"])
        }
        #expect(try driver.rows(ofStore: "changed").count == 1)
    }

    @Test func `a null among what is reduced is left out and counted`() throws {
        let text = Serde<String>.string.optional
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .mapValues(value: text) { value -> String? in value.isEmpty ? nil : value }
            .groupByKey().reduce(as: "reduced") { all, value in (all ?? "-") + (value ?? "-") }
            .toStream().to("out")
        let driver = try TopologyTestDriver(builder.build())
        defer { driver.close() }
        for value in ["", "a", "", "b"] { try driver.pipe("in", "k", value, timestamp: 0, .string, .string) }
        #expect(try driver.takeRecords(from: "out", .string, text).map(\.value) == ["a", "ab"])
        #expect(driver.dropped == [.nullValue: 2])
    }

    @Test func `an aggregation that throws asks the handler, and leaves the aggregate as it was`() throws {
        struct Refused: Error {}
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .int64).groupByKey()
            .aggregate(into: Int64(0), as: "sums", value: .int64) { sum, value in
                sum += value
                if value < 0 { throw Refused() }
            }
            .toStream().to("out")
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = 0
        configuration.runtime.processingHandler = { _ in .continue }
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration)
        defer { driver.close() }
        for value in [1, -5, 2] as [Int64] { try driver.pipe("in", "k", value, timestamp: 0, .string, .int64) }
        #expect(try driver.takeRecords(from: "out", .string, .int64).map(\.value) == [1, 3])
    }
}
