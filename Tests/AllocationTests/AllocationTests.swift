import CAllocationCounter
import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryTesting

/// The runtime's own path allocates nothing per record once it is warm, whatever lineage is kept.
@Suite(.enabled(if: allocation_counter_works(), "sanitizers have allocators of their own"))
struct AllocationTests {
    private let count = 2_000

    @Test(arguments: LineageMode.allCases)
    func `counting by text keys through the cache allocates nothing`(_ mode: LineageMode) throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).groupByKey().count(as: "counts").toStream().to("out")
        let task = try TaskUnderTest(builder, mode, topics: ["in"])
        let records = TaskUnderTest.records(
            count, key: { TaskUnderTest.text($0 % 100) }, value: { _ in [UInt8](repeating: 118, count: 100) })
        let allocations = try task.allocations("in", records)
        #expect(allocations == 0)
    }

    @Test(arguments: LineageMode.allCases)
    func `filtering and mapping integers allocates nothing`(_ mode: LineageMode) throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .int64, value: .int64)
            .filter { _, value in value % 2 == 0 }
            .mapValues { $0 &+ 1 }
            .to("out", key: .int64, value: .int64)
        let task = try TaskUnderTest(builder, mode, topics: ["in"])
        let records = TaskUnderTest.records(
            count, key: { TaskUnderTest.integer($0 % 100) }, value: { TaskUnderTest.integer($0) })
        let allocations = try task.allocations("in", records)
        #expect(allocations == 0)
        #expect(task.producer.records >= count - 1)
    }

    @Test(arguments: LineageMode.allCases)
    func `joining a table and aggregating integers allocates nothing`(_ mode: LineageMode) throws {
        let builder = StreamsBuilder()
        let table = builder.table("rates", key: .int64, value: .int64, as: "rates")
        builder.stream("in", key: .int64, value: .int64)
            .join(table) { value, rate in value &* rate }
            .groupByKey(key: .int64, value: .int64)
            .aggregate(into: 0, as: "sums", value: .int64) { sum, value in sum &+= value }
            .toStream().to("out")
        let task = try TaskUnderTest(builder, mode, topics: ["in", "rates"])
        let rates = (0..<100).map { index in
            LoggedRecord(
                offset: Int64(index), timestamp: Int64(index), key: TaskUnderTest.integer(index),
                value: TaskUnderTest.integer(3))
        }
        try task.add("rates", rates)
        let records = TaskUnderTest.records(
            count, key: { TaskUnderTest.integer($0 % 100) }, value: { TaskUnderTest.integer($0) })
        let allocations = try task.allocations("in", records)
        #expect(allocations == 0)
    }

    @Test(arguments: LineageMode.allCases)
    func `counting in windows allocates nothing`(_ mode: LineageMode) throws {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .groupByKey().windowedBy(.tumbling(size: .seconds(60), grace: .seconds(600)))
            .count(as: "windows").toStream().to("out")
        let task = try TaskUnderTest(builder, mode, topics: ["in"])
        let records = TaskUnderTest.records(
            count, key: { TaskUnderTest.text($0 % 100) }, value: { _ in [UInt8](repeating: 118, count: 100) })
        let allocations = try task.allocations("in", records)
        #expect(allocations == 0)
    }

    @Test(arguments: LineageMode.allCases)
    func `leaving out duplicates, or what is throttled, allocates nothing`(_ mode: LineageMode) throws {
        for isThrottle in [false, true] {
            let builder = StreamsBuilder()
            let stream = builder.stream("in", key: .int64, value: .int64)
            let left =
                isThrottle
                ? stream.throttle(3, per: .seconds(3600)) : stream.deduplicate(within: .seconds(3600)) { $0 % 2 }
            left.to("out", key: .int64, value: .int64)
            let task = try TaskUnderTest(builder, mode, topics: ["in"])
            let records = TaskUnderTest.records(
                count, key: { TaskUnderTest.integer($0 % 50) }, value: { TaskUnderTest.integer($0) })
            let allocations = try task.allocations("in", records)
            #expect(allocations == 0)
        }
    }

    @Test(arguments: LineageMode.allCases)
    func `joining with the latest record allocates nothing`(_ mode: LineageMode) throws {
        let builder = StreamsBuilder()
        let latest = builder.stream("quotes", key: .int64, value: .int64).latest(within: .seconds(3600))
        builder.stream("in", key: .int64, value: .int64).join(latest) { $0 &* $1 }
            .to("out", key: .int64, value: .int64)
        let task = try TaskUnderTest(builder, mode, topics: ["in", "quotes"])
        let quotes = (0..<100).map { index in
            LoggedRecord(
                offset: Int64(index), timestamp: 0, key: TaskUnderTest.integer(index), value: TaskUnderTest.integer(3))
        }
        try task.add("quotes", quotes)
        let records = TaskUnderTest.records(
            count, key: { TaskUnderTest.integer($0 % 100) }, value: { TaskUnderTest.integer($0) })
        let allocations = try task.allocations("in", records)
        #expect(allocations == 0)
    }
}
