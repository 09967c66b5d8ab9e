public import TributaryCore

/// A stored value, read in place: each field is a view into its bytes.
///
/// All lengths are checked when the view is made, so that reading a field can't fail. The lists inside (headers, cell,
/// elements) are checked by whoever decodes them.
public struct EnvelopeView: ~Escapable {
    private let bytes: RawSpan
    private let flags: UInt8
    private let payloadStart: Int
    private var rest: EnvelopeRest

    /// Reads `bytes`, which must be one whole stored value.
    ///
    /// - Throws: ``EnvelopeError`` for a missing magic, an unknown version, cut fields, lengths beyond the end, unknown flags,
    ///   sections that come twice.
    @_lifetime(copy bytes)
    public init(_ bytes: RawSpan) throws(EnvelopeError) {
        self.bytes = bytes
        rest = EnvelopeRest()
        guard let head = bytes.integer(at: 0, as: UInt32.self), head >> 8 == Envelope.head, head & 0xc0 == 0 else {
            throw EnvelopeView.headFailure(bytes)
        }
        flags = UInt8(truncatingIfNeeded: head)
        var offset = 4
        if flags & Envelope.noTimestamp == 0 { offset = 12 }
        if flags & Envelope.hasContext != 0 { offset &+= TraceContext.storedSize }
        guard offset <= bytes.byteCount else {
            throw EnvelopeError(.truncated, at: 4, "ends in the timestamp or the context")
        }
        let rarer = flags & (Envelope.hasTracestate | Envelope.hasHeaders | Envelope.hasSections)
        if rarer == Envelope.hasSections, let section = bytes.integer(at: offset, as: UInt32.self),
            section >> 16 == 0x0101, section & 0x8000 == 0,
            Int(section >> 8 & 0x7f) <= bytes.byteCount &- offset &- 3
        {
            // The common shape: one section, a cell of less than 128 bytes.
            let end = offset &+ 3 &+ Int(section >> 8 & 0x7f)
            rest.cell = unsafe Range(uncheckedBounds: (offset &+ 3, end))
            offset = end
        } else if rarer != 0 {
            offset = try rest.read(bytes, from: offset, flags: flags)
        }
        payloadStart = offset
        if flags & Envelope.nullPayload != 0 && offset != bytes.byteCount {
            throw EnvelopeError(.malformed, at: offset, "is null and has bytes")
        }
    }

    /// What is wrong with the first four bytes.
    @inline(never)
    private static func headFailure(_ bytes: RawSpan) -> EnvelopeError {
        guard bytes.integer(at: 0, as: UInt16.self) == Envelope.magic else {
            return EnvelopeError(.missingMagic, at: 0, "does not begin with FA 4C")
        }
        guard let version = bytes.byte(at: 2), bytes.byteCount > 3 else {
            return EnvelopeError(.truncated, at: 2, "ends after the magic")
        }
        guard version == Envelope.version else {
            return EnvelopeError(.unknownVersion, at: 2, "version \(version) is unknown")
        }
        return EnvelopeError(.malformed, at: 3, "has unknown flags")
    }

    /// The timestamp, ms since the epoch; nil if the value has none.
    public var timestamp: Int64? {
        flags & Envelope.noTimestamp == 0 ? bytes.integer(at: 4, as: Int64.self) : nil
    }

    /// The context; `TraceContext.none` if there is none.
    public var context: TraceContext {
        guard flags & Envelope.hasContext != 0 else { return .none }
        let start = flags & Envelope.noTimestamp == 0 ? 12 : 4
        return TraceContext(stored: field(start..<payloadStart)) ?? .none
    }

    /// The text of the tracestate; empty if there is none.
    public var tracestate: RawSpan {
        @_lifetime(copy self) get { field(rest.tracestate) }
    }

    /// The encoded list of headers (`Headers`); empty if there are none.
    public var headers: RawSpan {
        @_lifetime(copy self) get { field(rest.headers) }
    }

    /// The bytes of the cell, without version byte; empty if there is none.
    public var cell: RawSpan {
        @_lifetime(copy self) get { field(rest.cell) }
    }

    /// The bytes of the section of elements; empty if there is none.
    public var elements: RawSpan {
        @_lifetime(copy self) get { field(rest.elements) }
    }

    /// The value; nil if it is null.
    public var payload: RawSpan? {
        @_lifetime(copy self) get {
            if flags & Envelope.nullPayload != 0 { return nil }
            return field(payloadStart..<bytes.byteCount)
        }
    }

    /// When the row of a grave was deleted, by the wall clock, ms; nil if it doesn't say.
    public var deletionTime: Int64? {
        var time: Int64?
        if otherSectionCount > 0 {
            forEachOtherSection { kind, bytes in
                if kind == Envelope.deletionKind { time = bytes.integer(at: 0, as: Int64.self) }
            }
        }
        return time
    }

    /// How many sections there are beside cell and elements.
    public var otherSectionCount: Int { rest.others }

    /// A field whose place was checked when the view was made.
    @inline(__always)
    @_lifetime(copy self)
    private func field(_ range: Range<Int>) -> RawSpan { unsafe bytes.extracting(unchecked: range) }

    /// Calls `body` with kind and bytes of each section that is neither cell nor elements, in order.
    public func forEachOtherSection(_ body: (UInt64, RawSpan) -> Void) {
        var reader = ByteReader(field(rest.sections))
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
