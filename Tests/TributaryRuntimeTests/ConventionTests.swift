import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryTelemetry
import TributaryTesting

@testable import TributaryRuntime

/// What spans and metrics of a thread say, under OpenTelemetry's names.
@Suite struct ConventionTests {
    private func thread(
        _ world: World, _ spans: InMemorySpanExporter?, _ work: @escaping @Sendable (String) -> Void = { _ in },
        _ configure: (inout RuntimeConfiguration) -> Void = { _ in }
    ) throws -> ThreadUnderTest {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .peek { _, value in work(value) }
            .groupByKey().count(as: "counts").toStream().to("out")
        return try ThreadUnderTest(world, builder.build()) {
            $0.commitInterval = .milliseconds(100)
            $0.guarantee = .atLeastOnce
            $0.lineage.exporter = spans
            configure(&$0)
        }
    }

    private func named(_ spans: InMemorySpanExporter, _ name: String) -> [FinishedSpan] {
        spans.spans().filter { $0.name == name }
    }

    @Test func `spans say cluster, task, partition, namespace and time in the log`() throws {
        let world = try World(topics: "in", "out")
        let spans = InMemorySpanExporter()
        let thread = try thread(world, spans)
        try world.send("in", "a", "x", at: world.clock.milliseconds - 250)
        try thread.pass(milliseconds: 300, steps: 3)
        let process = try #require(named(spans, "process in").first?.attributes)
        #expect(process["messaging.kafka.cluster.id"] == .string(world.log.clusterID))
        #expect(process["messaging.destination.partition.id"] == .string("0"))
        #expect(process["tributary.queue.time_ms"] == .int(450))
        #expect(process["tributary.window.start_ms"] == nil)
        let send = try #require(named(spans, "send out").first?.attributes)
        #expect(send["messaging.kafka.cluster.id"] == .string(world.log.clusterID))
        let put = try #require(named(spans, "put counts").first?.attributes)
        #expect(put["db.namespace"] == .string("app") && put["db.collection.name"] == .string("counts"))
        #expect(put["tributary.task.id"] == .string("0_0") && put["tributary.task.partition"] == .int(0))
        #expect(put["tributary.store.type"] == .string("kv") && put["db.operation.name"] == .string("put"))
        #expect(named(spans, "poll in").isEmpty && named(spans, "commit in").isEmpty)
        thread.crash()
    }

    @Test(arguments: [true, false])
    func `polls and commits have spans of their own, linked to their records`(_ byLevel: Bool) throws {
        let world = try World(topics: "in", "out")
        let spans = InMemorySpanExporter()
        let thread = try thread(world, spans, { _ in }) {
            $0.guarantee = .exactlyOnce
            if byLevel { $0.lineage.spans = .full } else { $0.lineage.batchSpans = true }
        }
        for number in UInt64(1)...3 {
            // The second one's trace isn't sampled.
            let context = TraceContext(traceHigh: 1, traceLow: number, span: number, flags: number == 2 ? 0 : 1)
            _ = try world.log.append(
                LoggedRecord(
                    offset: 0, timestamp: 5, key: [0x61], value: [0x78], headers: Headers(), context: context,
                    cell: [], lineageHeaders: Headers()), to: TopicPartition("in", 0))
        }
        try thread.pass(milliseconds: 300, steps: 3)
        let poll = try #require(named(spans, "poll in").first)
        #expect(poll.kind == SpanKind.client.rawValue && poll.parent == 0)
        #expect(poll.links.map(\.context.traceLow) == [1, 3])
        #expect(poll.links.map { $0.attributes["messaging.kafka.offset"] } == [.int(0), .int(2)])
        #expect(poll.attributes["messaging.batch.message_count"] == .int(3))
        #expect(poll.attributes["messaging.destination.partition.id"] == .string("0"))
        #expect(poll.attributes["messaging.operation.type"] == .string("receive"))
        let commits = named(spans, "commit in")
        let commit = try #require(commits.first)
        #expect(commits.count == 1 && commit.attributes["messaging.operation.type"] == .string("settle"))
        #expect(commit.attributes["messaging.consumer.group.name"] == .string("app"))
        #expect(commit.attributes["messaging.batch.message_count"] == .int(3))
        let processed = named(spans, "process in")
        #expect(processed.count == 2 && commit.links.map(\.context.span) == processed.map(\.context.span))
        // Side by side: no trace of a record has the batch in it.
        let traces = Set(processed.map(\.context.traceLow))
        #expect(!traces.contains(poll.context.traceLow) && !traces.contains(commit.context.traceLow))
        #expect(spans.spans().allSatisfy { $0.attributes["tributary.attempt"] == nil })
        // The next has only what came since.
        try world.send("in", "a", "y", at: 6)
        try thread.pass(milliseconds: 300, steps: 3)
        let next = try #require(named(spans, "commit in").last)
        #expect(named(spans, "commit in").count == 2)
        #expect(next.attributes["messaging.batch.message_count"] == .int(1))
        #expect(next.links.map(\.context.span) == named(spans, "process in").last.map { [$0.context.span] })
        thread.crash()
    }

    private func times(_ thread: ThreadUnderTest) throws -> HistogramSnapshot {
        let metric = try #require(
            thread.registry.snapshot().first { $0.description.name == "messaging.process.duration" })
        let point = try #require(metric.points.first)
        #expect(
            Set(point.labels.map(\.name))
                == [
                    "messaging.system", "messaging.operation.name", "messaging.consumer.group.name", "thread_id",
                ])
        guard case .histogram(let times) = point.value else { throw Missing() }
        return times
    }

    private struct Missing: Error {}

    @Test func `the time of each record is its own, not the mean of what was processed with it`() throws {
        let world = try World(topics: "in", "out")
        let clock = world.clock
        let thread = try thread(world, nil, { clock.advance(by: .milliseconds(Int64($0) ?? 0)) })
        for (index, value) in ["1", "1", "500", "1"].enumerated() { try world.send("in", "a", value, at: Int64(index)) }
        try thread.rounds()
        let found = try times(thread)
        #expect(found.count == 4 && abs(found.sum - 0.503) < 1e-9)
        let slow = zip(found.bounds, found.counts).filter { $0.0 > 0.01 }.reduce(0) { $0 + $1.1 }
        #expect(slow == 1)
        thread.crash()
    }

    @Test func `fast records count with the mean of their run, unless somebody looks`() throws {
        let registry = MetricsRegistry()
        let histogram = Histogram.durations()
        let now = Guarded<Int64>(0)
        let clock = TimeSource(wall: { 0 }, monotonic: { now.withLock { $0 } })
        let times = RecordTimes(histogram, registry, clock.monotonic)
        func run(_ durations: Int64...) -> Bool {
            let began = times.now
            let isTimed = times.startRun()
            for duration in durations {
                now.withLock { $0 += duration }
                if isTimed { times.took() }
            }
            times.endRun(durations.count, began: began)
            return isTimed
        }
        times.start()
        #expect(run(100, 200))
        #expect(!run(100, 5000, 300))
        // That was slow.
        #expect(run(100, 200))
        #expect(!run(100))
        #expect(histogram.snapshot.count == 8 && abs(histogram.snapshot.sum - 6.1e-6) < 1e-12)
        _ = registry.snapshot()
        #expect(run(100))
    }
}
