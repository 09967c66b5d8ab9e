public import TributaryCore
public import TributaryLineage
internal import TributaryState

/// What lineage costs on one thread: spans, bytes, and the time that it takes; written by the thread, read from any.
///
/// No clock is read per record. Handing spans to the exporter is measured; the rest is counted, and each count is worth what that
/// piece takes on this machine, which is measured once when the time is first asked for. See `Docs/Observability.md` for how
/// far that is off.
public final class LineageMetrics: Sendable {
    /// Spans handed to the exporter.
    public let spans: Counter
    /// Links of those spans.
    public let links: Counter
    /// Records whose trace is sampled.
    public let sampledRecords: Counter
    /// Records whose trace is sampled and got no span, since the exporter had no room.
    public let skippedRecords: Counter
    /// Bytes of lineage written to the engines of stores.
    public let storeBytes: Counter
    /// Bytes of lineage written to the log: headers of outputs, repartition records and changelogs.
    public let logBytes: Counter
    /// How often a header of the propagation list was too long to be kept.
    public let leftOutHeaders: Counter
    private let mode: LineageMode
    // How often each piece of lineage was done.
    private let records = Counter()
    private let reads = Counter()
    private let writes = Counter()
    private let cached = Counter()
    // Those of `cached` that were far, in parts.
    private let cachedFar = Gauge()
    private let exportTime = Counter()

    init(_ registry: MetricsRegistry, _ labels: [MetricLabel], _ mode: LineageMode) {
        self.mode = mode
        func counter(_ name: String, _ unit: String, _ help: String, _ more: [MetricLabel] = []) -> Counter {
            registry.counter("tributary.lineage.\(name)", unit: unit, help: help, labels: labels + more)
        }
        spans = counter("spans", "{span}", "Spans handed to the exporter.")
        links = counter("links", "{link}", "Links of spans handed to the exporter.")
        sampledRecords = counter("sampled_records", "{record}", "Records read whose trace is sampled.")
        skippedRecords = counter(
            "skipped_records", "{record}", "Records of sampled traces without a span, since the exporter had no room.")
        leftOutHeaders = counter(
            "left_out_headers", "{header}", "Headers of the propagation list that were too long to go through a store.")
        let help = "Bytes of contexts, cells and tracestates written, to the log and to the stores' engines."
        storeBytes = counter("written", "By", help, [MetricLabel("to", "store")])
        logBytes = counter("written", "By", help, [MetricLabel("to", "log")])
        registry.reading(
            MetricDescription(
                .counter, "tributary.lineage.time", unit: "s",
                help:
                    "Time that lineage takes on the stream thread: counts times what each piece takes on this machine.")
        ) { [weak self] in
            self?.time.map { [MetricPoint(labels: labels, value: .number($0 / 1e9))] } ?? []
        }
    }
    /// Takes over what the recorder, the stores and the collector of a thread have counted.
    public func publish(_ recorder: LineageRecorder, _ collector: RecordCollector, _ tasks: [StreamTask]) {
        guard mode != .off else { return }
        let handed = recorder.handedOver
        spans.set(Int64(handed.spans))
        links.set(Int64(handed.links))
        skippedRecords.set(Int64(handed.skippedRecords))
        sampledRecords.set(Int64(recorder.sampledRecords))
        leftOutHeaders.set(recorder.leftOutHeaders)
        logBytes.set(collector.lineageBytes)
        exportTime.set(recorder.exportTime)
        var sum = (records: Int64(0), reads: Int64(0), writes: Int64(0), bytes: Int64(0))
        for task in tasks {
            sum.records += task.processedRecords
            for store in task.metrics?.stores ?? [] {
                let counts = store.store.statistics
                sum.bytes += counts.lineageBytes
                sum.reads += counts.engineReads
                sum.writes += counts.cache == nil ? counts.puts + counts.deletes : counts.flushed
                guard let cache = counts.cache else { continue }
                let uses = store.takeUses(counts)
                cached.add(uses)
                cachedFar.set(cachedFar.value + Double(uses) * LineageCosts.farShare(entries: cache.entries))
            }
        }
        records.set(sum.records)
        reads.set(sum.reads)
        writes.set(sum.writes)
        storeBytes.set(sum.bytes)
    }

    /// The nanoseconds that lineage has taken of the thread: an estimate; nil while what its pieces take is being measured, which the first
    /// call in a process begins.
    public var time: Double? {
        guard mode != .off else { return 0 }
        guard let costs = LineageCosts.measured(mode) else { return nil }
        var time = Double(exportTime.value)
        time += Double(records.value) * costs.record + Double(reads.value) * costs.read
        time += Double(writes.value) * costs.write
        time += Double(cached.value) * costs.cached + cachedFar.value * max(costs.cachedFar - costs.cached, 0)
        time += Double(spans.value) * costs.span + Double(links.value) * costs.link
        return time
    }

    /// Has an application's registry show what its exporter lost.
    public static func register(_ exporter: any SpanExporter, in registry: MetricsRegistry, clientID: String) {
        registry.reading(
            MetricDescription(
                .counter, "tributary.lineage.dropped_spans", unit: "{span}",
                help: "Spans that the exporter was given and lost: no room, refused, too late.")
        ) {
            exporter.lostSpans.map {
                [MetricPoint(labels: [MetricLabel("client_id", clientID)], value: .number(Double($0)))]
            } ?? []
        }
    }
}
