internal import TributaryCore
internal import TributaryLineage

/// The thread of an ``OTLPExporter`` and what it shares with the others.
///
/// Unchecked: `pipelines` and `random` are touched by the thread alone once it runs, all else is behind the monitor.
final class OTLPWorker: @unchecked Sendable {
    struct State: Sendable {
        var spans: SpanQueue
        var logs: LogQueue
        var metrics = MetricQueue()
        /// When the oldest of what waits came (monotonic, ms), by signal.
        var since = [Int64](repeating: 0, count: OTLPSignal.allCases.count)
        var counters = [OTLPCounters](repeating: OTLPCounters(), count: OTLPSignal.allCases.count)
        /// Whether a request is being made, sent, or waits to be tried again, by signal.
        var busy = [Bool](repeating: false, count: OTLPSignal.allCases.count)
        /// Callers that wait for everything to be sent.
        var flushing = 0
        /// When the thread must end (monotonic, ms).
        var end: Int64?
        var finished = false

        func isEmpty(_ signal: OTLPSignal) -> Bool {
            switch signal {
            case .traces: spans.isEmpty
            case .logs: logs.lines.isEmpty
            case .metrics: metrics.collections.isEmpty
            }
        }

        var isIdle: Bool { OTLPSignal.allCases.allSatisfy { isEmpty($0) && !busy[$0.rawValue] } }
    }

    let monitor: Monitor<State>
    let configuration: OTLPConfiguration
    let resource: TelemetryResource
    let log: LogSink
    let transfers: HTTPTransfers
    let pipelines: [OTLPPipeline]
    private var random = FastRandom.seededBySystem()
    var isDropping = false
    var dropped = 0

    init?(_ configuration: OTLPConfiguration, resource: TelemetryResource, log: LogSink) {
        guard let transfers = HTTPTransfers() else { return nil }
        var pipelines: [OTLPPipeline] = []
        for signal in OTLPSignal.allCases {
            guard let endpoint = configuration.endpoints[signal] else { continue }
            guard let pipeline = OTLPPipeline(signal, endpoint) else { return nil }
            pipelines.append(pipeline)
        }
        self.transfers = transfers
        self.pipelines = pipelines
        self.configuration = configuration
        self.resource = resource
        self.log = log
        monitor = Monitor(
            State(
                spans: SpanQueue(limit: max(configuration.queueBytes, 0)),
                logs: LogQueue(limit: configuration.logQueueBytes)))
    }

    // MARK: Called by others

    func add(_ batch: SpanBatch) {
        guard !batch.spans.isEmpty, configuration.endpoints[.traces] != nil else { return }
        let most = configuration.requestItems(.traces)
        queue(.traces) { state in
            guard state.end == nil else {
                state.spans.refuse(batch)
                return false
            }
            let before = state.spans.spanCount
            state.spans.add(batch)
            return before < most && state.spans.spanCount >= most
        }
    }

    func threshold(skipped: Int) -> UInt64 {
        monitor.withLock { state in
            state.spans.threshold(skipped: skipped, now: MonotonicClock.milliseconds)
        }
    }

    func leftOut(of traces: [TraceContext]) { monitor.withLock { $0.spans.leftOut(of: traces) } }

    func add(_ line: TimedLine) {
        guard configuration.endpoints[.logs] != nil else { return }
        queue(.logs) { state in
            guard state.end == nil else {
                state.logs.refuse()
                return false
            }
            state.logs.add(line)
            return state.logs.lines.count == configuration.requestItems(.logs)
        }
    }

    func add(_ metrics: [Metric]) {
        guard metrics.pointCount > 0, configuration.endpoints[.metrics] != nil else { return }
        let metrics = configuration.sendsExemplars ? metrics : metrics.map(\.withoutExemplars)
        queue(.metrics) { state in
            guard state.end == nil else {
                state.metrics.refuse(metrics)
                return false
            }
            state.metrics.add(metrics)
            return false
        }
    }

    // Wakes the thread when there is something again, and when there is enough for a request.
    private func queue(_ signal: OTLPSignal, _ add: (inout State) -> Bool) {
        let wake = monitor.withLock { state in
            let wasEmpty = state.isEmpty(signal)
            if wasEmpty { state.since[signal.rawValue] = MonotonicClock.milliseconds }
            return add(&state) || wasEmpty && !state.isEmpty(signal)
        }
        if wake { transfers.wake() }
    }

    func flush(_ milliseconds: Int64) {
        monitor.withLock { $0.flushing += 1 }
        transfers.wake()
        _ = monitor.wait(milliseconds: milliseconds) { $0.isIdle || $0.finished ? true : nil }
        monitor.withLock { $0.flushing -= 1 }
    }

    func stop(within milliseconds: Int64) {
        let end = MonotonicClock.milliseconds.addingSaturated(max(milliseconds, 0))
        monitor.withLock { $0.end = min($0.end ?? end, end) }
        transfers.wake()
    }

    func waitForEnd(_ milliseconds: Int64) {
        _ = monitor.wait(milliseconds: milliseconds) { $0.finished ? true : nil }
    }

    func counters(_ signal: OTLPSignal) -> OTLPCounters {
        monitor.withLock { state in
            var counters = state.counters[signal.rawValue]
            switch signal {
            case .traces:
                counters.dropped = state.spans.counts.dropped
                counters.droppedTraces = state.spans.counts.droppedTraces
                counters.cut = state.spans.counts.cut
                counters.skipped = state.spans.counts.skipped
                counters.queuedBytes = state.spans.bytes
                counters.keptShare = 1 - Double(state.spans.threshold) / 0x1p56
            case .logs:
                counters.dropped = state.logs.dropped
                counters.queuedBytes = state.logs.bytes
            case .metrics: counters.dropped = state.metrics.dropped
            }
            return counters
        }
    }

    // MARK: The thread

    func run() {
        while true {
            let now = MonotonicClock.milliseconds
            let (urgent, end) = monitor.withLock { ($0.flushing > 0 || $0.end != nil, $0.end) }
            for pipeline in pipelines { move(pipeline, now, urgent) }
            reportDropping()
            if let end {
                if now >= end { giveUp() }
                if monitor.withLock({ $0.isIdle }) { break }
            }
            let wait = min(end.map { max($0 - now, 0) } ?? 60_000, pipelines.map { waitOf($0, now, urgent) }.min() ?? 0)
            let ended = transfers.poll(milliseconds: Int32(clamping: wait), among: pipelines.map(\.transfer))
            for (transfer, result) in ended {
                guard let pipeline = pipelines.first(where: { $0.transfer === transfer }) else { continue }
                finish(pipeline, result)
            }
        }
        monitor.withLock { $0.finished = true }
        monitor.wake()
    }

    /// How long nothing must be done for a pipeline, ms.
    private func waitOf(_ pipeline: OTLPPipeline, _ now: Int64, _ urgent: Bool) -> Int64 {
        switch pipeline.phase {
        case .sending: return 60_000
        case .waiting(let until): return max(until - now, 0)
        case .idle:
            return monitor.withLock { state in
                state.isEmpty(pipeline.signal)
                    ? 60_000
                    : max(state.since[pipeline.signal.rawValue].addingSaturated(delay(pipeline.signal)) - now, 0)
            }
        }
    }

    private func delay(_ signal: OTLPSignal) -> Int64 {
        switch signal {
        case .traces: configuration.spanDelay.milliseconds
        case .logs: configuration.logDelay.milliseconds
        case .metrics: 0
        }
    }

    /// Sends what it is time for.
    private func move(_ pipeline: OTLPPipeline, _ now: Int64, _ urgent: Bool) {
        switch pipeline.phase {
        case .sending: return
        case .waiting(let until):
            guard until <= now else { return }
            count(pipeline.signal) { $0.retries += 1 }
            send(pipeline)
        case .idle:
            guard pipeline.hasRest || isDue(pipeline.signal, now, urgent) else { return }
            fill(pipeline, now)
            guard pipeline.items > 0 else { return }
            pipeline.retry = OTLPRetry(now: now, limit: configuration.retryTime(pipeline.signal).milliseconds)
            send(pipeline)
        }
    }

    private func isDue(_ signal: OTLPSignal, _ now: Int64, _ urgent: Bool) -> Bool {
        monitor.withLock { state in
            guard !state.isEmpty(signal) else { return false }
            let isFull =
                switch signal {
                case .traces: state.spans.spanCount >= configuration.requestItems(signal)
                case .logs: state.logs.lines.count >= configuration.requestItems(signal)
                case .metrics: true
                }
            return urgent || isFull || now - state.since[signal.rawValue] >= delay(signal)
        }
    }

    private func fill(_ pipeline: OTLPPipeline, _ now: Int64) {
        let signal = pipeline.signal
        var unsendable = 0
        monitor.withLock { $0.busy[signal.rawValue] = true }
        switch signal {
        case .traces:
            unsendable = pipeline.fillSpans(configuration, resource) { monitor.withLock { $0.spans.take() } }
        case .logs:
            // A line takes less in a request than it is counted here.
            pipeline.fill(
                monitor.withLock { $0.logs.take(configuration.requestItems(signal), size: configuration.requestBytes) },
                resource)
        case .metrics:
            unsendable = pipeline.fillMetrics(configuration, resource) { monitor.withLock { $0.metrics.take() } }
        }
        monitor.withLock { state in
            state.counters[signal.rawValue].unsendable += unsendable
            state.since[signal.rawValue] = now
            state.busy[signal.rawValue] = pipeline.items > 0
        }
        if pipeline.items == 0 { monitor.wake() }
    }

    private func send(_ pipeline: OTLPPipeline) {
        pipeline.phase = .sending
        count(pipeline.signal) { $0.requests += 1 }
        transfers.post(pipeline.transfer, to: pipeline.target)
    }

    private func finish(_ pipeline: OTLPPipeline, _ result: Result<HTTPAnswer, HTTPFailure>) {
        let verdict = OTLPVerdict(result, encoding: pipeline.endpoint.encoding)
        let items = pipeline.items
        switch verdict {
        case .accepted, .partial:
            var rejected = 0
            if case .partial(let number, let message) = verdict {
                rejected = Int(min(number, Int64(items)))
                note(pipeline, rejected, message)
            }
            let size = pipeline.transfer.body.value.count
            count(pipeline.signal) { counters in
                counters.sent += items - rejected
                counters.rejected += rejected
                counters.sentBytes += size
            }
            if pipeline.isFailing { report(pipeline, .notice, "telemetry is sent again", nil) }
            pipeline.isFailing = false
        case .refused(_, let reason):
            count(pipeline.signal) { $0.refused += items }
            fail(pipeline, .error, "telemetry is refused and lost", reason)
        case .retry(_, let reason), .cut(let reason):
            if let next = pipeline.retry.next(verdict, now: MonotonicClock.milliseconds, random: &random) {
                pipeline.phase = .waiting(until: next)
                // A connection that was cut once may have been too old.
                if case .cut = verdict { return }
                fail(pipeline, .warning, "telemetry can't be sent; it is kept and tried again", reason)
                return
            }
            count(pipeline.signal) { $0.expired += items }
            report(pipeline, .error, "telemetry could not be sent in time and is lost", reason)
            pipeline.isFailing = true
        }
        done(pipeline)
    }

    private func done(_ pipeline: OTLPPipeline) {
        pipeline.phase = .idle
        pipeline.items = 0
        monitor.withLock { $0.busy[pipeline.signal.rawValue] = pipeline.hasRest }
        monitor.wake()
    }

    /// The time is over: what is on its way is expired, what waits is dropped.
    private func giveUp() {
        for pipeline in pipelines {
            if case .sending = pipeline.phase { transfers.cancel(pipeline.transfer) }
            let items = pipeline.items + pipeline.forgetRest()
            count(pipeline.signal) { $0.expired += items }
            done(pipeline)
        }
        monitor.withLock { state in
            while let batch = state.spans.take() {
                state.counters[OTLPSignal.traces.rawValue].expired += batch.spans.count
            }
            state.counters[OTLPSignal.logs.rawValue].expired += state.logs.take(Int.max, size: Int.max).count
            while !state.metrics.collections.isEmpty {
                state.counters[OTLPSignal.metrics.rawValue].expired += state.metrics.take().pointCount
            }
        }
    }

    private func count(_ signal: OTLPSignal, _ change: (inout OTLPCounters) -> Void) {
        monitor.withLock { change(&$0.counters[signal.rawValue]) }
    }
}
