import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryTesting

/// Rows that begin anew: what they were before is history, and no part of what they are, whoever folds both into one.
@Suite struct BegunAnewTests {
    private typealias Seen = LinkTests.Seen
    private let links = LinkTests()

    /// The texts of a key, one behind the other; "-" ends the row.
    private func texts(of builder: StreamsBuilder) -> KTable<String, String?> {
        let text = Serde<String>.string.optional
        return builder.stream("in", key: .string, value: .string).groupByKey()
            .aggregate(String?.some(""), as: "texts", value: text) { all, value in
                value == "-" ? nil : (all ?? "") + value
            }
    }

    private func add(_ driver: TopologyTestDriver, _ values: [String], from trace: UInt64, flags: UInt8 = 1) throws {
        for (number, value) in values.enumerated() {
            try links.add(driver, "a", value, trace: trace + UInt64(number), flags: flags)
        }
    }

    private func span(_ name: String, of driver: TopologyTestDriver) throws -> Seen {
        try #require(LinkTests.spans(driver).last { $0.name == name })
    }

    @Test func `a flush links what was before a delete as replaced, and what came behind it as a contribution`() throws
    {
        let builder = StreamsBuilder()
        texts(of: builder).toStream().to("out")
        let driver = try links.driver(builder.build(), cache: 1 << 20, perCommit: 100)
        defer { driver.close() }
        try add(driver, ["1", "2", "-", "4", "5", "6"], from: 1)
        try links.work(driver)
        let flush = try span("flush texts", of: driver)
        #expect(flush.span.context.traceLow == 6 && flush.span.contributors == 6)
        #expect(flush.links.map(\.context.traceLow) == [5, 4, 3, 2, 1])
        #expect(flush.links.map(\.type) == [.merged, .merged, .superseded, .superseded, .superseded])
        // The next flush knows nothing of it, and one of a delete has no contributions.
        try add(driver, ["7", "8"], from: 7)
        try links.work(driver)
        #expect(try span("flush texts", of: driver).links.map(\.type) == [.merged])
        try add(driver, ["9", "-"], from: 9)
        try links.work(driver)
        #expect(try span("flush texts", of: driver).links.map(\.type) == [.superseded])
    }

    @Test func `more writes than a flush can link are told apart, too`() throws {
        let builder = StreamsBuilder()
        texts(of: builder).toStream().to("out")
        let driver = try links.driver(builder.build(), cache: 1 << 20, perCommit: 100)
        defer { driver.close() }
        try add(driver, Array(repeating: "1", count: 39) + ["-"] + Array(repeating: "2", count: 10), from: 1)
        try links.work(driver)
        let flush = try span("flush texts", of: driver)
        #expect(flush.span.contributors == 50)
        #expect(
            flush.links.map(\.type) == Array(repeating: .merged, count: 9) + Array(repeating: .superseded, count: 23))
        try add(driver, ["-"] + Array(repeating: "3", count: 40), from: 100)
        try links.work(driver)
        #expect(try span("flush texts", of: driver).links.map(\.type) == Array(repeating: .merged, count: 32))
    }

    @Test(arguments: [0, 1 << 20])
    func `a suppression links what was before a row was begun anew as replaced`(cache: Int) throws {
        let builder = StreamsBuilder()
        texts(of: builder).suppress(.untilTimeLimit(.milliseconds(1)), named: "calm").toStream().to("out")
        // With a cache the delete and what follows are one change, which says that it has nothing of the one before.
        let driver = try links.driver(builder.build(), cache: cache, perCommit: 3)
        defer { driver.close() }
        try add(driver, ["1", "2", "3"], from: 1)
        try add(driver, ["-", "5", "6"], from: 4)
        try links.work(driver)
        try driver.pipe("in", "b", "7", timestamp: 5)
        let emitted = try span("emit calm-store", of: driver)
        #expect(emitted.span.context.traceLow == 6)
        let types = emitted.links.filter { $0.type != .trigger }
        if cache == 0 {
            #expect(types.map(\.context.traceLow) == [5, 4, 3, 2, 1])
            #expect(types.map(\.type) == [.merged, .superseded, .superseded, .superseded, .superseded])
        } else {
            #expect(types.map(\.context.traceLow) == [3] && types.map(\.type) == [.superseded])
        }
    }

    @Test func `a window's row that the store has forgotten begins anew, also for a suppression`() throws {
        // Each stream of a cogroup has a stream time of its own, and the store the greatest of all.
        let builder = StreamsBuilder()
        let first = builder.stream("in", key: .string, value: .string).groupByKey()
        let second = builder.stream("other", key: .string, value: .string).groupByKey()
        first.cogroup(of: String.self) { $0 += $1 }
            .cogroup(second) { $0 += $1 }
            .windowedBy(.tumbling(size: .milliseconds(10), grace: .zero))
            .aggregate(into: "", as: "texts", value: .string)
            .suppress(.untilTimeLimit(.seconds(150)), named: "calm")
            .toStream().to("out")
        let driver = try links.driver(builder.build())
        defer { driver.close() }
        try driver.pipe("in", "a", "1", timestamp: 0)
        try driver.pipe("in", "a", "2", timestamp: 1)
        try driver.pipe("other", "b", "3", timestamp: 100_000)
        try driver.pipe("in", "a", "4", timestamp: 2)
        try driver.pipe("other", "c", "5", timestamp: 200_000)
        let emitted = try #require(LinkTests.spans(driver).first { $0.name == "emit calm-store" })
        #expect(emitted.links.map(\.type) == [.superseded, .superseded, .trigger])
    }
}
