import Synchronization
import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryState
import TributaryTesting

/// Which links spans have, and what they say of those that they don't have.
@Suite struct LinkTests {
    struct Seen {
        var name: String
        var span: SpanRecord
        var links: [LinkRecord]
    }

    static func spans(_ driver: TopologyTestDriver) -> [Seen] {
        driver.finishedSpans.flatMap { batch in
            batch.spans.map { span in
                Seen(
                    name: span.operation < 0 ? "" : batch.operations[Int(span.operation)].name, span: span,
                    links: Array(batch.links[Int(span.firstLink)..<Int(span.firstLink + span.links)]))
            }
        }
    }

    func driver(
        _ topology: Topology, cache: Int = 0, perCommit: Int = 1,
        _ change: (inout RuntimeConfiguration) -> Void = { _ in }
    ) throws -> TopologyTestDriver {
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = cache
        configuration.recordsPerCommit = perCommit
        change(&configuration.runtime)
        return try TopologyTestDriver(topology, configuration: configuration)
    }

    /// Appends a record of a trace of its own; flags 1: sampled, 0: not.
    func add(
        _ driver: TopologyTestDriver, _ key: String, _ value: String? = "x", trace: UInt64, flags: UInt8 = 1,
        to topic: String = "in", tracestate: String = "", headers: Headers = Headers()
    ) throws {
        let record = LoggedRecord(
            offset: 0, timestamp: 0, key: Array(key.utf8), value: value.map { Array($0.utf8) }, headers: headers,
            context: trace == 0 ? .none : TraceContext(traceHigh: 9, traceLow: trace, span: 3, flags: flags), cell: [],
            lineageHeaders: tracestate.isEmpty ? Headers() : Headers([("tracestate", Array(tracestate.utf8))]))
        _ = try driver.log.append(record, to: TopicPartition(topic, 0))
    }

    func work(_ driver: TopologyTestDriver) throws { try driver.advanceWallClock(by: .zero) }

    static func count() throws -> Topology {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).groupByKey().count(as: "counts").toStream().to("out")
        return try builder.build()
    }

    @Test func `a flush links the newest writes that it folded, and counts all`() throws {
        let driver = try driver(Self.count(), cache: 1 << 20, perCommit: 1000)
        for trace in 1...100 as ClosedRange<UInt64> { try add(driver, "a", trace: trace) }
        for trace in 201...203 as ClosedRange<UInt64> { try add(driver, "b", trace: trace) }
        try work(driver)
        let flushes = Self.spans(driver).filter { $0.name == "flush counts" }
        try #require(flushes.count == 2)
        #expect(flushes[0].span.context.traceLow == 100 && flushes[0].span.contributors == 100)
        #expect(flushes[0].links.map(\.context.traceLow) == (68...99).reversed())
        #expect(flushes[0].links.allSatisfy { $0.type == .merged })
        #expect(flushes[1].span.context.traceLow == 203 && flushes[1].span.contributors == 3)
        #expect(flushes[1].links.map(\.context.traceLow) == [202, 201])
        driver.close()
    }

    @Test func `an eviction's flush links the newest, too, and places are used again`() throws {
        // Room for one entry and a bit: each new key evicts the one before.
        let driver = try driver(Self.count(), cache: 100, perCommit: 1000)
        for round in 0..<3 as Range<UInt64> {
            for trace in 1...50 as ClosedRange<UInt64> { try add(driver, "a", trace: round * 1000 + trace) }
            for trace in 51...53 as ClosedRange<UInt64> { try add(driver, "b", trace: round * 1000 + trace) }
        }
        try work(driver)
        let flushes = Self.spans(driver).filter { $0.name == "flush counts" }
        for round in 0..<3 as Range<UInt64> {
            let base = round * 1000
            let one = try #require(flushes.first { $0.span.context.traceLow == base + 50 })
            #expect(one.span.contributors == 50)
            #expect(one.links.map(\.context.traceLow) == (18...49).reversed().map { base + $0 })
            let other = try #require(flushes.first { $0.span.context.traceLow == base + 53 })
            // The first write of the other key was flushed with the entry that it evicted.
            #expect(other.links.map(\.context.traceLow) == (round == 0 ? [52] : [base + 52, base + 51]))
        }
        driver.close()
    }

    @Test(arguments: [100, 1 << 20])
    func `a sampled write that an unsampled one replaced in the cache has its flush span`(_ cache: Int) throws {
        let driver = try driver(Self.count(), cache: cache, perCommit: 1000)
        try add(driver, "a", trace: 1)
        try add(driver, "a", trace: 2, flags: 0, tracestate: "v=1,ot=th:8;rv:00000000000001")
        try add(driver, "b", trace: 3, flags: 0)
        try add(driver, "b", trace: 4, flags: 0)
        try work(driver)
        let spans = Self.spans(driver)
        let put = try #require(spans.first { $0.name == "put counts" })
        let flushes = spans.filter { $0.name == "flush counts" }
        try #require(flushes.count == 1)
        let flush = flushes[0]
        #expect(flush.span.context.traceLow == 2 && flush.span.parent == 3 && flush.span.context.isSampled)
        #expect(flush.span.flags & SpanRecord.parentIsUnsampled != 0)
        #expect(flush.links.map(\.context.span) == [put.span.context.span] && flush.span.contributors == 2)
        // What comes of it is sampled from there on, with no probability that anybody knows.
        let out = driver.log.records(in: TopicPartition("out", 0))
        #expect(out.first?.context.isSampled == true && out.dropFirst().allSatisfy { !$0.context.isSampled })
        #expect(out[0].lineageHeaders.last("tracestate") == Array("ot=rv:00000000000001,v=1".utf8))
        driver.close()
    }

    @Test func `a row of an unsampled trace is linked, and the link says so`() throws {
        let driver = try driver(Self.count())
        try add(driver, "a", trace: 1, flags: 0)
        try add(driver, "a", trace: 2)
        try work(driver)
        let put = try #require(Self.spans(driver).first { $0.name == "put counts" })
        #expect(put.links.map(\.context.traceLow) == [1] && put.links.map(\.context.isSampled) == [false])
        #expect(put.span.flags & SpanRecord.lacksLinks == 0)
        driver.close()
    }

    @Test func `without spans of stores sends say that links are missing`() throws {
        for (level, isSaid) in [(SpanLevel.log, true), (.storage, false)] {
            let driver = try driver(Self.count()) { $0.lineage.spans = level }
            try add(driver, "a", trace: 1)
            try work(driver)
            let send = try #require(Self.spans(driver).first { $0.name == "send out" })
            #expect((send.span.flags & SpanRecord.lacksLinks != 0) == isSaid)
            driver.close()
        }
    }

    /// Reads so many rows, then does something.
    final class Reader: Processor {
        let act:
            (ProcessorContext<String, String>, KeyValueStore<String, String>, Record<String, String>) throws -> Void
        private var context: ProcessorContext<String, String>?
        private var store: KeyValueStore<String, String>?

        init(
            _ act:
                @escaping (ProcessorContext<String, String>, KeyValueStore<String, String>, Record<String, String>)
                throws
                -> Void
        ) { self.act = act }

        func initialize(_ context: ProcessorContext<String, String>) throws {
            self.context = context
            store = try context.keyValueStore("kept", key: .string, value: .string)
        }
        func process(_ record: Record<String, String>) throws {
            if let context, let store { try act(context, store, record) }
        }
    }

    static func processor(
        isCached: Bool = false,
        _ act:
            @escaping @Sendable (
                ProcessorContext<String, String>, KeyValueStore<String, String>, Record<String, String>
            )
            throws -> Void
    ) throws -> Topology {
        let builder = StreamsBuilder()
        builder.addStateStore(StoreDescription(name: "kept", kind: .keyValue, isCached: isCached))
        builder.stream("in", key: .string, value: .string)
            .process(stores: ["kept"], key: .string, value: .string) { Reader(act) }
            .to("out")
        return try builder.build()
    }

    @Test func `of many reads the newest are linked, all are counted and in the cell`() throws {
        let driver = try driver(
            Self.processor { context, store, record in
                guard record.key == "all" else { return try store.put(record.key, record.value) }
                for entry in try store.all() { _ = entry }
                try context.forward(record)
            })
        for trace in 1...100 as ClosedRange<UInt64> { try add(driver, String(1000 + trace), trace: trace) }
        try add(driver, "all", trace: 200)
        try work(driver)
        let forward = try #require(Self.spans(driver).first { $0.name.hasPrefix("forward ") })
        #expect(forward.links.map(\.context.traceLow) == (37...100).reversed())
        #expect(forward.span.contributors == 101)
        let out = try #require(driver.log.records(in: TopicPartition("out", 0)).first)
        let cell = try #require(try CellHeader.decode(out.cell.span.bytes, into: CellArena()))
        #expect(cell.count == 101 && cell.flags == Cell.bound)
        driver.close()
    }

    @Test(arguments: [0, 1])
    func `a callback that reads and forwards by turns takes time in proportion to its reads`(_ flags: UInt8) throws {
        func time(_ rows: Int) throws -> Int64 {
            let driver = try driver(
                Self.processor { context, store, record in
                    guard record.key == "all" else { return try store.put(record.key, record.value) }
                    for entry in try store.all() { try context.forward(record.with(value: entry.value)) }
                })
            for number in 0..<rows { try add(driver, String(number), trace: 5, flags: 0) }
            try work(driver)
            try add(driver, "all", trace: 6, flags: flags)
            let start = ThreadClock.nanoseconds
            try work(driver)
            let time = ThreadClock.nanoseconds - start
            #expect(driver.log.records(in: TopicPartition("out", 0)).count == rows)
            driver.close()
            return time
        }
        // Four times the rows: 16 times as long where each forward adds up all that was read.
        let (few, many) = try (time(2_000), time(8_000))
        #expect(many < few * 9, "\(few) ns, then \(many) ns")
    }

    @Test(arguments: [false, true])
    func `a delete comes from its record alone, and links the row as deleted`(_ isCached: Bool) throws {
        let driver = try driver(
            Self.processor(isCached: isCached) { context, store, record in
                switch record.value {
                case "put": try store.put(record.key, "row")
                case "delete":
                    _ = try store.get("other")
                    _ = try store.delete(record.key)
                    try context.forward(record)
                default: try store.put(record.key, record.value)
                }
            }, cache: isCached ? 1 << 20 : 0)
        try add(driver, "other", "put", trace: 1)
        try add(driver, "a", "put", trace: 2)
        try work(driver)
        try add(driver, "a", "delete", trace: 3)
        try add(driver, "missing", "delete", trace: 4)
        try work(driver)
        let spans = Self.spans(driver)
        let deletes = spans.filter { $0.name == "delete kept" }
        try #require(deletes.count == 2)
        #expect(deletes[0].links.map(\.type) == [.deleted] && deletes[0].links.map(\.context.traceLow) == [2])
        #expect(deletes[1].links.isEmpty)
        // No read of the deleted row is shown beside the delete.
        #expect(spans.count { $0.name == "get kept" } == 2)
        let arena = CellArena()
        let tombstones = driver.log.records(in: TopicPartition("app-kept-changelog", 0)).filter { $0.value == nil }
        try #require(tombstones.count == 2)
        for tombstone in tombstones {
            let cell = try #require(try CellHeader.decode(tombstone.cell.span.bytes, into: arena))
            #expect(cell.count == 1 && cell.flags == 0)
        }
        // The row that the delete handed back may have gone into what is forwarded after it.
        let out = driver.log.records(in: TopicPartition("out", 0))
        let counts = try out.map { try CellHeader.decode($0.cell.span.bytes, into: arena)?.count }
        #expect(counts == [3, 2])
        driver.close()
    }

    // MARK: Tables

    @Test(arguments: [0, 1 << 20])
    func `a table's write links the row that it supersedes`(_ cache: Int) throws {
        let builder = StreamsBuilder()
        builder.table("in", key: .string, value: .string, as: "rows").toStream().to("out")
        let driver = try driver(builder.build(), cache: cache)
        for (key, trace) in [("a", 1), ("b", 2), ("a", 3)] as [(String, UInt64)] {
            try add(driver, key, trace: trace)
            try work(driver)
        }
        let puts = Self.spans(driver).filter { $0.name == "put rows" }
        #expect(puts.map { $0.links.map(\.context.traceLow) } == [[], [], [1]])
        #expect(puts.last?.links.map(\.type) == [.superseded])
        driver.close()
    }

    @Test(arguments: [0, 1 << 20])
    func `a joined record comes from both sides, and each look for a row has its span`(_ cache: Int) throws {
        let builder = StreamsBuilder()
        let table = builder.table("t", key: .string, value: .string, as: "rows")
        builder.stream("in", key: .string, value: .string)
            .leftJoin(table, result: .string) { value, row in value + (row ?? "-") }.to("out")
        let driver = try driver(builder.build(), cache: cache)
        try add(driver, "a", "row", trace: 1, to: "t")
        try work(driver)
        try add(driver, "a", trace: 2)
        try add(driver, "b", trace: 3)
        try work(driver)
        let out = driver.log.records(in: TopicPartition("out", 0))
        #expect(out.map(\.value) == [Array("xrow".utf8), Array("x-".utf8)])
        let arena = CellArena()
        #expect(try out.map { try CellHeader.decode($0.cell.span.bytes, into: arena)?.count } == [2, 1])
        let reads = Self.spans(driver).filter { $0.name == "get rows" }
        #expect(reads.map(\.span.context.traceLow) == [2, 3])
        #expect(reads.map { $0.links.map(\.context.traceLow) } == [[1], []])
        driver.close()
    }

    // MARK: Tracestates

    @Test(arguments: [0, 1 << 20])
    func `a tracestate belongs to its record, not to its trace`(_ cache: Int) throws {
        let driver = try driver(Self.count(), cache: cache, perCommit: 1000)
        for number in 0..<16 { try add(driver, "k\(number)", trace: 7, tracestate: "v=\(number)") }
        try add(driver, "none", trace: 7)
        // One more than can be told apart in a trace goes on without, rather than with another's.
        try add(driver, "more", trace: 7, tracestate: "v=16")
        try work(driver)
        let states = driver.log.records(in: TopicPartition("out", 0)).map { record in
            record.lineageHeaders.last("tracestate").map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(states == (0..<16).map { "v=\($0)" } + [nil, nil])
        for batch in driver.finishedSpans {
            for span in batch.spans where span.context.flags & TraceContext.hasTracestate != 0 {
                #expect(batch.tracestates[TracestateID(span.context)] != nil)
            }
        }
        driver.close()
    }

    @Test func `W3C's headers are known in any case, and go on once`() throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).to("out")
        let driver = try driver(builder.build())
        func text(_ trace: Int) -> [UInt8] {
            Array("00-0000000000000000000000000000000\(trace)-0000000000000003-01".utf8)
        }
        let lists: [[(name: String, value: [UInt8]?)]] = [
            [("Traceparent", text(1)), ("TraceState", Array("a=1".utf8)), ("user", [1])],
            [
                ("TRACEPARENT", text(1)), ("traceparent", text(2)), ("tracestate", Array("a=1".utf8)),
                ("Tracestate", Array("b=2".utf8)),
            ],
            [("traceparent", text(1)), ("Traceparent", Array("broken".utf8))],
            [("traceparents", text(1)), ("trace-parent", text(2))],
        ]
        for list in lists { try add(driver, "a", trace: 0, headers: Headers(list)) }
        try work(driver)
        let out = driver.log.records(in: TopicPartition("out", 0))
        #expect(out.map { $0.headers.list.map(\.name) } == [["user"], [], [], ["traceparents", "trace-parent"]])
        #expect(out.prefix(2).map(\.context.traceLow) == [1, 2])
        #expect(out.dropFirst(2).allSatisfy { $0.context.traceLow > 9 })
        #expect(out[0].lineageHeaders.last("tracestate") == Array("a=1".utf8))
        #expect(out[1].lineageHeaders.last("tracestate") == Array("a=1,b=2".utf8))
        driver.close()
    }

    // MARK: Headers that are too long

    @Test(arguments: [0, 1 << 20])
    func `a header that is too long doesn't go through stores, and that is said once`(_ cache: Int) throws {
        let lines = Mutex<[String]>([])
        let driver = try driver(Self.count(), cache: cache) {
            $0.lineage.propagatedHeaders = ["big", "small"]
            $0.lineage.propagatedHeaderBytes = 100
            $0.log = LogSink { line in lines.withLock { $0.append(line.message) } }
        }
        let big = [UInt8](repeating: 7, count: 300_000)
        try add(driver, "a", trace: 1, headers: Headers([("big", big), ("small", [1])]))
        try work(driver)
        try add(driver, "a", trace: 2)
        try work(driver)
        try add(driver, "a", trace: 3, headers: Headers([("big", big)]))
        try work(driver)
        let names = { (topic: String) in
            driver.log.records(in: TopicPartition(topic, 0)).map { $0.headers.list.map(\.name) }
        }
        // A record's own go on with it as Kafka Streams has it; the row keeps what fits.
        #expect(names("out") == [["big", "small"], ["small"], ["big", "small"]])
        #expect(names("app-counts-changelog") == [["small"], ["small"], ["small"]])
        #expect(lines.withLock { $0.count { $0.hasPrefix("headers are too long") } } == 1)
        let counted = driver.metricsRegistry.snapshot().first {
            $0.description.name == "tributary.lineage.left_out_headers"
        }
        #expect(counted?.points.contains { $0.value == .number(0) } == false)
        driver.close()
    }
}
