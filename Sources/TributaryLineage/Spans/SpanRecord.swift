public import TributaryCore

/// Why a span links to another: the attribute `tributary.link`.
public enum LinkType: UInt8, Sendable, CaseIterable, BitwiseCopyable {
    /// The row that a write was computed from.
    case previous
    /// The other side of a join or look-up.
    case joined
    /// Another contribution that a cache, buffer or session folded in.
    case merged
    /// A neighbour window's aggregate that seeded this one.
    case copied
    /// Read earlier in the same callback; may have contributed.
    case bound
    /// The row that a latest-wins write replaced.
    case superseded
    /// The row that a table aggregate took out.
    case retracted
    /// The row that a tombstone removed.
    case deleted
    /// The subscription that sent a foreign-key response.
    case routed
    /// What made it happen now.
    case trigger

    /// The value of `tributary.link`.
    public var name: String { "\(self)" }

    /// Whether it leads to something that the value came from.
    public var contributes: Bool { rawValue <= LinkType.bound.rawValue }
}

/// OpenTelemetry's span kinds, with OTLP's numbers.
public enum SpanKind: UInt8, Sendable, BitwiseCopyable {
    /// Inside the application: store operations.
    case `internal` = 1
    /// A request to a server.
    case client = 3
    /// A record was sent.
    case producer = 4
    /// A record was processed.
    case consumer = 5
}

/// A value of a span attribute.
public enum AttributeValue: Sendable, Hashable {
    /// Text.
    case string(String)
    /// A 64-bit integer.
    case int(Int64)
    /// A truth value.
    case bool(Bool)
    /// A floating-point number.
    case double(Double)
}

/// What all spans of one operation share; interned when a topology is built, so that spans carry a number.
public struct SpanOperation: Sendable, Hashable {
    /// The span's name, for example `put counts`.
    public var name: String
    /// The span's kind.
    public var kind: SpanKind
    /// Attributes that are the same for every span of the operation.
    public var attributes: [String: AttributeValue]

    /// Describes an operation.
    public init(name: String, kind: SpanKind, attributes: [String: AttributeValue] = [:]) {
        self.name = name
        self.kind = kind
        self.attributes = attributes
    }
}

/// One finished span, of fixed size.
public struct SpanRecord: BitwiseCopyable, Sendable {
    /// The parent was what triggered the span, not what it came from (`tributary.parent` = `trigger`).
    public static let parentIsTrigger: UInt8 = 1
    /// The parent is in another process (it came in a record's header).
    public static let parentIsRemote: UInt8 = 2
    /// The operation failed; ``detail`` leads to the error.
    public static let failed: UInt8 = 4
    /// The record had a null value (`messaging.kafka.message.tombstone`).
    public static let tombstone: UInt8 = 8
    /// ``windowStart`` and ``windowEnd`` are set.
    public static let windowed: UInt8 = 16
    /// ``windowStart`` is how long the record lay in the log, ms (`tributary.queue.time_ms`).
    public static let queued: UInt8 = 32
    /// Something that contributed has no link, since its context isn't known (`tributary.lineage.truncated`).
    public static let lacksLinks: UInt8 = 64
    /// The parent has no span, since it wasn't sampled (`tributary.parent.sampled` = false).
    public static let parentIsUnsampled: UInt8 = 128

    // In an order that leaves no gaps: 104 bytes, of which each record makes three or more.

    /// The span's own context.
    public var context: TraceContext
    /// The flags above, or-ed.
    public var flags: UInt8
    /// Index into the operations of the ``SpanBatch``.
    public var operation: Int32
    /// The parent's span id; 0 for a root.
    public var parent: UInt64
    /// Nanoseconds since the epoch.
    public var start: Int64
    /// Nanoseconds since the epoch.
    public var end: Int64
    /// The record's offset; -1 if unknown.
    public var offset: Int64
    /// The record's partition; -1 if the span has no coordinate.
    public var partition: Int32
    /// Index into the batch's details (error, user's name and attributes); -1 for none.
    public var detail: Int32
    /// The first of its links in the batch.
    public var firstLink: Int32
    /// How many links it has there.
    public var links: Int32
    /// How many contributions it stands for (`tributary.lineage.contributors`), exact even where links were cut; 0 if not counted.
    public var contributors: Int64
    /// The start of the row's window, ms.
    public var windowStart: Int64
    /// The end of the row's window, ms.
    public var windowEnd: Int64

    /// A span without links, coordinate or detail.
    @inlinable
    public init(context: TraceContext, parent: UInt64, start: Int64, end: Int64, operation: Int32) {
        self.context = context
        self.parent = parent
        self.start = start
        self.end = end
        self.operation = operation
        flags = 0
        partition = -1
        offset = -1
        firstLink = 0
        links = 0
        contributors = 0
        detail = -1
        windowStart = 0
        windowEnd = 0
    }
}

extension SpanRecord {
    /// Says that a record lay in the log from `timestamp` (ms; below 0: not known) until the span began.
    public mutating func setQueueTime(since timestamp: Int64) {
        guard timestamp >= 0 else { return }
        flags |= SpanRecord.queued
        windowStart = max((start / 1_000_000).subtractingSaturated(timestamp), 0)
    }
}

/// One link of a span.
public struct LinkRecord: BitwiseCopyable, Sendable {
    /// The span that is linked.
    public var context: TraceContext
    /// Why.
    public var type: LinkType
    /// Index of the topic of the row's source record in the batch's topics; -1 unless the row's store is backed by its source topic.
    public var topic: Int32
    /// The source record's partition.
    public var partition: Int32
    /// The source record's offset.
    public var offset: Int64

    /// Makes a link without a coordinate.
    @inlinable
    public init(_ type: LinkType, _ context: TraceContext) {
        self.type = type
        self.context = context
        topic = -1
        partition = -1
        offset = -1
    }
}

/// Something that happened in a span.
public struct SpanEvent: Sendable, Equatable {
    /// What.
    public var name: String
    /// When, in nanoseconds since the epoch.
    public var time: Int64
    /// More about it.
    public var attributes: [String: AttributeValue]
    /// How many attributes were too many.
    public var droppedAttributes = 0

    /// Makes an event.
    public init(_ name: String, time: Int64, attributes: [String: AttributeValue] = [:]) {
        self.name = name
        self.time = time
        self.attributes = attributes
    }
}

/// What a span has beyond its fixed part.
public struct SpanDetail: Sendable {
    /// A link of the user's own.
    public struct Link: Sendable, Equatable {
        /// The span that is linked.
        public var context: TraceContext
        /// Why, in words of the user's.
        public var attributes: [String: AttributeValue]
        /// How many attributes were too many.
        public var droppedAttributes = 0

        /// Makes a link.
        public init(_ context: TraceContext, attributes: [String: AttributeValue] = [:]) {
            self.context = context
            self.attributes = attributes
        }
    }

    /// The name, if the span is a user's own.
    public var name: String?
    /// Attributes of this span alone.
    public var attributes: [String: AttributeValue]
    /// What happened meanwhile.
    public var events: [SpanEvent] = []
    /// Links of the user's own, to spans anywhere.
    public var links: [Link] = []
    /// How many attributes were too many.
    public var droppedAttributes = 0
    /// How many events were too many.
    public var droppedEvents = 0
    /// How many links of the user's own were too many.
    public var droppedLinks = 0
    /// `error.type`, if it failed.
    public var errorType: String?
    /// The status text, if it failed.
    public var errorMessage: String?

    /// Makes a detail.
    public init(
        name: String? = nil, attributes: [String: AttributeValue] = [:], errorType: String? = nil,
        errorMessage: String? = nil
    ) {
        self.name = name
        self.attributes = attributes
        self.errorType = errorType
        self.errorMessage = errorMessage
    }
}

/// What became of the attempt that made spans: of the transaction that their effects are in.
public enum SpanAttempt: UInt8, Sendable {
    /// What the spans did is there; also where there are no transactions.
    case committed
    /// The spans were exported before that was known (`tributary.attempt` = `open`).
    case open
    /// What the spans did was taken back (`tributary.attempt` = `aborted`); the records are processed again.
    case aborted
}

/// Finished spans of one stream thread, handed to an exporter as one.
public struct SpanBatch: Sendable {
    /// The operations that spans number; shared by all batches of a thread.
    public var operations: [SpanOperation]
    /// The topics that links number.
    public var topics: [String]
    /// The spans.
    public var spans: [SpanRecord]
    /// The links of all spans.
    public var links: [LinkRecord]
    /// The details of all spans.
    public var details: [SpanDetail]
    /// The `tracestate` of records that have one: of those whose contexts have `TraceContext.hasTracestate`.
    public var tracestates: [TracestateID: String] = [:]
    /// The `tracestate` of traces whose contexts have `TraceContext.hasThreshold`.
    public var thresholdTracestate: String?
    /// Spans of traces whose last 56 bits are below this were left out for want of room: what the batch has is that much less than all.
    public var shedThreshold: UInt64 = 0
    /// What spans may have at most.
    public var limits = SpanLimits()
    /// What became of the attempt that the spans belong to.
    public var attempt = SpanAttempt.committed

    /// Makes a batch.
    public init(
        operations: [SpanOperation] = [], topics: [String] = [], spans: [SpanRecord] = [], links: [LinkRecord] = [],
        details: [SpanDetail] = []
    ) {
        self.operations = operations
        self.topics = topics
        self.spans = spans
        self.links = links
        self.details = details
    }
}

/// Takes finished spans off a stream thread.
///
/// `export` must not block: it queues, or drops whole traces and counts them.
public protocol SpanExporter: Sendable {
    /// Takes a batch; called on stream threads.
    func export(_ batch: SpanBatch)

    /// Writes out what is queued, waiting at most so long; called at shutdown and by tests.
    func flush(timeout: Duration)

    /// Says below which threshold on the last 56 bits of trace ids no span need be made, since there is no room for it.
    ///
    /// Asked on stream threads after each round, so that whole traces are left out before they cost anything.
    ///
    /// - Parameter skipped: for how many records that was so since the last call.
    func threshold(skipped: Int) -> UInt64

    /// How many of the spans that it was given are lost, whatever the reason; nil if that isn't known.
    var lostSpans: Int? { get }

    /// Hears of traces that spans were left out of because of the threshold; others of theirs may have been exported before.
    ///
    /// Called on stream threads before ``threshold(skipped:)``; a trace may be named more than once.
    func leftOut(of traces: [TraceContext])
}

extension SpanExporter {
    /// There is room for all.
    public func threshold(skipped: Int) -> UInt64 { 0 }

    /// Not known.
    public var lostSpans: Int? { nil }

    /// Nothing is done about it.
    public func leftOut(of traces: [TraceContext]) {}
}
