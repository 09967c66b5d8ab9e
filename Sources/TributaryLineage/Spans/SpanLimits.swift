/// How much a span may have: what is beyond is left out, and counted in the span.
///
/// What Tributary itself says of an operation, at most a dozen attributes of a span and four of a link, isn't counted.
public struct SpanLimits: Sendable, Hashable {
    /// Attributes of a span: the user's own and captured headers.
    public var attributes = 128
    /// Events of a span.
    public var events = 128
    /// Links of a span, Tributary's own included; ``LineageRecorder`` counts all contributions whatever this is.
    public var links = 128
    /// Attributes of an event.
    public var eventAttributes = 128
    /// Attributes of a link of the user's own.
    public var linkAttributes = 128
    /// Characters of the text of an attribute; nil for any number.
    public var valueLength: Int?

    /// OpenTelemetry's defaults.
    public init() {}

    /// The attributes that may stay, and how many may not: the last ones by name.
    func kept(
        _ all: [String: AttributeValue], most: Int
    ) -> (attributes: [String: AttributeValue], dropped: Int) {
        var kept = all
        if all.count > max(most, 0) {
            for name in all.keys.sorted().dropFirst(max(most, 0)) { kept[name] = nil }
        }
        if valueLength != nil { kept = kept.mapValues { self.kept($0) } }
        return (kept, all.count - kept.count)
    }

    /// The value, cut where it is too long.
    func kept(_ value: AttributeValue) -> AttributeValue {
        guard let valueLength, case .string(let text) = value, text.utf8.count > valueLength else { return value }
        return .string(String(text.prefix(max(valueLength, 0))))
    }
}
