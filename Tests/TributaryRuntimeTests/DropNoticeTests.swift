import Testing
import TributaryCore
import TributaryDSL
import TributaryTesting

@testable import TributaryRuntime

/// How many lines a log gets of records that are left out.
@Suite struct DropNoticeTests {
    private func rig() throws -> TaskRig {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).groupByKey()
            .windowedBy(.tumbling(size: .milliseconds(10))).count(as: "counts").toStream().to("out")
        let rig = try TaskRig(builder)
        try rig.log.createTopics([TopicSpecification("out")])
        try rig.start()
        try rig.send("in", "a", "1", timestamp: 1_000_000)
        return rig
    }

    private func lines(_ rig: TaskRig) -> [String] {
        rig.takeWarnings().map { line in
            (line.metadata.first { $0.key == "count" }?.value ?? "1") + " " + line.message
        }
    }

    @Test func `ten in a second have a line each, the others are said by their number`() throws {
        let rig = try rig()
        for index in 0..<500 { try rig.send("in", "a", "late", timestamp: Int64(index)) }
        try rig.process()
        try rig.commit()
        #expect(lines(rig) == Array(repeating: "1 a record was left out", count: 10))
        rig.clock.advance(1_000)
        try rig.commit()
        #expect(lines(rig) == ["490 more records were left out"])
        #expect(try rig.task.dropped[.expired] == 500)
    }

    @Test func `a new second has ten lines again, and begins with the number of the one before`() throws {
        let rig = try rig()
        for index in 0..<12 { try rig.send("in", "a", "late", timestamp: Int64(index)) }
        try rig.process()
        #expect(lines(rig).count == 10)
        rig.clock.advance(1_000)
        try rig.send("in", "a", "late", timestamp: 0)
        try rig.process()
        #expect(lines(rig) == ["2 more records were left out", "1 a record was left out"])
    }

    @Test func `a task that ends says how many there were`() throws {
        let rig = try rig()
        for index in 0..<25 { try rig.send("in", "a", "late", timestamp: Int64(index)) }
        try rig.process()
        _ = rig.takeWarnings()
        try rig.task.close()
        #expect(lines(rig) == ["15 more records were left out"])
    }
}
