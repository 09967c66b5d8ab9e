import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryTesting

/// Joins of tables by foreign key; what Kafka Streams does record for record is in the conformance cases.
@Suite struct ForeignKeyJoinTests {
    private func configuration() -> TestDriverConfiguration {
        var configuration = TestDriverConfiguration()
        configuration.runtime.lineage.sendsCells = true
        return configuration
    }

    /// Rows "<foreign key><rest>": a `-` stands for none.
    private static func foreignKey(_ row: String) -> String? { row.first == "-" ? nil : row.first.map { String($0) } }

    private func topology(isLeft: Bool, inMemory: Bool = false, named: String? = nil) throws -> Topology {
        let builder = StreamsBuilder(inMemoryStores: inMemory)
        let orders = builder.table("orders", of: String.self)
        let customers = builder.table("customers", of: String.self)
        let joined =
            isLeft
            ? orders.leftJoin(customers, on: { Self.foreignKey($0) }, value: .string, named: named) { order, customer in
                "\(order)+\(customer ?? "-")"
            }
            : orders.join(customers, on: { Self.foreignKey($0) }, value: .string, named: named) { order, customer in
                "\(order)+\(customer)"
            }
        joined.toStream().to("out")
        return try builder.build()
    }

    private func pipe(_ driver: TopologyTestDriver, _ topic: String, _ key: String, _ value: String?) throws {
        try driver.pipe(topic: topic, key: Array(key.utf8), value: value.map { Array($0.utf8) }, timestamp: 5)
    }

    /// Changes since the last look, as "key=value".
    private func changes(_ driver: TopologyTestDriver) throws -> [String] {
        try driver.takeRecords().filter { $0.topic == "out" }.map { _, record in
            let value = record.value.map { String(decoding: $0, as: UTF8.self) }
            return "\(String(decoding: record.key ?? [], as: UTF8.self))=\(value ?? "null")"
        }
    }

    private func cells(_ driver: TopologyTestDriver) throws -> [Cell] {
        let arena = CellArena()
        return try driver.log.records(in: TopicPartition("out", 0)).map { record in
            try #require(try CellHeader.decode(record.cell.span.bytes, into: arena))
        }
    }

    @Test func `each change of either side makes the rows anew that name each other`() throws {
        let driver = try TopologyTestDriver(topology(isLeft: false), configuration: configuration())
        defer { driver.close() }
        try pipe(driver, "orders", "2", "a2")
        try pipe(driver, "orders", "1", "a1")
        #expect(try changes(driver) == [])
        try pipe(driver, "customers", "a", "A")
        #expect(try changes(driver) == ["1=a1+A", "2=a2+A"])
        try pipe(driver, "orders", "1", "b1")
        #expect(try changes(driver) == ["1=null"])
        try pipe(driver, "customers", "a", nil)
        #expect(try changes(driver) == ["2=null"])
        try pipe(driver, "orders", "2", nil)
        #expect(try changes(driver) == ["2=null"])
        #expect(
            try driver.rows(ofStore: try #require(driver.storeNames.first { $0.contains("SUBSCRIPTION") })).count == 1)
    }

    @Test func `a left join has each row, and the cell of a row alone is of that row alone`() throws {
        let driver = try TopologyTestDriver(topology(isLeft: true), configuration: configuration())
        defer { driver.close() }
        try pipe(driver, "orders", "1", "a1")
        try pipe(driver, "customers", "a", "A")
        try pipe(driver, "customers", "a", nil)
        try pipe(driver, "orders", "1", "-1")
        try pipe(driver, "orders", "1", nil)
        #expect(try changes(driver) == ["1=a1+-", "1=a1+A", "1=a1+-", "1=-1+-", "1=null"])
        #expect(try cells(driver).map(\.count) == [1, 2, 1, 1, 1])
    }

    @Test func `an answer is routed by its subscription, and made of both rows`() throws {
        let driver = try TopologyTestDriver(topology(isLeft: false, named: "fk"), configuration: configuration())
        defer { driver.close() }
        try pipe(driver, "orders", "1", "a1")
        try pipe(driver, "customers", "a", "A")
        let spans = LinkTests.spans(driver)
        let subscription = try #require(spans.first { $0.name == "put fk-subscription-store" })
        let answer = try #require(spans.last { $0.name == "send app-fk-subscription-response-topic" })
        #expect(answer.links.map(\.type) == [.routed] && answer.links.map(\.context) == [subscription.span.context])
        let row = try #require(spans.first { $0.name == "put orders-STATE-STORE-0000000000" })
        let joined = try #require(spans.last { $0.links.contains { $0.type == .joined } })
        #expect(joined.links.map(\.context) == [row.span.context])
    }

    @Test(arguments: [false, true])
    func `subscriptions are there after a restart`(inMemory: Bool) throws {
        let driver = try TopologyTestDriver(
            topology(isLeft: false, inMemory: inMemory), configuration: configuration())
        defer { driver.close() }
        for number in 0..<300 { try pipe(driver, "orders", "\(1000 + number)", "a\(number)") }
        try driver.restart()
        try pipe(driver, "customers", "a", "A")
        let changes = try changes(driver)
        #expect(changes.count == 300 && changes.first == "1000=a0+A" && changes.last == "1299=a299+A")
        #expect(try cells(driver).allSatisfy { $0.count == 2 && !$0.has(flags: Cell.gap) })
    }

    @Test func `the foreign key may come from the key, and the partitions from closures`() throws {
        let builder = StreamsBuilder()
        let orders = builder.table("orders", of: String.self)
        orders.join(
            builder.table("customers", of: String.self), onRow: { key, _ in String(key.prefix(1)) }, as: "kept",
            value: .string,
            joined: TableJoined(
                named: "fk", partitioner: { _, partitions in partitions - 1 },
                otherPartitioner: { key, partitions in key == "x" ? partitions : 0 })
        ) { $0 + $1 }
        .toStream().to("out")
        var configuration = configuration()
        configuration.runtime.processingHandler = { _ in .continue }
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration)
        defer { driver.close() }
        for (key, value) in [("a1", "1"), ("x1", "2")] { try pipe(driver, "orders", key, value) }
        for key in ["a", "x"] { try pipe(driver, "customers", key, key.uppercased()) }
        #expect(try changes(driver) == ["a1=1A"])
        #expect(driver.dropped[.processing] == 1)
        #expect(try driver.rows(ofStore: "kept").map { String(decoding: $0.value, as: UTF8.self) } == ["1A"])
    }

    @Test func `bytes that are no message between the tables are refused`() throws {
        let driver = try TopologyTestDriver(topology(isLeft: false, named: "fk"), configuration: configuration())
        driver.close()
        for topic in ["fk-subscription-registration-topic", "fk-subscription-response-topic"] {
            for value in [[], [2], [1, 9], [1, 2, 3], [0x81, 1, 0]] as [[UInt8]] {
                let driver = try TopologyTestDriver(
                    topology(isLeft: false, named: "fk"), configuration: configuration())
                defer { driver.close() }
                let record = LoggedRecord(
                    offset: 0, timestamp: 0, key: [0x61], value: value, headers: Headers(), context: .none, cell: [],
                    lineageHeaders: Headers())
                _ = try driver.log.append(record, to: TopicPartition("app-\(topic)", 0))
                #expect(throws: (any Error).self) { try driver.advanceWallClock(by: .zero) }
            }
        }
    }
}
