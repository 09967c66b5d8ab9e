import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryState
import TributaryTesting

/// Headers that settings name go through stores, and to nothing that they don't belong to.
@Suite struct HeaderPropagationTests {
    typealias List = [(name: String, value: [UInt8]?)]

    static func count() throws -> Topology {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).groupByKey().count(as: "counts").toStream().to("out")
        return try builder.build()
    }

    static func join() throws -> Topology {
        let builder = StreamsBuilder()
        let first = builder.table("first", key: .string, value: .string, as: "rows")
        let second = builder.table("second", key: .string, value: .string, as: "others")
        builder.stream("in", key: .string, value: .string)
            .leftJoin(first) { (left: String, right: String?) in left + (right ?? "") }
            .leftJoin(second) { (left: String, right: String?) in left + (right ?? "") }
            .to("out", value: .string)
        return try builder.build()
    }

    func driver(
        _ topology: Topology, _ names: [String], cache: Int = 0,
        _ change: (inout LineageConfiguration) -> Void = { _ in }
    ) throws -> TopologyTestDriver {
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = cache
        configuration.runtime.lineage.propagatedHeaders = names
        change(&configuration.runtime.lineage)
        return try TopologyTestDriver(topology, configuration: configuration)
    }

    /// Appends a record that is processed with the next ``work(_:)``.
    func add(_ driver: TopologyTestDriver, _ key: String, to topic: String = "in", _ headers: [(String, String)] = [])
        throws
    {
        let record = LoggedRecord(
            offset: 0, timestamp: 0, key: Array(key.utf8), value: [0x78],
            headers: Headers(headers.map { ($0.0, Array($0.1.utf8)) }), context: .none, cell: [],
            lineageHeaders: Headers())
        _ = try driver.log.append(record, to: TopicPartition(topic, 0))
    }

    func work(_ driver: TopologyTestDriver) throws { try driver.advanceWallClock(by: .zero) }

    /// Key and headers of the records of a topic, as text.
    func records(_ driver: TopologyTestDriver, _ topic: String) -> [String] {
        driver.log.records(in: TopicPartition(topic, 0)).map { record in
            let headers = record.headers.list.map {
                "\($0.name)=\($0.value.map { String(decoding: $0, as: UTF8.self) } ?? "-")"
            }
            return ([String(decoding: record.key ?? [], as: UTF8.self)] + headers).joined(separator: " ")
        }
    }

    @Test func `without a list headers go with their record alone`() throws {
        let driver = try driver(Self.count(), [])
        try add(driver, "a", [("user", "alice")])
        try add(driver, "a")
        try work(driver)
        #expect(records(driver, "out") == ["a user=alice", "a"])
        #expect(records(driver, "app-counts-changelog") == ["a", "a"])
        driver.close()
    }

    @Test(arguments: [0, 1 << 20])
    func `a row's header goes on to what is computed from the row`(_ cache: Int) throws {
        let driver = try driver(Self.count(), ["USER"], cache: cache)
        try add(driver, "a", [("user", "alice"), ("other", "x")])
        try work(driver)
        try add(driver, "a", [("more", "y")])
        try work(driver)
        try add(driver, "b")
        try work(driver)
        // The record's own value wins over the row's, and stays.
        try add(driver, "a", [("user", "bob")])
        try work(driver)
        try add(driver, "a")
        try work(driver)
        #expect(
            records(driver, "out") == [
                "a user=alice other=x", "a more=y user=alice", "b", "a user=bob", "a user=bob",
            ])
        #expect(
            records(driver, "app-counts-changelog") == [
                "a user=alice", "a user=alice", "b", "a user=bob", "a user=bob",
            ])
        driver.close()
    }

    @Test(arguments: [0, 300, 1 << 20])
    func `in a flush and an eviction each key keeps its own, and what has none gets none`(_ cache: Int) throws {
        let driver = try driver(Self.count(), ["user"], cache: cache)
        var expected: Set<String> = []
        for round in 0..<3 {
            for number in 0..<40 {
                let hasHeader = number % 3 != 0
                try add(driver, "k\(number)", hasHeader && round == 0 ? [("user", "u\(number)")] : [])
                expected.insert(hasHeader ? "k\(number) user=u\(number)" : "k\(number)")
            }
            if round > 0 { try work(driver) }
        }
        #expect(Set(records(driver, "out")) == expected)
        #expect(Set(records(driver, "app-counts-changelog")) == expected)
        driver.close()
    }

    @Test(arguments: [0, 1 << 20])
    func `the record's own comes first, then the first row's that was read`(_ cache: Int) throws {
        let driver = try driver(Self.join(), ["user", "trace-tag"], cache: cache)
        try add(driver, "a", to: "first", [("user", "one"), ("user", "two")])
        try add(driver, "a", to: "second", [("user", "three"), ("trace-tag", "t"), ("secret", "s")])
        try add(driver, "b", to: "second", [("User", "four")])
        try work(driver)
        for key in ["a", "c", "b"] { try add(driver, key) }
        try add(driver, "a", [("trace-tag", "own")])
        try add(driver, "b", [("user", "own")])
        try add(driver, "c")
        try work(driver)
        #expect(
            records(driver, "out") == [
                "a user=one user=two trace-tag=t", "c", "b User=four", "a trace-tag=own user=one user=two",
                // The list doesn't look at the case of letters, the presence does.
                "b user=own User=four", "c",
            ])
        driver.close()
    }

    @Test func `they survive a restart and a restore, and go with a null value`() throws {
        let driver = try driver(Self.join(), ["user"])
        let record = LoggedRecord(
            offset: 0, timestamp: 0, key: [0x61], value: [0x78],
            headers: Headers([("user", nil), ("user", Array("x".utf8))]), context: .none, cell: [],
            lineageHeaders: Headers())
        _ = try driver.log.append(record, to: TopicPartition("first", 0))
        try work(driver)
        for step in 0..<3 {
            if step == 1 { try driver.restart() }
            if step == 2 { try driver.crash() }
            try add(driver, "a")
            try work(driver)
        }
        #expect(records(driver, "out") == [String](repeating: "a user=- user=x", count: 3))
        driver.close()
    }

    @Test func `a count's header survives a restore from its changelog`() throws {
        let driver = try driver(Self.count(), ["user"], cache: 1 << 20)
        try add(driver, "a", [("user", "alice"), ("other", "x")])
        try work(driver)
        try driver.crash()
        try add(driver, "a")
        try work(driver)
        #expect(records(driver, "out") == ["a user=alice other=x", "a user=alice"])
        driver.close()
    }

    @Test func `neither lineage's own headers nor those of an application without lineage are propagated`() throws {
        let own = try driver(Self.count(), ["traceparent", "TraceState", "tributary-cell", ""])
        try add(
            own, "a",
            [("traceparent", "00-0000000000000009000000000000000a-0000000000000003-01"), ("tracestate", "v=1")])
        try add(own, "a")
        try work(own)
        #expect(records(own, "out") == ["a", "a"] && records(own, "app-counts-changelog") == ["a", "a"])
        own.close()
        let off = try driver(Self.count(), ["user"]) { $0.mode = .off }
        try add(off, "a", [("user", "alice")])
        try add(off, "a")
        try work(off)
        #expect(records(off, "out") == ["a user=alice", "a"])
        off.close()
    }

    /// Puts what it is given, reads row "a" for a record "get", and at each tick.
    final class Reader: Processor {
        private var context: ProcessorContext<String, String>?
        private var store: KeyValueStore<String, String>?

        func initialize(_ context: ProcessorContext<String, String>) throws {
            self.context = context
            let store = try context.keyValueStore("rows", key: .string, value: .string)
            self.store = store
            context.schedule(every: .milliseconds(10), .wallClock) { _ in
                guard try store.get("a") != nil else { return }
                try context.forward(Record(key: "tick", value: "", timestamp: 0))
            }
        }

        func process(_ record: Record<String, String>) throws {
            if record.key == "get" { _ = try store?.get("a") } else { try store?.put(record.key, record.value) }
            // Without the record's headers: those on the list are added again.
            try context?.forward(Record(key: record.key, value: "", timestamp: 0))
        }
    }

    @Test func `what a processor reads goes on with its record, and nothing with a punctuation`() throws {
        let builder = StreamsBuilder()
        builder.addStateStore(StoreDescription(name: "rows", kind: .timestampedKeyValue))
        builder.stream("in", key: .string, value: .string)
            .process(stores: ["rows"], key: .string, value: .string) { Reader() }
            .to("out")
        let driver = try driver(builder.build(), ["user"])
        try add(driver, "a", [("user", "alice"), ("other", "x")])
        try add(driver, "b")
        try add(driver, "get")
        try add(driver, "c")
        try work(driver)
        try driver.advanceWallClock(by: .milliseconds(20))
        try add(driver, "get", [("user", "bob")])
        try work(driver)
        #expect(records(driver, "out") == ["a user=alice", "b", "get user=alice", "c", "tick", "get user=bob"])
        #expect(records(driver, "app-rows-changelog") == ["a user=alice", "b", "c"])
        driver.close()
    }

    @Test(arguments: [0, 1 << 20])
    func `spans of all operations show captured headers, those of reads what was stored`(_ cache: Int) throws {
        let driver = try driver(Self.count(), ["user", "hidden"], cache: cache) {
            $0.capturedHeaders = ["User", "once"]
        }
        try add(driver, "a", [("user", "alice"), ("once", "1"), ("hidden", "h"), ("other", "x")])
        try work(driver)
        try add(driver, "a")
        try work(driver)
        var shown: [String: [String]] = [:]
        for batch in driver.finishedSpans {
            for span in batch.spans {
                let attributes = span.detail >= 0 ? batch.details[Int(span.detail)].attributes : [:]
                let words = attributes.map { "\($0.key.replacing("tributary.header.", with: ""))" }.sorted()
                shown[batch.operations[Int(span.operation)].name, default: []].append(words.joined(separator: " "))
            }
        }
        #expect(shown["process in"] == ["once user", ""])
        #expect(shown["put counts"] == ["once user", "user"])
        #expect(shown["get counts"]?.last == "user")
        #expect(shown["send out"] == ["once user", "user"])
        #expect(shown["flush counts"] == (cache > 0 ? ["once user", "user"] : nil))
        driver.close()
    }
}
