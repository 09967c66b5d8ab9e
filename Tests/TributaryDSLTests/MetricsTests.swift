import Testing
import TributaryCore
import TributaryDSL
import TributaryLineage
import TributaryRuntime
import TributaryState
import TributaryTesting

/// Known records through a driver, and what the metrics then say, to the last one.
@Suite struct MetricsTests {
    private func driver(
        _ builder: StreamsBuilder, cacheBytes: Int = 0, mode: LineageMode = .cells,
        exporter: (any SpanExporter)? = nil
    ) throws -> TopologyTestDriver {
        var configuration = TestDriverConfiguration()
        configuration.runtime.cacheBytes = cacheBytes
        configuration.runtime.lineage.mode = mode
        configuration.runtime.lineage.exporter = exporter
        return try TopologyTestDriver(builder.build(), configuration: configuration)
    }

    /// Counts words: a record may write one key several times before its commit.
    private func words() -> StreamsBuilder {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string)
            .flatMapValues { $0.split(separator: " ").map(String.init) }
            .groupByKey(value: .string).count(as: "counts").toStream().to("out")
        return builder
    }

    private func points(_ driver: TopologyTestDriver, _ name: String) -> [MetricPoint] {
        driver.metricsRegistry.snapshot().first { $0.description.name == name }?.points ?? []
    }

    /// The one series of a metric with a label, or its only one.
    private func value(
        _ driver: TopologyTestDriver, _ name: String, _ label: MetricLabel? = nil
    ) throws -> Double {
        let found = points(driver, name).filter { point in label.map { point.labels.contains($0) } ?? true }
        try #require(found.count == 1, "\(name) has \(found.count) series")
        guard case .number(let number) = found[0].value else { return .nan }
        return number
    }

    private func observations(_ driver: TopologyTestDriver, _ name: String) throws -> Int64 {
        guard case .histogram(let histogram) = try #require(points(driver, name).first).value else { return -1 }
        return histogram.count
    }

    @Test func `a store's and its cache's operations are counted one by one`() throws {
        let driver = try driver(words(), cacheBytes: 1 << 20)
        try driver.pipe("in", "a", "x x x", timestamp: 0, .string, .string)
        try driver.pipe("in", "b", "x", timestamp: 1, .string, .string)
        try driver.pipe("in", "a", "x", timestamp: 2, .string, .string)
        let state = "kafka.streams.stream_state_metrics"
        let expected: [(String, Double)] = [
            ("\(state).get", 5), ("\(state).put", 5), ("\(state).delete", 0), ("\(state).range", 0),
            ("\(state).estimate_num_keys", 2), ("tributary.cache.hits", 3), ("tributary.cache.misses", 2),
            ("tributary.cache.merges", 2), ("tributary.cache.evictions", 0), ("tributary.cache.entries", 2),
            ("tributary.cache.dirty_entries", 0), ("tributary.cache.dirty_size", 0),
            ("kafka.streams.stream_record_cache_metrics.hit_ratio_avg", 0.6),
            // Kafka Streams' count: 45, the key, the value with its timestamp, the topic's name.
            ("kafka.streams.stream_task_metrics.cache_size", 2 * (45 + 1 + 16 + 2)),
            ("kafka.streams.stream_thread_metrics.process", 3), ("kafka.streams.stream_thread_metrics.commit", 3),
        ]
        for (name, number) in expected { #expect(try value(driver, name) == number, "\(name)") }
        #expect(try observations(driver, "\(state).flush_latency") == 3)
        #expect(
            points(driver, "\(state).put")[0].labels == [
                MetricLabel("thread_id", "app-StreamThread-1"), MetricLabel("task_id", "0_0"),
                MetricLabel("state_id", "counts"),
            ])
        driver.close()
    }

    @Test func `entries that leave a full cache are counted`() throws {
        let driver = try driver(words(), cacheBytes: 100)
        for key in ["a", "b", "c", "c"] { try driver.pipe("in", key, "x", timestamp: 0, .string, .string) }
        #expect(try value(driver, "tributary.cache.evictions") == 2)
        #expect(try value(driver, "tributary.cache.entries") == 1)
        #expect(try value(driver, "kafka.streams.stream_task_metrics.cache_size") == 64)
        #expect(try value(driver, "tributary.cache.hits") == 1)
        #expect(try value(driver, "kafka.streams.stream_state_metrics.estimate_num_keys") == 3)
        driver.close()
    }

    @Test func `a store without cache has gets, puts, deletes and walks, and no series of a cache`() throws {
        let builder = StreamsBuilder()
        builder.addStateStore(StoreDescription(name: "rows", kind: .timestampedKeyValue))
        builder.stream("in", key: .string, value: .string)
            .process(stores: ["rows"]) { Rows() }
        let driver = try driver(builder)
        for value in ["put", "put", "get", "walk", "delete"] {
            try driver.pipe("in", "a", value, timestamp: 0, .string, .string)
        }
        let state = "kafka.streams.stream_state_metrics"
        #expect(try value(driver, "\(state).put") == 2)
        // A delete looks first.
        #expect(try value(driver, "\(state).get") == 2)
        #expect(try value(driver, "\(state).delete") == 1)
        #expect(try value(driver, "\(state).range") == 1)
        #expect(try value(driver, "\(state).estimate_num_keys") == 0)
        #expect(points(driver, "tributary.cache.hits").isEmpty)
        #expect(try observations(driver, "\(state).flush_latency") == 0)
        driver.close()
    }

    @Test func `what waits in a suppression is measured, and what it has let go`() throws {
        let builder = StreamsBuilder()
        builder.table("in", of: String.self, as: "rows").suppress(.untilTimeLimit(.milliseconds(10)), named: "wait")
            .toStream().to("out")
        let driver = try driver(builder)
        defer { driver.close() }
        for (key, time) in [("a", 0), ("b", 1), ("c", 20)] {
            try driver.pipe("in", key, "x", timestamp: Int64(time), .string, .string)
        }
        let buffer = "kafka.streams.stream_state_metrics.suppression_buffer"
        // The last change came to two others, which it then made go; the one of one key and a value takes so many bytes.
        let bytes = try value(driver, "\(buffer)_size_current")
        #expect(bytes > 28)
        let expected: [(String, Double)] = [
            ("\(buffer)_count_current", 1), ("\(buffer)_count_avg", 3), ("\(buffer)_count_max", 3),
            ("\(buffer)_size_avg", 3 * bytes), ("\(buffer)_size_max", 3 * bytes),
            ("kafka.streams.stream_processor_node_metrics.suppression_emit", 2),
        ]
        for (name, number) in expected { #expect(try value(driver, name) == number, "\(name)") }
        #expect(
            points(driver, "kafka.streams.stream_processor_node_metrics.suppression_emit")[0].labels.last
                == MetricLabel("processor_node_id", "wait"))
        try driver.pipe("in", "c", "x", timestamp: 20, .string, .string)
        #expect(try value(driver, "\(buffer)_count_max") == 1)
        #expect(try value(driver, "\(buffer)_count_avg") == 1)
    }

    private final class Rows: Processor {
        private var store: KeyValueStore<String, String>?

        func initialize(_ context: ProcessorContext<String, String>) throws {
            store = try context.keyValueStore("rows", key: .string, value: .string)
        }

        func process(_ record: Record<String, String>) throws {
            switch record.value {
            case "put": try store?.put(record.key, "value")
            case "get": _ = try store?.get(record.key)
            case "walk": try store?.all().close()
            default: _ = try store?.delete(record.key)
            }
        }
    }

    @Test func `the size of a store is that of its rows and graves`() throws {
        let driver = try driver(words())
        for key in ["a", "bc"] { try driver.pipe("in", key, "x", timestamp: 0, .string, .string) }
        let rows = try driver.rows(ofStore: "counts")
        // The stored value: 12 bytes, the context, the section of the cell with number, kind and length.
        let size = rows.reduce(0) { $0 + $1.key.count + 12 + 25 + 3 + $1.cell.count + $1.value.count }
        #expect(try value(driver, "tributary.store.size") == Double(size))
        driver.close()
    }

    @Test(arguments: LineageMode.allCases)
    func `lineage counts its bytes, and takes no time where it is off`(_ mode: LineageMode) async throws {
        let driver = try driver(words(), mode: mode)
        let start = MonotonicClock.nanoseconds
        for key in ["a", "bc", "a"] { try driver.pipe("in", key, "x", timestamp: 0, .string, .string) }
        let elapsed = MonotonicClock.nanoseconds - start
        let records = try driver.takeRecords()
        #expect(records.count == 6)
        var sent = 0
        for (_, record) in records {
            sent += (record.context.isValid ? 25 : 0) + record.cell.count
            #expect(record.context.isValid == (mode != .off))
        }
        #expect(try value(driver, "tributary.lineage.written", MetricLabel("to", "log")) == Double(sent))
        // Three rows were written; each has as much lineage as its record in the changelog, but for the bytes around cells.
        let changelog = records.filter { $0.topic == "app-counts-changelog" }
        let stored = changelog.reduce(0) { sum, item in
            switch mode {
            case .off: sum
            case .context: sum + 25
            case .cells: sum + 25 + 3 + item.record.cell.count - 1
            }
        }
        #expect(try value(driver, "tributary.lineage.written", MetricLabel("to", "store")) == Double(stored))
        #expect((sent == 0) == (mode == .off))
        // The first reading in a process begins to measure what lineage takes.
        while points(driver, "tributary.lineage.time").isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        let time = try value(driver, "tributary.lineage.time")
        if mode == .off {
            #expect(time == 0)
        } else {
            // What the pieces take is part of what all of it took.
            #expect(time > 0)
            #expect(time < Double(elapsed) / 1e9)
        }
        driver.close()
    }

    @Test func `spans, links and sampled records are those that the exporter got`() throws {
        let driver = try driver(words(), cacheBytes: 1 << 20)
        try driver.pipe("in", "a", "x x", timestamp: 0, .string, .string)
        try driver.pipe("in", "a", "x", timestamp: 0, .string, .string)
        let batches = driver.finishedSpans
        #expect(try value(driver, "tributary.lineage.spans") == Double(batches.reduce(0) { $0 + $1.spans.count }))
        #expect(try value(driver, "tributary.lineage.links") == Double(batches.reduce(0) { $0 + $1.links.count }))
        #expect(try value(driver, "tributary.lineage.spans") > 6)
        #expect(try value(driver, "tributary.lineage.sampled_records") == 2)
        #expect(try value(driver, "tributary.lineage.skipped_records") == 0)
        #expect(points(driver, "tributary.lineage.dropped_spans").isEmpty)
        driver.close()
    }

    private struct LossyExporter: SpanExporter {
        func export(_ batch: SpanBatch) {}
        func flush(timeout: Duration) {}
        var lostSpans: Int? { 3 }
    }

    @Test func `what the exporter lost is shown`() throws {
        let driver = try driver(words(), exporter: LossyExporter())
        #expect(try value(driver, "tributary.lineage.dropped_spans", MetricLabel("client_id", "app")) == 3)
        driver.close()
    }

    @Test func `a restore counts its records and batches and is then done`() throws {
        let driver = try driver(words())
        for key in ["a", "b", "a"] { try driver.pipe("in", key, "x", timestamp: 0, .string, .string) }
        // The driver's engines are gone with the task: all of the changelog comes again.
        try driver.restart()
        let name = "kafka.streams.stream_task_metrics.restore"
        #expect(try value(driver, name) == 3)
        #expect(try value(driver, "\(name)_remaining_records") == 0)
        #expect(try value(driver, "tributary.restore.batches") >= 1)
        #expect(try observations(driver, "kafka.streams.stream_state_metrics.restore_latency") == 1)
        #expect(try value(driver, "kafka.streams.stream_state_metrics.estimate_num_keys") == 2)
        // Restoring is no use of the store.
        #expect(try value(driver, "kafka.streams.stream_state_metrics.put") == 0)
        driver.close()
    }
}
