import Testing
import TributaryCore
import TributaryDSL
import TributaryRuntime
import TributaryState
import TributaryTesting

/// Stores whose storage somebody else brings: they do what those of the library's own engines do.
@Suite struct StoreSupplierTests {
    /// Used by one thread at a time, as its engines are.
    private final class Supplier: StoreSupplier, @unchecked Sendable {
        let name: String
        let isPersistent: Bool
        let lies: Bool
        var disks: [String: SortedArrayEngine.Disk] = [:]
        var made: [SortedArrayEngine] = []

        init(_ name: String = "sorted", isPersistent: Bool, lies: Bool = false) {
            self.name = name
            self.isPersistent = isPersistent
            self.lies = lies
        }

        func makeEngine(application: String, task: String) throws -> any StateEngine {
            let disk = disks["\(application)/\(task)"] ?? SortedArrayEngine.Disk()
            disks["\(application)/\(task)"] = disk
            let engine = SortedArrayEngine(on: isPersistent != lies ? disk : nil)
            made.append(engine)
            return engine
        }
    }

    @Test(arguments: StateEngineConformance.checks)
    func `the sorted arrays conform`(check: StateEngineConformance.Check) throws {
        try StateEngineConformance(makeEngine: { SortedArrayEngine() }).run(check)
        let disk = SortedArrayEngine.Disk()
        let suite = StateEngineConformance(
            makeEngine: {
                disk.content = SortedArrayEngine.Content()
                return SortedArrayEngine(on: disk)
            },
            reopen: { engine in
                engine.close()
                return SortedArrayEngine(on: disk)
            })
        try suite.run(check)
    }

    /// Every kind of store, each with a name.
    private func topology(_ supplier: Supplier?, inMemory: Bool, caching: Bool) throws -> Topology {
        let builder = StreamsBuilder(inMemoryStores: inMemory, storeSupplier: supplier)
        func settings<Value>(_ name: String, _ value: Value.Type) -> Materialized<String, Value> {
            Materialized(as: name, caching: caching)
        }
        let table = builder.table("table", key: .string, value: .string, materialized: settings("rows", String.self))
        let stream = builder.stream("in", of: String.self)
        let grouped = stream.groupByKey()
        grouped.count(materialized: settings("counts", Int64.self)).toStream().to("counted")
        grouped.windowedBy(.tumbling(size: .seconds(10), grace: .seconds(5)))
            .count(materialized: Materialized(as: "windows", caching: caching)).toStream().to("windowed")
        grouped.windowedBy(SessionWindows(gap: .seconds(3), grace: .seconds(5)))
            .count(materialized: Materialized(as: "sessions", caching: caching)).toStream().to("sessioned")
        stream.leftJoin(table) { (left: String, right: String?) in left + (right ?? "-") }.to("joined", value: .string)
        stream.outerJoin(builder.stream("other", of: String.self), within: .within(.seconds(2)), as: "pairs") {
            "\($0 ?? "-")\($1 ?? "-")"
        }.to("paired")
        let seen = builder.store(.keyValue("seen"), of: String.self, caching: caching)
        let versions = builder.store(.versioned("versions", history: .seconds(60)), of: String.self)
        stream.processValues(stores: [seen, versions]) { Remember(seen, versions) }.to("remembered")
        return try builder.build()
    }

    private final class Remember: FixedKeyProcessor {
        private let seenHandle: StoreHandle<KeyValueStore<String, String>>
        private let versionsHandle: StoreHandle<VersionedKeyValueStore<String, String>>
        private var seen: KeyValueStore<String, String>?
        private var versions: VersionedKeyValueStore<String, String>?
        private var context: FixedKeyProcessorContext<String, String>?

        init(
            _ seen: StoreHandle<KeyValueStore<String, String>>,
            _ versions: StoreHandle<VersionedKeyValueStore<String, String>>
        ) {
            seenHandle = seen
            versionsHandle = versions
        }

        func initialize(_ context: FixedKeyProcessorContext<String, String>) throws {
            self.context = context
            seen = try context.store(seenHandle)
            versions = try context.store(versionsHandle)
        }

        func process(_ record: Record<String, String>) throws {
            let before = try seen?.get(record.key)?.value ?? "-"
            try seen?.put(record.key, record.value)
            try versions?.put(record.key, record.value, timestamp: record.timestamp)
            let past = try versions?.get(record.key, at: record.timestamp - 2000)?.value ?? "-"
            try context?.forward(record.with(value: record.value + before + past))
        }
    }

    private func driver(_ topology: Topology, cache: Int) throws -> TopologyTestDriver {
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = cache
        configuration.runtime.lineage.sendsCells = true
        return try TopologyTestDriver(topology, configuration: configuration)
    }

    private static let keys = ["a", "b", "ab", ""]

    private func pipe(_ driver: TopologyTestDriver, _ steps: Range<Int>) throws {
        for step in steps {
            let key = Self.keys[step * 7 % 4]
            let time = Int64(step * 700 - step % 3 * 900 + 2000)
            try driver.pipe("in", key, "v\(step)", timestamp: time)
            if step % 3 == 0 { try driver.pipe("other", key, "o\(step)", timestamp: time + 100) }
            if step % 4 == 1 {
                try driver.pipe("table", key, step % 8 == 5 ? nil : Optional("t\(step)"), timestamp: time)
            }
        }
    }

    /// All that was written, and all that is stored, but for what ids are made of.
    private func seen(_ driver: TopologyTestDriver) throws -> [String] {
        var lines: [String] = []
        for (topic, record) in try driver.takeRecords() {
            lines.append("\(topic) \(record.key ?? []) \(record.value ?? []) \(record.timestamp) \(record.cell)")
        }
        for store in driver.storeNames {
            for row in try driver.rows(ofStore: store) {
                lines.append("\(store) \(row.key) \(row.value) \(row.timestamp) \(row.cell)")
            }
        }
        return lines
    }

    @Test(arguments: [0, 1 << 20], [false, true])
    func `what a supplier keeps is what the library's own engines keep, over restarts and crashes`(
        _ cache: Int, _ isPersistent: Bool
    ) throws {
        let supplier = Supplier(isPersistent: isPersistent)
        let theirs = try driver(topology(supplier, inMemory: false, caching: cache > 0), cache: cache)
        let ours = try driver(topology(nil, inMemory: !isPersistent, caching: cache > 0), cache: cache)
        defer {
            theirs.close()
            ours.close()
        }
        for round in 0..<3 {
            for driver in [theirs, ours] { try pipe(driver, round * 12..<(round + 1) * 12) }
            #expect(try seen(theirs) == seen(ours))
            for driver in [theirs, ours] { if round == 1 { try driver.crash() } else { try driver.restart() } }
            #expect(try seen(theirs) == seen(ours))
        }
        #expect(supplier.made.count == 4 && supplier.disks.keys.sorted() == ["app/0_0"])
        #expect(supplier.made.filter(\.isOpen).count == 1)
        theirs.close()
        #expect(supplier.made.allSatisfy { !$0.isOpen })
    }

    @Test func `what a persistent supplier keeps is gone on with, without a changelog, too`() throws {
        let supplier = Supplier(isPersistent: true)
        let builder = StreamsBuilder()
        builder.stream("in", of: String.self).groupByKey()
            .count(materialized: Materialized(as: "counts", type: .supplied(by: supplier), logging: false))
            .toStream().to("out")
        let driver = try driver(builder.build(), cache: 0)
        defer { driver.close() }
        try driver.pipe("in", "a", "x", timestamp: 1)
        try driver.restart()
        try driver.pipe("in", "a", "x", timestamp: 2)
        #expect(try driver.takeRecords(from: "out", of: Int64.self).map(\.value) == [1, 2])
        #expect(supplier.disks["app/0_0"]?.content.tables["counts"]?.count == 1)
    }

    @Test func `what a supplier in memory is left with is not taken for the store`() throws {
        let supplier = Supplier(isPersistent: false)
        let builder = StreamsBuilder()
        builder.stream("in", of: String.self).groupByKey()
            .count(materialized: Materialized(as: "counts", type: .supplied(by: supplier))).toStream().to("out")
        let driver = try driver(builder.build(), cache: 0)
        defer { driver.close() }
        try driver.pipe("in", "a", "x", timestamp: 1)
        try driver.restart()
        #expect(try driver.rows(ofStore: "counts").map(\.value) == [[0, 0, 0, 0, 0, 0, 0, 1]])
        try driver.pipe("in", "a", "x", timestamp: 2)
        #expect(try driver.takeRecords(from: "out", of: Int64.self).map(\.value) == [1, 2])
    }

    @Test(arguments: [false, true])
    func `a global table that a supplier keeps is read anew at each start`(_ isPersistent: Bool) throws {
        let supplier = Supplier(isPersistent: isPersistent)
        let builder = StreamsBuilder(storeSupplier: supplier)
        let table = builder.globalTable("all", of: String.self, as: "rows")
        builder.stream("in", of: String.self).join(table, value: .string, by: { key, _ in key }) { $0 + $1 }.to("out")
        let driver = try driver(builder.build(), cache: 0)
        defer { driver.close() }
        try driver.pipe("all", "a", "1", timestamp: 1)
        try driver.pipe("in", "a", "x", timestamp: 2)
        try driver.restart()
        try driver.pipe("in", "a", "y", timestamp: 3)
        #expect(try driver.takeRecords(from: "out", of: String.self).map(\.value) == ["x1", "y1"])
        #expect(supplier.disks.keys.sorted() == ["app/global_1"])
    }

    @Test func `a row that isn't what was written is an error`() throws {
        let supplier = Supplier(isPersistent: true)
        let builder = StreamsBuilder()
        builder.stream("in", of: String.self).groupByKey()
            .count(materialized: Materialized(as: "counts", type: .supplied(by: supplier), caching: false))
            .toStream().to("out")
        let driver = try driver(builder.build(), cache: 0)
        defer { driver.close() }
        try driver.pipe("in", "a", "x", timestamp: 1)
        try supplier.made[0].table("counts").put(Array("a".utf8).span.bytes, ([1, 2] as [UInt8]).span.bytes)
        #expect(throws: (any Error).self) { try driver.pipe("in", "a", "x", timestamp: 2) }
    }

    @Test func `a supplier whose engines are other than it says is refused`() throws {
        let builder = StreamsBuilder()
        _ = builder.table(
            "in", key: .string, value: .string,
            materialized: Materialized(as: "rows", type: .supplied(by: Supplier(isPersistent: true, lies: true))))
        let topology = try builder.build()
        let error = #expect(throws: StoreError.self) { _ = try driver(topology, cache: 0) }
        #expect(error?.message.contains("the supplier 'sorted' says that its engines are persistent") == true)
    }

    @Test func `suppliers are chosen by store, and for all that don't say otherwise`() throws {
        let first = Supplier("first", isPersistent: false)
        let second = Supplier("second", isPersistent: true)
        let builder = StreamsBuilder(storeSupplier: first)
        _ = builder.table("a", of: String.self, as: "default")
        _ = builder.table("b", key: .string, value: .string, materialized: Materialized(as: "own", type: .persistent))
        _ = builder.table(
            "c", key: .string, value: .string, materialized: Materialized(as: "given", type: .supplied(by: second)))
        _ = builder.store(.window("windows", retention: .seconds(2), size: .seconds(1)), of: String.self)
        _ = builder.store(.session("sessions", retention: .seconds(2)), of: String.self, supplier: second)
        _ = builder.store(.keyValue("memory"), of: String.self, inMemory: true)
        _ = builder.store(.leastRecentlyUsed("few", maximum: 3), of: String.self)
        let stores = try builder.build().stores
        func kept(_ name: String) -> String {
            "\(stores[name]?.supplier?.name ?? "-") \(stores[name]?.isPersistent == true)"
        }
        #expect(kept("default") == "first false" && kept("windows") == "first false")
        #expect(kept("own") == "- true" && kept("memory") == "- false" && kept("few") == "- false")
        #expect(kept("given") == "second true" && kept("sessions") == "second true")
        let refused = StreamsBuilder(storeSupplier: Supplier("no name", isPersistent: false))
        _ = refused.table("a", of: String.self, as: "default")
        #expect(throws: TopologyError.self) { try refused.build() }
        let none = StreamsBuilder()
        _ = none.store(.leastRecentlyUsed("few", maximum: 0), of: String.self)
        #expect(throws: TopologyError.self) { try none.build() }
    }
}
