/// Which contexts are taken from records of others' topics, and sent with records to them.
///
/// Inside of an application, in its stores, changelogs and repartition topics, contexts travel whatever this says.
public struct Propagators: OptionSet, Sendable, Hashable {
    /// One bit each.
    public let rawValue: UInt8

    /// Makes a set of bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// W3C trace context: the headers `traceparent` and `tracestate`.
    public static let traceContext = Propagators(rawValue: 1)
    /// W3C baggage: without it ``Lineage/baggage`` is empty; the header is the user's own and goes on with the record.
    public static let baggage = Propagators(rawValue: 2)
    /// All of them.
    public static let all: Propagators = [.traceContext, .baggage]
}
