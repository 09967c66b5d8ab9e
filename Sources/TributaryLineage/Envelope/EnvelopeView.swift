public import TributaryCore

/// A stored value, read in place: each field is a view into its bytes.
///
/// All lengths are checked when the view is made, so that reading a field can't fail. The lists inside (headers, cell,
/// elements) are checked by whoever decodes them.
public struct EnvelopeView: ~Escapable {
    /// The timestamp, ms since the epoch; nil if the value has none.
    public let timestamp: Int64?
    /// The context; ``TraceContext/none`` if there is none.
    public let context: TraceContext
    /// The text of the tracestate; empty if there is none.
    public let tracestate: RawSpan
    /// The encoded list of headers (``Headers``); empty if there are none.
    public let headers: RawSpan
    /// The bytes of the cell, without version byte; empty if there is none.
    public let cell: RawSpan
    /// The bytes of the section of elements; empty if there is none.
    public let elements: RawSpan
    /// The value; nil if it is null.
    public let payload: RawSpan?
    /// All sections, encoded one after the other.
    private let sections: RawSpan
    /// How many sections have kinds that this library doesn't know.
    public let otherSectionCount: Int

    /// Reads `bytes`, which must be one whole stored value.
    ///
    /// - Throws: ``EnvelopeError`` for a missing magic, an unknown version, cut fields, lengths beyond the end, unknown flags,
    ///   sections that come twice.
    @_lifetime(copy bytes)
    public init(_ bytes: RawSpan) throws(EnvelopeError) {
        guard let head = bytes.integer(at: 0, as: UInt32.self) else {
            guard bytes.integer(at: 0, as: UInt16.self) == Envelope.magic else {
                throw EnvelopeError(.missingMagic, at: 0, "does not begin with FA 4C")
            }
            throw EnvelopeError(.truncated, at: 2, "ends after the magic")
        }
        guard UInt16(truncatingIfNeeded: head >> 16) == Envelope.magic else {
            throw EnvelopeError(.missingMagic, at: 0, "does not begin with FA 4C")
        }
        guard UInt8(truncatingIfNeeded: head >> 8) == Envelope.version else {
            throw EnvelopeError(.unknownVersion, at: 2, "version \(UInt8(truncatingIfNeeded: head >> 8)) is unknown")
        }
        let flags = UInt8(truncatingIfNeeded: head)
        guard flags & ~Envelope.allFlags == 0 else {
            throw EnvelopeError(.malformed, at: 3, "has unknown flags")
        }
        var offset = 4
        if flags & Envelope.noTimestamp == 0 {
            guard let time = bytes.integer(at: offset, as: Int64.self) else {
                throw EnvelopeError(.truncated, at: offset, "ends in the timestamp")
            }
            timestamp = time
            offset = 12
        } else {
            timestamp = nil
        }
        if flags & Envelope.hasContext != 0 {
            guard let stored = TraceContext(stored: bytes.dropping(offset)) else {
                throw EnvelopeError(.truncated, at: offset, "ends in the context")
            }
            context = stored
            offset &+= TraceContext.storedSize
        } else {
            context = .none
        }
        let rarer = flags & (Envelope.hasTracestate | Envelope.hasHeaders | Envelope.hasSections)
        if rarer == Envelope.hasSections, let head = bytes.integer(at: offset, as: UInt32.self), head >> 16 == 0x0101,
            head & 0x8000 == 0, Int(head >> 8 & 0x7f) <= bytes.byteCount &- offset &- 3
        {
            // The common shape: one section, a cell of less than 128 bytes.
            let end = offset &+ 3 &+ Int(head >> 8 & 0x7f)
            tracestate = .empty
            headers = .empty
            cell = bytes.extracting((offset &+ 3)..<end)
            elements = .empty
            sections = bytes.extracting((offset &+ 1)..<end)
            otherSectionCount = 0
            offset = end
        } else if rarer == 0 {
            tracestate = .empty
            headers = .empty
            cell = .empty
            elements = .empty
            sections = .empty
            otherSectionCount = 0
        } else {
            var rest = EnvelopeRest()
            offset = try rest.read(bytes, from: offset, flags: flags)
            tracestate = bytes.extracting(rest.tracestate)
            headers = bytes.extracting(rest.headers)
            cell = bytes.extracting(rest.cell)
            elements = bytes.extracting(rest.elements)
            sections = bytes.extracting(rest.sections)
            otherSectionCount = rest.others
        }
        if flags & Envelope.nullPayload == 0 {
            payload = bytes.dropping(offset)
        } else {
            guard offset == bytes.byteCount else {
                throw EnvelopeError(.malformed, at: offset, "is null and has bytes")
            }
            payload = nil
        }
    }

    /// Calls `body` with kind and bytes of each section of a kind that this library doesn't know, in order.
    public func forEachOtherSection(_ body: (UInt64, RawSpan) -> Void) {
        var reader = ByteReader(sections)
        while reader.remaining > 0 {
            guard let kind = try? reader.varint() else { return }
            do throws(MalformedBytes) {
                let bytes = try reader.lengthPrefixed()
                if kind != Envelope.cellKind && kind != Envelope.elementsKind { body(kind, bytes) }
            } catch {
                return
            }
        }
    }

    /// Appends the sections of unknown kinds, to be kept by ``Envelope/encode(timestamp:context:tracestate:headers:cell:elements:otherSections:payload:into:)``.
    public func copyOtherSections(to writer: inout ByteWriter) {
        guard otherSectionCount > 0 else { return }
        forEachOtherSection { kind, bytes in
            writer.append(varint: kind)
            writer.append(varint: UInt64(bytes.byteCount))
            writer.append(bytes)
        }
    }
}

/// Where the rarer fields of a stored value lie.
struct EnvelopeRest {
    var tracestate = 0..<0
    var headers = 0..<0
    var cell = 0..<0
    var elements = 0..<0
    var sections = 0..<0
    var others = 0

    /// Finds the fields after the context and returns where the payload begins.
    mutating func read(_ bytes: RawSpan, from start: Int, flags: UInt8) throws(EnvelopeError) -> Int {
        var reader = ByteReader(bytes.dropping(start))
        do throws(MalformedBytes) {
            if flags & Envelope.hasTracestate != 0 {
                let length = try reader.lengthPrefixed().byteCount
                tracestate = (start &+ reader.offset &- length)..<(start &+ reader.offset)
            }
            if flags & Envelope.hasHeaders != 0 {
                let from = start &+ reader.offset
                try skipHeaders(&reader)
                headers = from..<(start &+ reader.offset)
            }
        } catch {
            throw EnvelopeError(error, shifted: start)
        }
        if flags & Envelope.hasSections != 0 { try readSections(&reader, from: start) }
        return start &+ reader.offset
    }

    private func skipHeaders(_ reader: inout ByteReader) throws(MalformedBytes) {
        var left = try reader.varint()
        while left > 0 {
            left -= 1
            _ = try reader.lengthPrefixed()
            let at = reader.offset
            let size = try reader.varint()
            if size > 1 {
                guard size &- 1 <= UInt64(reader.remaining) else { throw .badLength(offset: at, length: size) }
                _ = try reader.span(Int(size &- 1))
            }
        }
    }

    private mutating func readSections(_ reader: inout ByteReader, from start: Int) throws(EnvelopeError) {
        do throws(MalformedBytes) {
            var left = try reader.varint()
            let from = start &+ reader.offset
            var twice: Int?
            while left > 0 {
                left -= 1
                let at = start &+ reader.offset
                let kind = try reader.varint()
                let length = try reader.lengthPrefixed().byteCount
                let range = (start &+ reader.offset &- length)..<(start &+ reader.offset)
                switch kind {
                case Envelope.cellKind:
                    if cell.upperBound > 0 { twice = at }
                    cell = range
                case Envelope.elementsKind:
                    if elements.upperBound > 0 { twice = at }
                    elements = range
                default: others &+= 1
                }
            }
            sections = from..<(start &+ reader.offset)
            if let twice { throw .badValue(offset: twice &- start, what: "a section comes twice") }
        } catch {
            throw EnvelopeError(error, shifted: start)
        }
    }
}

extension EnvelopeError {
    /// The error of a field that was read from `start` on.
    init(_ error: MalformedBytes, shifted start: Int) {
        switch error {
        case .truncated(let offset): self.init(.truncated, at: start &+ offset, "ends inside a field")
        case .badLength(let offset, let length):
            self.init(.truncated, at: start &+ offset, "a length of \(length) is larger than what is left")
        case .badVarint(let offset): self.init(.malformed, at: start &+ offset, "a number is longer than 64 bits")
        case .badValue(let offset, let what): self.init(.malformed, at: start &+ offset, "\(what)")
        }
    }
}
