import Testing
import TributaryCore
import TributaryDSL
import TributaryState
import TributaryTesting

@testable import TributaryRuntime

/// What a commit leaves of caches: nothing that isn't in store, changelog and output, each value once.
@Suite struct FlushTests {
    /// Counts by key, and a processor behind with stores of its own; those are declared before the count's.
    private func counted(
        _ stores: [String], _ step: @escaping @Sendable (CountReader, Record<String, Int64>) throws -> Void
    ) throws -> Topology {
        let builder = StreamsBuilder()
        for store in stores where store != "counts" {
            builder.addStateStore(StoreDescription(name: store, kind: .keyValue, isCached: true))
        }
        builder.stream("in", key: .string, value: .string).groupByKey().count(as: "counts").toStream()
            .process(stores: stores, key: .string, value: .int64) { CountReader(stores, step) }.to("out")
        return try builder.build()
    }

    /// One commit of records "a", "b", "a" of topic "in".
    private func commitOnce(_ topology: Topology) throws -> (World, ThreadUnderTest) {
        let world = try World(topics: "in", "out")
        let app = try ThreadUnderTest(world, topology)
        for key in ["a", "b", "a"] { try world.send("in", key, "x", at: 0) }
        try app.rounds()
        world.clock.advance(by: .milliseconds(100))
        try app.rounds(1)
        #expect(try world.committed("in") == 3)
        return (world, app)
    }

    @Test(arguments: [false, true])
    func `a store that a flush writes into is flushed behind it, whatever was declared first`(_ isKilled: Bool) throws {
        let topology = try counted(["last"]) { reader, record in
            try reader["last"]?.put(record.key, record.value)
            try reader.forward(record)
        }
        let (world, app) = try commitOnce(topology)
        #expect(world.texts("out") == ["b=1", "a=2"])
        #expect(world.texts("app-last-changelog") == ["b=1", "a=2"])
        if isKilled { app.crash() } else { try app.stop() }
        #expect(world.texts("app-last-changelog") == ["b=1", "a=2"])
        let next = try ThreadUnderTest(world, topology)
        let store = try next.loop.tasks[0].store("last")
        for (key, count) in [("a", Int64(2)), ("b", 1)] {
            #expect(try store.read(Array(key.utf8).span.bytes).exists)
            #expect(store.value.integer(at: 0, as: Int64.self) == count)
        }
        #expect(!next.loop.tasks[0].needsCommit)
    }

    @Test func `stores are flushed again until nothing is dirty`() throws {
        // Each count comes once more, under another key, through the flush of the same store.
        let topology = try counted(["counts"]) { reader, record in
            try reader.forward(record)
            guard record.key.utf8.count < 3 else { return }
            try reader["counts"]?.put(record.key + "'", record.value * 10)
        }
        let (world, app) = try commitOnce(topology)
        let all = ["b=1", "a=2", "b'=10", "a'=20", "b''=100", "a''=200"]
        #expect(world.texts("out") == all)
        #expect(world.texts("app-counts-changelog") == all)
        #expect(!app.loop.tasks[0].needsCommit)
    }

    @Test func `a row that is written while it waits in a flush is sent as it was, and then as it is`() throws {
        let topology = try counted(["counts"]) { reader, record in
            try reader.forward(record)
            guard record.key == "b", record.value == 1 else { return }
            // "a" comes later in the same flush.
            try reader["counts"]?.put("a", 100)
            #expect(try reader["counts"]?.get("a")?.value == 100)
            try reader["counts"]?.put("a", 101)
        }
        let (world, app) = try commitOnce(topology)
        #expect(world.texts("out") == ["b=1", "a=2", "a=101"])
        #expect(world.texts("app-counts-changelog") == ["b=1", "a=2", "a=101"])
        app.crash()
        let next = try ThreadUnderTest(world, topology)
        let store = try next.loop.tasks[0].store("counts")
        #expect(try store.read(Array("a".utf8).span.bytes).exists)
        #expect(store.value.integer(at: 0, as: Int64.self) == 101)
    }

    @Test func `a row that is written while it is being sent is sent again`() throws {
        let topology = try counted(["counts"]) { reader, record in
            try reader.forward(record)
            if record.value < 5 { try reader["counts"]?.put(record.key, record.value + 1) }
        }
        let (world, _) = try commitOnce(topology)
        #expect(world.texts("out") == ["b=1", "a=2", "b=2", "a=3", "b=3", "a=4", "b=4", "a=5", "b=5"])
        #expect(world.texts("app-counts-changelog") == world.texts("out"))
    }

    @Test func `stores that write into each other without end are named`() throws {
        let topology = try counted(["counts", "other"]) { reader, record in
            try reader["counts"]?.put(record.key, record.value + 1)
            try reader["other"]?.put(record.key, record.value)
        }
        let world = try World(topics: "in", "out")
        let app = try ThreadUnderTest(world, topology)
        try world.send("in", "a", "x", at: 0)
        try app.rounds()
        world.clock.advance(by: .milliseconds(100))
        #expect {
            try app.rounds(1)
        } throws: { error in
            let failure = error as? TaskFailure
            guard let error = failure?.cause as? StoreError, failure?.step == .flush else { return false }
            return error.code == .endlessFlush && error.store == "counts" && "\(error)".contains("counts")
        }
        #expect(try world.committed("in") == nil)
    }

    @Test(arguments: [400, 900, 3_000])
    func `evictions and flushes lose and double nothing, whatever they write`(_ cacheBytes: Int) throws {
        // Every count is kept once more in a store of the processor, and in the count's own store under another key.
        let topology = try counted(["counts", "last"]) { reader, record in
            try reader.forward(record)
            try reader["last"]?.put(record.key, record.value)
            guard !record.key.hasSuffix("'") else { return }
            try reader["counts"]?.put(record.key + "'", record.value)
        }
        let world = try World(topics: "in", "out")
        let app = try ThreadUnderTest(world, topology) { $0.cacheBytes = cacheBytes }
        var random = FastRandom(seed: 3)
        var truth: [String: Int] = [:]
        for round in 0..<20 {
            for _ in 0..<30 {
                let key = "k\(random.next() % 12)"
                truth[key, default: 0] += 1
                try world.send("in", key, "x", at: Int64(round))
            }
            try app.pass(milliseconds: 100, steps: 4)
        }
        try app.stop()
        var expected: [String: String] = [:]
        for (key, count) in truth {
            expected[key] = "\(count)"
            expected[key + "'"] = "\(count)"
        }
        for topic in ["out", "app-counts-changelog", "app-last-changelog"] {
            #expect(world.latest(topic) == expected, "\(topic)")
            var last: [String: String] = [:]
            for text in world.texts(topic) {
                let parts = text.split(separator: "=").map(String.init)
                #expect(last[parts[0]] != parts[1], "\(topic): \(text) twice")
                last[parts[0]] = parts[1]
            }
        }
    }

    @Test func `what a processor writes and forwards before the first record is committed`() throws {
        let builder = StreamsBuilder()
        builder.addStateStore(StoreDescription(name: "rows", kind: .keyValue, isCached: true))
        builder.stream("in", key: .string, value: .string)
            .process(stores: ["rows"], key: .string, value: .int64) { Starter() }.to("out")
        let world = try World(topics: "in", "out")
        let app = try ThreadUnderTest(world, builder.build())
        world.clock.advance(by: .milliseconds(100))
        try app.rounds(1)
        app.crash()
        #expect(world.texts("out") == ["start=1"])
        #expect(world.texts("app-rows-changelog") == ["start=1"])
    }
}

/// Gives counts to a closure, with the stores it may use.
final class CountReader: Processor {
    private let names: [String]
    private let step: (CountReader, Record<String, Int64>) throws -> Void
    private var stores: [String: KeyValueStore<String, Int64>] = [:]
    private var context: ProcessorContext<String, Int64>?

    init(_ names: [String], _ step: @escaping (CountReader, Record<String, Int64>) throws -> Void) {
        self.names = names
        self.step = step
    }

    subscript(_ name: String) -> KeyValueStore<String, Int64>? { stores[name] }

    func initialize(_ context: ProcessorContext<String, Int64>) throws {
        self.context = context
        for name in names { stores[name] = try context.keyValueStore(name, key: .string, value: .int64) }
    }

    func process(_ record: Record<String, Int64>) throws { try step(self, record) }

    func forward(_ record: Record<String, Int64>) throws { try context?.forward(record) }
}

/// Writes and forwards when it is initialised.
private final class Starter: Processor {
    func initialize(_ context: ProcessorContext<String, Int64>) throws {
        try context.keyValueStore("rows", key: .string, value: .int64).put("start", 1)
        try context.forward(Record(key: "start", value: 1, timestamp: 0))
    }

    func process(_ record: Record<String, String>) throws {}
}
