public import TributaryCore
public import TributaryLineage

/// Writes spans as OTLP JSON lines to a file of bounded size, from a thread of its own.
///
/// Stream threads only queue batches. When the queue is full, whole traces are dropped and counted
/// (``counters``), and records go on. Call ``shutdown(timeout:)`` before the process ends.
public final class OTLPFileExporter: SpanExporter {
    /// Where to, and how much.
    public struct Configuration: Sendable {
        /// The newest file; older ones have `.1`, `.2` behind it.
        public var path: String
        /// A file that would become larger than this is rotated.
        public var bytesPerFile: Int
        /// How many files there are at most, the newest included.
        public var files: Int
        /// How many bytes of spans may wait to be written.
        public var queueBytes: Int

        /// Writes to `path`: 5 files of 64 MB, a queue of 16 MB.
        public init(
            path: String, bytesPerFile: Int = 64 << 20, files: Int = 5, queueBytes: Int = 16 << 20
        ) {
            self.path = path
            self.bytesPerFile = bytesPerFile
            self.files = files
            self.queueBytes = queueBytes
        }
    }

    /// What has become of the spans.
    public struct Counters: Sendable, Equatable {
        /// Spans written.
        public var exported = 0
        /// Spans dropped because the queue was full, or after the shutdown.
        public var dropped = 0
        /// Traces that lost spans: an estimate.
        public var droppedTraces = 0
        /// Those of them that some spans of had already been written.
        public var cut = 0
        /// Records whose spans were not even made, since their trace would be dropped.
        public var skipped = 0
        /// Spans lost because writing failed.
        public var failed = 0
        /// How often writing failed.
        public var errors = 0
        /// Bytes that wait.
        public var queuedBytes = 0
        /// The share of the traces that is kept at the moment.
        public var keptShare = 1.0
    }

    private let worker: SpanFileWorker

    /// Opens the file and starts the thread.
    ///
    /// - Throws: ``SpanFileError`` if the file can't be opened or the thread not be made.
    public init(
        _ configuration: Configuration, resource: TelemetryResource, log: LogSink = .none
    ) throws(SpanFileError) {
        worker = SpanFileWorker(
            file: try RotatingFile(
                path: configuration.path, limit: configuration.bytesPerFile, files: configuration.files),
            resource: resource, log: log, queueBytes: configuration.queueBytes)
        try worker.start()
    }

    deinit { worker.stop() }

    /// Queues a batch for the thread; never waits for the file.
    public func export(_ batch: SpanBatch) {
        guard !batch.spans.isEmpty else { return }
        let wake = worker.monitor.withLock { state in
            if state.stopping {
                state.queue.refuse(batch)
                return false
            }
            let wasEmpty = state.queue.isEmpty
            state.queue.add(batch)
            return wasEmpty
        }
        if wake { worker.monitor.wake() }
    }

    /// Says which traces there is no room for.
    public func threshold(skipped: Int) -> UInt64 {
        worker.monitor.withLock { $0.queue.threshold(skipped: skipped, now: MonotonicClock.milliseconds) }
    }

    /// Counts traces that are not whole.
    public func leftOut(of traces: [TraceContext]) {
        worker.monitor.withLock { $0.queue.leftOut(of: traces) }
    }

    /// Waits until all that is queued is written, at most so long.
    public func flush(timeout: Duration) {
        _ = worker.monitor.wait(milliseconds: timeout.milliseconds) { $0.isIdle ? true : nil }
    }

    /// Writes what is queued, waiting at most so long, and ends the thread; later spans are dropped.
    public func shutdown(timeout: Duration) {
        worker.stop()
        _ = worker.monitor.wait(milliseconds: timeout.milliseconds) { $0.finished ? true : nil }
    }

    /// Spans that are lost.
    public var lostSpans: Int? {
        let counters = self.counters
        return counters.dropped + counters.failed
    }

    /// What has become of the spans so far.
    public var counters: Counters {
        worker.monitor.withLock { state in
            var counters = Counters()
            counters.exported = state.exported
            counters.dropped = state.queue.counts.dropped
            counters.droppedTraces = state.queue.counts.droppedTraces
            counters.cut = state.queue.counts.cut
            counters.skipped = state.queue.counts.skipped
            counters.failed = state.failed
            counters.errors = state.errors
            counters.queuedBytes = state.queue.bytes
            counters.keptShare = 1 - Double(state.queue.threshold) / 0x1p56
            return counters
        }
    }
}

/// The thread of an exporter and what it shares with the others.
///
/// Unchecked: `file` and `buffer` are touched by the thread alone once it runs, all else is behind the monitor.
private final class SpanFileWorker: @unchecked Sendable {
    struct State: Sendable {
        var queue: SpanQueue
        var busy = false
        var stopping = false
        var finished = false
        var exported = 0
        var failed = 0
        var errors = 0

        var isIdle: Bool { queue.isEmpty && !busy }
    }

    enum Step {
        case write(SpanBatch)
        case report(dropping: Bool)
        case stop
    }

    let monitor: Monitor<State>
    private let resource: TelemetryResource
    private let log: LogSink
    private let file: Owned<RotatingFile>
    private let buffer = Owned(ByteWriter(capacity: 1 << 16))

    init(file: consuming RotatingFile, resource: TelemetryResource, log: LogSink, queueBytes: Int) {
        monitor = Monitor(State(queue: SpanQueue(limit: max(queueBytes, 0))))
        self.file = Owned(file)
        self.resource = resource
        self.log = log
    }

    /// Starts the thread, which keeps this object alive until it is told to stop.
    func start() throws(SpanFileError) {
        let status = OSThread.start("tributary-spans") { self.run() }
        guard status == 0 else {
            throw SpanFileError(operation: "pthread_create", path: file.value.path, errno: status)
        }
    }

    /// Lets the thread end once the queue is empty.
    func stop() {
        monitor.withLock { $0.stopping = true }
        monitor.wake()
    }

    /// What the thread does.
    func run() {
        var failing = false
        var dropping = false
        var dropped = 0
        while true {
            let step: Step? = monitor.wait(milliseconds: nil) { state in
                let drops = state.queue.threshold > 0 || state.queue.counts.dropped > dropped
                dropped = state.queue.counts.dropped
                if drops != dropping { return .report(dropping: drops) }
                if let batch = state.queue.take() {
                    state.busy = true
                    return .write(batch)
                }
                return state.stopping ? .stop : nil
            }
            if case .report(let drops)? = step {
                dropping = drops
                reportDropping(drops)
                continue
            }
            guard case .write(let batch)? = step else { break }
            do throws(SpanFileError) {
                try write(batch, by: &buffer.value, to: &file.value)
                monitor.withLock { state in
                    state.exported += batch.spans.count
                    state.busy = false
                }
                if failing { log(.notice, "spans are written again", source: "TributaryTelemetry") }
                failing = false
            } catch {
                monitor.withLock { state in
                    state.failed += batch.spans.count
                    state.errors += 1
                    state.busy = false
                }
                if !failing {
                    log(
                        .error, "spans can't be written and are lost",
                        [("file.path", error.path), ("error.message", "\(error)")], source: "TributaryTelemetry")
                }
                failing = true
            }
            monitor.wake()
        }
        monitor.withLock { $0.finished = true }
        monitor.wake()
    }

    private func write(
        _ batch: SpanBatch, by buffer: inout ByteWriter, to file: inout RotatingFile
    ) throws(SpanFileError) {
        buffer.shrink(over: 8 << 20)
        OTLPJSON.appendLine(batch, resource: resource, to: &buffer)
        try file.write(buffer.bytes)
    }

    private func reportDropping(_ dropping: Bool) {
        let counts = monitor.withLock { $0.queue.counts }
        let numbers = [
            ("spans.dropped", "\(counts.dropped)"), ("traces.dropped", "\(counts.droppedTraces)"),
            ("traces.cut", "\(counts.cut)"),
        ].map { (key: $0.0, value: $0.1) }
        if dropping {
            log(
                .warning, "spans come faster than they are written; whole traces are dropped", numbers,
                source: "TributaryTelemetry")
        } else {
            log(.notice, "all traces are written again", numbers, source: "TributaryTelemetry")
        }
    }
}
