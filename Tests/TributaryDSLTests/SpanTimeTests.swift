import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryState
import TributaryTesting

/// Spans enclose what they name: a store takes 20 ms to read and 30 ms to write, its changelog 10 ms, a topic 50 ms.
@Suite struct SpanTimeTests {
    let clock = WorkClock()

    func counting(_ builder: StreamsBuilder, closure: Int64 = 500) -> StreamsBuilder {
        let clock = clock
        builder.stream("in", key: .string, value: .string)
            .mapValues { value in
                clock.work(closure)
                return value
            }
            .groupByKey()
            .aggregate(into: 0, as: "counts", value: .int64) { count, _ in
                clock.work(closure)
                count += 1
            }
            .toStream().to("out", key: .string, value: .int64)
        return builder
    }

    @Test func `reads, writes and sends take what the store and the log take, and nothing of the closures before`()
        throws
    {
        let slow = try SlowTask(counting(StreamsBuilder()), clock)
        try slow.run("a", "a")
        #expect(slow.spans.named("get counts").map(\.milliseconds) == [20])
        #expect(slow.spans.named("put counts").map(\.milliseconds) == [40, 40])
        #expect(slow.spans.named("send out").map(\.milliseconds) == [50, 50])
        #expect(slow.spans.named("process in").map(\.milliseconds) == [1110, 1110])
    }

    @Test func `children lie within the record's span, one after the other`() throws {
        let slow = try SlowTask(counting(StreamsBuilder(), closure: 1), clock)
        try slow.run("a", "a", "b")
        let all = slow.spans.spans
        for process in all where process.name == "process in" {
            let children = all.filter {
                $0.record.context.traceLow == process.record.context.traceLow && $0.name != "process in"
            }.sorted { $0.record.start < $1.record.start }
            #expect(children.count >= 2)
            var last = process.record.start
            for child in children {
                #expect(child.record.start >= last && child.record.end <= process.record.end)
                last = child.record.end
            }
        }
    }

    @Test func `a hit in the cache stands where it happened, a write that evicts takes as long as that`() throws {
        let slow = try SlowTask(counting(StreamsBuilder()), clock, cacheBytes: 1)
        try slow.run("a", "b")
        // Everything is evicted at once: written, logged, forwarded.
        #expect(slow.spans.named("put counts").map(\.milliseconds) == [90, 90])
        #expect(slow.spans.named("flush counts").map(\.milliseconds) == [90, 90])
        let roomy = try SlowTask(counting(StreamsBuilder()), clock, cacheBytes: 1 << 20)
        try roomy.run("a", "a")
        let puts = roomy.spans.named("put counts")
        #expect(puts.map(\.milliseconds) == [0, 0])
        // The hit comes after the first closure, the write after the second.
        let get = try #require(roomy.spans.named("get counts").first { $0.milliseconds == 0 })
        let second = try #require(roomy.spans.named("process in").last)
        #expect(get.record.start == second.record.start + 500_000_000)
        #expect(puts[1].record.start == second.record.start + 1_000_000_000)
    }

    @Test func `of rows that are flushed together each has its own time`() throws {
        let slow = try SlowTask(counting(StreamsBuilder(), closure: 1), clock, cacheBytes: 1 << 20)
        try slow.run("a", "b", "a", "c")
        let flushes = slow.spans.named("flush counts")
        #expect(flushes.map(\.milliseconds) == [90, 90, 90])
        for send in slow.spans.named("send out") {
            let flush = try #require(flushes.first { $0.record.context.span == send.record.parent })
            #expect(send.record.start >= flush.record.start && send.record.end == flush.record.end)
        }
        #expect(flushes.map(\.record.links) == [0, 1, 0])
    }

    @Test func `a scan takes what opening it takes, forwarding all that follows`() throws {
        let builder = StreamsBuilder()
        builder.addStateStore(StoreDescription(name: "rows", kind: .timestampedKeyValue))
        builder.stream("in", key: .string, value: .string).process(stores: ["rows"]) { Scanner() }
            .to("out", key: .string, value: .string)
        let slow = try SlowTask(builder, clock)
        try slow.run("a")
        #expect(slow.spans.named("scan rows").map(\.milliseconds) == [40])
        let forward = try #require(slow.spans.spans.first { $0.name.hasPrefix("forward") })
        #expect(forward.milliseconds == 50)
    }

    @Test func `a refused send has failed, and so has the record that goes on without it`() throws {
        let slow = try SlowTask(counting(StreamsBuilder()), clock, refusing: "out") {
            $0.productionHandler = { _ in .continue }
        }
        try slow.run("a")
        let send = try #require(slow.spans.named("send out").first)
        #expect(send.failed && send.milliseconds == 50 && send.detail?.errorType == "LogError")
        let process = try #require(slow.spans.named("process in").first)
        #expect(process.failed && process.detail?.errorType == "LogError")
        #expect(process.detail?.attributes[AttributeNames.dropReason] == .string("production"))
    }

    @Test func `what fails in a flush is the flush's failure, not the record's that evicts`() throws {
        let slow = try SlowTask(counting(StreamsBuilder()), clock, cacheBytes: 1, refusing: "out") {
            $0.productionHandler = { _ in .continue }
        }
        try slow.run("a")
        #expect(slow.spans.named("flush counts").map(\.failed) == [true])
        #expect(slow.spans.named("process in").map(\.failed) == [false])
    }

    @Test func `what a record was left out for isn't said of the row that it evicts, but of it`() throws {
        let builder = StreamsBuilder()
        let stream = builder.stream("in", key: .string, value: .string)
        stream.filter { key, _ in
            if !key.isEmpty { throw Refused() }
            return true
        }.to("out")
        stream.groupByKey().count(as: "counts").toStream().to("out")
        let slow = try SlowTask(builder, clock, cacheBytes: 1) { $0.processingHandler = { _ in .continue } }
        try slow.run("a")
        #expect(slow.spans.named("flush counts").map(\.failed) == [false])
        let process = try #require(slow.spans.named("process in").first)
        #expect(process.failed && process.detail?.attributes[AttributeNames.dropReason] == .string("processing"))
    }

    @Test func `a record with a dead letter has failed, and its letter is sent within it`() throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .mapValues { value in
                guard value.isEmpty else { throw Refused() }
                return value
            }
            .to("out", value: .string)
        let slow = try SlowTask(builder, clock) {
            $0.processingHandler = { _ in .continue }
            $0.deadLetterTopic = "dead"
        }
        try slow.run("a")
        let process = try #require(slow.spans.named("process in").first)
        #expect(process.failed && process.detail?.errorType == "Refused")
        let letter = try #require(slow.spans.named("send dead").first)
        #expect(letter.record.parent == process.record.context.span && letter.milliseconds == 50 && !letter.failed)
    }

    @Test func `a record that is left out says why`() throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).groupByKey().count(as: "counts").toStream().to("out")
        let slow = try SlowTask(builder, clock)
        try Lineage.bound(to: slow.task.box) {
            let record = LoggedRecord(offset: 0, timestamp: 1, key: [0x61], value: nil)
            try slow.task.add(RecordBatch(copying: [record], assignment: 0), to: TopicPartition("in", 0))
            while try slow.task.processNext() {}
        }
        try slow.run("a")
        let spans = slow.spans.named("process in")
        #expect(spans.first?.detail?.attributes[AttributeNames.dropReason] == .string("nullValue"))
        #expect(spans.first?.failed == false)
        #expect(spans.last?.detail == nil)
    }
}

/// Writes to its store, scans it and forwards what it found.
private final class Scanner: Processor {
    private var rows: KeyValueStore<String, String>?
    private var context: ProcessorContext<String, String>?

    func initialize(_ context: ProcessorContext<String, String>) throws {
        self.context = context
        rows = try context.keyValueStore("rows", key: .string, value: .string)
    }

    func process(_ record: Record<String, String>) throws {
        try rows?.put("first", "x")
        guard let entry = try rows?.all().nextEntry() else { return }
        try context?.forward(record, from: entry)
    }
}
