public import TributaryCore

/// What spans have beyond their fixed part.
extension LineageRecorder {
    func fail(_ index: Int, _ error: any Error) {
        state.value.batch.spans[index].flags |= SpanRecord.failed
        let (type, message) = (String(describing: Swift.type(of: error)), String(describing: error))
        let detail = Int(state.value.batch.spans[index].detail)
        if detail >= 0 {
            // Attributes came first, the error now.
            state.value.batch.details[detail].errorType = type
            state.value.batch.details[detail].errorMessage = message
        } else {
            state.value.batch.spans[index].detail = add(SpanDetail(errorType: type, errorMessage: message))
        }
    }

    /// Puts attributes of ours beside those that a finished span has.
    func say(_ attributes: [String: AttributeValue], of index: Int) {
        let detail = Int(state.value.batch.spans[index].detail)
        if detail >= 0 {
            state.value.batch.details[detail].attributes.merge(attributes) { $1 }
        } else {
            state.value.batch.spans[index].detail = add(SpanDetail(attributes: attributes))
        }
    }

    func add(_ detail: SpanDetail) -> Int32 {
        state.value.batch.details.append(detail)
        return Int32(state.value.batch.details.count - 1)
    }

    /// Writes a user's own span.
    func finish(_ detail: SpanDetail, context: TraceContext, parent: TraceContext, start: Int64) {
        var span = SpanRecord(
            context: context, parent: parent.span, start: start, end: time.wall.nanoseconds(), operation: -1)
        if detail.errorType != nil { span.flags |= SpanRecord.failed }
        span.detail = add(detail)
        state.value.batch.spans.append(span)
    }

    /// Adds attributes to a span that has begun.
    public func add(_ attributes: [String: AttributeValue], to span: inout SpanRecord) {
        guard !attributes.isEmpty else { return }
        let (kept, dropped) = limits.kept(attributes, most: limits.attributes)
        var detail = SpanDetail(attributes: kept)
        detail.droppedAttributes = dropped
        span.detail = add(detail)
    }
}

extension LineageRecorder {
    // MARK: Cells

    /// The sum of two cells; only with ``LineageMode/cells``.
    @inlinable
    @inline(__always)
    public func add(_ left: Cell, _ right: Cell) -> Cell {
        mode == .cells ? arena.add(left, right) : .empty
    }

    /// What is left of a cell without another that is in it; only with ``LineageMode/cells``.
    @inlinable
    public func subtract(_ cell: Cell, _ other: Cell) -> Cell {
        mode == .cells ? arena.subtract(cell, other) : .empty
    }

    /// The lineage of the row that the record being processed takes out, as its header of elements says; nil without one that can be read.
    public func sentElement() -> Lineage? {
        let bytes = seenElements
        guard !bytes.isEmpty else { return nil }
        do throws(MalformedBytes) {
            var reader = try ElementsReader(unsafe bytes.span.bytes)
            return try reader.next(into: arena)
        } catch {
            return nil
        }
    }

    /// Writes a list of headers with the one of elements behind, which says what a row that is taken out came from.
    public func append(_ headers: RawSpan, element: Lineage, to writer: inout ByteWriter) {
        var elements = ByteWriter()
        Elements.append(count: 1, to: &elements)
        Elements.append(element, of: arena, to: &elements)
        append(headers, elements: elements.copy(), to: &writer)
    }

    /// Writes a list of headers with the one of elements behind, whose value is there already.
    public func append(_ headers: RawSpan, elements: [UInt8], to writer: inout ByteWriter) {
        var reader = ByteReader(headers)
        let count = (try? reader.varint()) ?? 0
        writer.append(varint: count &+ 1)
        writer.append(headers.dropping(reader.offset))
        Headers.append(name: HeaderNames.elements, value: elements, to: &writer)
    }

    /// A lineage whose context is `context` and whose cell is the sum of two.
    @inlinable
    @inline(__always)
    public func combine(_ context: TraceContext, _ left: Cell, _ right: Cell) -> Lineage {
        Lineage(context: context, cell: add(left, right))
    }
}
