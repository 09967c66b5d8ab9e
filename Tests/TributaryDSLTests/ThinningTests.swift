import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryTesting

/// Operators that leave records out by what has passed before: deduplication, throttles, samples.
@Suite struct ThinningTests {
    private func driver(inMemory: Bool = false, _ describe: (StreamsBuilder) -> Void) throws -> TopologyTestDriver {
        let builder = StreamsBuilder(inMemoryStores: inMemory)
        describe(builder)
        var configuration = TestDriverConfiguration()
        configuration.runtime.lineage.sendsCells = true
        return try TopologyTestDriver(builder.build(), configuration: configuration)
    }

    private func pipe(
        _ driver: TopologyTestDriver, _ key: String?, _ value: String?, _ timestamp: Int64, to topic: String = "in"
    ) throws {
        try driver.pipe(
            topic: topic, key: key.map { Array($0.utf8) }, value: value.map { Array($0.utf8) }, timestamp: timestamp)
    }

    private func values(_ driver: TopologyTestDriver) throws -> [String] {
        try driver.takeRecords(from: "out", .string, .string).map { "\($0.key)\($0.value)@\($0.timestamp)" }
    }

    // MARK: Deduplication

    /// Values' first characters are their ids.
    private func deduplicated(inMemory: Bool = false) throws -> TopologyTestDriver {
        try driver(inMemory: inMemory) { builder in
            builder.stream("in", of: String.self)
                .deduplicate(within: .milliseconds(10), as: "seen") { String($0.prefix(1)) }
                .to("out")
        }
    }

    @Test(arguments: [false, true])
    func `the first of an id passes, and what is less than the time away is left out`(inMemory: Bool) throws {
        let driver = try deduplicated(inMemory: inMemory)
        defer { driver.close() }
        for (key, value, time) in [
            ("a", "x1", 100), ("a", "x2", 100), ("a", "x3", 109), ("a", "y1", 105), ("b", "x1", 105), ("a", "x4", 110),
            ("a", "x5", 119),
        ] as [(String, String, Int64)] {
            try pipe(driver, key, value, time)
        }
        #expect(try values(driver) == ["ax1@100", "ay1@105", "bx1@105", "ax4@110"])
        #expect(driver.dropped == [.duplicate: 3])
    }

    @Test
    func `what comes out of order is judged by what passed around it, and what is too late is left out`()
        throws
    {
        let driver = try deduplicated()
        defer { driver.close() }
        for (value, time) in [("x1", 100), ("x2", 91), ("x3", 90), ("y1", 90), ("z1", 89), ("x4", 110), ("y2", 99)]
            as [(String, Int64)]
        {
            try pipe(driver, "a", value, time)
        }
        // 89 is later than the grace allows; at 110 the same goes for 99.
        #expect(try values(driver) == ["ax1@100", "ax3@90", "ay1@90", "ax4@110"])
        #expect(driver.dropped == [.duplicate: 1, .expired: 2])
    }

    @Test func `keys and ids that read the same side by side are told apart`() throws {
        let driver = try driver { builder in
            builder.stream("in", of: String.self).deduplicate(within: .milliseconds(10)) { $0 }.to("out")
        }
        defer { driver.close() }
        try pipe(driver, "ab", "c", 0)
        try pipe(driver, "a", "bc", 0)
        try pipe(driver, "a", "bc", 0)
        #expect(try values(driver) == ["abc@0", "abc@0"])
        #expect(driver.dropped == [.duplicate: 1])
    }

    @Test func `a record without id passes, and one without key or value is dropped`() throws {
        let driver = try driver { builder in
            builder.stream("in", keyedBy: String?.self, of: String.self)
                .deduplicate(within: .milliseconds(10), id: Serde.string.optional) { $0.isEmpty ? nil : $0 }
                .to("out", key: Serde.string.optional, value: .string)
        }
        defer { driver.close() }
        for (key, value) in [("a", ""), ("a", ""), ("a", "1"), ("a", "1"), (nil, "1"), ("a", nil)]
            as [(String?, String?)]
        {
            try pipe(driver, key, value, 0)
        }
        #expect(
            try driver.takeRecords(from: "out", Serde.string.optional, .string).map(\.value) == ["", "", "1"])
        #expect(driver.dropped == [.duplicate: 1, .nullKey: 1, .nullValue: 1])
    }

    @Test func `without an id the key is the id, and nothing is decoded for it`() throws {
        let driver = try driver { builder in
            builder.stream("in", of: String.self).deduplicate(within: .milliseconds(10)).to("out")
        }
        defer { driver.close() }
        for (value, time) in [("1", 0), ("2", 9), ("3", 10)] as [(String, Int64)] { try pipe(driver, "a", value, time) }
        #expect(try values(driver) == ["a1@0", "a3@10"])
    }

    @Test(arguments: [false, true])
    func `what has passed is known after a restart and after a crash`(inMemory: Bool) throws {
        let driver = try deduplicated(inMemory: inMemory)
        defer { driver.close() }
        try pipe(driver, "a", "x1", 100)
        try driver.restart()
        try pipe(driver, "a", "x2", 101)
        try driver.crash()
        try pipe(driver, "a", "x3", 102)
        // The time of what has passed, which tells what is late, is known, too.
        try pipe(driver, "a", "y1", 89)
        #expect(try values(driver) == ["ax1@100"])
    }

    @Test func `what is older than time and grace is forgotten`() throws {
        let driver = try deduplicated()
        defer { driver.close() }
        for time in stride(from: Int64(0), to: 10_000_000, by: 1_000_000) { try pipe(driver, "a", "x", time) }
        #expect(try driver.rows(ofStore: "seen").count == 1)
        #expect(try values(driver).count == 10)
    }

    @Test func `lineage goes through, and a record that is left out points to the one that was first`() throws {
        let driver = try deduplicated()
        defer { driver.close() }
        try pipe(driver, "a", "x1", 0)
        try pipe(driver, "a", "x2", 1)
        let arena = CellArena()
        let record = try #require(driver.log.records(in: TopicPartition("out", 0)).first)
        let cell = try #require(try CellHeader.decode(record.cell.span.bytes, into: arena))
        #expect(cell.count == 1 && cell.first.first == 0)
        let spans = LinkTests.spans(driver)
        let process = spans.filter { $0.name == "process in" }
        let put = try #require(spans.first { $0.name == "put seen" })
        let get = try #require(spans.first { $0.name == "get seen" })
        let send = try #require(spans.first { $0.name == "send out" })
        try #require(process.count == 2)
        #expect(put.span.parent == process[0].span.context.span && put.links.isEmpty)
        #expect(send.span.parent == process[0].span.context.span)
        #expect(get.span.parent == process[1].span.context.span)
        #expect(get.links.map(\.type) == [.previous] && get.links.map(\.context) == [put.span.context])
    }

    @Test func `a changed key goes through a topic first`() throws {
        let driver = try driver { builder in
            builder.stream("in", of: String.self).selectKey { _, value in String(value.suffix(1)) }
                .deduplicate(within: .milliseconds(10), as: "seen") { String($0.prefix(1)) }
                .to("out")
        }
        defer { driver.close() }
        for value in ["xa", "xb", "xa"] { try pipe(driver, "k", value, 0) }
        #expect(try values(driver) == ["axa@0", "bxb@0"])
        #expect(try driver.takeRecords().contains { $0.topic == "app-seen-repartition" })
    }

    // MARK: Throttles

    @Test(arguments: [false, true])
    func `no more of a key than said pass in any period of stream time`(inMemory: Bool) throws {
        let driver = try driver(inMemory: inMemory) { builder in
            builder.stream("in", of: String.self).throttle(2, per: .milliseconds(10), as: "passed").to("out")
        }
        defer { driver.close() }
        for (key, value, time) in [
            ("a", "1", 0), ("a", "2", 5), ("a", "3", 9), ("b", "1", 9), ("a", "4", 10), ("a", "5", 14), ("a", "6", 15),
        ] as [(String, String, Int64)] {
            try pipe(driver, key, value, time)
        }
        #expect(try values(driver) == ["a1@0", "a2@5", "b1@9", "a4@10", "a6@15"])
        #expect(driver.dropped == [.throttled: 2])
        try driver.restart()
        // What is late counts at the time that it is: two have passed since.
        try pipe(driver, "a", "7", 2)
        try pipe(driver, "b", "2", 2)
        #expect(try values(driver) == ["b2@2"])
        #expect(driver.dropped == [.throttled: 1])
    }

    @Test func `a throttle says nothing of keys that are longer than others`() throws {
        let driver = try driver { builder in
            builder.stream("in", of: String.self).throttle(1, per: .seconds(100)).to("out")
        }
        defer { driver.close() }
        for key in ["a", "a\u{0}", "a\u{0}\u{0}\u{0}", "ab"] { try pipe(driver, key, "", 70_000) }
        #expect(try values(driver).count == 4)
    }

    // MARK: Samples

    @Test func `a sample has all records of some keys, and a larger one those and more`() throws {
        func keys(_ share: Double, stale: Bool = false) throws -> Set<String> {
            let driver = try driver { builder in
                let stream = builder.stream("in", of: String.self)
                (stale ? stream.map(key: .string, value: .string) { ($0, $1) } : stream).sample(share).to("out")
            }
            defer { driver.close() }
            for _ in 0..<2 { for number in 0..<200 { try pipe(driver, "\(number)", "v", 0) } }
            let all = try driver.takeRecords(from: "out", .string, .string).map(\.key)
            #expect(driver.droppedRecords == 0)
            #expect(all.count == 2 * Set(all).count)
            return Set(all)
        }
        let (some, more) = (try keys(0.2), try keys(0.6))
        #expect((20...60).contains(some.count) && (90...150).contains(more.count) && some.isSubset(of: more))
        #expect(try keys(0.2, stale: true) == some)
        #expect(try keys(0).isEmpty)
        #expect(try keys(1).count == 200)
    }

    // MARK: Settings

    @Test func `settings that make no sense are refused when the topology is built`() {
        func code(_ describe: (KStream<String, String>) -> KStream<String, String>) -> TopologyError.Code? {
            let builder = StreamsBuilder()
            describe(builder.stream("in", of: String.self)).to("out")
            do { _ = try builder.build() } catch { return (error as? TopologyError)?.code }
            return nil
        }
        #expect(code { $0.deduplicate(within: .zero) } == .invalidSetting)
        #expect(code { $0.deduplicate(within: .microseconds(1500)) } == .invalidSetting)
        #expect(code { $0.deduplicate(within: .seconds(1), grace: .seconds(-1)) } == .invalidSetting)
        #expect(code { $0.throttle(0, per: .seconds(1)) } == .invalidSetting)
        #expect(code { $0.throttle(1, per: .zero) } == .invalidSetting)
        #expect(code { $0.sample(1.1) } == .invalidSetting)
        #expect(code { $0.sample(.nan) } == .invalidSetting)
        #expect(
            code { $0.deduplicate(within: .seconds(1), as: "one").deduplicate(within: .seconds(1), as: "one") }
                == .conflict)
    }

    @Test func `the topology shows node and store`() throws {
        let builder = StreamsBuilder()
        builder.stream("in", of: String.self).deduplicate(within: .seconds(1), named: "once", as: "seen")
            .throttle(5, per: .seconds(1)).to("out")
        let text = try builder.build().describe()
        #expect(text.contains("Processor: once (stores: [seen])"))
        #expect(text.contains("KSTREAM-THROTTLE-0000000002 (stores: [KSTREAM-THROTTLE-STATE-STORE-0000000003])"))
    }
}
