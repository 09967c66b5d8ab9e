import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryState
import TributaryTesting

/// No setting of lineage changes an output, a store, a changelog's value or an eviction.
@Suite struct LineageIndependenceTests {
    /// What a run left behind, without what is lineage's own.
    struct Outcome: Equatable {
        struct Written: Equatable {
            var topic: String
            var key: [UInt8]?
            var value: [UInt8]?
            var timestamp: Int64
            var headers: Headers
        }

        var records: [Written] = []
        var rows: [String: [String]] = [:]
        /// Cache's figures: what entered, left and was merged.
        var cache: [String: Double] = [:]

        /// The first thing that differs; nil if nothing does.
        func difference(from other: Outcome) -> String? {
            for (index, (one, two)) in zip(records, other.records).enumerated() where one != two {
                return "record \(index): \(one) and \(two)"
            }
            if records.count != other.records.count {
                return "\(records.count) and \(other.records.count) records"
            }
            for name in rows.keys.sorted() where rows[name] != other.rows[name] { return "rows of \(name)" }
            for name in cache.keys.sorted() where cache[name] != other.cache[name] {
                return "\(name): \(cache[name] ?? 0) and \(other.cache[name] ?? 0)"
            }
            return nil
        }
    }

    struct Setting: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var change: @Sendable (inout LineageConfiguration) -> Void

        init(_ name: String, _ change: @escaping @Sendable (inout LineageConfiguration) -> Void) {
            testDescription = name
            self.change = change
        }
    }

    /// Has no room for half of the traces.
    struct FullExporter: SpanExporter {
        func export(_ batch: SpanBatch) {}
        func flush(timeout: Duration) {}
        func threshold(skipped: Int) -> UInt64 { 1 << 55 }
    }

    static let settings: [Setting] = [
        Setting("context") { $0.mode = .context },
        Setting("cells") { _ in },
        Setting("cells, no spans") { $0.spans = .none },
        Setting("cells, log spans") { $0.spans = .log },
        Setting("cells, full spans") { $0.spans = .full },
        Setting("context, full spans") {
            $0.mode = .context
            $0.spans = .full
        },
        Setting("never sampled") { $0.sampler = .alwaysOff },
        Setting("half of the traces") { $0.sampler = .parentBased(root: .ratio(0.5)) },
        Setting("half of the keys") { $0.sampler = .byKey(ratio: 0.5) },
        Setting("no room for half of the traces") { $0.exporter = FullExporter() },
        Setting("captured headers") { $0.capturedHeaders = ["user", "other"] },
        Setting("cells for others") { $0.sendsCells = true },
    ]

    typealias Make = @Sendable (StreamsBuilder) throws -> Void

    /// Topologies whose stores have caches, one feeding another.
    static let topologies: [(name: String, make: Make)] = [
        (
            "table",
            { builder in
                let table = builder.table("t", key: .string, value: .string, as: "rows")
                table.toStream().to("changes")
                builder.stream("s", key: .string, value: .string).join(table) { $0 + $1 }.to("out", value: .string)
            }
        ),
        (
            "counts behind a table",
            { builder in
                let table = builder.stream("t", key: .string, value: .string).toTable(as: "rows")
                let counts = builder.stream("s", key: .string, value: .string).groupByKey().count(as: "counts")
                counts.toStream().join(table) { "\($0)\($1)" }.to("out", value: .string)
                table.toStream().groupByKey().reduce(as: "reduced") { $0 + $1 }.toStream().to("changes")
            }
        ),
        (
            "tables made of tables",
            { builder in
                let texts = builder.table("t", key: .string, value: .string)
                let long = texts.filter(as: "long") { $1.utf8.count > 3 }
                let sizes = builder.stream("s", key: .string, value: .string).toTable().mapValues { $0.utf8.count }
                    .mapValues(value: .string) { "\($0)" }
                long.outerJoin(sizes, as: "joined", value: .string) { "\($0 ?? "-")\($1 ?? "-")" }.toStream().to("out")
                texts.leftJoin(long, value: .string) { $0 + ($1 ?? "") }.toStream().to("changes")
            }
        ),
        (
            "tables grouped by another key",
            { builder in
                let lengths = builder.table("t", key: .string, value: .string, as: "rows")
                    .groupBy(key: .string, value: .string) { _, value in ("\(value.utf8.count % 3)", value) }
                builder.stream("s", key: .string, value: .string).toTable(as: "others")
                    .groupBy(key: .string, value: .string) { key, value in (String(key.suffix(1)), value) }
                    .reduce(as: "texts", adding: { $0 + $1 }, subtracting: { $1 + $0 }).toStream().to("texts-out")
                let counts = lengths.count(as: "counts")
                counts.toStream().to("changes")
                counts.groupBy(key: .string, value: .int64) { key, count in (count % 2 == 0 ? "even" : "odd", count) }
                    .aggregate(
                        into: 0, as: "sums", value: .int64, adding: { $0 += $1 }, subtracting: { $0 -= $1 }
                    )
                    .toStream().to("out")
            }
        ),
        (
            "counts of counts",
            { builder in
                builder.stream("s", key: .string, value: .string).groupByKey().count(as: "counts").toStream()
                    .groupBy(key: .string) { _, count in "\(count % 5)" }.count(as: "counts-of-counts").toStream().to(
                        "out")
                builder.table("t", key: .string, value: .string, as: "rows").toStream().to("changes")
            }
        ),
        (
            "windows",
            { builder in
                builder.stream("s", key: .string, value: .string).groupByKey()
                    .windowedBy(.hopping(size: .milliseconds(20), advance: .milliseconds(7), grace: .milliseconds(30)))
                    .aggregate(into: "", as: "windows", value: .string) { all, value in all += value }
                    .toStream().to("out")
                builder.table("t", key: .string, value: .string, as: "rows").toStream().to("changes")
            }
        ),
        (
            "processor",
            { builder in
                builder.addStateStore(StoreDescription(name: "kept", kind: .keyValue, isCached: true))
                builder.stream("s", key: .string, value: .string)
                    .process(stores: ["kept"], key: .string, value: .string) { Keeping() }
                    .to("out")
                builder.table("t", key: .string, value: .string, as: "rows").toStream().to("changes")
            }
        ),
    ]

    /// Reads, writes, scans and deletes, with and without `from:`.
    final class Keeping: Processor {
        private var store: KeyValueStore<String, String>?
        private var context: ProcessorContext<String, String>?

        func initialize(_ context: ProcessorContext<String, String>) throws {
            self.context = context
            store = try context.keyValueStore("kept", key: .string, value: .string)
            let store = store
            context.schedule(every: .milliseconds(25), .streamTime) { time in
                guard let entry = try store?.get("k1") else { return }
                try context.forward(Record(key: "k1", value: entry.value, timestamp: time), from: entry)
            }
        }

        func process(_ record: Record<String, String>) throws {
            guard let store, let context else { return }
            switch record.value.utf8.count % 5 {
            case 0: try store.delete(record.key)
            case 1:
                let old = try store.get(record.key)
                try store.put(record.key, (old?.value ?? "") + record.value, from: old.map { [$0] } ?? [])
            case 2:
                var all = ""
                for entry in try store.all() { all += entry.key }
                try store.put("k1", all)
            case 3: _ = try store.putIfAbsent(record.key, record.value)
            default: try store.put(record.key, record.value)
            }
            if let entry = try store.get(record.key) {
                try context.forward(Record(key: record.key, value: entry.value, timestamp: record.timestamp))
            }
        }
    }

    /// Records of random keys, lengths, times, contexts and headers.
    static func records(_ random: inout FastRandom) -> [(topic: String, record: LoggedRecord)] {
        (0..<120).map { index in
            func number(_ below: UInt64) -> UInt64 { random.next() % below }
            let topic = number(2) == 0 ? "t" : "s"
            let isNull = topic == "t" && number(4) == 0
            let text = String(repeating: "v", count: Int(number(5) == 0 ? number(120) : number(12)))
            var context = TraceContext.none
            if number(2) == 0 {
                context = TraceContext(
                    traceHigh: 7, traceLow: random.next(), span: UInt64(index) + 1, flags: UInt8(number(2)) | 2)
            }
            let headers: [(name: String, value: [UInt8]?)] =
                number(4) == 0 ? [("user", Array("user \(number(3))".utf8)), ("other", nil)] : []
            return (
                topic,
                LoggedRecord(
                    offset: 0, timestamp: Int64(index * 2) - Int64(min(number(20), UInt64(index))),
                    key: Array("k\(number(9))".utf8), value: isNull ? nil : Array(text.utf8),
                    headers: Headers(headers), context: context, cell: [],
                    lineageHeaders: context.isValid && number(3) == 0
                        ? Headers([("tracestate", Array("v=\(index),ot=th:8".utf8))]) : Headers())
            )
        }
    }

    func run(_ make: Make, seed: UInt64, _ change: (inout LineageConfiguration) -> Void) throws -> Outcome {
        var random = FastRandom(seed: seed)
        let builder = StreamsBuilder()
        try make(builder)
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = 150 + Int(random.next() % 600)
        configuration.recordsPerCommit = 1 + Int(random.next() % 40)
        change(&configuration.runtime.lineage)
        let driver = try TopologyTestDriver(builder.build(), configuration: configuration)
        defer { driver.close() }
        let list = Self.records(&random)
        for part in [list.prefix(80), list.dropFirst(80)] {
            for (topic, record) in part { _ = try driver.log.append(record, to: TopicPartition(topic, 0)) }
            try driver.advanceWallClock(by: .milliseconds(10))
        }
        var outcome = Outcome()
        outcome.records = try driver.takeRecords().map { topic, record in
            Outcome.Written(
                topic: topic, key: record.key, value: record.value, timestamp: record.timestamp, headers: record.headers
            )
        }
        for name in driver.storeNames {
            outcome.rows[name] = try driver.rows(ofStore: name).map { "\($0.key) \($0.value) \($0.timestamp)" }
        }
        for metric in driver.metricsRegistry.snapshot() where metric.description.name.hasPrefix("tributary.cache.") {
            for point in metric.points {
                guard case .number(let value) = point.value else { continue }
                outcome.cache["\(metric.description.name) \(point.labels.map(\.value))"] = value
            }
        }
        return outcome
    }

    /// Headers of the propagation list are added by definition; what else there is stays as it is, also what is evicted.
    @Test(arguments: topologies.indices)
    func `propagated headers change no value and no eviction`(_ topology: Int) throws {
        let make = Self.topologies[topology].make
        for seed in 1...12 as ClosedRange<UInt64> {
            func outcome(_ names: [String]) throws -> Outcome {
                var outcome = try run(make, seed: seed) { $0.propagatedHeaders = names }
                for index in outcome.records.indices { outcome.records[index].headers = Headers() }
                return outcome
            }
            let difference = try outcome(["user"]).difference(from: outcome([]))
            #expect(difference == nil, "\(Self.topologies[topology].name), seed \(seed)")
        }
    }

    @Test(arguments: topologies.indices, settings)
    func `a setting changes nothing but lineage`(_ topology: Int, _ setting: Setting) throws {
        let make = Self.topologies[topology].make
        for seed in 1...12 as ClosedRange<UInt64> {
            let off = try run(make, seed: seed) {
                $0.mode = .off
                $0.spans = .none
            }
            let on = try run(make, seed: seed, setting.change)
            let difference = on.difference(from: off)
            #expect(difference == nil, "\(Self.topologies[topology].name), seed \(seed)")
            #expect(off.records.count > 100)
        }
    }
}
