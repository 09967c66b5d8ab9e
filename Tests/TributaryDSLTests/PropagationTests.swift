import Synchronization
import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryTesting

@Suite struct PropagationTests {
    static let count: @Sendable () throws -> Topology = {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).groupByKey().count(as: "counts").toStream().to("out")
        return try builder.build()
    }

    func driver(
        _ topology: Topology, cache: Int = 0, _ change: (inout RuntimeConfiguration) -> Void = { _ in }
    ) throws -> TopologyTestDriver {
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = cache
        change(&configuration.runtime)
        return try TopologyTestDriver(topology, configuration: configuration)
    }

    func pipe(
        _ driver: TopologyTestDriver, _ key: String, trace: UInt64 = 0, tracestate: String = "",
        headers: Headers = Headers(), to topic: String = "in", flags: UInt8 = 1
    ) throws {
        let context = trace == 0 ? .none : TraceContext(traceHigh: 9, traceLow: trace, span: 3, flags: flags)
        let record = LoggedRecord(
            offset: 0, timestamp: 0, key: Array(key.utf8), value: [0x78], headers: headers, context: context, cell: [],
            lineageHeaders: tracestate.isEmpty ? Headers() : Headers([("tracestate", Array(tracestate.utf8))]))
        _ = try driver.log.append(record, to: TopicPartition(topic, 0))
    }

    func work(_ driver: TopologyTestDriver) throws { try driver.advanceWallClock(by: .zero) }

    /// The tracestates of the records written to a topic.
    func sent(_ driver: TopologyTestDriver, _ topic: String) -> [String?] {
        driver.log.records(in: TopicPartition(topic, 0)).map { record in
            record.lineageHeaders.last("tracestate").map { String(decoding: $0, as: UTF8.self) }
        }
    }

    @Test(arguments: [0, 1 << 20])
    func `a record's tracestate goes where its trace goes`(_ cache: Int) throws {
        let driver = try driver(Self.count(), cache: cache)
        try pipe(driver, "a", trace: 1, tracestate: "v=1 ,w=2")
        try pipe(driver, "b", trace: 2)
        try pipe(driver, "c", trace: 3, tracestate: "BAD")
        try work(driver)
        #expect(sent(driver, "out") == ["v=1 ,w=2", nil, nil])
        #expect(sent(driver, "app-counts-changelog") == ["v=1 ,w=2", nil, nil])
        let spans = driver.finishedSpans
        for batch in spans {
            for span in batch.spans {
                let state = batch.tracestates[TracestateID(span.context)]
                #expect(state == (span.context.traceLow == 1 ? "v=1 ,w=2" : nil))
            }
        }
        // An unsampled trace keeps its own, too.
        try pipe(driver, "d", trace: 4, tracestate: "u=1", flags: 0)
        try work(driver)
        #expect(sent(driver, "out").last == "u=1")
        driver.close()
    }

    @Test func `a tracestate is kept with the row, through a restart and a crash`() throws {
        let builder = StreamsBuilder()
        let table = builder.table("table", key: .string, value: .string, as: "rows")
        builder.stream("in", key: .string, value: .string)
            .join(table) { $0 + $1 }.to("out", value: .string)
        let driver = try driver(builder.build())
        try pipe(driver, "a", trace: 1, tracestate: "v=1", to: "table")
        try work(driver)
        try driver.restart()
        try pipe(driver, "a", trace: 2, tracestate: "w=2")
        try work(driver)
        try driver.crash()
        try pipe(driver, "a", trace: 3, tracestate: "w=3")
        try work(driver)
        #expect(sent(driver, "out") == ["w=2", "w=3"])
        // The links to the row's write say its tracestate.
        let links = driver.finishedSpans.flatMap { batch in
            batch.links.filter { $0.type == .joined }.map { batch.tracestates[TracestateID($0.context)] }
        }
        #expect(links == ["v=1", "v=1"])
        driver.close()
    }

    @Test func `traces that a ratio has chosen say so`() throws {
        let driver = try driver(Self.count()) { $0.lineage.sampler = .parentBased(root: .ratio(0.25)) }
        for number in 0..<200 { try pipe(driver, "k\(number)") }
        try work(driver)
        let records = driver.log.records(in: TopicPartition("out", 0))
        let chosen = records.filter(\.context.isSampled)
        #expect(records.count == 200 && (20...80).contains(chosen.count))
        for record in records {
            let state = record.lineageHeaders.last("tracestate").map { String(decoding: $0, as: UTF8.self) }
            #expect(state == (record.context.isSampled ? "ot=th:c" : nil))
        }
        for batch in driver.finishedSpans { #expect(batch.thresholdTracestate == "ot=th:c") }
        driver.close()
    }

    @Test func `a sampler that overrules the parent sets its own threshold`() throws {
        let driver = try driver(Self.count()) { $0.lineage.sampler = .ratio(1) }
        try pipe(driver, "a", trace: 1, tracestate: "v=1,ot=th:c;rv:00000000000001", flags: 0)
        try pipe(driver, "b", trace: 2, flags: 0)
        try work(driver)
        #expect(sent(driver, "out") == ["ot=th:0;rv:00000000000001,v=1", "ot=th:0"])
        driver.close()
    }

    @Test func `closures see the baggage of their record, and outputs carry it on`() throws {
        let seen = Mutex<[String?]>([])
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .mapValues { value in
                Lineage.withSpan("look") { seen.withLock { $0.append(Lineage.baggage["user"]) } }
                return value
            }
            .to("out", value: .string)
        let driver = try driver(builder.build())
        try pipe(driver, "a", headers: Headers([("baggage", Array("user=al%20ice".utf8)), ("x", [1])]))
        try pipe(driver, "b")
        try work(driver)
        #expect(seen.withLock { $0 } == ["al ice", nil])
        let out = driver.log.records(in: TopicPartition("out", 0)).map { $0.headers.last("baggage") }
        #expect(out == [Array("user=al%20ice".utf8), nil])
        #expect(Lineage.baggage.members.isEmpty)
        driver.close()
    }

    @Test func `only headers that settings name are shown in spans`() throws {
        func attributes(_ names: [String]) throws -> [String: AttributeValue] {
            let driver = try driver(Self.count()) { $0.lineage.capturedHeaders = names }
            try pipe(
                driver, "a",
                headers: Headers([
                    ("Account", Array("DE1".utf8)), ("secret", Array("x".utf8)), ("Account", [0xff, 0x01]),
                    ("null", nil),
                ]))
            try work(driver)
            let details = driver.finishedSpans.flatMap(\.details)
            driver.close()
            return details.reduce(into: [:]) { $0.merge($1.attributes) { $1 } }
        }
        #expect(try attributes([]).isEmpty)
        #expect(
            try attributes(["account", "null"]) == [
                "tributary.header.Account": .string("DE1"), "tributary.header.Account.1": .string("ff01"),
            ])
    }

    @Test func `a business span takes attributes, events, links and errors`() throws {
        struct Refused: Error {}
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .mapValues { value in
                Lineage.withSpan("limit", attributes: ["kind": .string("daily")]) { span in
                    span["cents"] = .int(5)
                    span["kind"] = nil
                    span.addEvent("reached", ["by": .int(3)])
                    span.addEvent(of: Refused())
                    span.addLink(
                        to: TraceContext(traceHigh: 5, traceLow: 6, span: 7, flags: 1), ["why": .string("asked")])
                    for _ in 0..<200 { span.addEvent("again") }
                    _ = try? Lineage.withSpan("inner") { () throws -> Int in throw Refused() }
                    span.fail(Refused())
                    return value
                }
            }
            .to("out", value: .string)
        let driver = try driver(builder.build())
        try pipe(driver, "a")
        try work(driver)
        let batch = try #require(driver.finishedSpans.first { !$0.details.isEmpty })
        let outer = try #require(batch.details.first { $0.name == "limit" })
        #expect(outer.attributes == ["cents": .int(5)])
        #expect(outer.events.prefix(2).map(\.name) == ["reached", "exception"])
        #expect(outer.events[1].attributes["exception.type"] == .string("Refused"))
        #expect(outer.events.count == 128 && outer.droppedEvents == 74)
        #expect(outer.links.map(\.context.span) == [7] && outer.errorType == "Refused")
        let inner = try #require(
            batch.spans.first { span in span.detail >= 0 && batch.details[Int(span.detail)].name == "inner" })
        let parent = try #require(
            batch.spans.first { span in span.detail >= 0 && batch.details[Int(span.detail)].name == "limit" })
        #expect(inner.parent == parent.context.span && inner.flags & SpanRecord.failed != 0)
        #expect(parent.flags & SpanRecord.failed != 0)
        driver.close()
    }

    @Test func `lines of a closure and of a failure say trace, span and task`() throws {
        struct Refused: Error {}
        let lines = Mutex<[LogMessage]>([])
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .mapValues { value in
                Lineage.log(.notice, "looked", [("value", value)])
                guard value.isEmpty else { throw Refused() }
                return value
            }
            .to("out", value: .string)
        let driver = try driver(builder.build()) {
            $0.log = LogSink { line in lines.withLock { $0.append(line) } }
            $0.processingHandler = { _ in .continue }
        }
        try pipe(driver, "a", trace: 1)
        try work(driver)
        let process = try #require(
            driver.finishedSpans.flatMap { batch in
                batch.spans.filter { batch.operations[Int($0.operation)].name == "process in" }
            }.first)
        let said = lines.withLock { $0 }
        #expect(said.map(\.message) == ["looked", "a record was left out"])
        for line in said {
            #expect(line.context.span == process.context.span && line.context.traceLow == 1)
            #expect(line.metadata.contains { $0 == ("task", "0_0") })
        }
        Lineage.log(.critical, "not in a closure")
        #expect(lines.withLock { $0.count } == 2)
        driver.close()
    }

    @Test func `closures below a cache see the flush, not the record before it`() throws {
        let seen = Mutex<[UInt64?]>([])
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).groupByKey().count(as: "counts").toStream()
            .mapValues { (count: Int64) -> Int64 in
                seen.withLock { $0.append(Lineage.current?.context.traceLow) }
                return count
            }
            .to("out", value: .int64)
        let driver = try driver(builder.build(), cache: 1 << 20) { $0.commitInterval = .milliseconds(1_000_000) }
        try pipe(driver, "a", trace: 1)
        try pipe(driver, "b", trace: 2)
        try work(driver)
        #expect(seen.withLock { $0 } == [1, 2])
        driver.close()
    }

    /// Has no room for traces below a threshold.
    final class FullExporter: SpanExporter {
        let spans = Mutex<[SpanRecord]>([])
        let skipped = Mutex(0)
        let limit: UInt64

        init(limit: UInt64) { self.limit = limit }

        func export(_ batch: SpanBatch) { spans.withLock { $0 += batch.spans } }
        func flush(timeout: Duration) {}
        func threshold(skipped: Int) -> UInt64 {
            self.skipped.withLock { $0 += skipped }
            return limit
        }
    }

    /// Has room until it is told otherwise.
    final class ChangingExporter: SpanExporter {
        let limit = Mutex<UInt64>(0)
        let leftOut = Mutex<[UInt64]>([])

        func export(_ batch: SpanBatch) {}
        func flush(timeout: Duration) {}
        func threshold(skipped: Int) -> UInt64 { limit.withLock { $0 } }
        func leftOut(of traces: [TraceContext]) {
            leftOut.withLock { list in list += traces.map(\.traceLow) }
        }
    }

    @Test func `traces that go on below the threshold are told to the exporter, new ones are not`() throws {
        let exporter = ChangingExporter()
        let driver = try driver(Self.count()) { $0.lineage.exporter = exporter }
        try pipe(driver, "a", trace: 5)
        try pipe(driver, "b", trace: 1 << 55)
        try work(driver)
        exporter.limit.withLock { $0 = 1 << 55 }
        // The recorder hears of the threshold with the next batch of spans.
        try pipe(driver, "c", trace: 1 << 55)
        try work(driver)
        try pipe(driver, "d", trace: 5)
        try pipe(driver, "e", trace: 1 << 55)
        try pipe(driver, "f", trace: 6)
        for number in 0..<50 { try pipe(driver, "k\(number)") }
        try work(driver)
        #expect(exporter.leftOut.withLock { $0 } == [5, 6])
        driver.close()
    }

    @Test func `traces that the exporter has no room for have no spans and stay sampled`() throws {
        let exporter = FullExporter(limit: 1 << 55)
        let driver = try driver(Self.count()) { $0.lineage.exporter = exporter }
        for number in 0..<100 { try pipe(driver, "k\(number)") }
        try pipe(driver, "below", trace: 5)
        try pipe(driver, "above", trace: 1 << 55)
        try work(driver)
        let records = driver.log.records(in: TopicPartition("out", 0))
        #expect(records.count == 102 && records.allSatisfy { $0.context.isValid && $0.context.isSampled })
        let spans = exporter.spans.withLock { $0 }
        #expect(spans.allSatisfy { $0.context.traceLow & 0x00ff_ffff_ffff_ffff >= 1 << 55 })
        #expect(spans.contains { $0.context.traceLow == 1 << 55 })
        let skipped = exporter.skipped.withLock { $0 }
        #expect((20...80).contains(skipped))
        // Without a span the context goes through as it came.
        #expect(records.first { $0.context.traceLow == 5 }?.context.span == 3)
        driver.close()
    }
}
