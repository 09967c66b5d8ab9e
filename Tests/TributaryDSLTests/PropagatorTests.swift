import Synchronization
import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryTesting

/// Which contexts are taken from others, and how much a span may have.
@Suite struct PropagatorTests {
    final class Seen: Sendable { let users = Mutex<[String?]>([]) }

    /// Counts through a repartition topic, so that contexts travel inside of the application, too.
    func driver(
        _ seen: Seen = Seen(), _ change: (inout LineageConfiguration) -> Void
    ) throws -> TopologyTestDriver {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .mapValues { (value: String) -> String in
                let attributes: [String: AttributeValue] = ["b": .string("äöü€"), "c": .int(1)]
                Lineage.withSpan("look", attributes: attributes) { span in
                    span["a"] = .string("abcdef")
                    span["b"] = .string("abc")
                    span.addEvent("one", ["a": .int(1), "b": .string("abcdef"), "c": .int(3)])
                    span.addEvent("two")
                    let other = TraceContext(traceHigh: 5, traceLow: 6, span: 7, flags: 1)
                    span.addLink(to: other, ["a": .int(1), "b": .int(2)])
                    span.addLink(to: other)
                }
                seen.users.withLock { $0.append(Lineage.baggage["user"]) }
                return value
            }
            .groupBy(key: .string, value: .string) { key, _ in key }
            .count(as: "counts").toStream().to("out")
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = 0
        change(&configuration.runtime.lineage)
        return try TopologyTestDriver(builder.build(), configuration: configuration)
    }

    func pipe(_ driver: TopologyTestDriver) throws {
        let record = LoggedRecord(
            offset: 0, timestamp: 0, key: [0x61], value: [0x78],
            headers: Headers([("baggage", Array("user=alice".utf8))]),
            context: TraceContext(traceHigh: 9, traceLow: 1, span: 3, flags: 1), cell: [],
            lineageHeaders: Headers([("tracestate", Array("v=1".utf8))]))
        _ = try driver.log.append(record, to: TopicPartition("in", 0))
        try driver.advanceWallClock(by: .zero)
    }

    @Test(arguments: [.all, .traceContext, .baggage, []] as [Propagators])
    func `contexts are taken and sent as settings say, and travel inside whatever they say`(
        _ propagators: Propagators
    ) throws {
        let seen = Seen()
        let driver = try driver(seen) { $0.propagators = propagators }
        try pipe(driver)
        #expect(seen.users.withLock { $0 } == [propagators.contains(.baggage) ? "alice" : nil])
        let out = try #require(driver.log.records(in: TopicPartition("out", 0)).first)
        // The header is the user's own, and goes where the record goes.
        #expect(out.headers.last("baggage") == Array("user=alice".utf8))
        let spans = driver.finishedSpans.flatMap(\.spans)
        let traces = Set(spans.map(\.context.traceLow))
        #expect(spans.count >= 4 && traces.count == 1)
        let roots = spans.filter { $0.parent == 0 || $0.parent == 3 }
        #expect(roots.count == 1)
        let inside = try #require(
            driver.log.records(in: TopicPartition("app-counts-repartition", 0)).first
                ?? driver.log.records(in: TopicPartition("app-counts-changelog", 0)).first)
        #expect(traces.contains(inside.context.traceLow))
        if propagators.contains(.traceContext) {
            #expect(traces == [1] && roots.first?.parent == 3 && out.context.traceLow == 1)
            #expect(roots.first.map { $0.flags & SpanRecord.parentIsRemote } == SpanRecord.parentIsRemote)
            #expect(out.lineageHeaders.last("tracestate") == Array("v=1".utf8))
        } else {
            #expect(!traces.contains(1) && roots.first?.parent == 0 && !out.context.isValid)
            #expect(roots.first.map { $0.flags & SpanRecord.parentIsRemote } == 0)
            #expect(out.lineageHeaders.last("tracestate") == nil && out.headers.last("traceparent") == nil)
        }
        driver.close()
    }

    @Test func `a foreign context of a source table is not taken back at a restore`() throws {
        for propagators in [Propagators.all, .baggage] {
            let builder = StreamsBuilder()
            let table = builder.table("table", key: .string, value: .string, as: "rows")
            builder.stream("in", key: .string, value: .string).join(table) { $0 + $1 }.to("out", value: .string)
            var configuration = TestDriverConfiguration()
            configuration.runtime.lineage.propagators = propagators
            let driver = try TopologyTestDriver(builder.build(), configuration: configuration)
            let context = TraceContext(traceHigh: 9, traceLow: 1, span: 3, flags: 1)
            try driver.pipe(topic: "table", key: [0x61], value: [0x78], timestamp: 0, context: context)
            try driver.crash()
            try driver.pipe(topic: "in", key: [0x61], value: [0x78], timestamp: 1)
            let links = driver.finishedSpans.flatMap(\.links).filter { $0.type == .joined }
            #expect(!links.isEmpty)
            #expect(links.allSatisfy { ($0.context.traceLow == 1) == propagators.contains(.traceContext) })
            driver.close()
        }
    }

    @Test func `a span has no more than its limits, and counts what was too much`() throws {
        let driver = try driver {
            $0.limits.attributes = 2
            $0.limits.events = 1
            $0.limits.links = 1
            $0.limits.eventAttributes = 2
            $0.limits.linkAttributes = 1
            $0.limits.valueLength = 3
            $0.capturedHeaders = ["baggage"]
        }
        try pipe(driver)
        let batches = driver.finishedSpans
        #expect(batches.allSatisfy { $0.limits.links == 1 })
        let details = batches.flatMap(\.details)
        let detail = try #require(details.first { $0.name == "look" })
        // "a" came third; "b" was there and is overwritten.
        #expect(detail.attributes == ["b": .string("abc"), "c": .int(1)] && detail.droppedAttributes == 1)
        #expect(detail.events.map(\.name) == ["one"] && detail.droppedEvents == 1)
        #expect(detail.events[0].attributes == ["a": .int(1), "b": .string("abc")])
        #expect(detail.events[0].droppedAttributes == 1)
        #expect(detail.links.count == 1 && detail.droppedLinks == 1)
        #expect(detail.links[0].attributes == ["a": .int(1)] && detail.links[0].droppedAttributes == 1)
        let captured = try #require(details.first { $0.attributes["tributary.header.baggage"] != nil })
        #expect(captured.attributes["tributary.header.baggage"] == .string("use"))
        driver.close()
    }
}
