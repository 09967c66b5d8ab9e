/// A W3C trace context in words: which trace, which span, and the flags.
///
/// Without state (`tracestate` travels beside it).
///
/// 25 bytes when stored: trace id 16, span id 8, flags 1. All zero means *none*. Format of the text:
/// W3C Trace Context, `traceparent`, `00-<trace id>-<span id>-<flags>`.
public struct TraceContext: Hashable, Sendable, BitwiseCopyable {
    /// The trace id's first 8 bytes, big-endian.
    public var traceHigh: UInt64
    /// The trace id's last 8 bytes, big-endian.
    public var traceLow: UInt64
    /// The span id, big-endian.
    public var span: UInt64
    /// Bit 0: sampled; bit 1: the trace id's last 7 bytes are random; others in memory only.
    public var flags: UInt8

    /// The flags that W3C knows: sampled, random.
    @inlinable public static var standardFlags: UInt8 { 3 }
    /// In memory only, never stored or sent: the record's `tracestate` is known.
    @inlinable public static var hasTracestate: UInt8 { 0x80 }
    /// In memory only: which of the trace's it is.
    @inlinable public static var tracestateNumber: UInt8 { 0x3c }
    /// In memory only: the trace began here, and its `tracestate` says with which probability.
    @inlinable public static var hasThreshold: UInt8 { 0x40 }

    /// The number of bytes of the stored form.
    public static let storedSize = 25

    /// No context.
    @inlinable public static var none: TraceContext { TraceContext(traceHigh: 0, traceLow: 0, span: 0, flags: 0) }

    /// Makes a context of words.
    @inlinable
    public init(traceHigh: UInt64, traceLow: UInt64, span: UInt64, flags: UInt8) {
        self.traceHigh = traceHigh
        self.traceLow = traceLow
        self.span = span
        self.flags = flags
    }

    /// Whether both ids are there: W3C calls an all-zero trace or span id invalid.
    @inlinable public var isValid: Bool { (traceHigh | traceLow) != 0 && span != 0 }

    /// Whether the trace is sampled.
    @inlinable public var isSampled: Bool { flags & 1 != 0 }

    /// Reads the 25 stored bytes; nil if there are fewer.
    @inlinable
    public init?(stored bytes: RawSpan) {
        guard let high = bytes.integer(at: 0, as: UInt64.self), let low = bytes.integer(at: 8, as: UInt64.self),
            let span = bytes.integer(at: 16, as: UInt64.self), let flags = bytes.byte(at: 24)
        else { return nil }
        self.init(traceHigh: high, traceLow: low, span: span, flags: flags & TraceContext.standardFlags)
    }

    /// Writes the 25 stored bytes.
    @inlinable
    public func store(into writer: inout ByteWriter) {
        let (high, low, id, bits) = (
            traceHigh.bigEndian, traceLow.bigEndian, span.bigEndian, flags & TraceContext.standardFlags
        )
        unsafe writer.append(upTo: TraceContext.storedSize) { target in
            unsafe target.storeBytes(of: high, as: UInt64.self)
            unsafe target.storeBytes(of: low, toByteOffset: 8, as: UInt64.self)
            unsafe target.storeBytes(of: id, toByteOffset: 16, as: UInt64.self)
            unsafe target.storeBytes(of: bits, toByteOffset: 24, as: UInt8.self)
            return TraceContext.storedSize
        }
    }

    /// Reads a `traceparent` header value by W3C's rules for receivers; nil if it must be ignored.
    ///
    /// Blanks around it are cut, a later version is read by position, upper-case digits and all-zero ids are refused.
    public init?(traceparent text: RawSpan) {
        var from = 0
        var to = text.byteCount
        while from < to, let byte = text.byte(at: from), byte == 0x20 || byte == 0x09 { from += 1 }
        while to > from, let byte = text.byte(at: to - 1), byte == 0x20 || byte == 0x09 { to -= 1 }
        let field = text.extracting(from..<to)
        guard field.byteCount >= 55, field.byte(at: 2) == 0x2d, field.byte(at: 35) == 0x2d, field.byte(at: 52) == 0x2d,
            let version = lowerHex(field, 0, 2), version != 0xff,
            let high = lowerHex(field, 3, 16), let low = lowerHex(field, 19, 16), let span = lowerHex(field, 36, 16),
            let flags = lowerHex(field, 53, 2)
        else { return nil }
        if field.byteCount > 55 {
            guard version != 0, field.byte(at: 55) == 0x2d else { return nil }
        }
        self.init(traceHigh: high, traceLow: low, span: span, flags: UInt8(flags) & TraceContext.standardFlags)
        guard isValid else { return nil }
    }

    /// Writes the 55 bytes of a version 00 `traceparent`; flags that version 00 doesn't know are sent as 0.
    public func appendTraceparent(to writer: inout ByteWriter) {
        writer.append(0x30)
        writer.append(0x30)
        writer.append(0x2d)
        appendHex(traceHigh, 16, to: &writer)
        appendHex(traceLow, 16, to: &writer)
        writer.append(0x2d)
        appendHex(span, 16, to: &writer)
        writer.append(0x2d)
        appendHex(UInt64(flags & 3), 2, to: &writer)
    }

    /// The text of the `traceparent` header.
    public var traceparent: String {
        var writer = ByteWriter(capacity: 64)
        appendTraceparent(to: &writer)
        return String(decoding: writer.copy(), as: UTF8.self)
    }

    /// The trace id as 32 hexadecimal digits.
    public var traceID: String { String(traceparent.dropFirst(3).prefix(32)) }

    /// The span id as 16 hexadecimal digits.
    public var spanID: String { String(traceparent.dropFirst(36).prefix(16)) }
}

/// The value of `count` lower-case hexadecimal digits at `offset`; nil for anything else.
private func lowerHex(_ bytes: RawSpan, _ offset: Int, _ count: Int) -> UInt64? {
    var value: UInt64 = 0
    for index in offset..<(offset + count) {
        guard let character = bytes.byte(at: index) else { return nil }
        switch character {
        case 0x30...0x39: value = value << 4 | UInt64(character - 0x30)
        case 0x61...0x66: value = value << 4 | UInt64(character - 0x61 + 10)
        default: return nil
        }
    }
    return value
}

private func appendHex(_ value: UInt64, _ digits: Int, to writer: inout ByteWriter) {
    var shift = UInt64(digits * 4)
    while shift > 0 {
        shift -= 4
        let digit = UInt8(truncatingIfNeeded: value >> shift) & 15
        writer.append(digit < 10 ? 0x30 + digit : 0x61 - 10 + digit)
    }
}
