import TestSupport
import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryState
import TributaryTelemetry
import TributaryTesting

@testable import TributaryRuntime

/// Aggregates that are encoded when their cache is flushed, and when somebody looks.
@Suite struct DeferredEncodingTests {
    /// What is aggregated: text of a fixed length, whose serde counts what it encodes.
    private struct Text: Sendable {
        var length = 0
        var last = ""
    }

    private struct Refusal: Error {}

    private let encodes = Guarded(0)

    private var serde: Serde<Text> {
        let encodes = encodes
        return Serde(
            name: "text",
            decode: { bytes in
                let parts = String(decoding: [UInt8](copying: bytes), as: UTF8.self).split(separator: " ")
                guard parts.count > 1, let length = Int(parts[0]) else { throw TestFailure("no text") }
                return Text(length: length, last: String(parts[1]))
            },
            encode: { value, writer in
                guard value.last != "bad" else { throw Refusal() }
                encodes.withLock { $0 += 1 }
                let digits = String(value.length)
                writer.append(utf8: String(repeating: "0", count: 8 - digits.utf8.count) + digits + " " + value.last)
            })
    }

    private func aggregated(_ builder: StreamsBuilder) -> KTable<String, Text> {
        builder.stream("in", key: .string, value: .string).groupByKey()
            .aggregate(into: Text(), as: "texts", value: serde) { text, value in
                text.length += 1
                text.last = value
            }
    }

    private func thread(
        _ world: World, _ builder: StreamsBuilder, _ guarantee: ProcessingGuarantee = .exactlyOnce, defers: Bool = true,
        _ configure: (inout RuntimeConfiguration) -> Void = { _ in }
    ) throws -> ThreadUnderTest {
        try ThreadUnderTest(world, builder.build()) {
            $0.guarantee = guarantee
            $0.commitInterval = .milliseconds(100)
            $0.defersEncoding = defers
            configure(&$0)
        }
    }

    private func encodes(_ body: () throws -> Void) rethrows -> Int {
        let before = encodes.withLock { $0 }
        try body()
        return encodes.withLock { $0 } - before
    }

    private func commit(_ thread: ThreadUnderTest) throws {
        thread.world.clock.advance(by: .milliseconds(100))
        try thread.rounds(1)
    }

    // MARK: How often

    @Test(arguments: [ProcessingGuarantee.exactlyOnce, .atLeastOnce])
    func `an aggregate is encoded when its row comes into the cache, and once for each flush`(
        _ guarantee: ProcessingGuarantee
    ) throws {
        let world = try World(topics: "in", "out")
        let builder = StreamsBuilder()
        aggregated(builder).toStream().to("out")
        let thread = try thread(world, builder, guarantee)
        for (round, expected) in [2, 1, 1].enumerated() {
            let count = try encodes {
                for number in 0..<20 { try world.send("in", "k", "\(number)", at: 0) }
                try thread.rounds()
                try commit(thread)
            }
            #expect(count == expected)
            // A sink encodes nothing: the bytes are the store's.
            #expect(world.texts("out").last == "k=000000\((round + 1) * 20) 19")
        }
        thread.crash()
    }

    @Test func `without transactions nothing stays unencoded once something is sent`() throws {
        let world = try World(topics: "in", "out", "copies")
        let builder = StreamsBuilder()
        let table = aggregated(builder)
        table.toStream().to("out")
        builder.stream("other", key: .string, value: .string).to("copies")
        try world.log.createTopics([TopicSpecification("other")])
        let thread = try thread(world, builder, .atLeastOnce)
        func sent(_ topic: String, _ count: Int) throws -> Int {
            for _ in 0..<count { try world.send(topic, "k", "x", at: 0) }
            return try encodes { try thread.rounds() }
        }
        #expect(try sent("in", 3) == 1)
        // What wasn't encoded is, before that goes; and each update behind it.
        #expect(try sent("other", 1) == 1)
        #expect(try sent("in", 5) == 5)
        #expect(try encodes { try commit(thread) } == 0)
        #expect(try sent("in", 3) == 0)
        thread.crash()
    }

    @Test func `where a store has no changelog each update encodes`() throws {
        let world = try World(topics: "in", "out")
        let builder = StreamsBuilder()
        builder.addStateStore(StoreDescription(name: "alone", kind: .keyValue, isLogged: false))
        aggregated(builder).toStream()
            .process(stores: ["alone"], key: .string, value: serde) { Asker<Text>("alone") }
        let thread = try thread(world, builder)
        for number in 0..<5 { try world.send("in", "k", "\(number)", at: 0) }
        #expect(try encodes { try thread.rounds() } == 5)
        thread.crash()
    }

    // MARK: Who looks

    @Test func `queries see what is not encoded yet`() throws {
        let world = try World(topics: "in", "out")
        let builder = StreamsBuilder()
        aggregated(builder).toStream().to("out")
        let thread = try thread(world, builder)
        for number in 0..<5 { for key in ["a", "b"] { try world.send("in", key, "\(number)", at: 0) } }
        try thread.rounds()
        let task = thread.loop.tasks[0]
        let row = try #require(try task.answer("texts", .key(Array("a".utf8))).first)
        #expect(String(decoding: row.value, as: UTF8.self) == "00000005 4")
        // The other one is still to be encoded.
        let rows = try task.answer("texts", .range(nil, nil))
        #expect(rows.map { String(decoding: $0.value, as: UTF8.self) } == ["00000005 4", "00000005 4"])
        #expect(encodes.withLock { $0 } == 4)
        try commit(thread)
        #expect(encodes.withLock { $0 } == 4)
        #expect(world.texts("out") == ["a=00000005 4", "b=00000005 4"])
        thread.crash()
    }

    @Test func `windows that are asked for are encoded`() throws {
        let world = try World(topics: "in", "out")
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).groupByKey()
            .windowedBy(.tumbling(size: .seconds(10)))
            .aggregate(into: Text(), as: "texts", value: serde) { text, value in
                text.length += 1
                text.last = value
            }.toStream().to("out")
        let thread = try thread(world, builder)
        for number in 0..<5 { try world.send("in", "a", "\(number)", at: 3) }
        try thread.rounds()
        let rows = try thread.loop.tasks[0].answer(
            "texts", .windows(WindowRange(key: Array("a".utf8), from: 0, through: 10)))
        #expect(rows.map { String(decoding: $0.value, as: UTF8.self) } == ["00000005 4"])
        try commit(thread)
        #expect(encodes.withLock { $0 } == 2)
        thread.crash()
    }

    @Test func `a processor with the store and a join see the last value`() throws {
        let world = try World(topics: "in", "ask", "joined", "asked")
        let builder = StreamsBuilder()
        let table = aggregated(builder)
        builder.stream("ask", key: .string, value: .string).join(table) { "\($0) \($1.length)" }
            .to("joined", value: .string)
        builder.stream("ask", key: .string, value: .string)
            .process(stores: ["texts"], key: .string, value: .string) { [serde] in StoreReader(serde) }.to("asked")
        let thread = try thread(world, builder)
        for number in 0..<3 { try world.send("in", "k", "\(number)", at: Int64(number)) }
        try thread.rounds()
        try world.send("ask", "k", "x", at: 5)
        try thread.rounds()
        try world.send("in", "k", "3", at: 6)
        try thread.rounds()
        for number in 4..<6 { try world.send("in", "k", "\(number)", at: 8) }
        try thread.rounds()
        try world.send("ask", "k", "z", at: 9)
        try thread.rounds()
        try commit(thread)
        #expect(world.texts("joined") == ["k=x 3", "k=z 6"])
        #expect(world.texts("asked") == ["k=x 3 3", "k=z 6 6"])
        #expect(world.latest("app-texts-changelog") == ["k": "00000006 5"])
        thread.crash()
    }

    @Test func `an entry is charged for the size that it was encoded with last`() throws {
        func bytes(defers: Bool) throws -> [Int?] {
            let world = try World(topics: "in", "out")
            let builder = StreamsBuilder()
            aggregated(builder).toStream().to("out")
            let thread = try thread(world, builder, defers: defers)
            defer { thread.crash() }
            let store = try thread.loop.tasks[0].store("texts")
            var bytes: [Int?] = []
            for value in ["x", "longer", String(repeating: "y", count: 100), "z"] {
                try world.send("in", "k", value, at: 0)
                try thread.rounds()
                bytes.append(store.statistics.cache?.bytes)
                try commit(thread)
                bytes.append(store.statistics.cache?.bytes)
            }
            return bytes
        }
        let atOnce = try bytes(defers: false)
        let deferred = try bytes(defers: true)
        let flushed = [1, 3, 5, 7].map { atOnce[$0] }
        #expect([1, 3, 5, 7].map { deferred[$0] } == flushed)
        #expect([2, 4, 6].map { deferred[$0] } == Array(flushed.dropLast()))
    }

    // MARK: What can't be encoded

    @Test func `a query of what can't be encoded says so, and the attempt is over`() throws {
        let world = try World(topics: "in", "out")
        let builder = StreamsBuilder()
        aggregated(builder).toStream().to("out")
        let thread = try thread(world, builder)
        for value in ["good", "bad"] { try world.send("in", "k", value, at: 0) }
        try thread.rounds()
        for query in [StoreQuery.key(Array("k".utf8)), .range(nil, nil)] {
            let failure = #expect(throws: StoreError.self) { try thread.loop.tasks[0].answer("texts", query) }
            #expect(failure?.code == .unencodable && failure?.store == "texts")
            #expect("\(try #require(failure))".contains("key of 1 bytes"))
        }
        #expect(throws: StoreError.self) { try thread.rounds(1) }
        thread.crash()
        #expect(world.texts("out").isEmpty && world.texts("app-texts-changelog").isEmpty)
    }

    @Test func `what a processor swallows is not committed`() throws {
        let world = try World(topics: "in", "ask", "asked")
        let builder = StreamsBuilder()
        _ = aggregated(builder)
        builder.stream("ask", key: .string, value: .string)
            .process(stores: ["texts"], key: .string, value: .string) { [serde] in
                StoreReader(serde, isTolerant: true)
            }.to("asked")
        let thread = try thread(world, builder)
        for (time, value) in [(0, "good"), (1, "bad"), (3, "good")] {
            try world.send("in", "k", value, at: Int64(time))
        }
        try world.send("ask", "k", "x", at: 2)
        try thread.rounds(1)
        world.clock.advance(by: .milliseconds(100))
        // All four and the commit.
        #expect(throws: StoreError.self) { try thread.rounds(1) }
        #expect(try thread.loop.tasks[0].store("texts").statistics.puts == 3)
        thread.crash()
        #expect(world.texts("asked").isEmpty && world.texts("app-texts-changelog").isEmpty)
    }

    // MARK: No setting changes results

    private struct Left: Equatable {
        var records: [String: [LoggedRecord]]
        var rows: [String: [QueriedRow]]
        var spans: [String]
        var flushed: [Int64]
        var evictions: Int64
    }

    /// All of a span but what says which log it was.
    private func described(_ span: FinishedSpan) -> String {
        let links = span.links.map { "\($0.context) \($0.type.map { "\($0)" } ?? "") \($0.isSampled)" }
        let attributes = span.attributes.filter { $0.key.hasPrefix("tributary") }
        let words = attributes.map { "\($0.key)=\($0.value)" }.sorted()
        return "\(span.name) \(span.context) \(span.parent) \(span.start) \(span.end) \(links) \(words) \(span.failed)"
    }

    /// Random updates, deletes, reads and commits of an application with little room.
    private func left(_ seed: UInt64, _ guarantee: ProcessingGuarantee, defers: Bool) throws -> Left {
        var random = FastRandom(seed: seed)
        let world = try World(topics: "in", "ask", "joined", "out", "windows")
        let builder = StreamsBuilder()
        let isOptional = Int.random(in: 0..<2, using: &random) == 0
        let stream = builder.stream("in", key: .string, value: .string)
        let serde = serde
        if isOptional {
            // A null aggregate deletes the row.
            stream.groupByKey().aggregate(into: Text?.none, as: "texts", value: .optional(serde)) { text, value in
                guard value != "none" else { return text = nil }
                text = Text(length: (text?.length ?? 0) + 1, last: value)
            }.toStream().to("out")
        } else {
            let table = aggregated(builder)
            table.toStream().to("out")
            builder.stream("ask", key: .string, value: .string).join(table) { "\($0) \($1.length) \($1.last)" }
                .to("joined", value: .string)
        }
        stream.groupByKey().windowedBy(.hopping(size: .seconds(10), advance: .seconds(5)))
            .aggregate(into: Text(), as: "windows", value: serde) { text, value in
                text.length += 1
                text.last = value
            }.toStream().to("windows")
        let spans = InMemorySpanExporter(capacity: 100_000)
        let isSampled = Int.random(in: 0..<2, using: &random) == 0
        let cacheBytes = 200 + Int.random(in: 0..<4, using: &random) * 400
        let thread = try thread(world, builder, guarantee, defers: defers) {
            $0.cacheBytes = cacheBytes
            $0.lineage.exporter = spans
            $0.lineage.sampler = .parentBased(root: isSampled ? .alwaysOn : .alwaysOff)
        }
        var rows: [String: [QueriedRow]] = [:]
        for step in 0..<120 {
            let key = "key-\(Int.random(in: 0..<6, using: &random))"
            switch Int.random(in: 0..<12, using: &random) {
            case 0: try commit(thread)
            case 1: try world.send("ask", key, "ask-\(step)", at: Int64(step * 50))
            case 2: try world.send("in", key, "none", at: Int64(step * 50))
            case 3:
                rows["\(step)"] = try thread.loop.tasks.flatMap { try $0.answer("texts", .key(Array(key.utf8))) }
            case 4:
                rows["\(step)"] = try thread.loop.tasks.flatMap { try $0.answer("texts", .range(nil, nil)) }
            default:
                try world.send("in", key, "v\(100 + Int.random(in: 0..<900, using: &random))", at: Int64(step * 50))
            }
            if Int.random(in: 0..<2, using: &random) == 0 { try thread.rounds(1) }
        }
        try thread.rounds()
        let counts = try thread.loop.tasks.map { try $0.store("texts").statistics }
        try commit(thread)
        var records: [String: [LoggedRecord]] = [:]
        for topic in ["joined", "out", "windows", "app-texts-changelog", "app-windows-changelog"] {
            records[topic] = world.log.records(in: TopicPartition(topic, 0))
        }
        rows["end"] = try thread.loop.tasks.flatMap { try $0.answer("texts", .range(nil, nil)) }
        thread.crash()
        return Left(
            records: records, rows: rows, spans: spans.spans().map(described), flushed: counts.map(\.flushed),
            evictions: counts.reduce(0) { $0 + ($1.cache?.evictions ?? 0) })
    }

    @Test(arguments: [ProcessingGuarantee.exactlyOnce, .atLeastOnce])
    func `whether aggregates are encoded late is not to be seen`(_ guarantee: ProcessingGuarantee) throws {
        var saved = 0
        var evictions: Int64 = 0
        for seed in UInt64(0)..<30 {
            var deferred: Left?
            var atOnce: Left?
            let few = try encodes { deferred = try left(seed, guarantee, defers: true) }
            let all = try encodes { atOnce = try left(seed, guarantee, defers: false) }
            #expect(deferred?.records == atOnce?.records, "seed \(seed)")
            #expect(deferred?.rows == atOnce?.rows, "seed \(seed)")
            #expect(deferred?.spans == atOnce?.spans, "seed \(seed)")
            #expect(deferred?.flushed == atOnce?.flushed, "seed \(seed)")
            #expect(deferred?.evictions == atOnce?.evictions, "seed \(seed)")
            saved += all - few
            evictions += deferred?.evictions ?? 0
        }
        #expect(saved > 100 && evictions > 100, "\(saved), \(evictions)")
    }
}

/// Has a store and does nothing with it.
private final class Asker<Value>: Processor {
    private let name: String
    init(_ name: String) { self.name = name }
    func initialize(_ context: ProcessorContext<String, Value>) throws {}
    func process(_ record: Record<String, Value>) throws {}
}

/// Forwards what the store of an aggregation has: by its key, and by a walk.
private final class StoreReader<Value>: Processor {
    private let serde: Serde<Value>
    private var rows: KeyValueStore<String, Value>?
    private var context: ProcessorContext<String, String>?

    private let isTolerant: Bool

    init(_ serde: Serde<Value>, isTolerant: Bool = false) {
        self.serde = serde
        self.isTolerant = isTolerant
    }

    func initialize(_ context: ProcessorContext<String, String>) throws {
        self.context = context
        rows = try context.keyValueStore("texts", key: .string, value: serde)
    }

    func process(_ record: Record<String, String>) throws {
        if isTolerant {
            _ = try? rows?.get(record.key)
            return
        }
        var found = [record.value]
        if let row = try rows?.get(record.key) { found.append(length("\(row.value)")) }
        let all = try rows?.all()
        while let row = all?.next() { found.append(length("\(row.value)")) }
        try context?.forward(Record(key: record.key, value: found.joined(separator: " "), timestamp: record.timestamp))
    }

    private func length(_ text: String) -> String { text.prefix { $0 != "," }.filter(\.isNumber) }
}
