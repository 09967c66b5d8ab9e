internal import TributaryCore
internal import TributaryLineage

/// What the log is told: a trouble when it begins and when it is over, never once a request.
extension OTLPWorker {
    func fail(_ pipeline: OTLPPipeline, _ level: LogLevel, _ message: String, _ reason: String) {
        if !pipeline.isFailing { report(pipeline, level, message, reason) }
        pipeline.isFailing = true
    }

    func note(_ pipeline: OTLPPipeline, _ rejected: Int, _ message: String) {
        let now = MonotonicClock.milliseconds
        guard pipeline.lastNote.map({ now - $0 >= 10_000 }) ?? true else { return }
        pipeline.lastNote = now
        report(
            pipeline, .warning,
            rejected > 0
                ? "the server refused a part of the telemetry" : "the server took the telemetry with a warning",
            message, [("rejected", "\(rejected)")])
    }

    func report(
        _ pipeline: OTLPPipeline, _ level: LogLevel, _ message: String, _ reason: String?,
        _ more: [(key: String, value: String)] = []
    ) {
        var data = [(key: "signal", value: "\(pipeline.signal)"), (key: "url", value: pipeline.endpoint.printableURL)]
        if let reason { data.append((key: "reason", value: reason)) }
        log(level, message, data + more, source: "TributaryTelemetry")
    }

    func reportDropping() {
        let (counts, drops) = monitor.withLock { state in
            (state.spans.counts, state.spans.threshold > 0 || state.spans.counts.dropped > dropped)
        }
        dropped = counts.dropped
        guard drops != isDropping else { return }
        isDropping = drops
        let numbers = [
            ("spans.dropped", "\(counts.dropped)"), ("traces.dropped", "\(counts.droppedTraces)"),
            ("traces.cut", "\(counts.cut)"),
        ].map { (key: $0.0, value: $0.1) }
        log(
            drops ? .warning : .notice,
            drops ? "spans come faster than they are sent; whole traces are dropped" : "all traces are sent again",
            numbers, source: "TributaryTelemetry")
    }
}

extension OTLPEndpoint {
    /// The URL without a user's name and password.
    var printableURL: String {
        guard let scheme = url.firstIndex(of: ":") else { return url }
        let rest = url[scheme...].dropFirst(3)
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        guard let at = authority.lastIndex(of: "@") else { return url }
        return url[..<scheme] + "://" + rest[rest.index(after: at)...]
    }
}
