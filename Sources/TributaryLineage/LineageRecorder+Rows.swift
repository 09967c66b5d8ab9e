public import TributaryCore

/// What happened to a record or row while it was worked on; its span says it when it ends.
public struct SpanNotes {
    fileprivate var error: (any Error)?
    fileprivate var reasons: [String] = []
    fileprivate var node: String?

    init() {}

    fileprivate var isEmpty: Bool { error == nil && reasons.isEmpty }
}

extension LineageRecorder {
    // MARK: What happens to a record

    /// Whether what is being worked on may get spans: only a hint, for what must be timed before its context is known.
    @inlinable
    @inline(__always)
    public var isTracing: Bool { isRecording && currentIsSampled }

    @usableFromInline
    var currentIsSampled: Bool {
        seen.value.hasOther ? seen.value.other.context.isSampled : current.value.context.isSampled
    }

    /// A record, row or punctuation begins that has a span; returns what was noted of the one that it is worked on within.
    public func startNotes() -> SpanNotes {
        var around = SpanNotes()
        swap(&around, &notes.value)
        return around
    }

    /// What is worked on is over and has no span: what was noted of it since ``startNotes()``, which gave `around`, is forgotten.
    public func endNotes(_ around: SpanNotes) { notes.value = around }

    /// The record or row that is worked on failed, and it goes on without it.
    public func noteFailure(_ error: any Error) { if isTracing { notes.value.error = error } }

    /// The record or row that is worked on was left out by a node.
    public func noteDropped(_ reason: String, node: String) {
        guard isTracing, !notes.value.reasons.contains(reason) else { return }
        notes.value.reasons.append(reason)
        if notes.value.node == nil { notes.value.node = node }
    }

    /// Ends the span of a record or row with what was noted of it since ``startNotes()``, which gave `around`.
    public func end(_ span: SpanRecord, around: SpanNotes, error: (any Error)? = nil) {
        end(span, error: error ?? notes.value.error)
        if !notes.value.reasons.isEmpty {
            var said = [AttributeNames.dropReason: AttributeValue.string(notes.value.reasons.joined(separator: ", "))]
            if let node = notes.value.node { said[AttributeNames.processor] = .string(node) }
            say(said, of: state.value.batch.spans.count - 1)
        }
        notes.value = around
    }

    // MARK: Rows of a flush

    /// Makes the context of a row's span; the span itself begins when it is the row's turn, with ``begin(prepared:)``.
    ///
    /// The row is written under this context together with others before that. Links added before are the span's.
    ///
    /// - Returns: its context and its number; only where ``makesSpan(_:_:)``.
    public func prepare(
        _ operation: Int32, parent: TraceContext, flags: UInt8 = 0
    ) -> (context: TraceContext, number: Int) {
        var context = parent
        context.span = id()
        var span = SpanRecord(context: context, parent: parent.span, start: 0, end: 0, operation: operation)
        span.flags = flags
        takeLinks(into: &span)
        if span.links > 0 {
            // Out of the batch: it may be exported before it is the row's turn.
            let first = Int(span.firstLink)
            span.firstLink = Int32(state.value.preparedLinks.count)
            state.value.preparedLinks += state.value.batch.links[first...]
            state.value.batch.links.removeSubrange(first...)
        }
        state.value.prepared.append(span)
        return (context, state.value.prepared.count - 1)
    }

    /// Adds attributes to a prepared span.
    public func add(_ attributes: [String: AttributeValue], toPrepared number: Int) {
        if !attributes.isEmpty { state.value.preparedAttributes[number] = attributes }
    }

    /// Says how long a prepared span's row took before its turn, ns.
    public func add(_ duration: Int64, toPrepared number: Int) { state.value.prepared[number].end = duration }

    /// Begins a prepared span: it is its row's turn, right after the one before unless ``pause()`` was called.
    ///
    /// What the row took before (given by `add(_:toPrepared:)`) counts as if it had been just now.
    public func begin(prepared number: Int) -> SpanRecord {
        var span = state.value.prepared[number]
        if span.links > 0 {
            let first = Int(span.firstLink)
            span.firstLink = Int32(state.value.batch.links.count)
            state.value.batch.links += state.value.preparedLinks[first..<(first + Int(span.links))]
        }
        if let attributes = state.value.preparedAttributes.removeValue(forKey: number) { add(attributes, to: &span) }
        span.start = (state.value.recordEnd > 0 ? state.value.recordEnd : time.wall.nanoseconds()) &- span.end
        state.value.recordEnd = 0
        return span
    }

    /// How many spans are prepared: those from here on are a flush's own.
    public var preparedCount: Int { state.value.prepared.count }

    /// Forgets prepared spans from a number on.
    public func forgetPrepared(from number: Int) {
        guard number < state.value.prepared.count else { return }
        let links = Int(
            state.value.prepared[number...].first { $0.links > 0 }?.firstLink ?? Int32(state.value.preparedLinks.count))
        state.value.preparedLinks.removeSubrange(links...)
        state.value.prepared.removeSubrange(number...)
        for other in state.value.preparedAttributes.keys where other >= number {
            state.value.preparedAttributes[other] = nil
        }
    }
}
