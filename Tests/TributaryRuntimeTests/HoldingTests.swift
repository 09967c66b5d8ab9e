import Testing
import TributaryCore
import TributaryDSL
import TributaryTesting

@testable import TributaryRuntime

/// Which tasks have what they send wait for the next commit, and what two tasks do at once.
@Suite struct HoldingTests {
    private func loses(cacheBytes: Int = 1 << 20, _ build: (StreamsBuilder) -> Void) throws -> Bool {
        let builder = StreamsBuilder()
        build(builder)
        let thread = try ThreadUnderTest(try World(topics: "in", "other", "out"), builder.build()) {
            $0.cacheBytes = cacheBytes
        }
        defer { thread.crash() }
        return thread.loop.tasks.contains(where: \.losesWhatWasGivenOn)
    }

    private func input(_ builder: StreamsBuilder, _ topic: String = "in") -> KStream<String, String> {
        builder.stream(topic, key: .string, value: .string)
    }

    @Test func `what is given on once is lost where a cache or a call is behind it`() throws {
        #expect(try loses { _ = input($0).deduplicate(within: .seconds(1)).groupByKey().count() })
        #expect(try loses { _ = input($0).throttle(1, per: .seconds(1)).mapValues { $0 + "." }.groupByKey().count() })
        #expect(try loses { input($0).deduplicate(within: .seconds(1)).mapAsync { $0 + "." }.to("out") })
        #expect(
            try loses {
                _ = input($0).outerJoin(
                    input($0, "other"), within: .within(.seconds(1), grace: .zero)
                ) { (left: String?, right: String?) in "\(left ?? "")\(right ?? "")" }
                .groupByKey(key: .string, value: .string).count()
            })
        #expect(
            try loses {
                _ = $0.table(
                    "in", key: .string, value: .string,
                    materialized: Materialized(as: "rows", timeToLive: .seconds(1))
                ).mapValues(as: "copies", value: .string) { $0 }
            })
    }

    @Test func `it isn't where nothing waits behind`() throws {
        #expect(try !loses { input($0).deduplicate(within: .seconds(1)).to("out") })
        #expect(try !loses { _ = input($0).groupByKey().count().toStream().groupByKey().count() })
        #expect(try !loses(cacheBytes: 0) { _ = input($0).deduplicate(within: .seconds(1)).groupByKey().count() })
        #expect(
            try !loses { _ = input($0).deduplicate(within: .seconds(1), logging: false).groupByKey().count() })
        // Behind a repartition topic is another task, which what is sent there waits for.
        #expect(
            try !loses {
                _ = input($0).deduplicate(within: .seconds(1)).groupBy(key: .string) { _, value in value }.count()
            })
        #expect(
            try !loses { builder in
                let input = input(builder)
                _ = input.groupByKey().count()
                input.deduplicate(within: .seconds(1)).to("out")
            })
    }

    // Docs/Semantics.md, Joins by foreign key: the right side's answer to its deletion has the hash of the left row that it knows,
    // which is no longer there; and it answers the new row's question with nothing, since there is no row.
    @Test func `a right row that goes while the left one changes leaves an inner join's result as it was`() throws {
        let world = try World(topics: "orders", "customers", "out")
        let builder = StreamsBuilder()
        builder.table("orders", of: String.self)
            .join(builder.table("customers", of: String.self), on: { $0.first.map { String($0) } }, value: .string) {
                "\($0)+\($1)"
            }
            .toStream().to("out")
        let thread = try ThreadUnderTest(world, builder.build()) {
            $0.guarantee = .atLeastOnce
            $0.commitInterval = .milliseconds(100)
            $0.cacheBytes = 0
        }
        defer { thread.crash() }
        try world.send("customers", "a", "A", at: 1)
        try world.send("orders", "1", "a1", at: 2)
        try thread.pass(milliseconds: 3000, steps: 30)
        #expect(world.texts("out") == ["1=a1+A"])
        // Each task has its record before it has what the other makes of its own.
        try world.send("orders", "1", "a2", at: 3)
        try world.send("customers", "a", nil, at: 4)
        try thread.pass(milliseconds: 3000, steps: 30)
        #expect(world.texts("out") == ["1=a1+A"])
        let dropped = thread.loop.tasks.reduce(0) { $0 + $1.dropped.values.reduce(0, +) }
        #expect(dropped == 1)
        // The next change of the left row sets it right only where there is a right row, its deletion always.
        try world.send("customers", "a", "B", at: 5)
        try thread.pass(milliseconds: 3000, steps: 30)
        #expect(world.texts("out") == ["1=a1+A", "1=a2+B"])
    }
}
