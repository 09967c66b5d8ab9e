public import TributaryCore

/// W3C's `tracestate` (Trace Context Level 2, section 3.3): what vendors add to a trace, passed on as it is.
public enum Tracestate {
    /// The longest text that is kept; W3C asks for 512 at least.
    static let limit = 4096

    /// Whether the text follows the rules; another is dropped as a whole, and the `traceparent` stays.
    ///
    /// At most 32 members `key=value`, blanks around them and empty ones allowed.
    public static func isValid(_ text: RawSpan) -> Bool {
        guard text.byteCount <= limit else { return false }
        var members = 0
        for member in Tracestate.members(text) where !member.isEmpty {
            members += 1
            guard members <= 32, isMember(text.extracting(member)) else { return false }
        }
        return members > 0
    }

    /// The text with OpenTelemetry's sampling threshold `ot=th:`, in the first place; nil takes it out.
    ///
    /// Other members, and other sub-keys of `ot`, stay as they are, as far as W3C's and OpenTelemetry's limits let them: the last
    /// ones go.
    public static func setting(threshold: String?, in text: RawSpan) -> [UInt8] {
        var others: [Range<Int>] = []
        var subkeys: [[UInt8]] = threshold.map { [Array("th:\($0)".utf8)] } ?? []
        for member in members(text) where !member.isEmpty {
            let bytes = text.extracting(member)
            guard bytes.byteCount >= 3, bytes.byte(at: 0) == 0x6f, bytes.byte(at: 1) == 0x74, bytes.byte(at: 2) == 0x3d
            else {
                others.append(member)
                continue
            }
            for part in [UInt8](copying: bytes.dropping(3)).split(separator: 0x3b) {
                let part = Array(part.drop { $0 == 0x20 })
                let size = subkeys.reduce(part.count) { $0 + $1.count + 1 }
                if part.last == 0x20 || part.isEmpty || part.starts(with: [0x74, 0x68, 0x3a]) || size > 256 {
                    continue
                }
                subkeys.append(part)
            }
        }
        var writer = ByteWriter(capacity: text.byteCount + 32)
        if !subkeys.isEmpty {
            writer.append(utf8: "ot=")
            writer.append(Array(subkeys.joined(separator: [0x3b])))
        }
        // The member that was changed comes first; the last is dropped if they are too many.
        for member in others.prefix(subkeys.isEmpty ? 32 : 31) where writer.count + 1 + member.count <= limit {
            if writer.count > 0 { writer.append(0x2c) }
            writer.append(text.extracting(member))
        }
        return writer.copy()
    }

    /// The places between the commas, without blanks around them.
    private static func members(_ text: RawSpan) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var start = 0
        for index in 0...text.byteCount where index == text.byteCount || text.byte(at: index) == 0x2c {
            var from = start
            var to = index
            while from < to, isBlank(text.byte(at: from)) { from += 1 }
            while to > from, isBlank(text.byte(at: to - 1)) { to -= 1 }
            ranges.append(from..<to)
            start = index + 1
        }
        return ranges
    }

    private static func isBlank(_ byte: UInt8?) -> Bool { byte == 0x20 || byte == 0x09 }

    private static func isMember(_ text: RawSpan) -> Bool {
        var equals = 0
        while equals < text.byteCount, let byte = text.byte(at: equals), byte != 0x3d {
            let isLetter = 0x61...0x7a ~= byte || 0x30...0x39 ~= byte
            let isOther = byte == 0x5f || byte == 0x2a || byte == 0x2f || byte == 0x40 || byte == 0x2d
            guard isLetter || (isOther && equals > 0), equals < 256 else { return false }
            equals += 1
        }
        let size = text.byteCount - equals - 1
        guard equals > 0, 1...256 ~= size, text.byte(at: text.byteCount - 1) != 0x20 else { return false }
        for index in (equals + 1)..<text.byteCount {
            guard let byte = text.byte(at: index), 0x20...0x7e ~= byte, byte != 0x3d else { return false }
        }
        return true
    }
}

/// Names a trace.
public struct TraceID: Hashable, Sendable {
    /// The first 8 bytes.
    public let high: UInt64
    /// The last 8 bytes.
    public let low: UInt64

    /// The trace of a context.
    @inlinable
    public init(_ context: TraceContext) {
        high = context.traceHigh
        low = context.traceLow
    }
}

/// The tracestates that a recorder knows, by trace: a context only carries a flag that there is one.
///
/// The newest ones of bounded number are kept, so that a context that waits for long, in a cache, may lose its own.
struct Tracestates: ~Copyable {
    static let limit = 16_384

    /// The flags of a trace that begins here and is sampled.
    let rootFlag: UInt8
    private let rootText: [UInt8]
    private let rootExtras: [UInt8]
    private var known: [TraceID: [UInt8]] = [:]
    private var order: [TraceID] = []
    private var next = 0
    private let text = ByteBuffer(capacity: 64)

    init(threshold: String?) {
        rootFlag = threshold == nil ? 0 : TraceContext.hasThreshold
        rootText = threshold.map { Array("ot=th:\($0)".utf8) } ?? []
        rootExtras = threshold == nil ? [] : Headers([(HeaderNames.tracestate, rootText)]).encoded
    }

    /// Keeps the tracestate of a trace.
    mutating func know(_ bytes: [UInt8], of trace: TraceID) {
        guard known.updateValue(bytes, forKey: trace) == nil else { return }
        if order.count < Tracestates.limit {
            order.append(trace)
        } else {
            known[order[next]] = nil
            order[next] = trace
            next = (next + 1) % Tracestates.limit
        }
    }

    func bytes(of context: TraceContext) -> [UInt8] {
        if context.flags & TraceContext.hasTracestate != 0 { return known[TraceID(context)] ?? [] }
        return context.flags & TraceContext.hasThreshold != 0 ? rootText : []
    }

    /// The text; the view ends with the next call.
    @_lifetime(immortal)
    func view(_ context: TraceContext) -> RawSpan {
        text.writer.removeAll()
        text.writer.append(bytes(of: context))
        return text.bytes
    }

    /// The encoded list of headers with the text; the view ends with the next call.
    @_lifetime(immortal)
    func extras(_ context: TraceContext) -> RawSpan {
        text.writer.removeAll()
        if context.flags & TraceContext.hasTracestate != 0 {
            let bytes = bytes(of: context)
            if !bytes.isEmpty { text.writer.append(Headers([(HeaderNames.tracestate, bytes)]).encoded) }
        } else {
            text.writer.append(rootExtras)
        }
        return text.bytes
    }

    /// Writes the tracestates of a batch's spans and links into it.
    func note(_ batch: inout SpanBatch) {
        if !rootText.isEmpty { batch.thresholdTracestate = String(decoding: rootText, as: UTF8.self) }
        guard !known.isEmpty else { return }
        for span in batch.spans where span.context.flags & TraceContext.hasTracestate != 0 {
            note(span.context, &batch)
        }
        for link in batch.links where link.context.flags & TraceContext.hasTracestate != 0 {
            note(link.context, &batch)
        }
    }

    private func note(_ context: TraceContext, _ batch: inout SpanBatch) {
        let trace = TraceID(context)
        guard batch.tracestates[trace] == nil, let bytes = known[trace] else { return }
        batch.tracestates[trace] = String(decoding: bytes, as: UTF8.self)
    }
}

extension LineageRecorder {
    /// Keeps the tracestate that came with a context, if it follows the rules, and lets the context say so.
    public func know(_ tracestate: RawSpan, of context: inout TraceContext) {
        guard mode != .off, context.isValid, Tracestate.isValid(tracestate) else { return }
        tracestates.value.know([UInt8](copying: tracestate), of: TraceID(context))
        context.flags |= TraceContext.hasTracestate
    }

    /// The tracestate of a context; empty if it has none.
    ///
    /// The view ends with the next call.
    @inlinable
    @inline(__always)
    @_lifetime(immortal)
    public func tracestate(of context: TraceContext) -> RawSpan {
        if context.flags & ~TraceContext.standardFlags == 0 { return RawSpan.empty }
        return knownTracestate(context)
    }

    /// The headers that go with a context beside `traceparent`, as an encoded list.
    ///
    /// The view ends with the next call.
    @inlinable
    @inline(__always)
    @_lifetime(immortal)
    public func extras(of context: TraceContext) -> RawSpan {
        if context.flags & ~TraceContext.standardFlags == 0 { return RawSpan.empty }
        return knownExtras(context)
    }

    @usableFromInline
    @inline(never)
    @_lifetime(immortal)
    func knownTracestate(_ context: TraceContext) -> RawSpan { tracestates.value.view(context) }

    @usableFromInline
    @inline(never)
    @_lifetime(immortal)
    func knownExtras(_ context: TraceContext) -> RawSpan { tracestates.value.extras(context) }
}
