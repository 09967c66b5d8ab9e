import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryState
import TributaryTesting

/// What comes behind an operator that changes keys, and behind one that is given another serde, has the record's own key.
@Suite struct KeyChangeTests {
    /// What a topology writes to `out`, as keys and values.
    private func outputs(
        cacheBytes: Int = 0, _ records: [(topic: String, key: String, value: String)] = [("in", "k", "ab")],
        _ describe: (StreamsBuilder, KStream<String, String>) throws -> Void
    ) throws -> [String] {
        let builder = StreamsBuilder()
        try describe(builder, builder.stream("in", key: .string, value: .string))
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = cacheBytes
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration)
        defer { driver.close() }
        for (number, record) in records.enumerated() {
            try driver.pipe(record.topic, record.key, record.value, timestamp: Int64(number), .string, .string)
        }
        return try driver.takeRecords().filter { $0.topic == "out" }.map { output in
            let key = output.record.key.map { String(decoding: $0, as: UTF8.self) } ?? "null"
            return key + "=" + (output.record.value.map { String(decoding: $0, as: UTF8.self) } ?? "null")
        }
    }

    @Test func `where times are equal the topic goes first whose name does`() throws {
        let sent = try outputs { _, stream in
            let ways = ["z", "a", "m"].map { name in
                stream.repartition(named: name).mapValues(value: .string) { $0 + name }
            }
            for way in ways { way.to("out") }
        }
        #expect(sent == ["k=aba", "k=abm", "k=abz"])
    }

    private typealias Change = @Sendable (KStream<String, String>) -> KStream<String, String>

    /// Every operator that changes keys; each makes the key `K` of `k`.
    private static let changes: [(name: String, change: Change)] = [
        ("selectKey", { $0.selectKey(key: .string) { key, _ in key.uppercased() } }),
        ("map", { $0.map(key: .string, value: .string) { key, value in (key.uppercased(), value) } }),
        (
            "flatMap",
            {
                $0.flatMap(key: .string, value: .string) { key, value in
                    value.map { (key.uppercased(), String($0)) }
                }
            }
        ),
        ("process", { $0.process(key: .string, value: .string) { Uppercase() } }),
        ("toStream", { $0.toTable().toStream().selectKey(key: .string) { key, _ in key.uppercased() } }),
        ("merge", { $0.filter { _, _ in false }.merge($0.selectKey(key: .string) { key, _ in key.uppercased() }) }),
        (
            "branch",
            {
                $0.selectKey(key: .string) { key, _ in key.uppercased() }.split(named: "s").defaultBranch("x")["x"]
            }
        ),
        ("repartition", { $0.selectKey(key: .string) { key, _ in key.uppercased() }.repartition() }),
    ]

    private typealias Follower = @Sendable (StreamsBuilder, KStream<String, String>) -> KStream<String, String>

    /// Every operator that passes keys on, or takes them from their bytes; each keeps key and value.
    private static let followers: [(name: String, follow: Follower)] = [
        ("none", { $1 }), ("peek", { $1.peek { _, _ in } }), ("filter", { $1.filter { _, _ in true } }),
        ("mapValues", { $1.mapValues(value: .string) { $0 } }),
        ("mapValuesWithKey", { $1.mapValuesWithKey(value: .string) { _, value in value } }),
        ("flatMapValues", { $1.flatMapValues(value: .string) { [$0] } }),
        ("flatMapValuesWithKey", { $1.flatMapValuesWithKey(value: .string) { _, value in [value] } }),
        ("processValues", { $1.processValues(value: .string) { Pass(times: 1) } }),
        (
            "processValues twice",
            {
                $1.processValues(value: .string) { Pass(times: 1) }.peek { _, _ in }.processValues(value: .string) {
                    Pass(times: 1)
                }
            }
        ),
        ("process", { $1.process(key: .string, value: .string) { PassAll() } }),
        (
            "process with a store",
            { builder, stream in
                builder.addStateStore(StoreDescription(name: "seen", kind: .keyValue, isCached: true))
                return stream.processValues(stores: ["seen"], value: .string) { Remember() }
            }
        ),
        ("toTable", { $1.toTable(as: "table").toStream() }),
        ("reduce", { $1.groupByKey().reduce { _, value in value }.toStream() }),
        (
            "join",
            { builder, stream in
                stream.leftJoin(
                    builder.table("rows", key: .string, value: .string), result: .string
                ) { value, _ in value }
            }
        ),
        ("merge", { $1.merge($1.filter { _, _ in false }) }),
    ]

    @Test(arguments: [0, 1 << 20])
    func `every operator behind every change of keys sees the new key`(_ cacheBytes: Int) throws {
        for (change, apply) in Self.changes {
            let values = change == "flatMap" ? ["a", "b"] : ["ab"]
            for (follower, follow) in Self.followers {
                // What one record brings a table of a topic's own is one update with a cache.
                let isFolded = cacheBytes > 0 && values.count > 1 && ["toTable", "reduce"].contains(follower)
                let found = try outputs(cacheBytes: cacheBytes) { builder, stream in
                    follow(builder, apply(stream)).to("out", key: .string, value: .string)
                }
                let expected = isFolded ? ["K=b"] : values.map { "K=\($0)" }
                #expect(found == expected || found == values.map { "K=\($0)" }, "\(change), then \(follower)")
            }
        }
    }

    @Test func `what a processor forwards more than once behind flatMap has its key each time`() throws {
        let found = try outputs { _, stream in
            stream.flatMap(key: .string, value: .string) { _, value in value.map { ("<\($0)>", String($0)) } }
                .processValues(value: .string) { Pass(times: 2) }
                .to("out")
        }
        #expect(found == ["<a>=a", "<a>=a", "<b>=b", "<b>=b"])
    }

    @Test func `every child behind a change of keys gets the key, whatever the children before did with it`() throws {
        let found = try outputs { _, stream in
            let changed = stream.selectKey(key: .string) { key, _ in key.uppercased() }
            changed.processValues(value: .string) { Pass(times: 1) }.to("out")
            changed.to(key: .string) { _, _, _ in "out" }
            changed.peek { _, _ in }.to("out")
            changed.groupByKey().count().toStream().mapValues(value: .string) { "\($0)" }.to("out")
        }
        #expect(found == ["K=ab", "K=ab", "K=ab", "K=1"])
    }

    @Test func `a tombstone behind a change of keys has the new key`() throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .mapValues(value: Serde<String>.string.optional) { value -> String? in value }
            .selectKey(key: .string) { key, _ in key.uppercased() }
            .to("out")
        let driver = try TopologyTestDriver(builder.build())
        defer { driver.close() }
        try driver.pipe(topic: "in", key: [0x6b], value: nil, timestamp: 0)
        let out = try driver.takeRecords().filter { $0.topic == "out" }.map(\.record)
        #expect(out.map(\.key) == [[0x4b]] && out.map(\.value) == [nil])
    }

    @Test func `a tombstone goes to the partition of its key's values, in a window, too`() throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .mapValues(value: Serde<String>.string.optional) { value -> String? in value }
            .selectKey(key: .timeWindowed(.string, size: .milliseconds(10))) { key, _ in
                Windowed(key: key, window: Window(start: 20, end: 30))
            }
            .to("out")
        var configuration = TestDriverConfiguration()
        configuration.partitions = 8
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration)
        defer { driver.close() }
        for key in UInt8(97)..<105 {
            try driver.pipe(topic: "in", key: [key], value: [key], timestamp: 0)
            try driver.pipe(topic: "in", key: [key], value: nil, timestamp: 0)
        }
        let partitions = (0..<Int32(8)).map { driver.log.records(in: TopicPartition("out", $0)) }
        #expect(partitions.map(\.count).reduce(0, +) == 16)
        for records in partitions {
            let (values, tombstones) = (records.filter { $0.value != nil }, records.filter { $0.value == nil })
            #expect(values.map(\.key) == tombstones.map(\.key))
        }
    }

    @Test func `a processor that keeps keys forwards its record's own, whatever the forwarded record says`() throws {
        let found = try outputs { _, stream in
            stream.processValues(value: .string) { Rename() }.to("out")
            stream.selectKey(key: .string) { key, _ in key.uppercased() }.processValues(value: .string) { Rename() }
                .to("out")
        }
        #expect(found == ["k=ab", "K=ab"])
    }

    @Test func `a processor that keeps keys can't forward where no record is processed`() throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).processValues(value: .string) { Eager() }.to("out")
        #expect(throws: (any Error).self) {
            let driver = try TopologyTestDriver(builder.build())
            defer { driver.close() }
            try driver.pipe("in", "k", "v", timestamp: 0, .string, .string)
        }
    }

    // MARK: Other serdes

    /// Keys and values as text between brackets, so that one can see which serde wrote them.
    private static func bracketed(_ open: Character, _ close: Character) -> Serde<String> {
        let text = Serde<String>.string
        return Serde(
            name: "text\(open)",
            decode: { bytes in
                let all = try text.decode(bytes)
                guard all.first == open, all.last == close else {
                    throw SerdeError(.malformed, serde: "text\(open)", "no brackets")
                }
                return String(all.dropFirst().dropLast())
            }, encode: { value, writer in try text.encode("\(open)\(value)\(close)", &writer) })
    }

    private static let square = bracketed("[", "]")
    private static let round = bracketed("(", ")")

    @Test func `a sink writes keys and values as the serdes that it is given`() throws {
        let found = try outputs { _, stream in
            stream.to("out", key: Self.square, value: Self.round)
            stream.to("out", key: Self.square)
            stream.to("out", value: Self.round)
            stream.to(key: Self.square, value: Self.round) { _, _, _ in "out" }
            stream.filter { _, _ in true }.to("out", key: Self.square)
            stream.mapValues(value: .string) { $0 }.to("out", key: Self.square)
        }
        #expect(found == ["[k]=(ab)", "[k]=ab", "k=(ab)", "[k]=(ab)", "[k]=ab", "[k]=ab"])
    }

    @Test func `a sink writes what nothing looks at as the serdes that it is given`() throws {
        // One sink alone: bytes would go straight through to it.
        #expect(try outputs { _, stream in stream.to("out") } == ["k=ab"])
        #expect(try outputs { _, stream in stream.to("out", value: Self.round) } == ["k=(ab)"])
        #expect(try outputs { _, stream in stream.to("out", key: Self.square) } == ["[k]=ab"])
        #expect(try outputs { _, stream in stream.to("out", key: Self.square, value: Self.round) } == ["[k]=(ab)"])
    }

    @Test(arguments: [0, 1 << 20])
    func `a grouping or a table with serdes of its own keeps keys and values in their layout`(_ cacheBytes: Int) throws
    {
        let found = try outputs(cacheBytes: cacheBytes) { _, stream in
            stream.groupByKey(key: Self.square).reduce(as: "r") { $0 + $1 }.toStream().to("out")
            stream.groupByKey().reduce(materialized: Materialized(as: "m", key: Self.square, value: Self.round)) {
                $0 + $1
            }.toStream().to("out")
            stream.toTable(materialized: Materialized(as: "t", key: Self.square, value: Self.round)).toStream()
                .filter { _, value in value == "ab" }.to("out")
            stream.repartition(key: Self.square, value: Self.round).to("out")
            stream.groupByKey(key: Self.square).count().toStream().mapValues(value: .string) { "\($0)" }.to("out")
        }
        #expect(found.sorted() == ["[k]=(ab)", "[k]=(ab)", "[k]=(ab)", "[k]=1", "[k]=ab"])
    }

    @Test(arguments: [0, 1 << 20])
    func `a table of a topic may be kept with other serdes`(_ cacheBytes: Int) throws {
        let builder = StreamsBuilder()
        builder.table(
            "in", key: .string, value: .string, materialized: Materialized(as: "t", key: Self.square, value: Self.round)
        ).toStream().to("out")
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = cacheBytes
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration)
        defer { driver.close() }
        try driver.pipe("in", "k", "v", timestamp: 0, .string, .string)
        let rows = try driver.rows(ofStore: "t")
        #expect(rows.map(\.key) == [Array("[k]".utf8)])
        #expect(rows.map(\.value) == [Array("(v)".utf8)])
        let out = try driver.takeRecords().filter { $0.topic == "out" }
        #expect(out.map(\.record.key) == [Array("[k]".utf8)])
        #expect(out.map(\.record.value) == [Array("(v)".utf8)])
    }

    @Test(arguments: [0, 1 << 20])
    func `a join finds the rows of a table that has another serde for its keys`(_ cacheBytes: Int) throws {
        let found = try outputs(cacheBytes: cacheBytes, [("rows", "[k]", "r"), ("in", "k", "ab")]) { builder, stream in
            let table = builder.table("rows", key: Self.square, value: .string)
            stream.join(table, result: .string) { $0 + $1 }.to("out")
            stream.selectKey(key: .string) { key, _ in key }.join(table, result: .string) { $0 + $1 }.to("out")
            stream.join(table, key: Self.round, result: .string) { $0 + $1 }.to("out")
        }
        #expect(found.sorted() == ["(k)=abr", "k=abr", "k=abr"])
    }

    @Test func `a merged stream has the first one's serdes`() throws {
        let found = try outputs([("in", "a", "x"), ("other", "[b]", "(y)")]) { builder, stream in
            stream.merge(builder.stream("other", key: Self.square, value: Self.round)).to("out")
        }
        #expect(found == ["a=x", "b=y"])
    }

    // MARK: A processor that comes back to itself

    @Test func `a read that evicts a row into the same processor leaves the record at hand alone`() throws {
        // Room for one row: a second one flushes both, the last of seven waits. Reading another one evicts it, and the eviction
        // comes to the processor that reads.
        let records = (0..<7).map { ("rows", "k\($0)", "r\($0)") } + [("in", "k0", "x"), ("in", "k3", "y")]
        let builder = StreamsBuilder()
        let table = builder.table("rows", key: .string, value: .string, as: "rows")
        builder.stream("in", key: .string, value: .string).merge(table.toStream())
            .processValues(stores: ["rows"], value: .string) { Look() }
            .to("out")
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = 100
        // Without a commit in between: what is evicted is a row that has not been forwarded.
        configuration.recordsPerCommit = 1000
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration)
        defer { driver.close() }
        for (number, record) in records.enumerated() {
            let logged = LoggedRecord(
                offset: 0, timestamp: Int64(number), key: Array(record.1.utf8), value: Array(record.2.utf8))
            _ = try driver.log.append(logged, to: TopicPartition(record.0, 0))
        }
        try driver.advanceWallClock(by: .zero)
        let out = try driver.takeRecords().filter { $0.topic == "out" }.map(\.record)
        for record in out {
            let key = try #require(record.key.map { String(decoding: $0, as: UTF8.self) })
            let value = try #require(record.value.map { String(decoding: $0, as: UTF8.self) })
            #expect(value.hasPrefix("\(key):"), "\(key) has \(value)")
        }
        #expect(out.count == records.count)
        // The last row comes while the record is looked at whose reads evict it.
        #expect(out.map(\.key).suffix(3) == [Array("k6".utf8), Array("k0".utf8), Array("k3".utf8)])
    }
}

// MARK: Processors

private final class Uppercase: Processor {
    private var context: ProcessorContext<String, String>?
    func initialize(_ context: ProcessorContext<String, String>) { self.context = context }
    func process(_ record: Record<String, String>) throws {
        var record = record
        record.key = record.key.uppercased()
        try context?.forward(record)
    }
}

private final class PassAll: Processor {
    private var context: ProcessorContext<String, String>?
    func initialize(_ context: ProcessorContext<String, String>) { self.context = context }
    func process(_ record: Record<String, String>) throws { try context?.forward(record) }
}

private final class Pass: FixedKeyProcessor {
    private let times: Int
    private var context: FixedKeyProcessorContext<String, String>?
    init(times: Int) { self.times = times }
    func initialize(_ context: FixedKeyProcessorContext<String, String>) { self.context = context }
    func process(_ record: Record<String, String>) throws {
        for _ in 0..<times { try context?.forward(record) }
    }
}

private final class Remember: FixedKeyProcessor {
    private var context: FixedKeyProcessorContext<String, String>?
    private var store: KeyValueStore<String, String>?
    func initialize(_ context: FixedKeyProcessorContext<String, String>) throws {
        self.context = context
        store = try context.keyValueStore("seen", key: .string, value: .string)
    }
    func process(_ record: Record<String, String>) throws {
        let old = try store?.get(record.key)
        try store?.put(record.key, record.value)
        try context?.forward(record, from: old.map { [$0] } ?? [])
    }
}

private final class Rename: FixedKeyProcessor {
    private var context: FixedKeyProcessorContext<String, String>?
    func initialize(_ context: FixedKeyProcessorContext<String, String>) { self.context = context }
    func process(_ record: Record<String, String>) throws {
        var record = record
        record.key = "other"
        try context?.forward(record)
    }
}

private final class Eager: FixedKeyProcessor {
    func initialize(_ context: FixedKeyProcessorContext<String, String>) throws {
        try context.forward(Record(key: "none", value: "v", timestamp: 0))
    }
    func process(_ record: Record<String, String>) throws {}
}

/// Says which key its record had when it began, after looking at all rows.
private final class Look: FixedKeyProcessor {
    private var context: FixedKeyProcessorContext<String, String>?
    private var store: KeyValueStore<String, String>?
    func initialize(_ context: FixedKeyProcessorContext<String, String>) throws {
        self.context = context
        store = try context.keyValueStore("rows", key: .string, value: .string)
    }
    func process(_ record: Record<String, String>) throws {
        var rows = 0
        for number in 0..<6 { if try store?.get("k\(number)") != nil { rows += 1 } }
        try context?.forward(record.with(value: "\(record.key):\(rows)"), from: [])
    }
}
