import Testing
import TributaryCore
import TributaryDSL
import TributaryRuntime
import TributaryTesting

/// What a task and a topology hold is freed with them: tasks are made anew after each abort and each change of a group.
@Suite struct LifetimeTests {
    private final class Sentinel: Sendable {}

    private final class Keeper: Processor {
        private let seen: StoreHandle<KeyValueStore<String, Int64>>
        private var context: ProcessorContext<String, Int64>?
        private var store: KeyValueStore<String, Int64>?

        private let mark: Sentinel

        init(_ seen: StoreHandle<KeyValueStore<String, Int64>>, _ mark: Sentinel) {
            self.seen = seen
            self.mark = mark
        }

        func initialize(_ context: ProcessorContext<String, Int64>) throws {
            self.context = context
            store = try context.store(seen)
            for clock in [PunctuationClock.streamTime, .wallClock] {
                _ = context.schedule(every: .milliseconds(10), clock) { _ in
                    try context.forward(Record(key: "tick", value: self.count, timestamp: 0))
                }
            }
        }

        private var count: Int64 { (try? store?.get("n")?.value) ?? 0 }

        func process(_ record: Record<String, String>) throws {
            try store?.put("n", count + 1)
            try context?.forward(record.with(value: count))
        }
    }

    private struct Made {
        weak var sentinel: Sentinel?
        weak var processor: Sentinel?
        // What nodes hold of rows, and what the cache holds.
        weak var row: Sentinel?
    }

    /// A row whose decoded value is held.
    private struct Row {
        var text = ""
        var mark = Sentinel()
    }

    private func run(cacheBytes: Int, onTopology: (Topology) -> Void) throws -> Made {
        let sentinel = Sentinel()
        let marks = Guarded<[Sentinel]>([])
        let builder = StreamsBuilder()
        let seen = builder.store(.keyValue("seen"), of: Int64.self, caching: true)
        let table = builder.table("table", of: String.self, as: "table")
        let stream = builder.stream("in", of: String.self)
        let again = stream.selectKey { key, _ in
            _ = sentinel
            return key
        }
        again.join(table) { left, right in left + right }.to("joined")
        again.leftJoin(table) { left, right in left + (right ?? "") }.to("left")
        again.groupByKey().count(as: "counts").toStream().to("counts")
        again.groupByKey().windowedBy(.tumbling(size: .milliseconds(10))).aggregate(into: "", as: "texts") { $0 += $1 }
            .toStream().mapValues { $0 + "" }.forEach { _, _ in _ = sentinel }
        let rows = Guarded<[Sentinel]>([])
        let serde = Serde<Row>(
            name: "row", decode: { bytes in Row(text: String(decoding: [UInt8](copying: bytes), as: UTF8.self)) },
            encode: { row, writer in
                rows.withLock { $0.append(row.mark) }
                writer.append(utf8: row.text)
            })
        again.groupByKey().aggregate(into: Row(), as: "rows", value: serde) { row, value in row.text += value }
            .toStream().to("rows")
        stream.process(stores: [seen]) {
            let mark = Sentinel()
            marks.withLock { $0.append(mark) }
            return Keeper(seen, mark)
        }.to("ticks")
        let topology = try builder.build()
        onTopology(topology)
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = cacheBytes
        let driver = try TopologyTestDriver(topology, configuration: configuration)
        for time: Int64 in 0..<50 {
            try driver.pipe(topic: "table", key: Array("k".utf8), value: Array("t".utf8), timestamp: time)
            try driver.pipe(topic: "in", key: Array("k".utf8), value: Array("v".utf8), timestamp: time)
        }
        try driver.restart()
        try driver.pipe(topic: "in", key: Array("k".utf8), value: Array("v".utf8), timestamp: 60)
        driver.close()
        let made = Made(
            sentinel: sentinel, processor: marks.withLock { $0.first }, row: rows.withLock { $0.last })
        #expect(made.processor != nil && made.sentinel != nil && made.row != nil)
        rows.withLock { $0 = [] }
        marks.withLock { $0 = [] }
        return made
    }

    @Test(arguments: [0, 1 << 20])
    func `a task's nodes are freed with it, those of the topology with that`(_ cacheBytes: Int) throws {
        var topology: Topology?
        let made = try run(cacheBytes: cacheBytes) { topology = $0 }
        #expect(made.processor == nil, "the task")
        #expect(made.row == nil, "its rows")
        #expect(made.sentinel != nil)
        // Another task of the same topology.
        _ = topology?.describe()
        topology = nil
        #expect(made.sentinel == nil, "the topology")
    }
}
