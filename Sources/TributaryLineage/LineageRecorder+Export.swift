public import TributaryCore

extension LineageRecorder {
    /// Hands finished spans to the exporter: after a batch of records, and at a commit.
    ///
    /// The exporter gets a copy of the size that is needed: the recorder's own arrays stay, and stay in the processor's cache.
    /// After ``waitForOutcome()`` that is done by ``settle(_:)``, or once they are many.
    public func export() {
        guard isRecording, let exporter else { return }
        defer {
            if !state.value.leftOut.isEmpty {
                exporter.leftOut(of: state.value.leftOut)
                state.value.leftOut.removeAll(keepingCapacity: true)
            }
            state.value.threshold = exporter.threshold(skipped: state.value.skipped)
            state.value.handed.skipped += state.value.skipped
            state.value.skipped = 0
        }
        guard !state.value.batch.spans.isEmpty else { return }
        let start = MonotonicClock.nanoseconds
        defer { state.value.exportTime &+= MonotonicClock.nanoseconds &- start }
        let batch = takeBatch()
        guard state.value.waitsForOutcome else { return hand(batch, .committed, to: exporter) }
        state.value.heldCount += batch.spans.count + batch.links.count
        state.value.held.append(batch)
        if state.value.heldCount > LineageRecorder.mostHeld { handHeld(.open) }
    }

    /// Lets spans wait until it is known what becomes of what they did: from now on each transaction has to be settled.
    ///
    /// They wait in memory, 32,768 at most; if a transaction has more, they are exported as ``SpanAttempt/open``.
    public func waitForOutcome() { state.value.waitsForOutcome = true }

    /// Hands what waits to the exporter: the transaction of all spans that were made so far has ended.
    public func settle(_ attempt: SpanAttempt) {
        export()
        handHeld(attempt)
    }

    private func handHeld(_ attempt: SpanAttempt) {
        guard let exporter, !state.value.held.isEmpty else { return }
        let start = MonotonicClock.nanoseconds
        defer { state.value.exportTime &+= MonotonicClock.nanoseconds &- start }
        for batch in state.value.held { hand(batch, attempt, to: exporter) }
        state.value.held.removeAll(keepingCapacity: true)
        state.value.heldCount = 0
    }

    private func takeBatch() -> SpanBatch {
        var batch = SpanBatch(operations: state.value.batch.operations, topics: state.value.batch.topics)
        batch.limits = limits
        batch.shedThreshold = state.value.threshold
        batch.spans.reserveCapacity(state.value.batch.spans.count)
        batch.spans += state.value.batch.spans
        batch.links.reserveCapacity(state.value.batch.links.count)
        batch.links += state.value.batch.links
        swap(&batch.details, &state.value.batch.details)
        tracestates.value.note(&batch)
        state.value.batch.spans.removeAll(keepingCapacity: true)
        state.value.batch.links.removeAll(keepingCapacity: true)
        state.value.pendingLinks = 0
        state.value.recordEnd = 0
        return batch
    }

    private func hand(_ batch: SpanBatch, _ attempt: SpanAttempt, to exporter: any SpanExporter) {
        var batch = batch
        batch.attempt = attempt
        state.value.handed.spans += batch.spans.count
        state.value.handed.links += batch.links.count
        exporter.export(batch)
    }

    /// Hands finished spans to the exporter if they and their links are many: for a flush, which makes more than a batch of records does.
    ///
    /// Not while a span is open.
    public func exportWhenFull() {
        if state.value.batch.spans.count + state.value.batch.links.count >= LineageRecorder.fullBatch { export() }
    }

    private static let fullBatch = 4_096
    /// How many spans and links wait for the outcome of a transaction.
    package static let mostHeld = 32_768
    /// How many traces are noted that spans were left out of, between two calls of ``export()``.
    static let maximumLeftOut = 4_096

    /// How many finished spans wait for ``export()``.
    public var waitingSpans: Int { state.value.batch.spans.count }

    /// How many spans and links were handed to the exporter, and for how many records none were made for want of room.
    public var handedOver: (spans: Int, links: Int, skippedRecords: Int) {
        (state.value.handed.spans, state.value.handed.links, state.value.handed.skipped + state.value.skipped)
    }

    /// How many records were read whose trace is sampled; with an exporter only.
    public var sampledRecords: Int { state.value.sampled }

    /// How long handing spans over has taken so far, ns: measured, a reading of the clock before and after each batch.
    public var exportTime: Int64 { state.value.exportTime }

    /// The span that ended last and still waits for ``export()``: after a record that of the record, if it has one.
    public var lastSpan: SpanRecord? {
        let count = state.value.batch.spans.count
        return count > 0 ? state.value.batch.spans[count - 1] : nil
    }

    // Notes a trace that the exporter has no room for, in case it had some of its spans before; false.
    @usableFromInline
    @inline(never)
    func leaveOut(_ context: TraceContext) -> Bool {
        guard context.traceLow != state.value.lastLeftOut, state.value.leftOut.count < LineageRecorder.maximumLeftOut
        else { return false }
        state.value.lastLeftOut = context.traceLow
        state.value.leftOut.append(context)
        return false
    }
}
