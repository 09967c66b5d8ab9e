/// What a metric is.
public struct MetricDescription: Sendable, Hashable {
    /// The kinds of metrics, as OpenTelemetry names them.
    public enum Kind: String, Sendable {
        /// A sum that only grows.
        case counter
        /// A value of the moment.
        case gauge
        /// A distribution.
        case histogram
    }

    /// The name, with dots between words' groups: `kafka.streams.stream_thread_metrics.process`.
    public let name: String
    /// The unit in UCUM: `s`, `By`, `{record}`.
    public let unit: String
    /// One sentence.
    public internal(set) var help: String
    /// The kind.
    public let kind: Kind

    /// Describes a metric.
    public init(_ kind: Kind, _ name: String, unit: String, help: String) {
        self.kind = kind
        self.name = name
        self.unit = unit
        self.help = help
    }
}

/// A name and its value that tells one series of a metric from the others.
public struct MetricLabel: Sendable, Hashable {
    /// The name, as OpenTelemetry or Kafka Streams has it: `messaging.system`, `task_id`.
    public let name: String
    /// The value.
    public let value: String

    /// Makes a label.
    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// One observation whose trace was sampled, shown beside the bucket it fell into.
public struct Exemplar: Sendable, Equatable {
    /// The trace and span during which it was observed.
    public let context: TraceContext
    /// The value, in the metric's unit.
    public let value: Double
    /// When, ms since the epoch.
    public let timestamp: Int64

    /// Makes an exemplar.
    public init(context: TraceContext, value: Double, timestamp: Int64) {
        self.context = context
        self.value = value
        self.timestamp = timestamp
    }
}

/// The content of a histogram.
public struct HistogramSnapshot: Sendable, Equatable {
    /// The upper bounds of all buckets but the last, inclusive, ascending.
    public var bounds: [Double]
    /// How many observations each bucket has; one more than there are bounds.
    public var counts: [Int64]
    /// The sum of all observations.
    public var sum: Double
    /// The newest exemplar of each bucket that has one.
    public var exemplars: [Exemplar?]

    /// How many observations there are.
    public var count: Int64 { counts.reduce(0, +) }

    /// Makes a snapshot.
    public init(bounds: [Double], counts: [Int64], sum: Double, exemplars: [Exemplar?]) {
        self.bounds = bounds
        self.counts = counts
        self.sum = sum
        self.exemplars = exemplars
    }
}

/// One series of a metric at one moment.
public struct MetricPoint: Sendable, Equatable {
    /// What was measured.
    public enum Value: Sendable, Equatable {
        /// A counter's sum or a gauge's value.
        case number(Double)
        /// A histogram's content.
        case histogram(HistogramSnapshot)
    }

    /// What tells it from the metric's other series.
    public var labels: [MetricLabel]
    /// What was measured.
    public var value: Value

    /// Makes a point.
    public init(labels: [MetricLabel], value: Value) {
        self.labels = labels
        self.value = value
    }
}

/// A metric with all its series at one moment.
public struct MetricSnapshot: Sendable, Equatable {
    /// What the metric is.
    public var description: MetricDescription
    /// Its series.
    public var points: [MetricPoint]

    /// Makes a snapshot.
    public init(description: MetricDescription, points: [MetricPoint]) {
        self.description = description
        self.points = points
    }
}
