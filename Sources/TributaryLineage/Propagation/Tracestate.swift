public import TributaryCore

/// W3C's `tracestate` (Trace Context Level 2, section 3.3): what vendors add to a trace, passed on as it is.
public enum Tracestate {
    /// The longest text that is kept; W3C asks for 512 at least.
    static let limit = 4096

    /// Longer texts aren't looked at: no header should be so long.
    static let readable = 1 << 16

    /// What is kept of a text; nil if it doesn't follow the rules, or has no member: it is then dropped as a whole, and the
    /// `traceparent` stays.
    ///
    /// Members `key=value`, blanks around them and empty ones allowed. Where there are more than 32, or the text is longer than 4096
    /// bytes, whole members go as W3C has it: first those of more than 128 bytes, the last of them first, then the last ones.
    public static func kept(_ text: RawSpan) -> [UInt8]? {
        guard text.byteCount <= readable else { return nil }
        var members = Tracestate.members(text).filter { !$0.isEmpty }
        guard !members.isEmpty, members.allSatisfy({ isMember(text.extracting($0)) }) else { return nil }
        if text.byteCount <= limit && members.count <= 32 { return [UInt8](copying: text) }
        var size = members.reduce(-1) { $0 + $1.count + 1 }
        while size > limit, let long = members.lastIndex(where: { $0.count > 128 }) {
            size -= members.remove(at: long).count + 1
        }
        while size > limit || members.count > 32, let last = members.popLast() { size -= last.count + 1 }
        guard !members.isEmpty else { return nil }
        var writer = ByteWriter(capacity: limit)
        for member in members {
            if writer.count > 0 { writer.append(0x2c) }
            writer.append(text.extracting(member))
        }
        return writer.copy()
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

/// Names a tracestate: records of one trace may have several.
public struct TracestateID: Hashable, Sendable {
    let high: UInt64
    let low: UInt64
    let number: UInt8

    /// That of a context.
    public init(_ context: TraceContext) {
        high = context.traceHigh
        low = context.traceLow
        number = context.flags & TraceContext.tracestateNumber
    }
}

/// The tracestates that a recorder knows: a context only carries a flag that there is one, and which of its trace's it is.
///
/// A trace can have 16 at a time; a record with one more goes on without. The newest ones of bounded number are kept, so that a
/// context that waits for long, in a cache, may lose its own.
struct Tracestates: ~Copyable {
    static let limit = 16_384
    /// How many a trace can have: as many as the bits in a context's flags tell apart.
    static let perTrace: UInt8 = 16

    /// The flags of a trace that begins here and is sampled.
    let rootFlag: UInt8
    private let rootText: [UInt8]
    private let rootLineageHeaders: [UInt8]
    private var known: [TracestateID: [UInt8]] = [:]
    private var order: [TracestateID] = []
    private var next = 0
    private let text = ByteBuffer(capacity: 64)

    init(threshold: String?) {
        rootFlag = threshold == nil ? 0 : TraceContext.hasThreshold
        rootText = threshold.map { Array("ot=th:\($0)".utf8) } ?? []
        rootLineageHeaders = threshold == nil ? [] : Headers([(HeaderNames.tracestate, rootText)]).encoded
    }

    /// Keeps the tracestate of a record, and lets its context say so.
    mutating func know(_ bytes: [UInt8], of context: inout TraceContext) {
        let flags = context.flags & TraceContext.standardFlags | TraceContext.hasTracestate
        for number in 0..<Tracestates.perTrace {
            context.flags = flags | number << 2
            let id = TracestateID(context)
            if let other = known[id] {
                if other == bytes { return }
                continue
            }
            known[id] = bytes
            if order.count < Tracestates.limit {
                order.append(id)
            } else {
                known[order[next]] = nil
                order[next] = id
                next = (next + 1) % Tracestates.limit
            }
            return
        }
        context.flags &= TraceContext.standardFlags
    }

    func bytes(of context: TraceContext) -> [UInt8] {
        if context.flags & TraceContext.hasTracestate != 0 { return known[TracestateID(context)] ?? [] }
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
    func lineageHeaders(_ context: TraceContext) -> RawSpan {
        text.writer.removeAll()
        if context.flags & TraceContext.hasTracestate != 0 {
            let bytes = bytes(of: context)
            if !bytes.isEmpty { text.writer.append(Headers([(HeaderNames.tracestate, bytes)]).encoded) }
        } else {
            text.writer.append(rootLineageHeaders)
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
        let id = TracestateID(context)
        guard batch.tracestates[id] == nil, let bytes = known[id] else { return }
        batch.tracestates[id] = String(decoding: bytes, as: UTF8.self)
    }

    /// Says that a trace is sampled from here on, with the given threshold of OpenTelemetry's, or with none that is known.
    mutating func sample(_ context: inout TraceContext, threshold: String?) {
        context.flags |= 1
        guard context.flags & TraceContext.hasTracestate != 0 else { return }
        let bytes = bytes(of: context)
        let changed = unsafe Tracestate.setting(threshold: threshold, in: bytes.span.bytes)
        context.flags &= TraceContext.standardFlags
        if !changed.isEmpty { know(changed, of: &context) }
    }
}

extension LineageRecorder {
    /// Keeps the tracestate that came with a context, if it follows the rules, and lets the context say so.
    ///
    /// One that is too long, or has too many members, loses members.
    public func know(_ tracestate: RawSpan, of context: inout TraceContext) {
        guard mode != .off, context.isValid, let kept = Tracestate.kept(tracestate) else { return }
        tracestates.value.know(kept, of: &context)
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
    public func lineageHeaders(of context: TraceContext) -> RawSpan {
        if context.flags & ~TraceContext.standardFlags == 0 { return RawSpan.empty }
        return knownLineageHeaders(context)
    }

    @usableFromInline
    @inline(never)
    @_lifetime(immortal)
    func knownTracestate(_ context: TraceContext) -> RawSpan { tracestates.value.view(context) }

    @usableFromInline
    @inline(never)
    @_lifetime(immortal)
    func knownLineageHeaders(_ context: TraceContext) -> RawSpan { tracestates.value.lineageHeaders(context) }
}
