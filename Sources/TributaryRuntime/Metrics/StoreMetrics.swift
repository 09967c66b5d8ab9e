internal import TributaryCore
internal import TributaryState

/// What one store measures of itself: its own plain counters, taken over between records and at commits.
final class StoreMetrics {
    let store: StateStore
    private let gets: Counter
    private let puts: Counter
    private let deletes: Counter
    private let ranges: Counter
    private let entries: Gauge
    private let bytes: Gauge
    private let flushTime: Histogram
    private let cache: CacheMetrics?
    private let registry: MetricsRegistry
    private let labels: [MetricLabel]
    private var suppression: SuppressionMetrics?
    private var measuredWrites: Int64 = -1
    private var takenUses: Int64 = 0

    init(_ registry: MetricsRegistry, _ labels: [MetricLabel], _ store: StateStore) {
        self.store = store
        self.registry = registry
        self.labels = labels
        let own = labels + [MetricLabel("state_id", store.name)]
        func counter(_ name: String, _ help: String) -> Counter {
            registry.counter(
                "kafka.streams.stream_state_metrics.\(name)", unit: "{operation}", help: help, labels: own)
        }
        gets = counter("get", "Keys looked up in a store, by the cache or below it.")
        puts = counter("put", "Values written to a store.")
        deletes = counter("delete", "Deletes written to a store.")
        ranges = counter("range", "Walks over keys or windows of a store.")
        entries = registry.gauge(
            "kafka.streams.stream_state_metrics.estimate_num_keys", unit: "{entry}",
            help: "Rows in a store's engine, at the last commit.", labels: own)
        bytes = registry.gauge(
            "tributary.store.size", unit: "By",
            help: "Bytes that a store's rows and graves take in the engine, at the last commit.", labels: own)
        flushTime = registry.histogram(
            "kafka.streams.stream_state_metrics.flush_latency", unit: "s",
            help: "Time to flush a store's cache at a commit: rows, changelog, and what the flushed values cause.",
            labels: own, .durations())
        cache = store.isCached ? CacheMetrics(registry, labels, store.name) : nil
    }

    /// Takes over what the store has counted.
    func publish() {
        let now = store.statistics
        gets.set(now.gets)
        puts.set(now.puts)
        deletes.set(now.deletes)
        ranges.set(now.ranges)
        if let counts = now.cache { cache?.publish(counts, gets: now.gets) }
        guard store.description.kind == .suppression, let (node, measured) = store.takeBufferMeasurements() else {
            return
        }
        let suppression = suppression ?? SuppressionMetrics(registry, labels, store: store.name, node: node)
        self.suppression = suppression
        suppression.publish(measured)
    }

    /// How often a cache was used since the last call; a read and the write that follows are one use.
    func takeUses(_ counts: StoreStatistics) -> Int64 {
        let uses = max(counts.gets, counts.puts + counts.deletes)
        defer { takenUses = uses }
        return uses - takenUses
    }

    /// Asks the engine how large the store is, if it was written since; in the transaction that is about to be committed.
    func measure() throws(StoreError) {
        let now = store.statistics
        guard now.puts + now.deletes != measuredWrites else { return }
        measuredWrites = now.puts + now.deletes
        entries.set(Double(try store.approximateCount()))
        bytes.set(Double(try store.approximateBytes()))
    }

    /// Flushes the store's cache, if there is something to flush; the clock is read before and after.
    func flush(_ clock: TimeSource.Reading) throws {
        guard store.hasDirtyEntries else { return }
        let start = clock.nanoseconds()
        try store.flush()
        flushTime.observe(clock.nanoseconds() - start)
    }
}

private final class CacheMetrics {
    private let hits: Counter
    private let misses: Counter
    private let merges: Counter
    private let evictions: Counter
    private let hitRatio: Gauge
    private let entries: Gauge
    private let dirtyEntries: Gauge
    private let bytes: Gauge
    private let dirtyBytes: Gauge

    init(_ registry: MetricsRegistry, _ labels: [MetricLabel], _ store: String) {
        let labels = labels + [MetricLabel("record_cache_id", store)]
        func counter(_ name: String, _ unit: String, _ help: String) -> Counter {
            registry.counter("tributary.cache.\(name)", unit: unit, help: help, labels: labels)
        }
        func gauge(_ name: String, _ unit: String, _ help: String) -> Gauge {
            registry.gauge(name, unit: unit, help: help, labels: labels)
        }
        hits = counter("hits", "{read}", "Reads of keys that the cache had.")
        misses = counter("misses", "{read}", "Reads of keys that the cache didn't have.")
        merges = counter("merges", "{write}", "Writes that replaced one that was not flushed yet.")
        evictions = counter("evictions", "{entry}", "Entries that left since the cache was full.")
        hitRatio = gauge(
            "kafka.streams.stream_record_cache_metrics.hit_ratio_avg", "1",
            "Share of reads that the cache answered, since the start.")
        entries = gauge("tributary.cache.entries", "{entry}", "Entries of a store in the cache.")
        dirtyEntries = gauge("tributary.cache.dirty_entries", "{entry}", "Entries that are not flushed.")
        bytes = gauge(
            "kafka.streams.stream_task_metrics.cache_size", "By",
            "Bytes of a store's entries in the cache, counted as Kafka Streams counts them.")
        dirtyBytes = gauge("tributary.cache.dirty_size", "By", "Bytes of the entries that are not flushed.")
    }

    func publish(_ counts: CacheStatistics, gets: Int64) {
        hits.set(counts.hits)
        misses.set(counts.misses)
        merges.set(counts.merges)
        evictions.set(counts.evictions)
        hitRatio.set(gets > 0 ? Double(counts.hits) / Double(gets) : 0)
        entries.set(Double(counts.entries))
        dirtyEntries.set(Double(counts.dirtyEntries))
        bytes.set(Double(counts.bytes))
        dirtyBytes.set(Double(counts.dirtyBytes))
    }
}

/// What is measured of one store's restoring; written by the thread that restores it, read from any.
final class RestoreMetrics {
    let time: Histogram
    private let records: Counter
    private let remaining: Gauge
    private let batches: Counter

    init(_ registry: MetricsRegistry, _ labels: [MetricLabel], store: String) {
        let labels = labels + [MetricLabel("state_id", store)]
        records = registry.counter(
            "kafka.streams.stream_task_metrics.restore", unit: "{record}",
            help: "Changelog records read to restore a store.", labels: labels)
        remaining = registry.gauge(
            "kafka.streams.stream_task_metrics.restore_remaining_records", unit: "{record}",
            help: "Offsets of the changelog that a store is behind its end.", labels: labels)
        batches = registry.counter(
            "tributary.restore.batches", unit: "{batch}", help: "Batches of changelog records read to restore a store.",
            labels: labels)
        time = registry.histogram(
            "kafka.streams.stream_state_metrics.restore_latency", unit: "s",
            help: "Time to restore a store from its changelog.", labels: labels, .durations())
    }

    func publish(_ progress: RestoreProgress, _ isBatch: Bool) {
        records.set(progress.records)
        remaining.set(Double(max(progress.end - progress.position, 0)))
        if isBatch { batches.add() }
    }
}
