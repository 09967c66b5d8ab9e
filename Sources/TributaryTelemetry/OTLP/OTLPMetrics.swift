internal import TributaryCore

/// Writes metrics into requests, as many points as fit; what is left waits for the next request.
///
/// Counts points, as servers do. A metric whose points don't fit together is sent in parts, each with points of its own.
struct OTLPMetrics {
    private let encoding: OTLPEncoding
    // The next one is the last.
    private var waiting: [Metric] = []

    init(_ encoding: OTLPEncoding) { self.encoding = encoding }

    var isEmpty: Bool { waiting.isEmpty }

    /// How many points wait.
    var pointCount: Int { waiting.pointCount }

    /// Lets metrics wait, where none does.
    mutating func add(_ metrics: [Metric]) { waiting = metrics.reversed() }

    /// Forgets what waits.
    mutating func removeAll() { waiting = [] }

    /// Appends points to a request until a limit is reached.
    ///
    /// - Parameters:
    ///   - limit: how large the whole request may get, its end included.
    ///   - room: how many points may be appended.
    ///   - refused: called for each point that is left out, since it is larger than a request may be.
    /// - Returns: how many points were appended; not 0 while any waits.
    mutating func append(
        limit: Int, room: Int, frame: inout OTLPFrame, to writer: inout ByteWriter, refused: () -> Void
    ) -> Int {
        var count = 0
        while count < room, let metric = waiting.popLast() {
            let points = metric.pointCount
            guard points > 0 else { continue }
            let mark = writer.count
            let before = frame
            // Not again what didn't fit: each try is a half at most of the one before.
            var tried = min(points, room - count)
            while true {
                let part = metric.points(in: 0..<tried)
                frame.beginItem(&writer)
                switch encoding {
                case .protobuf: OTLPProtobuf.append(part, to: &writer)
                case .json: OTLPJSON.append(part, to: &writer)
                }
                frame.endItem(&writer)
                if writer.count + OTLPSpans.endSize <= limit { break }
                let size = writer.count - mark
                writer.truncate(to: mark)
                frame = before
                guard count == 0 else {
                    waiting.append(metric)
                    return count
                }
                guard tried > 1 else {
                    refused()
                    tried = 0
                    break
                }
                tried = max(min(tried / 2, tried * (limit - mark) / size), 1)
            }
            count += tried
            let next = max(tried, 1)
            guard next < points else { continue }
            waiting.append(metric.points(in: next..<points))
            // The rest goes into another request: a metric is in one only once.
            if tried > 0 { break }
        }
        return count
    }
}

extension Metric {
    /// How many points it has.
    var pointCount: Int {
        switch content {
        case .sum(let points, _, _): points.count
        case .gauge(let points): points.count
        case .histogram(let points, _): points.count
        case .exponentialHistogram(let points, _): points.count
        }
    }

    /// The metric with some of its points.
    func points(in range: Range<Int>) -> Metric {
        guard range.count < pointCount else { return self }
        var part = self
        part.content =
            switch content {
            case .sum(let points, let isMonotonic, let temporality):
                .sum(Array(points[range]), isMonotonic: isMonotonic, temporality)
            case .gauge(let points): .gauge(Array(points[range]))
            case .histogram(let points, let temporality): .histogram(Array(points[range]), temporality)
            case .exponentialHistogram(let points, let temporality):
                .exponentialHistogram(Array(points[range]), temporality)
            }
        return part
    }
}

extension [Metric] {
    /// How many points they have.
    var pointCount: Int { reduce(0) { $0 + $1.pointCount } }
}
