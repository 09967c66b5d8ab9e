import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryLMDB
import TributaryLineage
import TributaryTesting

/// Topologies that are built with fewer topics; what Kafka Streams makes of them is in the conformance cases.
@Suite struct OptimizationTests {
    private func configuration(_ folder: TemporaryFolder?) -> TestDriverConfiguration {
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = 0
        configuration.runtime.lineage.sendsCells = true
        guard let folder else { return configuration }
        configuration.persistentEngine = { [path = folder.path] task in
            try LMDBStateEngine(
                directory: "\(path)/\(task)",
                options: LMDBStateOptions(mapSize: 1 << 26, maximumTables: 16, durability: .fast))
        }
        return configuration
    }

    private func pipe(
        _ driver: TopologyTestDriver, _ topic: String, _ key: String, _ value: String?, _ timestamp: Int64 = 5
    ) throws {
        try driver.pipe(topic: topic, key: Array(key.utf8), value: value.map { Array($0.utf8) }, timestamp: timestamp)
    }

    // MARK: Source topics as changelogs

    private func table() throws -> Topology {
        let builder = StreamsBuilder()
        let table = builder.table(
            "table", key: .string, value: .string, as: "rows",
            recordTimestamp: { record in Int64(record.value?.count ?? 0) })
        builder.stream("in", key: .string, value: .string).join(table) { "\($0)\($1)" }.to("out", value: .string)
        return try builder.build(optimization: .reuseSourceTopics)
    }

    @Test(arguments: [false, true], [0, 1, 2])
    func `a table is restored from its topic, to where the topic was processed`(isKept: Bool, ends: Int) throws {
        let folder = try TemporaryFolder()
        let driver = try TopologyTestDriver(table(), configuration: configuration(isKept ? folder : nil))
        defer { driver.close() }
        try pipe(driver, "table", "a", "first")
        try pipe(driver, "table", "b", "gone")
        if ends > 0 { try driver.restart() }
        try pipe(driver, "table", "a", "second")
        try pipe(driver, "table", "b", nil)
        if ends > 1 { try driver.crash() }
        for key in ["a", "b"] { try pipe(driver, "in", key, ">", 1) }
        #expect(try driver.takeRecords(from: "out", .string, .string).map(\.value) == [">second"])
        let rows = try driver.rows(ofStore: "rows")
        #expect(rows.map(\.timestamp) == [6], "the extractor's time, live and restored")
        let arena = CellArena()
        let row = try #require(rows.first)
        let cell = try arena.decode(row.cell.span.bytes)
        #expect(arena.entries(of: cell).map(\.first) == [2])
        #expect(!cell.has(flags: Cell.gap))
        #expect(try driver.log.topics().map(\.name).sorted() == ["in", "out", "table"], "no changelog")
    }

    @Test func `a restored row says where it is from, and what can't be decoded is no row`() throws {
        let builder = StreamsBuilder()
        _ = builder.table("table", key: .string, value: .int64, as: "rows")
        var configuration = configuration(nil)
        configuration.runtime.deserializationHandler = { _ in .continue }
        let driver = try TopologyTestDriver(
            builder.build(optimization: .all), configuration: configuration)
        defer { driver.close() }
        try driver.pipe("table", "a", Int64(7), timestamp: 1)
        try pipe(driver, "table", "b", "no number")
        try driver.crash()
        let rows = try driver.rows(ofStore: "rows")
        #expect(rows.map(\.key) == [Array("a".utf8)])
        #expect(driver.dropped.isEmpty)
    }

    // MARK: Repartition topics as one

    private func grouped(_ optimization: TopologyOptimization, key: Serde<String> = .string) throws -> Topology {
        let builder = StreamsBuilder()
        let keyed = builder.stream("in", key: .string, value: .string).selectKey { _, value in String(value.prefix(2)) }
        keyed.to("direct", key: .string, value: .string)
        keyed.filter { _, value in value != "skip" }
            .groupByKey(named: "first", key: .string, value: .string).count(as: "counts").toStream().to("counts-out")
        let lengths = keyed.peek { _, _ in }
        lengths.to("between", key: .string, value: .string)
        lengths.groupByKey(named: "second", key: key, value: .string)
            .reduce(as: "reduced") { $0 + $1 }.toStream().to("reduced-out")
        // With nothing between it and the change of the key.
        keyed.groupByKey(named: "third", key: key, value: .string)
            .reduce(as: "directly") { $0 + $1 }.toStream().to("directly-out")
        return try builder.build(optimization: optimization)
    }

    private func outputs(_ topology: Topology) throws -> [String] {
        let driver = try TopologyTestDriver(topology, configuration: configuration(nil))
        defer { driver.close() }
        for value in ["apple", "bee", "ant", "skip", "bat", "apricot"] { try pipe(driver, "in", "k", value) }
        let arena = CellArena()
        return try ["direct", "between", "counts-out", "reduced-out", "directly-out"].flatMap { topic in
            try driver.log.records(in: TopicPartition(topic, 0)).map { record in
                let cell = try #require(try CellHeader.decode(record.cell.span.bytes, into: arena))
                return "\(topic) \(record.key ?? []) \(record.value ?? []) \(record.timestamp) \(cell.count)"
            }
        }
    }

    private static var reversed: Serde<String> {
        Serde(
            name: "reversed", decode: { bytes in String(try Serde<String>.string.decode(bytes).reversed()) },
            encode: { value, writer in try Serde<String>.string.encode(String(value.reversed()), &writer) })
    }

    @Test func `groupings behind one change of key share a topic, and what comes out is the same`() throws {
        let (plain, merged) = (try grouped([]), try grouped(.mergeRepartitionTopics))
        #expect(
            plain.internalTopics.filter { $0.kind == .repartition }.map(\.name).sorted() == [
                "first-repartition", "second-repartition", "third-repartition",
            ])
        #expect(merged.internalTopics.filter { $0.kind == .repartition }.map(\.name) == ["first-repartition"])
        #expect(try outputs(merged) == outputs(plain))
        #expect(merged.describe().contains("Source: first-repartition-source (topics: [first-repartition])"))
    }

    @Test func `keys are in the layout that each grouping was given, whoever's the topic's is`() throws {
        let merged = try grouped(.all, key: Self.reversed)
        #expect(try outputs(merged) == outputs(grouped([], key: Self.reversed)))
        #expect(merged.internalTopics.filter { $0.kind == .repartition }.count == 1)
    }

    @Test func `an application of such a topology has one topic for both`() async throws {
        let folder = try TemporaryFolder()
        let log = try EmbeddedLog.open(at: folder.path)
        defer { log.close() }
        try log.createTopics(
            ["in", "direct", "between", "counts-out", "reduced-out", "directly-out"].map { .kept($0) })
        let producer = try log.producer("in", of: String.self)
        for value in ["apple", "bee", "apricot"] { try producer.send("k", value, timestamp: 5) }
        try producer.close()
        let app = try StreamsApplication(
            grouped(.all),
            configuration: StreamsConfiguration(
                applicationID: "app", log: .open(log), commitInterval: .milliseconds(10), logs: .none,
                handlesSignals: false))
        async let done: Void = app.run()
        var reduced: [String] = []
        for try await record in log.records("reduced-out", of: String.self) {
            reduced.append("\(record.key ?? "")=\(record.value ?? "")")
            if reduced.last == "ap=appleapricot" { break }
        }
        app.shutdown()
        try await done
        #expect(reduced.suffix(1) == ["ap=appleapricot"])
        #expect(try log.topic("app-first-repartition") != nil)
        #expect(try log.topic("app-second-repartition") == nil)
    }

    // MARK: Self joins

    private func paired(_ optimization: TopologyOptimization) throws -> Topology {
        let builder = StreamsBuilder()
        let stream = builder.stream("in", key: .string, value: .string)
        stream.join(stream, within: .within(.milliseconds(10), grace: .milliseconds(5))) { "\($0)+\($1)" }
            .to("out", value: .string)
        return try builder.build(optimization: optimization)
    }

    @Test func `a stream joined with itself needs one store for the same pairs`() throws {
        func pairs(_ topology: Topology) throws -> [String] {
            let driver = try TopologyTestDriver(topology, configuration: configuration(nil))
            defer { driver.close() }
            for (index, time) in [Int64(10), 15, 12, 40, 40, 33].enumerated() {
                try pipe(driver, "in", index == 2 ? "b" : "a", "\(index)", time)
            }
            let arena = CellArena()
            return try driver.log.records(in: TopicPartition("out", 0)).map { record in
                let cell = try #require(try CellHeader.decode(record.cell.span.bytes, into: arena))
                return
                    "\(String(decoding: record.value ?? [], as: UTF8.self)) \(record.timestamp) \(cell.count) \(cell.digest)"
            }
        }
        let (two, one) = (try paired([]), try paired(.singleStoreSelfJoins))
        #expect(two.stores.count == 2)
        #expect(one.stores.count == 1)
        #expect(try pairs(one) == pairs(two))
    }
}
