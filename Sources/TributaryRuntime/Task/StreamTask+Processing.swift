internal import TributaryCore
internal import TributaryLineage
internal import TributaryState

extension StreamTask {
    @inline(__always)
    func process(_ batch: RecordBatch, _ index: Int, _ queue: PartitionQueue, _ entry: Entry) throws {
        let timestamp = queue.takeHeadTime()
        if timestamp > hot.value.streamTime { hot.value.streamTime = timestamp }
        hot.value.index = index
        hot.value.processedRecords &+= 1
        let mark = recorder.arena.mark
        let origin = RecordOrigin(
            topic: queue.topic, partition: queue.partition.partition, offset: batch.offset(index))
        if batch.hasNoHeaders(index) {
            try process(
                batch, index, queue, entry, timestamp: timestamp, origin: origin, headers: RawSpan.empty,
                header: batch.context(index))
        } else {
            try processWithHeaders(batch, index, queue, entry, timestamp, origin)
        }
        if recorder.mode == .cells { recorder.arena.release(to: mark) }
    }

    @inline(never)
    func processWithHeaders(
        _ batch: RecordBatch, _ index: Int, _ queue: PartitionQueue, _ entry: Entry, _ timestamp: Int64,
        _ origin: RecordOrigin
    ) throws {
        let stripped = StrippedHeaders(batch.headers(index))
        var context = batch.context(index)
        if !context.isValid { context = stripped.context }
        if recorder.mode != .off {
            if queue.takesContexts {
                // The log's own field, or what a program sent as text.
                let own = StrippedHeaders(batch.lineageHeaders(index))
                let tracestate = own.tracestate.isEmpty ? stripped.tracestate : own.tracestate
                recorder.know(tracestate.span.bytes, of: &context)
                if queue.isInternal { recorder.seenElements = own.elements.isEmpty ? stripped.elements : own.elements }
            }
            if queue.isInternal { recorder.passedHeaders = stripped.passed }
            recorder.seenHeaders = stripped.list
        }
        defer {
            if !recorder.seenHeaders.isEmpty { recorder.seenHeaders = [] }
            if !recorder.seenElements.isEmpty { recorder.seenElements = [] }
            if !recorder.passedHeaders.isEmpty { recorder.passedHeaders = [] }
        }
        try process(
            batch, index, queue, entry, timestamp: timestamp, origin: origin, headers: stripped.list.span.bytes,
            header: context)
    }

    @inline(__always)
    func process(
        _ batch: RecordBatch, _ index: Int, _ queue: PartitionQueue, _ entry: Entry, timestamp: Int64,
        origin: RecordOrigin, headers: RawSpan, header: TraceContext
    ) throws {
        var key = RawSpan.empty
        var hasKey = false
        if let bytes = batch.key(index) {
            key = bytes
            hasKey = true
        }
        recorder.showCurrent()
        if recorder.propagatesHeaders {
            recorder.beginHeaders(origin, headers)
            let passed = recorder.passedHeaders
            if !passed.isEmpty { recorder.addHeaders(unsafe passed.span.bytes, to: origin) }
        }
        if recorder.mode != .off {
            recorder.current.value.context = recorder.received(
                queue.takesContexts ? header : .none, key: batch.key(index), isInternal: queue.isInternal)
            if recorder.mode == .cells { takeCell(batch, index, queue) }
        }
        let meta = RecordMeta(
            key: key, hasKey: hasKey, keyIsStale: false, timestamp: timestamp, origin: origin, headers: headers,
            lineage: recorder.current.span)
        guard recorder.makesSpan(recorder.current.value.context, .log) else {
            recorder.pause()
            if hot.value.streamTime >= stores.expiries.earliest { try expire(because: meta) }
            return try entry(batch.value(index), meta)
        }
        // What came in a header may be another process's, also through a topic of the application's own.
        let isRemote = header.isValid && queue.takesContexts && recorder.current.value.context.span != 0
        try withSpan(batch.value(index), meta, queue, entry, isRemote: isRemote, logTime: batch.timestamp(index))
    }

    @inline(never)
    func withSpan(
        _ value: RawSpan?, _ meta: borrowing RecordMeta, _ queue: PartitionQueue, _ entry: Entry, isRemote: Bool,
        logTime: Int64
    ) throws {
        var flags: UInt8 = value == nil ? SpanRecord.tombstone : 0
        if isRemote { flags |= SpanRecord.parentIsRemote }
        var span = recorder.begin(
            queue.operation, parent: recorder.current.value.context, origin: meta.origin, flags: flags,
            followsRecord: true)
        span.setQueueTime(since: logTime)
        if recorder.makesBatchSpans { queue.note(span.context, meta.origin.offset) }
        recorder.current.value.context = span.context
        if recorder.capturesHeaders && !meta.headers.isEmpty {
            recorder.add(recorder.captured(meta.headers), to: &span)
        }
        let own = meta.with(recorder.current.span)
        let around = recorder.startNotes()
        do {
            if hot.value.streamTime >= stores.expiries.earliest { try expire(because: own) }
            try entry(value, own)
        } catch {
            recorder.end(span, around: around, error: error)
            throw error
        }
        recorder.end(span, around: around)
    }

    // Before the record that moves time sees a store.
    @inline(never)
    private func expire(because meta: borrowing RecordMeta) throws {
        _ = try stores.expire(at: hot.value.streamTime, because: meta)
    }

    /// Deletes what was written too late to be kept, and has no record behind it yet; returns whether there was any.
    func expireBetweenRecords() throws -> Bool {
        guard streamTime >= stores.expiries.earliest else { return false }
        let none = CollectionOfOne(Lineage.none)
        return try stores.expire(
            at: streamTime,
            because: RecordMeta(
                key: RawSpan.empty, hasKey: false, keyIsStale: false, timestamp: streamTime, origin: .none,
                headers: RawSpan.empty, lineage: none.span))
    }

    // A source begins a cell of its own; an internal topic is transparent: the header's cell goes through.
    @inline(__always)
    func takeCell(_ batch: RecordBatch, _ index: Int, _ queue: PartitionQueue) {
        recorder.current.value.cell = recorder.arena.source(
            queue.source, offset: batch.offset(index), timestamp: batch.timestamp(index),
            fingerprint: recorder.fingerprint)
        if queue.isInternal { takeSentCell(batch, index, queue) }
    }

    @inline(never)
    func takeSentCell(_ batch: RecordBatch, _ index: Int, _ queue: PartitionQueue) {
        do {
            if let cell = try CellHeader.decode(batch.cell(index), into: recorder.arena) {
                recorder.current.value.cell = cell
                return
            }
        } catch {
            log(
                .warning, "a record's cell can't be read",
                [
                    ("record", "\(coordinates(origin(queue, batch, index)).map { "\($0)" } ?? "")"),
                    ("error", "\(error)"),
                ], source: "TributaryRuntime", context: batch.context(index))
        }
        recorder.current.value.cell.flags |= Cell.gap
    }

    func origin(_ queue: PartitionQueue, _ batch: RecordBatch, _ index: Int) -> RecordOrigin {
        RecordOrigin(topic: queue.topic, partition: queue.partition.partition, offset: batch.offset(index))
    }
}
