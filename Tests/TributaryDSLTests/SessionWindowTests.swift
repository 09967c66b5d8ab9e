import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryTesting

/// Sessions; what Kafka Streams does record for record is in the conformance cases.
@Suite struct SessionWindowTests {
    static func configuration(isCached: Bool = false) -> TestDriverConfiguration {
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = isCached ? 1 << 20 : 0
        configuration.runtime.lineage.sendsCells = true
        return configuration
    }

    static func pipe(_ driver: TopologyTestDriver, _ value: String?, _ time: Int64, key: String = "a") throws {
        try driver.pipe(
            topic: "in", key: Array(key.utf8), value: value.map { Array($0.utf8) }, timestamp: time)
    }

    static func cells(_ driver: TopologyTestDriver, _ topic: String = "out") throws -> [Cell] {
        let arena = CellArena()
        return try driver.log.records(in: TopicPartition(topic, 0)).map { record in
            try #require(try CellHeader.decode(record.cell.span.bytes, into: arena))
        }
    }

    static func out(_ driver: TopologyTestDriver) throws -> [String] {
        try driver.takeRecords(
            from: "out", .sessionWindowed(.string), .text
        ).map { "\($0.key.window.start)-\($0.key.window.end)=\($0.value ?? "~")@\($0.timestamp)" }
    }

    private func joined(grace: Duration = .milliseconds(20), emit: EmitStrategy = .onWindowUpdate) throws -> Topology {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).groupByKey()
            .windowedBy(SessionWindows(gap: .milliseconds(5), grace: grace))
            .emitStrategy(emit)
            .aggregate(into: "", as: "sessions", value: .string, merging: { $0 += $1 }, { $0 += $1 })
            .toStream().to("out")
        return try builder.build()
    }

    @Test(arguments: [false, true])
    func `a record between two sessions makes them one`(isCached: Bool) throws {
        let driver = try TopologyTestDriver(joined(), configuration: Self.configuration(isCached: isCached))
        defer { driver.close() }
        for (value, time) in [("A", 0), ("B", 8), ("C", 4)] as [(String, Int64)] {
            try Self.pipe(driver, value, time)
        }
        #expect(try Self.out(driver) == ["0-0=A@0", "8-8=B@8", "0-0=~@0", "8-8=~@8", "0-8=ABC@8"])
        // A tombstone comes from the record alone, the merged session from all three.
        #expect(try Self.cells(driver).map(\.count) == [1, 1, isCached ? 1 : 1, 1, 3])
        let rows = try driver.rows(ofStore: "sessions")
        #expect(rows.count == 1)
    }

    @Test func `a merged session is linked to those it has, and each that went to its own`() throws {
        let driver = try TopologyTestDriver(joined(), configuration: Self.configuration())
        defer { driver.close() }
        for (value, time) in [("A", 0), ("B", 8), ("C", 4)] as [(String, Int64)] {
            try Self.pipe(driver, value, time)
        }
        let spans = LinkTests.spans(driver)
        let puts = spans.filter { $0.name == "put sessions" }
        let deletes = spans.filter { $0.name == "delete sessions" }
        try #require(puts.count == 3 && deletes.count == 2)
        #expect(Set(puts[2].links.map(\.context.span)) == Set(puts.prefix(2).map(\.span.context.span)))
        #expect(puts[2].links.allSatisfy { $0.type == .previous })
        for (delete, put) in zip(deletes, puts) {
            #expect(delete.links.map(\.context.span) == [put.span.context.span])
            #expect(delete.links.map(\.type) == [.deleted])
            #expect(delete.span.parent == puts[2].span.parent)
        }
    }

    @Test func `late records are dropped, and null values count where the type has them`() throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: Serde<String?>.text).groupByKey()
            .windowedBy(SessionWindows(gap: .milliseconds(5)))
            .count(as: "sessions").toStream().to("out")
        let driver = try TopologyTestDriver(builder.build(), configuration: Self.configuration())
        defer { driver.close() }
        try Self.pipe(driver, nil, 10)
        try Self.pipe(driver, "x", 100, key: "b")
        try Self.pipe(driver, "x", 95)
        try Self.pipe(driver, "x", 94)
        let out = try driver.takeRecords(from: "out", .sessionWindowed(.string), .int64)
        #expect(out.map(\.value) == [1, 1, 1])
        #expect(driver.dropped == [.expired: 1])
    }

    @Test(arguments: [false, true])
    func `sessions go on after a restart and a restore`(isCached: Bool) throws {
        let driver = try TopologyTestDriver(joined(), configuration: Self.configuration(isCached: isCached))
        defer { driver.close() }
        try Self.pipe(driver, "A", 0)
        try Self.pipe(driver, "B", 3)
        try driver.restart()
        try Self.pipe(driver, "C", 7)
        #expect(try Self.out(driver).last == "0-7=ABC@7")
        #expect(try Self.cells(driver).last?.count == 3)
    }

    @Test func `a session comes once when it has closed, from what it has and not from what closed it`() throws {
        let topology = try joined(grace: .zero, emit: .onWindowClose)
        let driver = try TopologyTestDriver(topology, configuration: Self.configuration())
        defer { driver.close() }
        for (value, time) in [("A", 0), ("B", 3)] as [(String, Int64)] { try Self.pipe(driver, value, time) }
        try Self.pipe(driver, "C", 9, key: "b")
        #expect(try Self.out(driver) == ["0-3=AB@3"])
        #expect(try Self.cells(driver).map(\.count) == [2])
        let spans = LinkTests.spans(driver)
        let emit = try #require(spans.first { $0.name == "emit sessions" })
        let put = try #require(spans.last { $0.name == "put sessions" && $0.span.windowEnd == 3 })
        #expect(emit.span.parent == put.span.context.span && emit.links.map(\.type) == [.trigger])
    }

    @Test func `many sessions of many keys are what one at a time would be`() throws {
        for isCached in [false, true] {
            let driver = try TopologyTestDriver(
                joined(grace: .milliseconds(1000)), configuration: Self.configuration(isCached: isCached))
            defer { driver.close() }
            var random = FastRandom(seed: 7)
            var all: [String: [Int64]] = [:]
            for _ in 0..<300 {
                let key = ["a", "aa", "b", "key-of-more-than-16-bytes"][Int(random.next() % 4)]
                let time = Int64(random.next() % 400)
                all[key, default: []].append(time)
                try Self.pipe(driver, "x", time, key: key)
            }
            var expected: [String: [String]] = [:]
            for (key, times) in all {
                var sessions: [(Int64, Int64, Int)] = []
                for time in times.sorted() {
                    if let last = sessions.last, time - last.1 <= 5 {
                        sessions[sessions.count - 1] = (last.0, time, last.2 + 1)
                    } else {
                        sessions.append((time, time, 1))
                    }
                }
                expected[key] = sessions.map { "\($0.0)-\($0.1):\($0.2)" }
            }
            var found: [String: [String]] = [:]
            for row in try driver.rows(ofStore: "sessions") {
                let key = try Serde<Windowed<String>>.sessionWindowed(.string).value(row.key)
                found[key.key, default: []].append("\(key.window.start)-\(key.window.end):\(row.value.count)")
            }
            #expect(found == expected)
        }
    }
}

extension Serde where Value == String? {
    /// Text that may be null.
    static var text: Serde<String?> {
        Serde(
            name: "text?", size: .unknown, decode: { try Serde<String>.string.decode($0) },
            encode: { value, writer in if let value { try Serde<String>.string.encode(value, &writer) } })
    }
}
