import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryLMDB

/// An application that finds its state damaged.
@Suite(.timeLimit(.minutes(10))) struct DamagedStateTests {
    private let folder: TemporaryFolder
    private let log: EmbeddedLog
    private let warnings = Guarded<[LogMessage]>([])
    private var file: String { folder.path + "/state/count/0_0/state.mdb" }

    init() throws {
        folder = try TemporaryFolder()
        log = try EmbeddedLog.open(at: folder.path)
        try log.createTopics([.kept("in"), .kept("out")])
    }

    private func topology(logging: Bool = true) throws -> Topology {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).groupByKey()
            .count(materialized: Materialized(as: "counts", logging: logging)).toStream().to("out")
        return try builder.build()
    }

    private func run(_ topology: Topology, records: Int, waiting: Int = 0) async throws {
        try ApplicationTests().produce(log, records, keys: 10)
        var configuration = StreamsConfiguration(
            applicationID: "count", log: .open(log), guarantee: .exactlyOnce, commitInterval: .milliseconds(20),
            logs: LogSink(level: .warning) { [warnings] line in warnings.withLock { $0.append(line) } },
            handlesSignals: false)
        configuration.stateMapSize = 1 << 28
        try await ApplicationTests().runUntilDone(topology, configuration, records: Int64(records + waiting))
    }

    private func expectCounts(_ count: Int64) throws {
        let expected = Dictionary(uniqueKeysWithValues: (0..<10).map { ("key-\($0)", count) })
        #expect(try ApplicationTests().latest(log, "out") == expected)
    }

    /// The reasons of the rebuilds since the last call.
    private func takeRebuilds() -> [String] {
        warnings.withLock { lines in
            defer { lines = [] }
            return lines.filter { $0.message == "the state of a task is rebuilt from its changelogs" }
                .compactMap { line in line.metadata.first { $0.key == "reason" }?.value }
        }
    }

    private func cut() throws {
        let bytes = try contents(file)
        try folder.file("state/count/0_0/state.mdb", Array(bytes.prefix(bytes.count / 2 + 100)))
    }

    /// Turns a bit of a key that is in use.
    private func turnKey() throws {
        let (all, key) = (try contents(file), Array("key-3".utf8))
        let places = try LMDBFileMap(file).bytes(.leafBody).flatMap { range in
            range.filter { $0 + key.count <= all.count && Array(all[$0..<($0 + key.count)]) == key }
        }
        try BitFlip(offset: try #require(places.first), bit: 2).apply(to: file)
    }

    @Test func `damaged and cut state is built anew once, with a warning, and counts go on`() async throws {
        let topology = try topology()
        try await run(topology, records: 100)
        #expect(takeRebuilds() == [])
        try turnKey()
        try await run(topology, records: 100)
        let reasons = takeRebuilds()
        #expect(reasons.count == 1 && reasons.first?.contains("is not what was written") == true, "\(reasons)")
        try await run(topology, records: 100)
        #expect(takeRebuilds() == [], "once")
        try cut()
        try await run(topology, records: 100)
        #expect(takeRebuilds().count == 1)
        try folder.file("state/count/0_0/state.mdb-damaged", "a row of counts")
        try await run(topology, records: 100)
        #expect(takeRebuilds().first?.contains("a row of counts") == true)
        try expectCounts(50)
    }

    @Test func `damaged state with a store that has no changelog is refused at each start, and is still there`()
        async throws
    {
        let topology = try topology(logging: false)
        try await run(topology, records: 100)
        try turnKey()
        let damaged = try contents(file)
        for _ in 0..<2 {
            let error = await #expect(throws: StoreError.self) { try await run(topology, records: 100) }
            #expect(error?.code == .corrupt && error?.store == "counts")
            #expect(error?.message.contains("delete that folder") == true, "\(error?.message ?? "")")
            #expect(try contents(file) == damaged)
        }
        removeTree(folder.path + "/state/count/0_0")
        try await run(topology, records: 100, waiting: 200)
        try expectCounts(30)
    }
}
