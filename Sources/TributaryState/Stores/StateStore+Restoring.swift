public import TributaryCore
internal import TributaryLineage

extension StateStore {
    // MARK: Restoring

    /// Puts a changelog record into the engine: the value's timestamp is the record's, its lineage the headers', byte for byte.
    ///
    /// - Parameters:
    ///   - key: the record's key.
    ///   - value: the record's value; nil deletes.
    ///   - timestamp: the record's, ms.
    ///   - context: of the header `traceparent`; `TraceContext.none` without.
    ///   - cell: the value of the header `tributary-cell`, version byte included; empty if the record has none.
    ///   - headers: all others, of which those on the propagation list are kept.
    ///   - elements: the value of the header `tributary-elements`; empty if the record has none.
    public func restore(
        _ key: RawSpan, _ value: RawSpan?, timestamp: Int64, context: TraceContext, cell: RawSpan, headers: RawSpan,
        elements: RawSpan = .empty
    ) throws(StoreError) {
        if keepsHeaders { encodeHeaders(headers) }
        takeElements(elements)
        if description.retainsDuplicates { layout.noteSequence(of: key) }
        if let versions {
            encodeRestored(value, timestamp: timestamp, context: context, cell: cell)
            if value == nil { state.value.hasGraves = true }
            _ = try versions.put(key, envelope.bytes, at: timestamp, isDelete: value == nil)
            return
        }
        guard let value else {
            _ = try layout.delete(key)
            guard let graves, layout.accepts(key) else { return }
            guard keepsLineage, hasLineage(context, cell) else { return try clearGrave(key) }
            encodeRestored(nil, timestamp: timestamp, context: context, cell: cell)
            try graves.put(key, envelope.bytes)
            state.value.hasGraves = true
            return
        }
        encodeRestored(value, timestamp: timestamp, context: context, cell: cell, elements: elements)
        if try layout.put(key, envelope.bytes), state.value.hasGraves { try clearGrave(key) }
    }

    /// Whether a changelog record was written with lineage: a tombstone that was not leaves no grave.
    func hasLineage(_ context: TraceContext, _ cell: RawSpan) -> Bool { context.isValid || !cell.isEmpty }

    /// A key is there again, or was deleted without lineage: its grave goes.
    func clearGrave(_ key: RawSpan) throws(StoreError) {
        guard state.value.hasGraves, let graves else { return }
        try graves.delete(key)
    }

    func encodeGrave(timestamp: Int64, context: TraceContext, tracestate: RawSpan, cell: RawSpan) {
        deletion.writer.removeAll()
        Envelope.appendDeletion(at: recorder.time.wall.milliseconds, to: &deletion.writer)
        Envelope.encode(
            timestamp: timestamp, context: context, tracestate: tracestate, headers: storedHeaders(), cell: cell,
            elements: RawSpan.empty, otherSections: deletion.bytes, payload: nil, into: &envelope.writer)
    }

    /// Makes the envelope of a changelog record; the bytes are the store's until its next call.
    @_lifetime(immortal)
    public func restoredEnvelope(
        _ value: RawSpan?, timestamp: Int64, context: TraceContext, cell: RawSpan, headers: RawSpan,
        elements: RawSpan = .empty
    ) -> RawSpan {
        if keepsHeaders { encodeHeaders(headers) }
        takeElements(elements)
        encodeRestored(value, timestamp: timestamp, context: context, cell: cell)
        return envelope.bytes
    }

    func encodeRestored(
        _ value: RawSpan?, timestamp: Int64, context: TraceContext, cell: RawSpan, elements: RawSpan = .empty
    ) {
        envelope.writer.removeAll()
        let cell = readableCell(cell)
        let tracestate = recorder.tracestate(of: context)
        guard let value else {
            return encodeGrave(timestamp: timestamp, context: context, tracestate: tracestate, cell: cell)
        }
        Envelope.encode(
            timestamp: keepsTimestamps ? timestamp : -1, context: context, tracestate: tracestate,
            headers: storedHeaders(), cell: cell, elements: storedElements(), payload: value, into: &envelope.writer)
    }

    /// The cell in the value of a changelog record's header: none where it can't be read, which is counted and leaves a gap.
    @_lifetime(copy header)
    private func readableCell(_ header: RawSpan) -> RawSpan {
        if header.isEmpty { return header }
        let mark = arena.mark
        defer { arena.release(to: mark) }
        do throws(CellHeaderError) {
            _ = try CellHeader.decode(header, into: arena)
            return header.dropping(1)
        } catch {
            unreadableCells += 1
            return header.dropping(header.byteCount)
        }
    }
}
