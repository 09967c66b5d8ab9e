internal import TributaryCore
package import TributaryRuntime
internal import TributaryTelemetry

/// What a person is told while an application runs: how far its stores are restored, and a line of summary.
package struct StatusReport: Sendable {
    /// What is known of the application at one moment.
    package struct Sample: Sendable {
        var state: StreamsApplication.State
        var metrics: ApplicationMetrics
        /// ms of a clock that only goes on.
        var time: Int64

        package init(state: StreamsApplication.State, metrics: ApplicationMetrics, time: Int64) {
            self.state = state
            self.metrics = metrics
            self.time = time
        }
    }

    private let application: String
    private let start: Int64
    private var last: Sample?

    package init(application: String, start: Int64) {
        self.application = application
        self.start = start
    }

    /// The line of a moment; records/s are those since the line before.
    package mutating func line(_ sample: Sample, _ restore: RestoreStatus) -> String {
        defer { last = sample }
        if sample.state == .rebalancing {
            return "\(application)  \(restore.line ?? "starting")"
        }
        let before = last?.metrics.records ?? 0
        let elapsed = sample.time - (last?.time ?? start)
        let rate = elapsed > 0 ? (sample.metrics.records - before) * 1000 / elapsed : 0
        var text = "\(application)  \(sample.state.rawValue)  \(Self.grouped(rate)) records/s"
        text += "  lag \(Self.grouped(sample.metrics.lag))  \(Self.grouped(sample.metrics.records)) records"
        if sample.metrics.dropped > 0 { text += "  \(Self.grouped(sample.metrics.dropped)) left out" }
        return text
    }

    /// `1,234,567`.
    static func grouped(_ number: Int64) -> String {
        let digits = String(number.magnitude)
        var text = number < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0 && (digits.count - index) % 3 == 0 { text += "," }
            text.append(digit)
        }
        return text
    }
}

/// How far the stores of an application are restored.
package struct RestoreStatus: Sendable {
    private var stores: [String: RestoreProgress] = [:]
    private var newest: String?

    package init() {}

    package mutating func note(_ progress: RestoreProgress) {
        let name = "\(progress.store) \(progress.task)"
        stores[name] = progress
        newest = name
    }

    /// `restoring 1 of 4 stores, 45 %: balances 0_1 at 450 of 1,000`; nil before the first.
    package var line: String? {
        guard let newest, let progress = stores[newest] else { return nil }
        let open = stores.values.filter { !$0.isDone }
        let total = stores.values.reduce(0) { $0 + max($1.end - $1.start, 0) }
        let done = stores.values.reduce(0) {
            $0 + min(max(($1.isDone ? $1.end : $1.position) - $1.start, 0), max($1.end - $1.start, 0))
        }
        let share = total > 0 ? done * 100 / total : 100
        let place = "\(newest) at \(StatusReport.grouped(progress.position)) of \(StatusReport.grouped(progress.end))"
        return "restoring \(open.count) of \(stores.count) stores, \(share) %: \(place)"
    }

    /// What was restored, once all of it is; nil if that was nothing.
    package func summary(milliseconds: Int64) -> String? {
        let records = stores.values.reduce(0) { $0 + $1.records }
        guard records > 0 else { return nil }
        let seconds = "\(milliseconds / 1000).\(milliseconds % 1000 / 100)"
        let count = stores.count == 1 ? "1 store" : "\(stores.count) stores"
        return "restored \(count) from \(StatusReport.grouped(records)) changelog records in \(seconds) s"
    }
}

extension StreamsApplication {
    /// Runs as ``run()`` does, and shows what a person wants to know on the standard error meanwhile.
    ///
    /// Shows what is restored, and a line of summary (records/s, lag, state): on a terminal one line that is always the newest,
    /// elsewhere a line each `interval`. The error that it throws is left to the caller to be shown.
    ///
    /// - Parameter interval: how often a line is shown where no terminal is; nil shows none of it anywhere.
    public func run(reportingEach interval: Duration?) async throws {
        watch()
        guard let interval else { return try await run() }
        let isTerminal = StandardErrorLine.isTerminal
        let output = StandardErrorLine.shared
        try await run(
            reportingEach: isTerminal ? 500 : max(interval.milliseconds, 1),
            show: { isTerminal ? output.show($0) : output.write($0) },
            write: { output.write($0) })
        if isTerminal { output.show("") }
    }

    /// The same with places for the lines: one that is replaced each time, and one that stays.
    func run(
        reportingEach milliseconds: Int64, show: @escaping @Sendable (String) -> Void,
        write: @escaping @Sendable (String) -> Void
    ) async throws {
        let restore = Guarded(RestoreStatus())
        let id = configuration.applicationID
        let start = MonotonicClock.milliseconds
        onRestore { progress in restore.withLock { $0.note(progress) } }
        onStateChange { new, old in
            guard old == .rebalancing, new == .running else { return }
            let elapsed = MonotonicClock.milliseconds - start
            if let line = restore.withLock({ $0.summary(milliseconds: elapsed) }) { write("\(id)  \(line)") }
        }
        let reporter = Task {
            var report = StatusReport(application: id, start: start)
            while !Task.isCancelled {
                // A cancelled sleep ends the loop.
                try await Task.sleep(for: .milliseconds(milliseconds))
                let sample = StatusReport.Sample(state: state, metrics: metrics, time: MonotonicClock.milliseconds)
                show(report.line(sample, restore.withLock { $0 }))
            }
        }
        do { try await run() } catch {
            reporter.cancel()
            _ = await reporter.result
            throw error
        }
        reporter.cancel()
        _ = await reporter.result
    }
}
