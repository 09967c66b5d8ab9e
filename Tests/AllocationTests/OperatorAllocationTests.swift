import CAllocationCounter
import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryTesting

/// What the stateful operators allocate where keys come again, in some 4,000 records of each topic: at best nothing for a record.
///
/// In debug builds each change from one topic to the other, after a hundred records, takes five.
@Suite(.enabled(if: allocation_counter_works(), "sanitizers have allocators of their own"))
struct OperatorAllocationTests {
    private let count = 4_000

    private func allocations(
        _ mode: LineageMode, _ topics: [String], flushes: Bool = false, _ build: (StreamsBuilder) throws -> Void
    ) throws -> Int64 {
        let builder = StreamsBuilder()
        try build(builder)
        let task = try TaskUnderTest(builder, mode, topics: topics)
        return try task.allocations(
            topics, warmUp: records(0..<count), measured: records(count..<2 * count), flushes: flushes)
    }

    private func records(_ indices: Range<Int>) -> [LoggedRecord] {
        indices.map { index in
            LoggedRecord(
                offset: Int64(index), timestamp: 1_000_000 + Int64(index), key: TaskUnderTest.integer(index % 100),
                value: TaskUnderTest.integer(index))
        }
    }

    @Test(arguments: LineageMode.allCases)
    func `counting sessions that go on allocates nothing for a record`(_ mode: LineageMode) throws {
        let allocations = try allocations(mode, ["in"]) { builder in
            builder.stream("in", key: .int64, value: .int64).groupByKey()
                .windowedBy(.inactivity(gap: .milliseconds(250), grace: .milliseconds(1000))).count(as: "counts")
                .toStream().to("out")
        }
        #expect(allocations < 20)
    }

    @Test(arguments: LineageMode.allCases)
    func `counting in sliding windows allocates nothing for a record`(_ mode: LineageMode) throws {
        let allocations = try allocations(mode, ["in"]) { builder in
            builder.stream("in", key: .int64, value: .int64).groupByKey()
                .windowedBy(SlidingWindows.within(.milliseconds(250), grace: .milliseconds(1000))).count(as: "counts")
                .toStream().to("out")
        }
        #expect(allocations < 40)
    }

    @Test(arguments: LineageMode.allCases)
    func `flushing windows, whose keys are long, allocates nothing for a row`(_ mode: LineageMode) throws {
        let sliding = try allocations(mode, ["in"], flushes: true) { builder in
            builder.stream("in", key: .int64, value: .int64).groupByKey()
                .windowedBy(SlidingWindows.within(.milliseconds(250), grace: .milliseconds(1000))).count(as: "counts")
                .toStream().to("out")
        }
        #expect(sliding < 1_000)
        let sessions = try allocations(mode, ["in"], flushes: true) { builder in
            builder.stream("in", key: .int64, value: .int64).groupByKey()
                .windowedBy(.inactivity(gap: .milliseconds(50), grace: .milliseconds(1000))).count(as: "counts")
                .toStream().to("out")
        }
        #expect(sessions < 1_000)
    }

    @Test(arguments: LineageMode.allCases)
    func `joining two streams allocates for new pages in memory only`(_ mode: LineageMode) throws {
        let allocations = try allocations(mode, ["in", "right"]) { builder in
            builder.stream("in", key: .int64, value: .int64)
                .join(
                    builder.stream("right", key: .int64, value: .int64),
                    within: .within(.milliseconds(250), grace: .milliseconds(250))
                ) { $0 &+ $1 }
                .to("out", value: .int64)
        }
        #expect(allocations < 2_000)
    }

    @Test(arguments: LineageMode.allCases)
    func `joining two streams from both sides allocates for new pages in memory only`(_ mode: LineageMode) throws {
        let allocations = try allocations(mode, ["in", "right"]) { builder in
            builder.stream("in", key: .int64, value: .int64).filter { key, _ in key < 50 }
                .outerJoin(
                    builder.stream("right", key: .int64, value: .int64).filter { key, _ in key > 40 },
                    within: .within(.milliseconds(250), grace: .milliseconds(250))
                ) { ($0 ?? 0) &+ ($1 ?? 0) }
                .to("out", value: .int64)
        }
        #expect(allocations < 2_000)
    }

    @Test(arguments: LineageMode.allCases)
    func `joining two tables allocates for a run of records only`(_ mode: LineageMode) throws {
        let allocations = try allocations(mode, ["in", "right"]) { builder in
            builder.table("in", key: .int64, value: .int64, as: "left")
                .join(builder.table("right", key: .int64, value: .int64, as: "right")) { $0 &+ $1 }
                .toStream().to("out", value: .int64)
        }
        #expect(allocations < 500)
    }

    @Test(arguments: LineageMode.allCases)
    func `suppressing until windows close allocates nothing for a record`(_ mode: LineageMode) throws {
        let allocations = try allocations(mode, ["in"]) { builder in
            builder.stream("in", key: .int64, value: .int64).groupByKey()
                .windowedBy(.tumbling(size: .milliseconds(200), grace: .milliseconds(100))).count(as: "counts")
                .suppress(.untilWindowCloses()).toStream().to("out")
        }
        #expect(allocations < 20)
    }

    @Test(arguments: LineageMode.allCases)
    func `joining versions of a table allocates for new pages in memory only`(_ mode: LineageMode) throws {
        let allocations = try allocations(mode, ["in", "rows"]) { builder in
            let rows = builder.table(
                "rows", key: .int64, value: .int64,
                materialized: Materialized(as: "rows", type: .versioned(history: .milliseconds(500))))
            builder.stream("in", key: .int64, value: .int64).join(rows, grace: .milliseconds(100)) { $0 &+ $1 }
                .to("out", value: .int64)
        }
        #expect(allocations < 3_000)
    }

    @Test(arguments: LineageMode.allCases)
    func `joining by a foreign key allocates nothing for a record`(_ mode: LineageMode) throws {
        let allocations = try allocations(mode, ["in"]) { builder in
            builder.table("in", key: .int64, value: .int64, as: "left")
                .join(builder.table("right", key: .int64, value: .int64, as: "right"), on: { $0 % 10 }) { $0 &+ $1 }
                .toStream().to("out", value: .int64)
        }
        #expect(allocations < 20)
    }
}
