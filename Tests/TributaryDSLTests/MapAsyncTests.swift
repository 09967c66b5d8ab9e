import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryTesting

/// Values that asynchronous closures make.
@Suite(.timeLimit(.minutes(1))) struct MapAsyncTests {
    /// Counts calls, and how many there are at once.
    actor Calls {
        private(set) var count = 0
        private(set) var most = 0
        private var now = 0
        private var failures: [String: Int]

        init(failures: [String: Int] = [:]) { self.failures = failures }

        func begin(_ value: String) throws {
            count += 1
            now += 1
            most = max(most, now)
            guard let left = failures[value], left > 0 else { return }
            failures[value] = left - 1
            now -= 1
            throw CallFailed(value: value)
        }

        func end() { now -= 1 }
    }

    struct CallFailed: Error, Equatable { let value: String }

    private func topology(
        _ calls: Calls, concurrency: Int = 4, timeout: Duration = .seconds(20), retries: Int = 0
    ) throws -> Topology {
        let builder = StreamsBuilder()
        builder.stream("in", of: String.self)
            .mapAsync(concurrency: concurrency, timeout: timeout, retries: retries, value: .string) { value in
                try await calls.begin(value)
                if value == "never" { try await Task.sleep(for: .seconds(3600)) }
                // The first take longest.
                try await Task.sleep(for: .milliseconds(value == "0" ? 20 : 1))
                await calls.end()
                return "<\(value)>"
            }
            .to("out")
        return try builder.build()
    }

    private func driver(
        _ topology: Topology, perCommit: Int = 1, _ change: (inout RuntimeConfiguration) -> Void = { _ in }
    ) throws -> TopologyTestDriver {
        var configuration = TestDriverConfiguration()
        configuration.runtime.lineage.sendsCells = true
        configuration.recordsPerCommit = perCommit
        change(&configuration.runtime)
        return try TopologyTestDriver(topology, configuration: configuration)
    }

    private func add(_ driver: TopologyTestDriver, _ value: String?, at time: Int64 = 0) throws {
        let record = LoggedRecord(
            offset: 0, timestamp: time, key: Array("a".utf8), value: value.map { Array($0.utf8) },
            headers: Headers([("of", Array((value ?? "").utf8))]), context: .none, cell: [],
            lineageHeaders: Headers())
        _ = try driver.log.append(record, to: TopicPartition("in", 0))
    }

    private func work(_ driver: TopologyTestDriver) throws { try driver.advanceWallClock(by: .zero) }

    private func values(_ driver: TopologyTestDriver) throws -> [String] {
        try driver.takeRecords(from: "out", .string, Serde.string.optional).map { $0.value ?? "-" }
    }

    @Test(arguments: [1, 4, 100])
    func `results go on in the order of the records, with no more calls at once than said`(concurrency: Int)
        async throws
    {
        let calls = Calls()
        let driver = try driver(topology(calls, concurrency: concurrency), perCommit: 1000)
        defer { driver.close() }
        for number in 0..<20 { try add(driver, number == 7 ? nil : "\(number)", at: Int64(number)) }
        try work(driver)
        let out = try driver.takeRecords(from: "out", .string, Serde.string.optional)
        #expect(out.map(\.value) == (0..<20).map { $0 == 7 ? nil : "<\($0)>" })
        #expect(out.map(\.timestamp) == (0..<20).map { $0 })
        #expect(out.map { $0.headers.last("of") } == (0..<20).map { Array(($0 == 7 ? "" : "\($0)").utf8) })
        let most = await calls.most
        #expect(most <= concurrency && (concurrency == 1 || most > 1))
    }

    @Test func `a call that fails is made again, and then goes to the handler with its own record`() async throws {
        let calls = Calls(failures: ["1": 1, "2": 5])
        let failed = Guarded<[FailedRecord]>([])
        let builder = StreamsBuilder()
        builder.stream("in", of: String.self)
            .mapAsync(retries: 1, value: .string) { value in
                try await calls.begin(value)
                await calls.end()
                return value
            }
            .to("out")
        builder.stream("other", of: String.self).to("dead")
        let driver = try driver(builder.build(), perCommit: 1000) { settings in
            settings.deadLetterTopic = "dead"
            settings.processingHandler = { record in
                failed.withLock { $0.append(record) }
                return .continue
            }
        }
        defer { driver.close() }
        for value in ["0", "1", "2", "3"] { try add(driver, value) }
        try work(driver)
        #expect(try values(driver) == ["0", "1", "3"])
        let record = try #require(failed.withLock { $0 }.first)
        #expect(record.error as? CallFailed == CallFailed(value: "2"))
        #expect(record.coordinate?.offset == 2 && record.key == Array("a".utf8))
        let letter = try #require(driver.log.records(in: TopicPartition("dead", 0)).first)
        #expect(letter.value == Array("2".utf8))
        #expect(letter.headers.last("__streams.errors.offset") == Array("2".utf8))
        #expect(await calls.count == 6)
        #expect(driver.dropped == [.processing: 1])
    }

    @Test func `a call that takes too long is its record's failure`() throws {
        let driver = try driver(topology(Calls(), timeout: .milliseconds(50)), perCommit: 1000) { settings in
            settings.processingHandler = { $0.error is AsyncTimeout ? .continue : .fail }
        }
        defer { driver.close() }
        try add(driver, "never")
        try work(driver)
        #expect(try values(driver).isEmpty)
        #expect(driver.dropped == [.processing: 1])
    }

    @Test func `what fails ends the task, and is processed again`() async throws {
        let calls = Calls(failures: ["1": 1])
        let driver = try driver(topology(calls), perCommit: 1000)
        defer { driver.close() }
        for value in ["1", "2"] { try add(driver, value) }
        do {
            try work(driver)
            Issue.record("nothing was thrown")
        } catch {
            let failure = try #require(error as? TaskFailure)
            #expect(failure.node == "KSTREAM-MAPASYNC-0000000001" && failure.coordinate?.offset == 0)
        }
        try driver.crash()
        try work(driver)
        #expect(try values(driver) == ["<1>", "<2>"])
    }

    @Test func `a result is of its record, whose context the call sees`() async throws {
        let seen = Guarded<[TraceContext?]>([])
        let builder = StreamsBuilder()
        builder.stream("in", of: String.self)
            .mapAsync(value: .string) { value in
                seen.withLock { $0.append(Lineage.current?.context) }
                return value
            }
            .to("out")
        let driver = try driver(builder.build(), perCommit: 1000)
        defer { driver.close() }
        try add(driver, "1")
        try work(driver)
        let spans = LinkTests.spans(driver)
        let process = try #require(spans.first { $0.name == "process in" })
        let call = try #require(spans.first { $0.name == "call KSTREAM-MAPASYNC-0000000001" })
        let send = try #require(spans.first { $0.name == "send out" })
        #expect(call.span.parent == process.span.context.span && send.span.parent == process.span.context.span)
        #expect(seen.withLock { $0 } == [process.span.context])
        let arena = CellArena()
        let record = try #require(driver.log.records(in: TopicPartition("out", 0)).first)
        let cell = try #require(try CellHeader.decode(record.cell.span.bytes, into: arena))
        #expect(cell.count == 1 && cell.first.first == 0)
    }

    @Test func `what follows has state, and one asynchronous closure may follow another`() throws {
        let builder = StreamsBuilder()
        builder.stream("in", of: String.self)
            .mapAsync(value: .string) { $0 + "1" }
            .mapAsyncWithKey(value: .string) { key, value in key + value + "2" }
            .groupByKey().reduce(as: "all") { $0 + $1 }
            .toStream().mapAsync(value: .string) { "(" + $0 + ")" }.to("out")
        let driver = try driver(builder.build(), perCommit: 1000) { $0.cacheBytes = 1 << 20 }
        defer { driver.close() }
        for value in ["x", "y"] { try add(driver, value) }
        try work(driver)
        #expect(try values(driver) == ["(ax12ay12)"])
        try driver.restart()
        try add(driver, "z")
        try work(driver)
        #expect(try values(driver) == ["(ax12ay12az12)"])
    }

    @Test func `settings that make no sense are refused when the topology is built`() {
        func code(_ concurrency: Int, _ timeout: Duration, _ retries: Int) -> TopologyError.Code? {
            do { _ = try topology(Calls(), concurrency: concurrency, timeout: timeout, retries: retries) } catch {
                return (error as? TopologyError)?.code
            }
            return nil
        }
        #expect(code(1, .seconds(1), 0) == nil)
        #expect(code(0, .seconds(1), 0) == .invalidSetting)
        #expect(code(1, .zero, 0) == .invalidSetting)
        #expect(code(1, .seconds(1), -1) == .invalidSetting)
    }
}
