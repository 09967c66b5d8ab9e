import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryLMDB

/// Known records through an application on files, and what its metrics then say.
@Suite(.timeLimit(.minutes(10))) struct ApplicationMetricsTests {
    private let folder: TemporaryFolder
    private let records: Int64 = 1000

    init() throws { folder = try TemporaryFolder() }

    /// Runs a count until it is through, and returns the metrics after its end.
    private func run(
        _ log: EmbeddedLog, records: Int64, lineage: LineageConfiguration = LineageConfiguration()
    ) async throws -> [MetricSnapshot] {
        let builder = StreamsBuilder()
        builder.stream("in", key: .string, value: .string).groupByKey().count(as: "counts").toStream().to("out")
        // One commit, at the end.
        var configuration = StreamsConfiguration(
            applicationID: "app", log: .open(log), commitInterval: .seconds(3600), lineage: lineage)
        configuration.handlesSignals = false
        let application = try StreamsApplication(builder.build(), configuration: configuration)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            group.addTask {
                while (application.state != .running || application.metrics.records < records)
                    && application.state != .error
                {
                    try await Task.sleep(for: .milliseconds(5))
                }
                application.shutdown()
            }
            try await group.waitForAll()
        }
        // The first reading in a process begins to measure what lineage takes.
        while points(application.metricsRegistry.snapshot(), "tributary.lineage.time").isEmpty {
            try await Task.sleep(for: .milliseconds(5))
        }
        return application.metricsRegistry.snapshot()
    }

    private func openLog() throws -> EmbeddedLog {
        let log = try EmbeddedLog.open(at: folder.path)
        try log.createTopics([.kept("in"), .kept("out")])
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "test"))
        let topic = try producer.number(ofTopic: "in")
        for index in 0..<records {
            let key = Array("key-\(index % 10)".utf8)
            try producer.send(
                OutgoingRecord(timestamp: index, key: key.span.bytes, value: key.span.bytes), topic: topic, partition: 0
            )
        }
        try producer.flush()
        producer.close()
        return log
    }

    private func points(_ metrics: [MetricSnapshot], _ name: String) -> [MetricPoint] {
        metrics.first { $0.description.name == name }?.points ?? []
    }

    private func number(_ metrics: [MetricSnapshot], _ name: String) throws -> Double {
        let found = points(metrics, name)
        try #require(found.count == 1, "\(name) has \(found.count) series")
        guard case .number(let number) = found[0].value else { return .nan }
        return number
    }

    private func histogram(_ metrics: [MetricSnapshot], _ name: String) throws -> HistogramSnapshot {
        let point = try #require(points(metrics, name).first)
        guard case .histogram(let histogram) = point.value else {
            return HistogramSnapshot(bounds: [], counts: [], sum: .nan, exemplars: [])
        }
        return histogram
    }

    @Test func `an application counts what its store, cache, commits and restores did`() async throws {
        let log = try openLog()
        let metrics = try await run(log, records: records)
        let state = "kafka.streams.stream_state_metrics"
        let task = "kafka.streams.stream_task_metrics"
        let thread = "kafka.streams.stream_thread_metrics"
        let expected: [(String, Double)] = [
            ("\(state).get", 1000), ("\(state).put", 1000), ("\(state).delete", 0),
            ("\(state).estimate_num_keys", 10),
            // One leaf, and no grave.
            ("tributary.store.size", 4096),
            ("tributary.cache.hits", 990), ("tributary.cache.misses", 10), ("tributary.cache.merges", 990),
            ("tributary.cache.evictions", 0), ("tributary.cache.entries", 10), ("tributary.cache.dirty_entries", 0),
            ("kafka.streams.stream_record_cache_metrics.hit_ratio_avg", 0.99),
            ("\(task).restore", 0), ("\(task).restore_remaining_records", 0),
            ("\(thread).process", 1000), ("\(thread).commit", 1),
            ("kafka.consumer.consumer_fetch_manager_metrics.records_lag", 0),
        ]
        for (name, value) in expected { #expect(try number(metrics, name) == value, "\(name)") }
        let flush = try histogram(metrics, "\(state).flush_latency")
        #expect(flush.count == 1)
        #expect(flush.sum > 0)
        #expect(try histogram(metrics, "\(thread).commit_latency").sum > flush.sum)
        #expect(try histogram(metrics, "\(thread).state_commit_latency").count >= 1)
        // Lineage was kept: it took time, but not all of it.
        let time = try number(metrics, "tributary.lineage.time")
        let all = try histogram(metrics, "messaging.process.duration").sum + flush.sum
        #expect(time > 0)
        #expect(time < all)

        removeTree("\(folder.path)/state/app")
        let restored = try await run(log, records: 0)
        #expect(try number(restored, "\(task).restore") == 10)
        #expect(try number(restored, "\(task).restore_remaining_records") == 0)
        #expect(try number(restored, "tributary.restore.batches") == 1)
        let restore = try histogram(restored, "\(state).restore_latency")
        #expect(restore.count == 1)
        #expect(restore.sum > 0)
        #expect(try number(restored, "\(state).estimate_num_keys") == 10)
        #expect(try number(restored, "tributary.store.size") == 4096)
        #expect(try number(restored, "\(state).put") == 0)
        log.close()
    }

    @Test func `without lineage the meter stands still`() async throws {
        let log = try openLog()
        let metrics = try await run(log, records: records, lineage: LineageConfiguration(mode: .off))
        #expect(try number(metrics, "tributary.lineage.time") == 0)
        #expect(points(metrics, "tributary.lineage.written").map(\.value) == [.number(0), .number(0)])
        #expect(try number(metrics, "tributary.cache.merges") == 990)
        log.close()
    }
}
