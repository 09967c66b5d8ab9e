public import TributaryCore
public import TributaryLineage

/// A metric with its points, as it is exported.
public struct Metric: Sendable, Equatable {
    /// What the points of sums and histograms cover.
    public enum Temporality: UInt8, Sendable {
        /// What happened since the last export.
        case delta = 1
        /// What happened since the start.
        case cumulative = 2
    }

    /// What is measured.
    public enum Content: Sendable, Equatable {
        /// A sum; monotonic if it never falls.
        case sum([NumberPoint], isMonotonic: Bool, Temporality)
        /// The latest value.
        case gauge([NumberPoint])
        /// Counts by buckets with given bounds.
        case histogram([HistogramPoint], Temporality)
        /// Counts by buckets whose bounds grow exponentially.
        case exponentialHistogram([ExponentialHistogramPoint], Temporality)
    }

    /// The name, for example `messaging.process.duration`.
    public var name: String
    /// A sentence.
    public var description: String
    /// The unit in UCUM, for example `s`, `By`, `{message}`.
    public var unit: String
    /// The points.
    public var content: Content

    /// Makes a metric.
    public init(_ name: String, description: String = "", unit: String = "", _ content: Content) {
        self.name = name
        self.description = description
        self.unit = unit
        self.content = content
    }
}

extension Metric {
    /// The metric without the measurements that stand for the others.
    var withoutExemplars: Metric {
        func bare<Point>(_ points: [Point], _ exemplars: WritableKeyPath<Point, [MetricExemplar]>) -> [Point] {
            points.map { point in
                var point = point
                point[keyPath: exemplars] = []
                return point
            }
        }
        var metric = self
        metric.content =
            switch content {
            case .sum(let points, let isMonotonic, let temporality):
                .sum(bare(points, \.exemplars), isMonotonic: isMonotonic, temporality)
            case .gauge(let points): .gauge(bare(points, \.exemplars))
            case .histogram(let points, let temporality): .histogram(bare(points, \.exemplars), temporality)
            case .exponentialHistogram(let points, let temporality):
                .exponentialHistogram(bare(points, \.exemplars), temporality)
            }
        return metric
    }
}

/// An integer or floating-point value.
public enum MetricNumber: Sendable, Equatable {
    /// An integer.
    case int(Int64)
    /// A floating-point number.
    case double(Double)
}

/// One measurement that stands for others, with the span in which it was made.
public struct MetricExemplar: Sendable, Equatable {
    /// What was measured.
    public var value: MetricNumber
    /// When, in nanoseconds since the epoch.
    public var time: Int64
    /// The span; `TraceContext.none` if there is none.
    public var context: TraceContext
    /// Attributes of the measurement that the point doesn't have.
    public var attributes: [String: AttributeValue]

    /// Makes an exemplar.
    public init(
        _ value: MetricNumber, time: Int64, context: TraceContext = .none, attributes: [String: AttributeValue] = [:]
    ) {
        self.value = value
        self.time = time
        self.context = context
        self.attributes = attributes
    }
}

/// What all points have: attributes and the time that they cover.
public struct PointFrame: Sendable, Equatable {
    /// What tells this point from the others of the metric.
    public var attributes: [String: AttributeValue]
    /// The start, in nanoseconds since the epoch; 0 for a gauge.
    public var start: Int64
    /// The end, in nanoseconds since the epoch.
    public var time: Int64

    /// Makes a frame.
    public init(attributes: [String: AttributeValue] = [:], start: Int64 = 0, time: Int64) {
        self.attributes = attributes
        self.start = start
        self.time = time
    }
}

/// A point of a sum or gauge.
public struct NumberPoint: Sendable, Equatable {
    /// Attributes and time.
    public var frame: PointFrame
    /// The value.
    public var value: MetricNumber
    /// Measurements that stand for the others.
    public var exemplars: [MetricExemplar]

    /// Makes a point.
    public init(_ frame: PointFrame, _ value: MetricNumber, exemplars: [MetricExemplar] = []) {
        self.frame = frame
        self.value = value
        self.exemplars = exemplars
    }
}

/// A point of a histogram whose buckets have given bounds.
public struct HistogramPoint: Sendable, Equatable {
    /// Attributes and time.
    public var frame: PointFrame
    /// The sum of all values.
    public var sum: Double
    /// The smallest value; nil if there is none, or if it isn't known.
    public var minimum: Double?
    /// The largest value.
    public var maximum: Double?
    /// The upper bounds of all buckets but the last, which belong to their buckets; rising.
    public var bounds: [Double]
    /// How many values each bucket has: one more than there are bounds.
    public var counts: [UInt64]
    /// Measurements that stand for the others.
    public var exemplars: [MetricExemplar]

    /// Makes a point.
    public init(
        _ frame: PointFrame, sum: Double, minimum: Double? = nil, maximum: Double? = nil, bounds: [Double],
        counts: [UInt64], exemplars: [MetricExemplar] = []
    ) {
        self.frame = frame
        self.sum = sum
        self.minimum = minimum
        self.maximum = maximum
        self.bounds = bounds
        self.counts = counts
        self.exemplars = exemplars
    }

    /// How many values there are.
    public var count: UInt64 { counts.reduce(0, &+) }
}

/// A point of a histogram whose bucket `i` holds values above `base^i` and up to `base^(i+1)`, base = 2^(2^-scale).
public struct ExponentialHistogramPoint: Sendable, Equatable {
    /// Buckets that follow one another.
    public struct Buckets: Sendable, Equatable {
        /// The number of the first.
        public var offset: Int32
        /// How many values each has.
        public var counts: [UInt64]

        /// Makes buckets.
        public init(offset: Int32 = 0, counts: [UInt64] = []) {
            self.offset = offset
            self.counts = counts
        }
    }

    /// Attributes and time.
    public var frame: PointFrame
    /// The sum of all values.
    public var sum: Double
    /// The smallest value.
    public var minimum: Double?
    /// The largest value.
    public var maximum: Double?
    /// How fine the buckets are.
    public var scale: Int32
    /// How many values are as good as zero.
    public var zeroCount: UInt64
    /// The buckets of positive values.
    public var positive: Buckets
    /// The buckets of negative values.
    public var negative: Buckets
    /// Measurements that stand for the others.
    public var exemplars: [MetricExemplar]

    /// Makes a point.
    public init(
        _ frame: PointFrame, sum: Double, minimum: Double? = nil, maximum: Double? = nil, scale: Int32,
        zeroCount: UInt64 = 0, positive: Buckets = Buckets(), negative: Buckets = Buckets(),
        exemplars: [MetricExemplar] = []
    ) {
        self.frame = frame
        self.sum = sum
        self.minimum = minimum
        self.maximum = maximum
        self.scale = scale
        self.zeroCount = zeroCount
        self.positive = positive
        self.negative = negative
        self.exemplars = exemplars
    }

    /// How many values there are.
    public var count: UInt64 {
        zeroCount &+ positive.counts.reduce(0, &+) &+ negative.counts.reduce(0, &+)
    }
}
