import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryTesting

/// Results that come when their windows close.
@Suite struct WindowCloseTests {
    private func topology(_ windows: TimeWindows, inMemory: Bool = false) throws -> Topology {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).groupByKey().windowedBy(windows)
            .emitStrategy(.onWindowClose)
            .count(
                materialized: Materialized(
                    as: "counts", type: inMemory ? .inMemory : nil, retention: .seconds(1)), named: "count"
            )
            .toStream().to("out")
        return try builder.build()
    }

    private func out(_ driver: TopologyTestDriver) throws -> [String] {
        try driver.takeRecords(from: "out", .timeWindowed(.string, size: .milliseconds(10)), .int64)
            .map { "\($0.key.key)\($0.key.window.start)=\($0.value)@\($0.timestamp)" }
    }

    @Test(arguments: [false, true], [false, true])
    func `each window comes once, by time and key`(isCached: Bool, inMemory: Bool) throws {
        let driver = try TopologyTestDriver(
            topology(.tumbling(size: .milliseconds(10), grace: .milliseconds(5)), inMemory: inMemory),
            configuration: SessionWindowTests.configuration(isCached: isCached))
        defer { driver.close() }
        for (key, time) in [("b", 9), ("a", 3), ("a", 4), ("a", 14)] as [(String, Int64)] {
            try SessionWindowTests.pipe(driver, "x", time, key: key)
        }
        #expect(try out(driver).isEmpty)
        try SessionWindowTests.pipe(driver, "x", 15)
        #expect(try out(driver) == ["a0=2@4", "b0=1@9"])
        try SessionWindowTests.pipe(driver, "x", 40)
        #expect(try out(driver) == ["a10=2@15"])
        #expect(try SessionWindowTests.cells(driver).map(\.count) == [2, 1, 2])
        let emits = LinkTests.spans(driver).filter { $0.name == "emit counts" }
        #expect(emits.count == 3 && emits.allSatisfy { $0.links.map(\.type) == [.trigger] })
    }

    @Test func `what has closed before a restart doesn't come again, and what hasn't comes`() throws {
        let driver = try TopologyTestDriver(
            topology(.hopping(size: .milliseconds(10), advance: .milliseconds(5))),
            configuration: SessionWindowTests.configuration())
        defer { driver.close() }
        for time in [1, 7, 12] as [Int64] { try SessionWindowTests.pipe(driver, "x", time) }
        #expect(try out(driver) == ["a0=2@7"])
        try driver.restart()
        try SessionWindowTests.pipe(driver, "x", 16)
        #expect(try out(driver) == ["a5=2@12"])
    }

    @Test func `the wall clock says how often closed windows are looked for`() throws {
        var configuration = SessionWindowTests.configuration()
        configuration.runtime.emitInterval = .seconds(1)
        let driver = try TopologyTestDriver(
            topology(.tumbling(size: .milliseconds(10))), configuration: configuration)
        defer { driver.close() }
        for time in [0, 10, 20] as [Int64] { try SessionWindowTests.pipe(driver, "x", time) }
        #expect(try out(driver).isEmpty)
        try driver.advanceWallClock(by: .seconds(1))
        try SessionWindowTests.pipe(driver, "x", 21)
        #expect(try out(driver) == ["a0=1@0", "a10=1@10"])
    }

    @Test func `a window that never ends is refused`() throws {
        #expect(throws: TopologyError.self) { try topology(.unlimited()) }
    }
}
