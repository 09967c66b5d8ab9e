internal import TributaryCore

/// Entry points for fuzzing the readers of bytes from outside: one pure function a format.
///
/// Each returns whether the bytes were accepted, and stops the program if something that was accepted doesn't come back the
/// same after it was written and read again.
package enum FuzzEntries {
    /// The bytes of a cell.
    package static func cell(_ bytes: RawSpan) -> Bool {
        let arena = CellArena()
        guard let cell = try? arena.decode(bytes) else { return false }
        var writer = ByteWriter()
        arena.encode(cell, into: &writer)
        precondition(writer.count == arena.encodedSize(cell))
        guard let again = try? arena.decode(writer.bytes) else { preconditionFailure("written, but not readable") }
        precondition(arena.entries(of: again) == arena.entries(of: cell) && again.digest == cell.digest)
        // Sums of anything that was accepted can be written and read.
        for combined in [arena.add(cell, again), arena.subtract(cell, again), arena.subtract(.empty, cell)] {
            writer.removeAll()
            arena.encode(combined, into: &writer)
            precondition((try? arena.decode(writer.bytes)) != nil)
        }
        _ = CellReport(cell, of: arena, names: SourceNames()).json
        return true
    }

    /// The value of the header `tributary-cell`.
    package static func cellHeader(_ bytes: RawSpan) -> Bool {
        (try? CellHeader.decode(bytes, into: CellArena())) != nil
    }

    /// A stored value, with the lists inside.
    package static func envelope(_ bytes: RawSpan) -> Bool {
        let view: EnvelopeView
        do throws(EnvelopeError) { view = try EnvelopeView(bytes) } catch { return false }
        var others = ByteWriter()
        view.copyOtherSections(to: &others)
        var writer = ByteWriter()
        Envelope.encode(
            timestamp: view.timestamp, context: view.context, tracestate: view.tracestate, headers: view.headers,
            cell: view.cell, elements: view.elements, otherSections: others.bytes, payload: view.payload,
            into: &writer)
        do throws(EnvelopeError) {
            let again = try EnvelopeView(writer.bytes)
            precondition(again.timestamp == view.timestamp && again.cell.isEqual(to: view.cell))
            precondition(again.otherSectionCount == view.otherSectionCount)
            precondition((again.payload == nil) == (view.payload == nil))
            if let one = again.payload, let other = view.payload { precondition(one.isEqual(to: other)) }
        } catch {
            preconditionFailure("written, but not readable")
        }
        _ = cell(view.cell)
        _ = elements(view.elements)
        _ = headers(view.headers)
        return true
    }

    /// The section of elements.
    package static func elements(_ bytes: RawSpan) -> Bool {
        let arena = CellArena()
        guard var reader = try? ElementsReader(bytes) else { return false }
        while true {
            guard let next = try? reader.next(into: arena) else { return reader.remaining == 0 }
            _ = next.cell.isEmpty
        }
    }

    /// An encoded list of headers.
    package static func headers(_ bytes: RawSpan) -> Bool {
        guard let headers = try? Headers(encoded: bytes) else { return false }
        return headers.list.count == headers.count
    }

    /// The text of a `tracestate`.
    package static func tracestate(_ bytes: RawSpan) -> Bool {
        guard let kept = Tracestate.kept(bytes) else { return false }
        precondition(Tracestate.kept(unsafe kept.span.bytes) == kept)
        for threshold in ["c", "0123456789abcd", nil] {
            let set = Tracestate.setting(threshold: threshold, in: bytes)
            // What is sent is valid, and setting it again changes nothing.
            precondition(set.isEmpty ? threshold == nil : Tracestate.kept(unsafe set.span.bytes) == set)
            precondition(Tracestate.setting(threshold: threshold, in: unsafe set.span.bytes) == set)
        }
        return true
    }

    /// The text of `baggage`; accepted if it has a member.
    package static func baggage(_ bytes: RawSpan) -> Bool {
        let baggage = Baggage(bytes)
        let written = baggage.bytes
        precondition(written.count <= Baggage.maximumBytes)
        let again = Baggage(unsafe written.span.bytes)
        precondition(again.members == Array(baggage.members.prefix(again.members.count)))
        precondition(again.bytes == written)
        return !baggage.members.isEmpty
    }

    /// The text of a `traceparent`.
    package static func traceparent(_ bytes: RawSpan) -> Bool {
        guard let context = TraceContext(traceparent: bytes) else { return false }
        var writer = ByteWriter()
        context.appendTraceparent(to: &writer)
        precondition(TraceContext(traceparent: writer.bytes)?.traceID == context.traceID)
        return true
    }
}
