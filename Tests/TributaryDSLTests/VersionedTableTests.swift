import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryTesting

/// Tables that keep versions, joins that look into the past or wait, and transformed tables; what Kafka Streams does record for record is in the
/// conformance cases.
@Suite struct VersionedTableTests {
    private func driver(_ describe: (StreamsBuilder) -> Void) throws -> TopologyTestDriver {
        let builder = StreamsBuilder()
        describe(builder)
        var configuration = TestDriverConfiguration()
        configuration.runtime.lineage.sendsCells = true
        return try TopologyTestDriver(builder.build(), configuration: configuration)
    }

    private func pipe(
        _ driver: TopologyTestDriver, _ topic: String, _ key: String?, _ value: String?, at time: Int64,
        headers: Headers = Headers()
    ) throws {
        try driver.pipe(
            topic: topic, key: key.map { Array($0.utf8) }, value: value.map { Array($0.utf8) }, timestamp: time,
            headers: headers)
    }

    private func cells(_ driver: TopologyTestDriver, _ topic: String) throws -> [Cell] {
        let arena = CellArena()
        return try driver.log.records(in: TopicPartition(topic, 0)).map { record in
            try #require(try CellHeader.decode(record.cell.span.bytes, into: arena))
        }
    }

    private func versioned(_ builder: StreamsBuilder, _ topic: String = "table") -> KTable<String, String> {
        builder.table(
            topic, key: .string, value: .string,
            materialized: Materialized(as: "\(topic)-store", type: .versioned(history: .milliseconds(100))))
    }

    @Test func `a join finds the version of a record's time, after a restart too`() throws {
        let driver = try driver { builder in
            let table = versioned(builder).mapValues { $0 + "!" }
            builder.stream("in", key: .string, value: .string)
                .leftJoin(table, result: .string) { $0 + ($1 ?? "-") }.to("out")
        }
        defer { driver.close() }
        for (value, time) in [("A", 10), ("C", 30), ("B", 20), (nil, 40)] as [(String?, Int64)] {
            try pipe(driver, "table", "k", value, at: time)
        }
        let times: [Int64] = [9, 10, 25, 30, 45]
        for time in times { try pipe(driver, "in", "k", "v", at: time) }
        try driver.restart()
        for time in times { try pipe(driver, "in", "k", "v", at: time) }
        let out = try driver.takeRecords(from: "out", .string, .string)
        #expect(out.map(\.value) == ["v-", "vA!", "vB!", "vC!", "v-", "v-", "vA!", "vB!", "vC!", "v-"])
        let cells = try cells(driver, "out")
        #expect(cells.map(\.count) == [1, 2, 2, 2, 1, 1, 2, 2, 2, 1])
        // As those of other records of the same row.
        #expect(Set(cells[1...3].map(\.latest)) == [10, 25, 30])
    }

    @Test(arguments: [false, true])
    func `a record waits for rows that come late`(restarts: Bool) throws {
        let driver = try driver { builder in
            let table = versioned(builder)
            builder.stream("in", key: .string, value: .string)
                .join(table, named: "joined", result: .string, grace: .milliseconds(10)) { $0 + $1 }.to("out")
        }
        let headers = Headers([("h", [49]), ("none", nil)])
        try pipe(driver, "in", "k", "1", at: 10, headers: headers)
        try pipe(driver, "in", "j", "2", at: 10)
        try pipe(driver, "table", "k", "A", at: 10)
        if restarts { try driver.restart() }
        #expect(try driver.takeRecords(from: "out", .string, .string).isEmpty)
        try pipe(driver, "in", "k", "3", at: 21)
        try pipe(driver, "in", "k", "4", at: 10)
        let out = try driver.takeRecords(from: "out", .string, .string)
        #expect(out.map(\.value) == ["1A", "4A"] && out.map(\.timestamp) == [10, 10])
        #expect(out[0].headers == headers && out[1].headers == Headers())
        #expect(try cells(driver, "out").map(\.count) == [2, 2])
        let spans = LinkTests.spans(driver)
        driver.close()
        let emitted = spans.filter { $0.name == "emit joined-Buffer" }
        #expect(emitted.count == 2 && emitted.allSatisfy { $0.links.map(\.type) == [.trigger] })
        let reads = spans.filter { $0.name == "get table-store" && $0.links.contains { $0.type == .joined } }
        #expect(reads.contains { read in emitted.contains { $0.span.context.span == read.span.parent } })
    }

    @Test func `a left join with a grace can't keep a record without key`() throws {
        let driver = try driver { builder in
            builder.stream("in", key: Serde<String>.string.optional, value: .string)
                .leftJoin(versioned(builder), result: .string, grace: .milliseconds(10)) { $0 + ($1 ?? "") }.to("out")
        }
        defer { driver.close() }
        let failure = #expect(throws: TaskFailure.self) { try pipe(driver, "in", nil, "1", at: 10) }
        #expect(failure?.cause is JoinNeedsKey)
    }

    @Test func `versions that come late pass a filter, and neither a grouping nor a join of tables`() throws {
        let driver = try driver { builder in
            let table = versioned(builder)
            table.filter { _, value in value != "no" }.toStream().to("filtered")
            table.groupBy(key: .string, value: .string) { _, value in (value, value) }
                .count().toStream().to("counts", value: .int64)
            table.join(versioned(builder, "other"), value: .string) { $0 + $1 }.toStream().to("joined")
        }
        defer { driver.close() }
        try pipe(driver, "other", "k", "O", at: 0)
        for (value, time) in [("A", 10), ("B", 20), ("A", 15), ("no", 16)] as [(String, Int64)] {
            try pipe(driver, "table", "k", value, at: time)
        }
        #expect(
            try driver.takeRecords(from: "filtered", .string, Serde<String>.string.optional).map(\.value)
                == ["A", "B", "A", nil])
        #expect(try driver.takeRecords(from: "counts", .string, .int64).map(\.value) == [1, 0, 1])
        #expect(try driver.takeRecords(from: "joined", .string, .string).map(\.value) == ["AO", "BO"])
        #expect(driver.dropped[.outdated] == 2)
        try pipe(driver, "table", "k", "C", at: 200)
        try pipe(driver, "table", "k", "late", at: 99)
        #expect(driver.dropped[.expired] == 1)
    }

    @Test func `what needs versions is refused without`() {
        func problem(_ history: Duration?) -> TopologyError.Code? {
            let builder = StreamsBuilder()
            let table = builder.table(
                "table", key: .string, value: .string,
                materialized: Materialized(as: "t", type: history.map { .versioned(history: $0) } ?? .persistent))
            _ = builder.stream("in", key: .string, value: .string)
                .join(table, result: .string, grace: .milliseconds(10)) { $0 + $1 }
            do { _ = try builder.build() } catch { return (error as? TopologyError)?.code }
            return nil
        }
        #expect(problem(nil) == .invalidSetting)
        #expect(problem(.milliseconds(9)) == .invalidSetting)
        #expect(problem(.milliseconds(10)) == nil)
    }

    private final class Naming: TableTransformer {
        private let handle: StoreHandle<KeyValueStore<String, String>>
        private var names: KeyValueStore<String, String>?

        init(_ handle: StoreHandle<KeyValueStore<String, String>>) { self.handle = handle }

        func initialize(_ context: ProcessingContext) throws { names = try context.store(handle) }

        func transform(_ key: String, _ value: String?) throws -> String? {
            guard let value else { return nil }
            return "\(value) \(try names?.get(key)?.value ?? "?")"
        }
    }

    private final class Keeping: Processor {
        typealias KeyOut = String
        typealias ValueOut = String
        private let handle: StoreHandle<KeyValueStore<String, String>>
        private var names: KeyValueStore<String, String>?

        init(_ handle: StoreHandle<KeyValueStore<String, String>>) { self.handle = handle }

        func initialize(_ context: ProcessorContext<String, String>) throws { names = try context.store(handle) }
        func process(_ record: Record<String, String>) throws { try names?.put(record.key, record.value) }
    }

    @Test(arguments: [nil, "kept"])
    func `a transformed table reads stores, which its lineage says`(name: String?) throws {
        let driver = try driver { builder in
            let names = builder.store(.keyValue("names"), of: String.self)
            builder.stream("names", key: .string, value: .string).process(stores: [names]) { Keeping(names) }
            let table = builder.table("table", key: .string, value: .string)
                .transformValues(as: name, value: .string, stores: [names]) { Naming(names) }
            table.toStream().to("out")
            builder.stream("in", key: .string, value: .string)
                .join(table, result: .string) { $0 + $1 }.to("joined")
        }
        defer { driver.close() }
        try pipe(driver, "names", "k", "N", at: 0)
        try pipe(driver, "table", "k", "v", at: 1)
        try pipe(driver, "in", "k", "+", at: 2)
        try pipe(driver, "table", "k", nil, at: 3)
        #expect(
            try driver.takeRecords(from: "out", .string, Serde<String>.string.optional).map(\.value) == ["v N", nil])
        #expect(try driver.takeRecords(from: "joined", .string, .string).map(\.value) == ["+v N"])
        let cells = try cells(driver, "out") + cells(driver, "joined")
        #expect(cells.map(\.count) == [2, 1, 3])
        #expect(cells.map { $0.has(flags: Cell.bound) } == [true, false, true])
    }
}
