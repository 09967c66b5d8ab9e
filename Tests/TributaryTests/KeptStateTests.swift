import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryLMDB
import TributaryLineage
import TributaryTesting

/// The operators that Kafka Streams hasn't give the same whatever keeps their state, however often they are restarted, and with and without lineage.
@Suite struct KeptStateTests {
    /// An operator, its name for the test, and how it is run.
    struct Operator: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let describe: @Sendable (StreamsBuilder) -> Void
    }

    enum Ending: CaseIterable { case none, restarts, crashes, both }

    static let operators = [
        Operator(testDescription: "deduplicate") { builder in
            builder.stream("one", of: String.self).deduplicate(within: .milliseconds(50), as: "state") {
                String($0.prefix(1))
            }.to("out")
        },
        Operator(testDescription: "throttle") { builder in
            builder.stream("one", of: String.self).throttle(3, per: .milliseconds(50), as: "state").to("out")
        },
        Operator(testDescription: "latest") { builder in
            let latest = builder.stream("two", of: String.self)
                .selectKey { $1.prefix(1) == "a" ? "a" : $0 }
                .latest(within: .milliseconds(30), as: "state")
            builder.stream("one", of: String.self).leftJoin(latest) { "\($0)\($1 ?? "-")" }.to("out")
        },
        Operator(testDescription: "a table with a time to live") { builder in
            let table = builder.table(
                "two", key: .string, value: .string,
                materialized: Materialized(as: "state", timeToLive: .milliseconds(40)))
            table.toStream().to("out")
            builder.stream("one", of: String.self).leftJoin(table) { "\($0)\($1 ?? "-")" }.to("joined")
        },
        Operator(testDescription: "a count with a time to live") { builder in
            builder.stream("one", of: String.self).groupBy { $1.prefix(1) == "a" ? "a" : $0 }
                .count(materialized: Materialized(as: "state", timeToLive: .milliseconds(40)))
                .toStream().to("out")
        },
        Operator(testDescription: "top") { builder in
            builder.table("two", key: .string, value: .string)
                .groupBy(key: .string, value: .string) { ($1.prefix(1) == "a" ? "a" : "b", $0 + $1) }
                .top(2, as: "state") { Int($0.utf8.last ?? 0) }
                .toStream().mapValues(value: .string) { $0.joined(separator: ",") }.to("out")
        },
    ]

    private struct Step { let topic: String, key: String, value: String?, time: Int64 }

    private func steps() -> [Step] {
        var random = FastRandom(seed: 7)
        var time: Int64 = 1000
        return (0..<120).map { _ in
            time += Int64(random.next() % 9)
            let late = random.next() % 5 == 0 ? Int64(random.next() % 80) : 0
            let value = ["a", "b", "c", "d"][Int(random.next() % 4)] + String(random.next() % 4)
            return Step(
                topic: random.next() % 2 == 0 ? "one" : "two", key: "k\(random.next() % 4)",
                value: random.next() % 8 == 0 ? nil : value, time: time - late)
        }
    }

    private func outputs(
        _ test: Operator, inMemory: Bool, _ folder: TemporaryFolder?, _ ending: Ending, cache: Int = 0,
        mode: LineageMode = .cells
    ) throws -> [String] {
        let builder = StreamsBuilder(inMemoryStores: inMemory)
        test.describe(builder)
        let topology = try builder.build()
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = cache
        configuration.runtime.lineage.mode = mode
        if let folder {
            configuration.persistentEngine = { [path = folder.path] task in
                try LMDBStateEngine(
                    directory: "\(path)/\(task)",
                    options: LMDBStateOptions(mapSize: 1 << 26, maximumTables: 64, durability: .fast))
            }
        }
        let driver = try TopologyTestDriver(topology, configuration: configuration)
        defer { driver.close() }
        let read = Set(topology.sources.map(\.topic))
        for (number, step) in steps().enumerated() where read.contains(step.topic) {
            try driver.pipe(
                topic: step.topic, key: Array(step.key.utf8), value: step.value.map { Array($0.utf8) },
                timestamp: step.time)
            switch ending {
            case .restarts where number % 7 == 0: try driver.restart()
            case .crashes where number % 5 == 0: try driver.crash()
            case .both where number % 4 == 0: try number % 8 == 0 ? driver.restart() : driver.crash()
            default: break
            }
        }
        var all: [String] = []
        for topic in ["out", "joined"] where try driver.log.topic(topic) != nil {
            all += driver.log.records(in: TopicPartition(topic, 0)).map {
                "\(topic) \($0.key ?? []) \($0.value ?? [0]) \($0.timestamp) \($0.headers)"
            }
        }
        let rows = try driver.rows(ofStore: "state")
        // Each engine has an order of its own.
        return all + rows.map { "row \($0.key) \($0.value) \($0.timestamp)" }.sorted()
    }

    @Test(arguments: operators, Ending.allCases)
    func `state lies anywhere, and comes back from anywhere`(test: Operator, ending: Ending) throws {
        let expected = try outputs(test, inMemory: true, nil, .none)
        try #require(expected.count > 20)
        let folder = try TemporaryFolder()
        #expect(try outputs(test, inMemory: false, folder, ending) == expected, "LMDB")
        #expect(try outputs(test, inMemory: false, nil, ending) == expected, "restored from the changelog")
        #expect(try outputs(test, inMemory: true, nil, ending) == expected, "in memory")
    }

    @Test(arguments: operators)
    func `lineage and caches change nothing`(test: Operator) throws {
        let expected = try outputs(test, inMemory: true, nil, .none)
        for mode in LineageMode.allCases {
            #expect(try outputs(test, inMemory: true, nil, .both, mode: mode) == expected)
        }
        // Each record is committed, so that a cache folds nothing.
        #expect(try outputs(test, inMemory: true, nil, .none, cache: 1 << 20) == expected)
    }
}
