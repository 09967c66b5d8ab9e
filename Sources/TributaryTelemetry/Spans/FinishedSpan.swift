public import TributaryCore
public import TributaryLineage

/// A finished span with its names and attributes, as it was exported or read back.
public struct FinishedSpan: Sendable, Equatable {
    /// One link.
    public struct Link: Sendable, Equatable {
        /// The span that is linked; all zero if only the record's coordinate is known.
        public var context: TraceContext
        /// Why; nil for links that aren't ours.
        public var type: LinkType?
        /// The source record of the row, where its store is backed by its source topic.
        public var coordinate: RecordCoordinate?
        /// All other attributes.
        public var attributes: [String: AttributeValue]
        /// Whether the span that is linked was sampled, as far as the link says.
        public var isSampled: Bool { attributes[AttributeNames.linkSampled] != .bool(false) }

        /// Makes a link.
        public init(
            context: TraceContext, type: LinkType?, coordinate: RecordCoordinate? = nil,
            attributes: [String: AttributeValue] = [:]
        ) {
            self.context = context
            self.type = type
            self.coordinate = coordinate
            self.attributes = attributes
        }
    }

    /// The span's own context.
    public var context: TraceContext
    /// The parent's span id; 0 for a root.
    public var parent: UInt64
    /// Whether the parent is in another process.
    public var parentIsRemote: Bool
    /// The name.
    public var name: String
    /// OTLP's number of the kind; `SpanKind` names those that are ours.
    public var kind: UInt8
    /// Nanoseconds since the epoch.
    public var start: Int64
    /// Nanoseconds since the epoch.
    public var end: Int64
    /// All attributes, those of the operation included.
    public var attributes: [String: AttributeValue]
    /// The links in order.
    public var links: [Link]
    /// How many links were left out.
    public var droppedLinks: Int
    /// What happened meanwhile.
    public var events: [SpanEvent]
    /// What vendors add to the trace; empty if there is nothing.
    public var tracestate: String
    /// The service that made it; nil if that isn't known.
    public var service: String?
    /// Whether the operation failed.
    public var failed: Bool
    /// The status text, if it failed.
    public var errorMessage: String?

    /// Makes a root span without attributes or links.
    public init(context: TraceContext, name: String, kind: UInt8, start: Int64, end: Int64) {
        self.context = context
        self.name = name
        self.kind = kind
        self.start = start
        self.end = end
        parent = 0
        parentIsRemote = false
        attributes = [:]
        links = []
        droppedLinks = 0
        events = []
        tracestate = ""
        service = nil
        failed = false
        errorMessage = nil
    }

    /// Resolves a span of a batch.
    init(_ span: SpanRecord, of batch: SpanBatch) {
        let operation = batch.operation(of: span)
        let detail = batch.detail(of: span)
        var context = span.context
        context.flags &= TraceContext.standardFlags
        self.init(
            context: context, name: detail?.name ?? operation.name, kind: operation.kind.rawValue,
            start: span.start, end: span.end)
        parent = span.parent
        parentIsRemote = span.flags & SpanRecord.parentIsRemote != 0
        attributes = operation.attributes
        if let detail { attributes.merge(detail.attributes) { $1 } }
        batch.forEachOwnAttribute(of: span) { attributes[$0] = $1 }
        links = batch.links(of: span).map { link in
            var context = link.context
            context.flags &= TraceContext.standardFlags
            return Link(
                context: context, type: link.type, coordinate: batch.coordinate(of: link),
                attributes: link.context.isSampled || !link.context.isValid
                    ? [:] : [AttributeNames.linkSampled: .bool(false)])
        }
        links += batch.ownLinks(of: span).map { Link(context: $0.context, type: nil, attributes: $0.attributes) }
        droppedLinks = batch.droppedLinks(of: span)
        events = detail?.events ?? []
        tracestate = batch.spanTracestate(of: span.context) ?? ""
        failed = span.flags & SpanRecord.failed != 0
        errorMessage = failed ? detail?.errorMessage : nil
    }

    /// Whether the parent is what made the span happen, not what it came from.
    public var parentIsTrigger: Bool { attributes[AttributeNames.parent] == .string(LinkType.trigger.name) }

    /// The record that the span is about, if it has topic, partition and offset.
    public var coordinate: RecordCoordinate? { FinishedSpan.coordinate(of: attributes) }

    /// The record that attributes of a span or link name.
    static func coordinate(of attributes: [String: AttributeValue]) -> RecordCoordinate? {
        guard case .string(let topic)? = attributes[AttributeNames.messagingDestinationName],
            case .string(let text)? = attributes[AttributeNames.messagingDestinationPartition],
            let partition = Int32(text), case .int(let offset)? = attributes[AttributeNames.messagingKafkaOffset]
        else { return nil }
        return RecordCoordinate(topic: topic, partition: partition, offset: offset)
    }
}
