import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryTesting

/// Records that go to several partitions, or to none.
@Suite struct MulticastTests {
    private func driver(_ describe: (StreamsBuilder) -> Void) throws -> TopologyTestDriver {
        let builder = StreamsBuilder()
        describe(builder)
        var configuration = TestDriverConfiguration()
        configuration.partitions = 3
        configuration.runtime.lineage.sendsCells = true
        return try TopologyTestDriver(builder.build(), configuration: configuration)
    }

    // What a record says: a digit is a partition, `*` all, `-` none, and a text without those the key's own.
    @Sendable private static func choose(_ key: String, _ value: String?, _ partitions: Int32) -> PartitionChoice {
        guard let value, value != "key" else { return .byKey }
        if value == "*" { return .all }
        let chosen = value.compactMap { $0.wholeNumberValue.map(Int32.init) }
        return chosen.count == 1 ? .only(chosen[0]) : .each(Set(chosen))
    }

    private func partitions(_ driver: TopologyTestDriver, of topic: String) -> [[String]] {
        (0..<3).map { partition in
            driver.log.records(in: TopicPartition(topic, Int32(partition))).map { record in
                record.value.map { String(decoding: $0, as: UTF8.self) } ?? "null"
            }
        }
    }

    @Test func `a record goes to each partition that is chosen, and a tombstone where its key says`() throws {
        let driver = try driver { $0.stream("in", of: String.self).to("out", multicast: Self.choose) }
        defer { driver.close() }
        for value in ["2", "02", "*", "key", "-"] { try driver.pipe("in", "a", value, timestamp: 1) }
        try driver.pipe(topic: "in", key: Array("a".utf8), value: nil, timestamp: 1)
        let own = Int(partition(forKey: Array("a".utf8).span.bytes, count: 3))
        var wanted = [["02", "*"], ["*"], ["2", "02", "*"]]
        wanted[own] += ["key", "null"]
        #expect(partitions(driver, of: "out") == wanted)
        #expect(driver.dropped == [.noPartition: 1])
    }

    @Test func `each copy has the cell of its record`() throws {
        let driver = try driver { $0.stream("in", of: String.self).to("out", multicast: { _, _, _ in .all }) }
        defer { driver.close() }
        try driver.pipe("in", "a", "x", timestamp: 1)
        let arena = CellArena()
        for partition in 0..<3 {
            let record = try #require(driver.log.records(in: TopicPartition("out", Int32(partition))).first)
            let cell = try #require(try CellHeader.decode(record.cell.span.bytes, into: arena))
            #expect(cell.count == 1 && arena.entries(of: cell).map(\.first) == [0])
        }
    }

    @Test func `a repartition topic and a topic that is chosen have partitions that are chosen`() throws {
        let driver = try driver { builder in
            let stream = builder.stream("in", of: String.self)
            stream.repartition(named: "again", partitions: 3, multicast: Self.choose).to("out")
            stream.to(multicast: Self.choose) { _, _, _ in "chosen" }
            stream.to(partitioner: { _, value, _ in value.map { Int32($0.count) } }) { _, _, _ in "sized" }
        }
        defer { driver.close() }
        for topic in ["chosen", "sized"] {
            try driver.log.createTopics([TopicSpecification(topic, partitions: 3)])
        }
        for value in ["01", "2"] { try driver.pipe("in", "a", value, timestamp: 1) }
        #expect(partitions(driver, of: "app-again-repartition") == [["01"], ["01"], ["2"]])
        #expect(partitions(driver, of: "chosen") == [["01"], ["01"], ["2"]])
        #expect(partitions(driver, of: "sized") == [[], ["2"], ["01"]])
    }

    @Test func `a partition that there isn't is the record's failure, and two partitioners are refused`() throws {
        let driver = try driver { $0.stream("in", of: String.self).to("out", multicast: Self.choose) }
        defer { driver.close() }
        #expect { try driver.pipe("in", "a", "17", timestamp: 1) } throws: { "\($0)".contains("partition 7") }
        let builder = StreamsBuilder()
        builder.stream("in", of: String.self).to("out", partitioner: { _, _, _ in 0 }, multicast: Self.choose)
        #expect { try builder.build() } throws: { "\($0)".contains("both a partitioner") }
    }
}
