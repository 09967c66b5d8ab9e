internal import TributaryCore

/// What OpenTelemetry's samplers put into a `tracestate`: `ot=th:<threshold>;rv:<randomness>`.
extension Tracestate {
    /// The rejection threshold of a trace, of 2^56; nil if the text has none that can be read.
    package static func threshold(of text: RawSpan) -> UInt64? {
        guard let digits = subkey("th", of: text), 1...14 ~= digits.count, let value = hexadecimal(digits) else {
            return nil
        }
        return value << UInt64((14 - digits.count) * 4)
    }

    /// The trace's own randomness in place of that of its id: 56 bits; nil if the text has none.
    static func randomness(of text: RawSpan) -> UInt64? {
        guard let digits = subkey("rv", of: text), digits.count == 14 else { return nil }
        return hexadecimal(digits)
    }

    /// The value of a sub-key of the member `ot`.
    private static func subkey(_ name: String, of text: RawSpan) -> [UInt8]? {
        for member in [UInt8](copying: text).split(separator: 0x2c) {
            let member = member.drop { $0 == 0x20 || $0 == 0x09 }
            guard member.starts(with: Array("ot=".utf8)) else { continue }
            for part in member.dropFirst(3).split(separator: 0x3b) where part.starts(with: Array("\(name):".utf8)) {
                return Array(part.dropFirst(3).prefix { $0 != 0x20 && $0 != 0x09 })
            }
        }
        return nil
    }

    private static func hexadecimal(_ digits: [UInt8]) -> UInt64? {
        guard digits.allSatisfy({ 0x30...0x39 ~= $0 || 0x61...0x66 ~= $0 }) else { return nil }
        return UInt64(String(decoding: digits, as: UTF8.self), radix: 16)
    }
}

extension LineageRecorder {
    /// The bits that decide by trace: the last 56 of its id, or what its `tracestate` says.
    @inline(__always)
    func randomness(of context: TraceContext) -> UInt64 {
        guard context.flags & TraceContext.hasTracestate != 0 else { return context.traceLow }
        return knownRandomness(context)
    }

    @inline(never)
    private func knownRandomness(_ context: TraceContext) -> UInt64 {
        Tracestate.randomness(of: tracestates.value.view(context)) ?? context.traceLow
    }

    /// A record's context with another decision than it came with: sampled here, or not.
    ///
    /// Whoever changes the flag gives a new span id (W3C, `sampled`): that of the span that is made next, or one that has no span.
    ///
    /// - Parameter isInternal: the record came through a topic of the application's own: nothing of what the context names was
    ///   exported, so the next span begins the trace.
    @inline(never)
    func redecided(_ header: TraceContext, _ isSampled: Bool, isInternal: Bool) -> TraceContext {
        var context = header
        setThreshold(isSampled, of: &context)
        context.flags = isSampled ? context.flags | 1 : context.flags & ~1
        if !isSampled || !isRecording || isShed(context) {
            context.span = id()
        } else if isInternal {
            context.span = 0
        }
        return context
    }

    /// A context whose parent decided: a threshold that contradicts the decision is taken out.
    @inline(never)
    func checked(_ header: TraceContext) -> TraceContext {
        let text = tracestates.value.view(header)
        guard let threshold = Tracestate.threshold(of: text) else { return header }
        let reaches = (Tracestate.randomness(of: text) ?? header.traceLow) & 0x00ff_ffff_ffff_ffff >= threshold
        guard reaches != header.isSampled else { return header }
        var context = header
        replace(Tracestate.setting(threshold: nil, in: text), of: &context)
        return context
    }

    /// Lets the `tracestate` say with which probability the trace was sampled here.
    @inline(never)
    func setThreshold(_ isSampled: Bool, of context: inout TraceContext) {
        let threshold = isSampled ? sampler.tracestateThreshold : nil
        if context.flags & TraceContext.hasTracestate != 0 {
            let text = tracestates.value.view(context)
            replace(Tracestate.setting(threshold: threshold, in: text), of: &context)
        } else {
            context.flags &= ~TraceContext.hasThreshold
            if isSampled { context.flags |= tracestates.value.rootFlag }
        }
    }

    private func replace(_ text: [UInt8], of context: inout TraceContext) {
        context.flags &= ~(TraceContext.hasTracestate | TraceContext.tracestateNumber)
        if !text.isEmpty { know(unsafe text.span.bytes, of: &context) }
    }
}
