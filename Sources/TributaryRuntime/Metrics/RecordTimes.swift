internal import TributaryCore

/// How long each record of a thread takes.
///
/// A reading of the clock takes 20 to 30 ns, a tenth of what the fastest records take. So each record is timed where that doesn't matter
/// (they take longer than a microsecond) or where somebody looks (the metrics were read in the last minutes); else the records of
/// a run count with its mean.
final class RecordTimes {
    private let histogram: Histogram
    private let registry: MetricsRegistry
    private let clock: TimeSource.Reading
    private var before: Int64 = 0
    private var timed = 0
    // Of the run before.
    private var mean: Int64 = .max

    /// From which mean on records are timed one by one, ns.
    static let slow: Int64 = 1000
    /// How long after the last reading of the metrics they are, ns.
    static let watched: Int64 = 600_000_000_000

    init(_ histogram: Histogram, _ registry: MetricsRegistry, _ clock: TimeSource.Reading) {
        self.histogram = histogram
        self.registry = registry
        self.clock = clock
    }

    /// Records begin to be processed.
    func start() { before = clock.nanoseconds() }

    /// Whether the records of the next run are timed one by one.
    func startRun() -> Bool {
        timed = 0
        return mean >= RecordTimes.slow || registry.wasRead(within: RecordTimes.watched)
    }

    /// A record is processed.
    func took() {
        let now = clock.nanoseconds()
        histogram.observe(now &- before)
        before = now
        timed &+= 1
    }

    /// A run of `count` records is over, of which those were timed that ``took()`` was called for.
    func endRun(_ count: Int, began: Int64) {
        let now = timed == count ? before : clock.nanoseconds()
        mean = (now &- began) / Int64(max(count, 1))
        if timed < count { histogram.observe((now &- before) / Int64(count - timed), count: Int64(count - timed)) }
        before = now
    }

    /// When the run that follows begins.
    var now: Int64 { before }
}
