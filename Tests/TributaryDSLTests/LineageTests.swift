import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryTesting

@Suite struct LineageTests {
    @Test func `a user's own span is a child of the record's and carries its attributes`() throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .mapValues { value in
                Lineage.withSpan("price lookup", attributes: ["cache": .bool(false)]) { value + "!" }
            }
            .to("out", value: .string)
        let driver = try TopologyTestDriver(builder.build())
        try driver.pipe("in", "a", "x", timestamp: 0, .string, .string)
        #expect(try driver.takeRecords(from: "out", .string, .string).map(\.value) == ["x!"])
        let batches = driver.finishedSpans
        let own = try #require(
            batches.lazy.compactMap { batch in batch.spans.first { $0.operation < 0 }.map { ($0, batch) } }.first)
        let detail = own.1.details[Int(own.0.detail)]
        #expect(detail.name == "price lookup")
        #expect(detail.attributes == ["cache": .bool(false)])
        let process = try #require(
            own.1.spans.first { $0.operation >= 0 && own.1.operations[Int($0.operation)].name == "process in" })
        #expect(own.0.parent == process.context.span)
        #expect(own.0.context.traceLow == process.context.traceLow)
        driver.close()
    }

    @Test func `at the level full every operator has a span, and children hang below parents`() throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).mapValues { $0 + "!" }.to("out", value: .string)
        var configuration = TestDriverConfiguration()
        configuration.runtime.lineage.spans = .full
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration)
        try driver.pipe("in", "a", "x", timestamp: 0, .string, .string)
        var names: [UInt64: String] = [:]
        var parents: [String: UInt64] = [:]
        for batch in driver.finishedSpans {
            for span in batch.spans {
                let name = batch.operations[Int(span.operation)].name
                names[span.context.span] = name
                parents[name] = span.parent
            }
        }
        let send = try #require(parents["send out"].flatMap { names[$0] })
        #expect(send == "operate KSTREAM-SINK-0000000002")
        #expect(parents[send].flatMap { names[$0] } == "operate KSTREAM-MAPVALUES-0000000001")
        #expect(parents["operate KSTREAM-MAPVALUES-0000000001"].flatMap { names[$0] } == "process in")
        driver.close()
    }

    @Test func `outside of a closure there is no lineage`() {
        #expect(Lineage.current == nil)
        #expect(Lineage.withSpan("nothing") { 1 } == 1)
    }

    @Test func `a record's own context goes through to the output, sampled or not`() throws {
        for flags: UInt8 in [0, 1] {
            let builder = StreamsBuilder()
            builder.stream("in", key: .string, value: .string).groupByKey().count().toStream().to("out")
            let driver = try TopologyTestDriver(builder.build())
            let context = TraceContext(traceHigh: 1, traceLow: 2, span: 3, flags: flags)
            try driver.pipe(
                topic: "in", key: [0x61], value: [0x78], timestamp: 0, context: context)
            let out = try #require(try driver.takeRecords().first { $0.topic == "out" }).record.context
            #expect(out.traceHigh == 1 && out.traceLow == 2)
            // Unsampled, the context passes unchanged; sampled, it is the span that sent the record.
            #expect((out.span == 3) == (flags == 0))
            driver.close()
        }
    }

    @Test func `text headers of a program that knows nothing of lineage are read and taken out`() throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).to("out")
        var configuration = TestDriverConfiguration()
        configuration.runtime.lineage.sampler = .alwaysOff
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration)
        let record = LoggedRecord(
            offset: 0, timestamp: 0, key: [0x61], value: [0x78],
            headers: Headers([("h", [1]), ("h", nil)]),
            context: TraceContext(traceHigh: 10, traceLow: 11, span: 12, flags: 0), cell: [], lineageHeaders: Headers())
        _ = try driver.log.append(record, to: TopicPartition("in", 0))
        try driver.pipe("in", "b", "y", timestamp: 1, .string, .string)
        let out = try driver.takeRecords().filter { $0.topic == "out" }.map(\.record)
        #expect(out.map(\.headers) == [Headers([("h", [1]), ("h", nil)]), Headers()])
        #expect(out.first?.context.traceLow == 11)
        driver.close()
    }

    @Test(arguments: [0, 1 << 20])
    func `lineage survives a restart and a crash, with and without cache`(_ cache: Int) throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).groupByKey().count(as: "counts").toStream().to("out")
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = cache
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration)
        for index in 0..<10 { try driver.pipe("in", "a", "x", timestamp: Int64(index), .string, .string) }
        let before = try driver.rows(ofStore: "counts")
        try driver.restart()
        #expect(try driver.rows(ofStore: "counts") == before)
        try driver.crash()
        #expect(try driver.rows(ofStore: "counts") == before)
        try driver.pipe("in", "a", "x", timestamp: 10, .string, .string)
        let row = try #require(try driver.rows(ofStore: "counts").first)
        #expect(row.value == [0, 0, 0, 0, 0, 0, 0, 11])
        let bytes = row.cell
        #expect(try CellArena().decode(bytes.span.bytes).count == 11)
        driver.close()
    }
}
