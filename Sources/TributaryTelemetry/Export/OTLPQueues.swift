internal import TributaryCore
internal import TributaryLineage

/// Log lines that wait: new ones are dropped and counted when there is no room, so that the first ones of a trouble stay.
struct LogQueue: Sendable {
    let limit: Int
    private(set) var lines: [TimedLine] = []
    private(set) var bytes = 0
    private(set) var dropped = 0

    init(limit: Int) { self.limit = max(limit, 0) }

    mutating func add(_ line: TimedLine) {
        guard bytes + line.size <= limit else {
            dropped += 1
            return
        }
        bytes += line.size
        lines.append(line)
    }

    /// The oldest lines, so many at most, of about `size` bytes at most but one at least.
    mutating func take(_ count: Int, size: Int) -> [TimedLine] {
        var taken = 0
        var sum = 0
        while taken < min(count, lines.count), taken == 0 || sum + lines[taken].size <= size {
            sum += lines[taken].size
            taken += 1
        }
        let first = Array(lines[..<taken])
        lines.removeFirst(taken)
        bytes -= sum
        return first
    }

    mutating func refuse() { dropped += 1 }
}

/// Collected metrics that wait: the newest few, since later ones say it all again.
struct MetricQueue: Sendable {
    static let limit = 8
    private(set) var collections: [[Metric]] = []
    private(set) var dropped = 0

    mutating func add(_ metrics: [Metric]) {
        collections.append(metrics)
        if collections.count > MetricQueue.limit { dropped += collections.removeFirst().pointCount }
    }

    mutating func take() -> [Metric] { collections.isEmpty ? [] : collections.removeFirst() }

    mutating func refuse(_ metrics: [Metric]) { dropped += metrics.pointCount }
}
