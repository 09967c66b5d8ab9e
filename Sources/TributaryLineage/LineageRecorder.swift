public import TributaryCore

/// How much lineage is kept with records and stored values.
public enum LineageMode: String, Sendable, CaseIterable {
    /// None.
    case off
    /// The trace context: which operations ran.
    case context
    /// The context and the cell: which source records a value came from.
    case cells
}

/// Which operations get a span, where the trace is sampled.
public enum SpanLevel: Int, Sendable, Comparable {
    /// None.
    case none
    /// Processing and sending.
    case log
    /// Those and the operations of state stores.
    case storage
    /// Those, every operator, and polls and commits.
    case full

    /// Fewer spans come first.
    public static func < (left: SpanLevel, right: SpanLevel) -> Bool { left.rawValue < right.rawValue }
}

/// Makes spans and lineage for one task: the verbs behind *pass on*, *derive* and *combine*.
///
/// Used by one thread. Spans go into plain arrays that are handed to the exporter when a batch of records is done. Without an
/// exporter, or for a trace that isn't sampled, every verb returns the context that it was given.
public final class LineageRecorder {
    /// What is kept.
    public let mode: LineageMode
    /// Which spans are made where the trace is sampled.
    public let level: SpanLevel
    /// The cells of the record being processed.
    public let arena: CellArena
    /// Where time comes from.
    public let time: TimeSource
    /// The fingerprint of the topology, written into cells.
    public let fingerprint: UInt32
    /// Whether spans are made at all.
    public let isRecording: Bool
    /// What spans may have at most.
    public let limits: SpanLimits
    /// Which contexts are taken from others, and sent to them.
    public let propagators: Propagators
    let batchSpans: Bool
    /// Whether headers on the propagation list go through stores.
    public let propagatesHeaders: Bool
    /// Whether spans show headers on the capture list.
    public let capturesHeaders: Bool
    /// The flags of all spans of sends.
    public private(set) var sendFlags: UInt8 = 0
    let capturedNames: [[UInt8]]
    let held: HeldHeaders?
    let sampler: Sampler
    let exporter: (any SpanExporter)?
    /// The lineage of the record being processed: the one copy that metadata and user closures see.
    public let current = Owned(Lineage.none)
    @usableFromInline let seen = Owned(SeenLineage())
    /// The headers of the record being processed, where it has any and closures may ask for them.
    public var seenHeaders: [UInt8] = []
    /// Headers that the record being processed got from rows in the task before; empty for none.
    public var passedHeaders: [UInt8] = []
    /// The header of elements of the record being processed; empty without one.
    public var seenElements: [UInt8] = []
    /// What happened to the record or row being worked on.
    let notes = Owned(SpanNotes())
    let tracestates: Owned<Tracestates>
    /// The topics behind sources of cells, by their numbers.
    let sourceTopics = Owned<[(source: UInt32, topic: Int32)]>([])
    @usableFromInline let state: Owned<State>

    @usableFromInline
    struct State: ~Copyable {
        var random: FastRandom
        /// The high half of the next trace id: counts up from a random word, so that two of a recorder's never are the same.
        var nextTrace: UInt64
        var batch: SpanBatch
        /// Spans of traces whose last 56 bits are below this aren't made: the exporter's threshold.
        @usableFromInline var threshold: UInt64 = 0
        /// How many records that was, since the exporter was last told.
        var skipped = 0
        /// Traces that spans were left out of since the exporter was last told, and the last one that was.
        var leftOut: [TraceContext] = []
        var lastLeftOut: UInt64 = 0
        /// Spans and links handed to the exporter, and records skipped, since the start.
        var handed = (spans: 0, links: 0, skipped: 0)
        /// Records read whose trace is sampled, since the start.
        var sampled = 0
        /// What handing spans over has taken, ns.
        var exportTime: Int64 = 0
        var firstLink: Int32 = 0
        var pendingLinks: Int32 = 0
        var contributors: Int64 = 0
        var lacksLink = false
        var parentIsTrigger = false
        var window: (start: Int64, end: Int64)?
        // When the last record's span ended, if the next record follows at once; else 0.
        @usableFromInline var recordEnd: Int64 = 0
        // Spans of a flush's rows whose turn is yet to come; `end` is what they took already.
        var prepared: [SpanRecord] = []
        var preparedLinks: [LinkRecord] = []
        var preparedAttributes: [Int: [String: AttributeValue]] = [:]
        // Whether spans wait for the outcome of the transaction, those that do, and how many they and their links are.
        var waitsForOutcome = false
        var held: [SpanBatch] = []
        var heldCount = 0
    }

    /// Makes a recorder.
    ///
    /// - Parameters:
    ///   - mode: what is kept.
    ///   - level: which spans are made; ignored without an exporter.
    ///   - sampler: decides for traces that begin here.
    ///   - exporter: takes finished spans; nil for none.
    ///   - fingerprint: of the topology.
    ///   - time: where time comes from.
    ///   - random: makes ids; seeded by tests.
    ///   - limits: what spans may have at most.
    ///   - propagators: which contexts are taken from others.
    ///   - headers: which headers are shown and go through stores.
    ///   - batchSpans: whether polls and commits get spans, also below ``SpanLevel/full``.
    public init(
        mode: LineageMode, level: SpanLevel = .storage, sampler: Sampler = .parentBased(root: .alwaysOn),
        exporter: (any SpanExporter)? = nil, fingerprint: UInt32 = 0, time: TimeSource = .system,
        random: FastRandom = .seededBySystem(), limits: SpanLimits = SpanLimits(), propagators: Propagators = .all,
        headers: HeaderPolicy = HeaderPolicy(), batchSpans: Bool = false
    ) {
        self.batchSpans = batchSpans
        self.mode = mode
        self.level = level
        self.sampler = sampler
        self.limits = limits
        self.propagators = propagators
        self.exporter = mode == .off ? nil : exporter
        self.fingerprint = fingerprint
        self.time = time
        isRecording = self.exporter != nil && level > .none
        capturedNames = HeaderPolicy.names(headers.captured)
        capturesHeaders = isRecording && !capturedNames.isEmpty
        let propagated = mode == .off ? [] : HeaderPolicy.names(headers.propagated)
        propagatesHeaders = !propagated.isEmpty
        held = propagated.isEmpty ? nil : HeldHeaders(propagated, limit: headers.propagatedBytes)
        tracestates = Owned(Tracestates(threshold: sampler.tracestateThreshold))
        arena = CellArena()
        var random = random
        let firstTrace = random.next()
        state = Owned(State(random: random, nextTrace: firstTrace, batch: SpanBatch()))
    }

    // MARK: Made once, when a topology is instantiated

    /// Numbers an operation, so that its spans carry the number.
    public func operation(
        _ name: String, kind: SpanKind, attributes: [String: AttributeValue] = [:]
    ) -> Int32 {
        let operation = SpanOperation(name: name, kind: kind, attributes: attributes)
        if let index = state.value.batch.operations.firstIndex(of: operation) { return Int32(index) }
        state.value.batch.operations.append(operation)
        return Int32(state.value.batch.operations.count - 1)
    }

    /// Numbers a topic, so that links carry the number.
    public func topic(_ name: String) -> Int32 {
        if let index = state.value.batch.topics.firstIndex(of: name) { return Int32(index) }
        state.value.batch.topics.append(name)
        return Int32(state.value.batch.topics.count - 1)
    }

    /// Says that there are stores: where their operations have no spans, those of sends say that links are missing.
    public func hasStore() {
        if isRecording && level < .storage { sendFlags = SpanRecord.lacksLinks }
    }

    // MARK: Records

    /// The context of a record that was read: its own, or a new root if it has none, with the sampler's decision.
    ///
    /// The decision is made with an exporter and without one: it is what others go by.
    ///
    /// - Parameters:
    ///   - header: the context that came with it; `TraceContext.none` for none.
    ///   - key: the record's key; nil for a null key.
    ///   - isInternal: whether it came through a topic of the application's own.
    public func received(_ header: TraceContext, key: RawSpan?, isInternal: Bool = false) -> TraceContext {
        if mode == .off { return .none }
        guard header.isValid else { return root(key: key, isRecord: true) }
        var context = header
        let isSampled = sampler.isSampled(parent: header, traceLow: randomness(of: header), key: key)
        if isSampled != header.isSampled {
            context = redecided(header, isSampled, isInternal: isInternal)
        } else if sampler.ignoresParents {
            setThreshold(isSampled, of: &context)
        } else if header.flags & TraceContext.hasTracestate != 0 {
            context = checked(header)
        }
        if isSampled && isRecording {
            state.value.sampled &+= 1
            if isShed(context) { state.value.skipped &+= 1 }
        }
        return context
    }

    /// Whether the exporter has no room for the spans of this trace; it is sampled all the same.
    @inlinable
    @inline(__always)
    func isShed(_ context: TraceContext) -> Bool { context.traceLow & 0x00ff_ffff_ffff_ffff < state.value.threshold }

    /// A new trace; where it is sampled the span that begins it is yet to be made, else it is named already.
    ///
    /// One step of the generator: the low half of the trace id is random, as samplers need it, the high half a number, and
    /// a span id has to be unique in its trace only.
    @inline(__always)
    private func root(key: RawSpan?, isRecord: Bool) -> TraceContext {
        let random = id()
        var context = TraceContext(traceHigh: state.value.nextTrace, traceLow: random, span: 0, flags: 2)
        state.value.nextTrace &+= 1
        if sampler.isSampled(parent: .none, traceLow: random, key: key) {
            context.flags = 3 | tracestates.value.rootFlag
            guard isRecording else {
                context.span = random &<< 32 | random &>> 32
                return context
            }
            if isRecord { state.value.sampled &+= 1 }
            guard isShed(context) else { return context }
            // No span will name it, and none did.
            state.value.skipped &+= 1
            state.value.lastLeftOut = context.traceLow
            context.span = random &<< 32 | random &>> 32
        } else {
            context.span = random &<< 32 | random &>> 32
        }
        return context
    }

    /// Begins a span; only where ``makesSpan(_:_:)``.
    ///
    /// A parent without span id makes a root. Spans must be ended before ``export()``.
    ///
    /// - Parameters:
    ///   - operation: what ``operation(_:kind:attributes:)`` gave.
    ///   - parent: the context that caused it.
    ///   - origin: where the record was read, if the span has its coordinate.
    ///   - flags: of ``SpanRecord``.
    ///   - followsRecord: a record was processed right before, unless ``pause()`` was called since: both share one reading of the
    ///     clock.
    public func begin(
        _ operation: Int32, parent: TraceContext, origin: RecordOrigin = .none, flags: UInt8 = 0,
        followsRecord: Bool = false
    ) -> SpanRecord {
        var context = parent
        context.span = id()
        let now = followsRecord && state.value.recordEnd > 0 ? state.value.recordEnd : time.wall.nanoseconds()
        state.value.recordEnd = 0
        var span = SpanRecord(context: context, parent: parent.span, start: now, end: now, operation: operation)
        span.flags = flags
        span.partition = origin.partition
        span.offset = origin.offset
        takeLinks(into: &span)
        return span
    }

    /// Ends a span that ``begin(_:parent:origin:flags:followsRecord:)`` began.
    ///
    /// - Parameters:
    ///   - span: the span.
    ///   - error: why the operation failed; nil if it did not.
    ///   - isInstant: the operation was shorter than a reading of the clock (a write into a cache): the span ends when it began.
    public func end(_ span: SpanRecord, error: (any Error)? = nil, isInstant: Bool = false) {
        let now = isInstant ? span.start : time.wall.nanoseconds()
        state.value.recordEnd = now
        let index = state.value.batch.spans.count
        state.value.batch.spans.append(span)
        state.value.batch.spans[index].end = now
        if let error { fail(index, error) }
    }

    /// Says that the next record doesn't follow one with a span at once.
    @inlinable
    @inline(__always)
    public func pause() { if isRecording { state.value.recordEnd = 0 } }

    // MARK: Operations

    /// Whether an operation of `level` whose input has this context gets a span.
    @inlinable
    @inline(__always)
    public func makesSpan(_ context: TraceContext, _ level: SpanLevel = .storage) -> Bool {
        guard isRecording && context.isSampled && level <= self.level else { return false }
        return !isShed(context) || leaveOut(context)
    }

    /// Adds a link to the span made next.
    ///
    /// Only where ``makesSpan(_:_:)``. A row whose trace isn't sampled is linked all the same, since its context is known, and the
    /// link says so; of one that was written without lineage the span says that a link is missing.
    public func link(_ type: LinkType, _ context: TraceContext) {
        guard context.isValid else {
            if type.contributes { state.value.lacksLink = true }
            return
        }
        append(LinkRecord(type, context))
    }

    /// The context for an operation that also stands for writes of sampled traces, when its own trace isn't sampled: it is from here
    /// on, with no probability that anybody could know.
    @inline(never)
    public func sampled(_ context: TraceContext) -> TraceContext {
        guard isRecording, context.isValid, !context.isSampled else { return context }
        var context = context
        tracestates.value.sample(&context, threshold: nil)
        return context
    }

    @inline(__always)
    func append(_ link: LinkRecord) {
        if state.value.pendingLinks == 0 { state.value.firstLink = Int32(state.value.batch.links.count) }
        state.value.batch.links.append(link)
        state.value.pendingLinks += 1
    }

    /// Says how many contributions the span made next stands for, links that were cut included.
    public func contributors(_ count: Int64) { state.value.contributors = count }

    /// Says that the parent of the span made next is only what made it happen, and not what it came from.
    ///
    /// Only where ``makesSpan(_:_:)``.
    public func triggered() { state.value.parentIsTrigger = true }

    /// Says which window the span made next writes.
    public func window(start: Int64, end: Int64) { state.value.window = (start, end) }

    /// Makes the span of an operation that is over, and returns its context.
    ///
    /// Where ``makesSpan(_:_:)`` is false the parent is returned.
    ///
    /// - Parameters:
    ///   - operation: what ``operation(_:kind:attributes:)`` gave.
    ///   - parent: the context that caused it.
    ///   - times: when it began and ended, ns; nil for one that was shorter than a reading of the clock (a hit in a cache) and is
    ///     over only now: the span begins and ends at one reading.
    ///   - level: which spans must be made for this one to be.
    @inlinable
    public func span(
        _ operation: Int32, parent: TraceContext, times: (start: Int64, end: Int64)? = nil, level: SpanLevel = .storage
    ) -> TraceContext {
        guard makesSpan(parent, level) else { return parent }
        return make(operation, parent: parent, times: times)
    }

    @usableFromInline
    @inline(never)
    func make(_ operation: Int32, parent: TraceContext, times: (start: Int64, end: Int64)?) -> TraceContext {
        var context = parent
        context.span = id()
        let times = times ?? { (start: $0, end: $0) }(time.wall.nanoseconds())
        var span = SpanRecord(
            context: context, parent: parent.span, start: times.start, end: times.end, operation: operation)
        takeLinks(into: &span)
        state.value.batch.spans.append(span)
        return context
    }

    /// Makes a root context for work that no record caused, for example a punctuation; sampled by the root sampler.
    public func root() -> TraceContext {
        mode == .off ? .none : root(key: nil, isRecord: false)
    }

    func takeLinks(into span: inout SpanRecord) {
        if state.value.pendingLinks > 0 {
            span.firstLink = state.value.firstLink
            span.links = state.value.pendingLinks
            state.value.pendingLinks = 0
        }
        span.contributors = state.value.contributors
        state.value.contributors = 0
        if state.value.parentIsTrigger {
            span.flags |= SpanRecord.parentIsTrigger
            state.value.parentIsTrigger = false
        }
        if state.value.lacksLink {
            span.flags |= SpanRecord.lacksLinks
            state.value.lacksLink = false
        }
        if let window = state.value.window {
            span.flags |= SpanRecord.windowed
            span.windowStart = window.start
            span.windowEnd = window.end
            state.value.window = nil
        }
    }

    /// A new id, never 0.
    @inline(__always)
    func id() -> UInt64 {
        let id = state.value.random.next()
        return id == 0 ? 1 : id
    }
}
