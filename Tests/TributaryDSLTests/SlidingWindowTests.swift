import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryTesting

/// Sliding windows; what Kafka Streams does record for record is in the conformance cases.
@Suite struct SlidingWindowTests {
    private func topology(grace: Duration, emit: EmitStrategy = .onWindowUpdate) throws -> Topology {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).groupByKey()
            .windowedBy(SlidingWindows(difference: .milliseconds(10), grace: grace))
            .emitStrategy(emit)
            .aggregate(into: "", as: "windows", value: .string) { $0 += $1 }
            .toStream().to("out")
        return try builder.build()
    }

    private func out(_ driver: TopologyTestDriver) throws -> [String] {
        try driver.takeRecords(
            from: "out", .timeWindowed(.string, size: .milliseconds(10)), .string
        ).map { "\($0.key.window.start)=\($0.value)@\($0.timestamp)" }
    }

    @Test(arguments: [false, true])
    func `a late record is in the windows around it, and makes those that begin and end with it`(
        isCached: Bool
    ) throws {
        let driver = try TopologyTestDriver(
            topology(grace: .milliseconds(50)),
            configuration: SessionWindowTests.configuration(isCached: isCached))
        defer { driver.close() }
        for (value, time) in [("A", 10), ("B", 20), ("C", 15)] as [(String, Int64)] {
            try SessionWindowTests.pipe(driver, value, time)
        }
        let expected = [
            "0=A@10", "11=B@20", "10=AB@20", "11=BC@20", "10=ABC@20", "5=AC@15", "16=B@20",
        ]
        #expect(try out(driver) == expected)
        // The window behind C has B alone, though C made it.
        #expect(try SessionWindowTests.cells(driver).map(\.count) == [1, 1, 2, 2, 3, 2, 1])
    }

    @Test func `windows that begin with what others have are linked to those`() throws {
        let driver = try TopologyTestDriver(
            topology(grace: .milliseconds(50)), configuration: SessionWindowTests.configuration())
        defer { driver.close() }
        for (value, time) in [("A", 10), ("B", 20), ("C", 15)] as [(String, Int64)] {
            try SessionWindowTests.pipe(driver, value, time)
        }
        let puts = LinkTests.spans(driver).filter { $0.name == "put windows" }
        func put(_ start: Int64, _ place: Int = 0) throws -> LinkTests.Seen {
            let all = puts.filter { $0.span.windowStart == start }
            try #require(place < all.count)
            return all[place]
        }
        // [10,20] begins with what [0,10] has, [16,26] with what [11,21] had before C.
        #expect(try put(10).links.map(\.context.span) == [try put(0).span.context.span])
        #expect(try put(10).links.map(\.type) == [.previous])
        let copy = try put(16)
        #expect(copy.links.map(\.context.span) == [try put(11).span.context.span])
        #expect(copy.links.map(\.type) == [.copied])
        #expect(copy.span.flags & SpanRecord.parentIsTrigger != 0)
        #expect(try put(5).links.map(\.context.span) == [try put(0).span.context.span])
    }

    @Test(arguments: [false, true])
    func `all windows of all records are there, in whatever order they come`(isCached: Bool) throws {
        var random = FastRandom(seed: 3)
        for _ in 0..<20 {
            let driver = try TopologyTestDriver(
                topology(grace: .milliseconds(1000)),
                configuration: SessionWindowTests.configuration(isCached: isCached))
            defer { driver.close() }
            var times: [Int64] = []
            for _ in 0..<25 {
                times.append(Int64(10 + random.next() % 60))
                try SessionWindowTests.pipe(driver, "x", times[times.count - 1])
            }
            // One window ends with each record, and one begins behind each that has another in reach.
            var expected: [Int64: Int] = [:]
            func count(_ start: Int64) -> Int { times.filter { $0 >= start && $0 <= start + 10 }.count }
            for time in times {
                expected[time - 10] = count(time - 10)
                if count(time + 1) > 0 { expected[time + 1] = count(time + 1) }
            }
            var found: [Int64: Int] = [:]
            for row in try driver.rows(ofStore: "windows") {
                let key = Array(row.key.dropLast(4))
                let window = try Serde<Windowed<String>>.timeWindowed(.string, size: .milliseconds(10)).value(key)
                found[window.window.start] = row.value.count
            }
            #expect(found == expected)
        }
    }

    @Test func `windows go on after a restart and a restore`() throws {
        let driver = try TopologyTestDriver(
            topology(grace: .milliseconds(50)), configuration: SessionWindowTests.configuration())
        defer { driver.close() }
        try SessionWindowTests.pipe(driver, "A", 10)
        try driver.restart()
        try SessionWindowTests.pipe(driver, "B", 15)
        #expect(try out(driver) == ["0=A@10", "11=B@15", "5=AB@15"])
        #expect(try SessionWindowTests.cells(driver).map(\.count) == [1, 1, 2])
    }

    @Test func `null values are dropped, and windows of no size fail`() throws {
        let builder = StreamsBuilder()
        _ = builder.stream("in", key: .string, value: .string).groupByKey()
            .windowedBy(SlidingWindows(difference: .zero)).count(as: "windows")
        let driver = try TopologyTestDriver(builder.build(), configuration: SessionWindowTests.configuration())
        defer { driver.close() }
        try SessionWindowTests.pipe(driver, nil, 5)
        #expect(driver.dropped == [.nullValue: 1])
        #expect(throws: (any Error).self) { try SessionWindowTests.pipe(driver, "x", 5) }
    }
}
