import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryTesting

/// Suppressed tables; what Kafka Streams does record for record is in the conformance cases.
@Suite struct SuppressionTests {
    private func driver(
        cache: Int = 0, _ describe: (StreamsBuilder) -> Void, _ change: (inout RuntimeConfiguration) -> Void = { _ in }
    ) throws -> TopologyTestDriver {
        let builder = StreamsBuilder()
        describe(builder)
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = cache
        configuration.runtime.lineage.sendsCells = true
        change(&configuration.runtime)
        return try TopologyTestDriver(builder.build(), configuration: configuration)
    }

    private func pipe(
        _ driver: TopologyTestDriver, _ key: String, _ value: String?, at time: Int64, to topic: String = "in",
        headers: Headers = Headers()
    ) throws {
        try driver.pipe(
            topic: topic, key: Array(key.utf8), value: value.map { Array($0.utf8) }, timestamp: time, headers: headers)
    }

    private func cells(_ driver: TopologyTestDriver, _ topic: String) throws -> [Cell] {
        let arena = CellArena()
        return try driver.log.records(in: TopicPartition(topic, 0)).map { record in
            try #require(try CellHeader.decode(record.cell.span.bytes, into: arena))
        }
    }

    private func limited(_ builder: StreamsBuilder) {
        builder.table("in", key: .string, value: .string)
            .suppress(.untilTimeLimit(.milliseconds(10)), named: "calm")
            .toStream().to("out")
    }

    @Test func `the last change of a key is sent on when its time is over, with its own time and headers`() throws {
        let driver = try driver { limited($0) }
        defer { driver.close() }
        try pipe(driver, "a", "1", at: 5, headers: Headers([("h", [49])]))
        try pipe(driver, "a", "2", at: 7, headers: Headers([("h", [50])]))
        try pipe(driver, "b", nil, at: 14)
        #expect(try driver.takeRecords(from: "out", .string, .string).isEmpty)
        try pipe(driver, "b", nil, at: 15)
        let out = try driver.takeRecords(from: "out", .string, .string)
        #expect(out.map(\.key) == ["a"] && out.map(\.value) == ["2"] && out.map(\.timestamp) == [7])
        #expect(out[0].headers == Headers([("h", [50])]))
        #expect(try cells(driver, "out").map(\.count) == [1])
    }

    @Test(arguments: [false, true])
    func `what waits is there after a restart, and what was sent on is not`(crashes: Bool) throws {
        let driver = try driver { limited($0) }
        defer { driver.close() }
        let headers = Headers([("h", [49]), ("null", nil)])
        try pipe(driver, "a", "1", at: 0)
        try pipe(driver, "b", "2", at: 10, headers: headers)
        #expect(try driver.takeRecords(from: "out", .string, .string).map(\.value) == ["1"])
        if crashes { try driver.crash() } else { try driver.restart() }
        try pipe(driver, "b", "3", at: 19, headers: headers)
        try pipe(driver, "c", "4", at: 20)
        let out = try driver.takeRecords(from: "out", .string, .string)
        #expect(out.map(\.value) == ["3"] && out.map(\.timestamp) == [19])
        #expect(out.map(\.headers) == [headers])
        let cells = try cells(driver, "out")
        #expect(cells.map(\.count) == [1, 1] && !cells.contains { $0.has(flags: Cell.gap) })
    }

    @Test func `without a changelog nothing is kept`() throws {
        let driver = try driver { builder in
            builder.table("in", key: .string, value: .string)
                .suppress(.untilTimeLimit(.milliseconds(10), buffer: .unbounded(logging: false)))
                .toStream().to("out")
        }
        defer { driver.close() }
        try pipe(driver, "a", "1", at: 0)
        try driver.restart()
        try pipe(driver, "b", "2", at: 100)
        #expect(try driver.takeRecords(from: "out", .string, .string).isEmpty)
    }

    @Test(arguments: [0, 1 << 20])
    func `a window's last result is sent on when it takes no more records`(cache: Int) throws {
        let driver = try driver(cache: cache) { builder in
            builder.stream("in", key: .string, value: .string).groupByKey()
                .windowedBy(.tumbling(size: .milliseconds(10), grace: .milliseconds(5)))
                .count().filter { _, count in count > 0 }
                .suppress(.untilWindowCloses())
                .toStream().selectKey { windowed, _ in windowed.key }.to("out", key: .string)
        }
        defer { driver.close() }
        for (key, time) in [("a", 3), ("b", 9), ("a", 1), ("c", 14)] as [(String, Int64)] {
            try pipe(driver, key, "x", at: time)
        }
        #expect(try driver.takeRecords(from: "out", .string, .int64).isEmpty)
        try pipe(driver, "c", "x", at: 15)
        let out = try driver.takeRecords(from: "out", .string, .int64)
        #expect(out.map(\.key) == ["a", "b"] && out.map(\.value) == [2, 1] && out.map(\.timestamp) == [3, 9])
        #expect(try cells(driver, "out").map(\.count) == [2, 1])
    }

    @Test func `a full buffer sends the oldest on, or ends the task`() throws {
        let eager = try driver { builder in
            builder.table("in", key: .string, value: .string)
                .suppress(.untilTimeLimit(.seconds(100), buffer: .emitEarlyWhenFull(maxRecords: 2)))
                .toStream().to("out")
        }
        defer { eager.close() }
        for (key, time) in [("a", 3), ("b", 1), ("a", 9), ("c", 4)] as [(String, Int64)] {
            try pipe(eager, key, "\(time)", at: time)
        }
        #expect(try eager.takeRecords(from: "out", .string, .string).map(\.value) == ["1"])
        let strict = try driver { builder in
            builder.table("in", key: .string, value: .string)
                .suppress(.untilTimeLimit(.seconds(100), buffer: .shutDownWhenFull(maxBytes: 60)), named: "calm")
                .toStream().to("out")
        }
        defer { strict.close() }
        try pipe(strict, "a", "1", at: 0)
        let failure = #expect(throws: TaskFailure.self) { try pipe(strict, "b", "1", at: 0) }
        let full = failure?.cause as? SuppressionBufferFull
        #expect(full?.records == 2 && full?.bytes == 64 && full?.maxBytes == 60 && full?.node == "calm")
    }

    @Test func `a join sees what was sent on, with what that came from`() throws {
        let driver = try driver { builder in
            let counts = builder.stream("in", key: .string, value: .string).groupByKey().count(as: "counts")
            let calm = counts.suppress(.untilTimeLimit(.milliseconds(10)))
            builder.stream("asks", key: .string, value: .string)
                .leftJoin(calm, result: .string) { ask, count in "\(ask)\(count ?? -1)" }.to("out")
        }
        defer { driver.close() }
        func ask() throws -> String? {
            try pipe(driver, "a", "?", at: 0, to: "asks")
            return try driver.takeRecords(from: "out", .string, .string).first?.value
        }
        #expect(try ask() == "?-1")
        try pipe(driver, "a", "x", at: 0)
        try pipe(driver, "a", "x", at: 1)
        // The initial value stands for the first count's old value.
        #expect(try ask() == "?0")
        try pipe(driver, "b", "x", at: 10)
        #expect(try ask() == "?2")
        try pipe(driver, "a", "x", at: 11)
        #expect(try ask() == "?2")
        try driver.restart()
        #expect(try ask() == "?2")
        #expect(try cells(driver, "out").map(\.count) == [1, 1, 3, 3, 3])
    }

    @Test func `what is sent on is a child of the last change, and links the others and what made it go`() throws {
        let driver = try driver { limited($0) }
        try pipe(driver, "a", "1", at: 0)
        try pipe(driver, "a", "2", at: 1)
        try pipe(driver, "b", "3", at: 10)
        let spans = LinkTests.spans(driver)
        driver.close()
        let emitted = try #require(spans.first { $0.name == "emit calm-store" })
        let changes = spans.filter { $0.name.hasPrefix("process in") }
        #expect(changes.count == 3 && emitted.span.parent != changes[0].span.context.span)
        #expect(emitted.links.map(\.type) == [.superseded, .trigger])
        #expect(emitted.span.contributors == 2)
        #expect(emitted.span.context.traceLow == changes[1].span.context.traceLow)
        #expect(emitted.links[1].context.traceLow == changes[2].span.context.traceLow)
    }

    @Test func `a group takes nothing out of its cell that it was never given`() throws {
        // As in Kafka Streams, a change says what the last one replaced, not what was sent on before.
        let driver = try driver { builder in
            builder.table("in", key: .string, value: .string)
                .suppress(.untilTimeLimit(.milliseconds(10)))
                .groupBy(key: .string, value: .string) { _, value in ("g", value) }
                .aggregate(
                    into: "", value: .string, adding: { $0 += $1 },
                    subtracting: { text, value in text = text.split(separator: value).joined() }
                )
                .toStream().to("out")
        }
        defer { driver.close() }
        for (value, time) in [("a", 0), ("b", 10), ("c", 11), ("d", 12), ("d", 30)] as [(String, Int64)] {
            try pipe(driver, "k", value, at: time)
        }
        let out = try driver.takeRecords(from: "out", .string, .string)
        #expect(out.map(\.value) == ["b", "bd"])
        #expect(try cells(driver, "out").map(\.count) == [1, 2])
    }

    @Test func `what can't be is refused`() {
        func problem(_ describe: (StreamsBuilder) -> Void) -> TopologyError.Code? {
            let builder = StreamsBuilder()
            describe(builder)
            do { _ = try builder.build() } catch { return (error as? TopologyError)?.code }
            return nil
        }
        func table(_ builder: StreamsBuilder) -> KTable<String, String> {
            builder.table("in", key: .string, value: .string)
        }
        #expect(problem { _ = table($0).suppress(.untilTimeLimit(.seconds(-1))) } == .invalidSetting)
        #expect(
            problem {
                _ = table($0).suppress(.untilTimeLimit(.zero, buffer: .emitEarlyWhenFull(maxRecords: -1)))
            } == .invalidSetting)
        #expect(
            problem {
                $0.table("in", key: .timeWindowed(.string, size: .seconds(1)), value: .string)
                    .suppress(.untilWindowCloses()).toStream().to("out")
            } == .invalidSetting)
        #expect(problem { _ = table($0).suppress(.untilTimeLimit(.zero), named: "no name") } == .invalidName)
    }
}
