import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryTesting

/// What samplers decide in a running topology.
@Suite struct SamplingTests {
    let spans = KeptSpans()

    func driver(_ sampler: Sampler, _ builder: StreamsBuilder) throws -> TopologyTestDriver {
        var configuration = TestDriverConfiguration()
        configuration.runtime.lineage.sampler = sampler
        configuration.runtime.lineage.exporter = spans
        return try TopologyTestDriver(builder.build(), configuration: configuration)
    }

    func rekeying() -> StreamsBuilder {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .selectKey { (_: String, value: String) in value }
            .groupByKey(key: .string, value: .string).count(as: "counts").toStream().to("out")
        return builder
    }

    /// Two keys: one that is sampled, one that is not.
    func keys(_ sampler: Sampler) -> (chosen: String, other: String) {
        func isChosen(_ key: String) -> Bool {
            let bytes = Array(key.utf8)
            return sampler.isSampled(parent: .none, traceLow: 0, key: bytes.span.bytes)
        }
        let all = (0..<100).map { "key \($0)" }
        return (all.first(where: isChosen) ?? "", all.first { !isChosen($0) } ?? "")
    }

    @Test func `a key that is chosen after a repartition begins the exported trace there`() throws {
        let sampler = Sampler.byKey(ratio: 0.5)
        let (chosen, other) = keys(sampler)
        let driver = try driver(sampler, rekeying())
        try driver.pipe(
            topic: "in", key: Array(other.utf8), value: Array(chosen.utf8), timestamp: 1,
            context: TraceContext(traceHigh: 1, traceLow: 2, span: 3, flags: 0))
        try driver.pipe(topic: "in", key: Array(other.utf8), value: Array(chosen.utf8), timestamp: 1)
        let processed = spans.spans.filter { $0.name.hasPrefix("process") }
        #expect(processed.count == 2)
        for span in processed {
            #expect(span.name.hasSuffix("-repartition"))
            // Neither the send before nor the producer's span was exported.
            #expect(span.record.parent == 0)
            #expect(span.record.flags & SpanRecord.parentIsRemote == 0)
        }
        #expect(processed.first?.record.context.traceLow == 2)
        driver.close()
    }

    @Test func `a parent from a header is remote, also after a repartition, and always exported`() throws {
        let sampler = Sampler.byKey(ratio: 0.5)
        let (chosen, other) = keys(sampler)
        let driver = try driver(sampler, rekeying())
        try driver.pipe(topic: "in", key: Array(chosen.utf8), value: Array(other.utf8), timestamp: 1)
        let processed = spans.spans.filter { $0.name.hasPrefix("process") }
        #expect(processed.map(\.record.parent).first == 0)
        let second = try #require(processed.last)
        #expect(processed.count == 2 && second.record.flags & SpanRecord.parentIsRemote != 0)
        #expect(spans.spans.contains { $0.record.context.span == second.record.parent })
        driver.close()
    }

    @Test func `a sampled parent is not followed by a sampler that doesn't ask it`() throws {
        let driver = try driver(.alwaysOff, rekeying())
        let parent = TraceContext(traceHigh: 1, traceLow: 2, span: 3, flags: 3)
        try driver.pipe(topic: "in", key: [1], value: [2], timestamp: 1, context: parent)
        #expect(spans.spans.isEmpty)
        let sent = driver.log.records(in: TopicPartition("out", 0)).map(\.context)
        #expect(sent.count == 1 && sent.allSatisfy { $0.traceLow == 2 && !$0.isSampled && $0.span != 3 })
        driver.close()
    }

    @Test func `by key punctuations are sampled as often as keys`() throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).process { Ticking() }
        let driver = try driver(.byKey(ratio: 0.5), builder)
        for _ in 0..<200 { try driver.advanceWallClock(by: .milliseconds(1000)) }
        #expect((60...140).contains(spans.spans.filter { $0.name.hasPrefix("punctuate") }.count))
        driver.close()
    }

    private final class Ticking: Processor {
        func initialize(_ context: ProcessorContext<String, String>) throws {
            _ = context.schedule(every: .seconds(1), .wallClock) { _ in }
        }

        func process(_ record: Record<String, String>) throws {}
    }
}
