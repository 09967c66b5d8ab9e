public import TributaryCore
internal import TributaryLineage

extension Metric {
    /// A metric as the application counted it, cumulative since `start`.
    ///
    /// - Parameters:
    ///   - start: when counting began, nanoseconds since the epoch.
    ///   - time: when the snapshot was taken, nanoseconds since the epoch.
    public init(_ snapshot: MetricSnapshot, start: Int64, time: Int64) {
        func frame(_ point: MetricPoint, _ start: Int64) -> PointFrame {
            var attributes: [String: AttributeValue] = [:]
            for label in point.labels { attributes[label.name] = .string(label.value) }
            return PointFrame(attributes: attributes, start: start, time: time)
        }
        func numbers(_ start: Int64) -> [NumberPoint] {
            snapshot.points.compactMap { point in
                guard case .number(let value) = point.value else { return nil }
                return NumberPoint(frame(point, start), Int64(exactly: value).map { .int($0) } ?? .double(value))
            }
        }
        let content: Content =
            switch snapshot.description.kind {
            case .counter: .sum(numbers(start), isMonotonic: true, .cumulative)
            case .gauge: .gauge(numbers(0))
            case .histogram:
                .histogram(
                    snapshot.points.compactMap { point in
                        guard case .histogram(let histogram) = point.value else { return nil }
                        return HistogramPoint(
                            frame(point, start), sum: histogram.sum, bounds: histogram.bounds,
                            counts: histogram.counts.map { UInt64(clamping: $0) },
                            exemplars: histogram.exemplars.compactMap { exemplar in
                                exemplar.map {
                                    MetricExemplar(
                                        .double($0.value), time: $0.timestamp &* 1_000_000, context: $0.context)
                                }
                            })
                    }, .cumulative)
            }
        self.init(
            snapshot.description.name, description: snapshot.description.help, unit: snapshot.description.unit, content)
    }
}
