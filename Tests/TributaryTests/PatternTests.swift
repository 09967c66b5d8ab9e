import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryLMDB
import TributaryTesting

/// Sources that read all topics whose names fit a pattern.
@Suite(.timeLimit(.minutes(10))) struct PatternTests {
    private let folder: TemporaryFolder
    private let log: EmbeddedLog

    init() throws {
        folder = try TemporaryFolder()
        log = try EmbeddedLog.open(at: folder.path)
        try log.createTopics([.kept("out")])
    }

    private func send(_ topic: String, _ values: String...) throws {
        let producer = try log.producer(topic, of: String.self)
        for value in values { try producer.send(value, value, timestamp: 1) }
        try producer.close()
    }

    private func application(_ describe: (StreamsBuilder) -> Void) throws -> StreamsApplication {
        let builder = StreamsBuilder()
        describe(builder)
        var configuration = StreamsConfiguration(
            applicationID: "app", log: .open(log), commitInterval: .milliseconds(10), logs: .none, handlesSignals: false
        )
        configuration.runtime.topicRefreshInterval = .milliseconds(20)
        return try StreamsApplication(builder.build(), configuration: configuration)
    }

    private func outputs(_ count: Int) async throws -> [String] {
        var values: [String] = []
        for try await record in log.records("out", of: String.self) {
            values.append(record.value ?? "")
            if values.count == count { break }
        }
        return values
    }

    private func expect(_ values: [String]) async throws {
        let found = try await outputs(values.count)
        #expect(found.sorted() == values)
    }

    private func running(_ app: StreamsApplication, _ body: () async throws -> Void) async throws {
        async let done: Void = app.run()
        do {
            while app.state != .running && app.state != .error { try await Task.sleep(for: .milliseconds(2)) }
            if app.state == .running { try await body() }
            app.shutdown()
        } catch {
            app.shutdown()
            try? await done
            throw error
        }
        try await done
    }

    private func problem(_ describe: (StreamsBuilder) -> Void) -> String {
        let builder = StreamsBuilder()
        describe(builder)
        do { _ = try builder.build() } catch { return "\(error)" }
        return ""
    }

    @Test func `topics that fit are read, those that come later, too, with the state that there is`() async throws {
        try log.createTopics([.kept("orders-a"), .kept("other"), .kept("app-orders-b")])
        try send("orders-a", "1", "2")
        try send("other", "no")
        let app = try application { builder in
            let orders = builder.stream(
                matching: TopicPattern("*orders-*") { $0.contains("orders-") }, keyedBy: String.self, of: String.self)
            orders.to("out")
            _ = orders.groupBy { _, _ in "all" }.count(as: "orders-counts")
        }
        let states = Guarded<[StreamsApplication.State]>([])
        app.onStateChange { new, _ in states.withLock { $0.append(new) } }
        let store = try app.store("orders-counts", key: .string, value: .int64)
        try await running(app) {
            #expect(try await outputs(2) == ["1", "2"])
            // One of the application's own that fits is none of its sources.
            #expect(try log.topic("app-orders-counts-changelog") != nil)
            try log.createTopics([.kept("orders-c"), .kept("more-orders-d")])
            try send("orders-c", "3")
            try send("orders-a", "4")
            try send("more-orders-d", "5")
            #expect(try await outputs(5).sorted() == ["1", "2", "3", "4", "5"])
            while app.state != .running { try await Task.sleep(for: .milliseconds(2)) }
            while try await store.get("all")?.value != 5 { try await Task.sleep(for: .milliseconds(5)) }
        }
        #expect(states.withLock { $0.starts(with: [.rebalancing, .running, .rebalancing]) })
        #expect(states.withLock { $0.last } == .notRunning)
        #expect(app.metrics.records == 10, "5 orders, and as many records of the repartition topic")
    }

    @Test func `a pattern that nothing fits waits for a topic, whose partitions count then`() async throws {
        let app = try application { builder in
            builder.stream(matching: .suffix("-orders"), of: String.self).groupByKey().count(as: "counts")
                .toStream().mapValues { "\($0)" }.to("out")
        }
        try await running(app) {
            #expect(try log.topic("app-counts-changelog") == nil)
            try log.createTopics([TopicSpecification("my-orders", partitions: 3, settings: ["retention.ms": "-1"])])
            try send("my-orders", "a", "b", "c", "d")
            #expect(try await outputs(4) == ["1", "1", "1", "1"])
            #expect(try log.topic("app-counts-changelog")?.partitions == 3)
        }
    }

    @Test func `an application stops while it looks at topics, and goes on with those that came meanwhile`()
        async throws
    {
        try log.createTopics([.kept("orders-a")])
        func copy() throws -> StreamsApplication {
            try application { $0.stream(matching: .prefix("orders-"), of: String.self).to("out") }
        }
        try send("orders-a", "1")
        try await running(copy()) { try await expect(["1"]) }
        try log.createTopics([.kept("orders-b")])
        try send("orders-b", "2")
        try send("orders-a", "3")
        try await running(copy()) { try await expect(["1", "2", "3"]) }
    }

    @Test func `a topic that two sources would read is refused, at build() or at the start`() async throws {
        let named = problem { builder in
            builder.stream("orders-a", of: String.self).to("out")
            builder.stream(matching: .prefix("orders-"), of: String.self).to("out")
        }
        #expect(named.contains("'orders-a' is read by both"))
        try log.createTopics([.kept("orders-a")])
        let app = try application { builder in
            builder.stream(matching: .prefix("orders-"), of: String.self).to("out")
            builder.stream(matching: .suffix("-a"), of: String.self).to("out")
        }
        let error = await #expect(throws: TopologyError.self) { try await running(app) {} }
        let message = try "\(#require(error))"
        #expect(message.contains("'orders-a' is read by both"))
    }

    @Test func `joined topics need equally many partitions, whichever fit`() async throws {
        try log.createTopics([.kept("orders-a"), TopicSpecification("prices", partitions: 2)])
        let app = try application { builder in
            let prices = builder.table("prices", of: String.self)
            builder.stream(matching: .prefix("orders-"), of: String.self).join(prices) { $0 + $1 }.to("out")
        }
        let error = await #expect(throws: TopologyError.self) { try await running(app) {} }
        let message = try "\(#require(error))"
        #expect(message.contains("equally many partitions"))
    }

    @Test func `streams of one pattern share a source, and the text and fingerprint have the pattern`() throws {
        func topology(_ pattern: TopicPattern) throws -> Topology {
            let builder = StreamsBuilder()
            builder.stream(matching: pattern, of: String.self).to("out")
            builder.stream(matching: pattern, of: String.self).to("more")
            return try builder.build()
        }
        let one = try topology(.prefix("orders-"))
        #expect(one.subTopologies.count == 1)
        #expect(one.describe().contains("Source: KSTREAM-SOURCE-0000000000 (topics: orders-*)"))
        #expect(try topology(.prefix("orders-")).fingerprint == one.fingerprint)
        #expect(try topology(.suffix("orders-")).fingerprint != one.fingerprint)
        let resolved = try one.resolvingPatterns(["orders-b", "other", "orders-a"])
        #expect(resolved.fingerprint == one.fingerprint && resolved.sources.map(\.topic) == ["orders-a", "orders-b"])
        #expect(problem { $0.stream(matching: TopicPattern("") { _ in true }, of: String.self).to("out") } != "")
    }

    @Test func `a test driver is told the topics that there are`() throws {
        let builder = StreamsBuilder()
        builder.stream(matching: .prefix("orders-"), of: String.self).to("out")
        var configuration = TestDriverConfiguration()
        configuration.topics = ["orders-a", "orders-b", "other"]
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration)
        defer { driver.close() }
        try driver.pipe("orders-b", "k", "1", timestamp: 1)
        try driver.pipe("orders-a", "k", "2", timestamp: 2)
        #expect(try driver.takeRecords(from: "out", of: String.self).map(\.value) == ["1", "2"])
        #expect(throws: DriverError.self) { try driver.pipe("other", "k", "3", timestamp: 3) }
    }
}
