/// Which record headers of the user's lineage uses by name: those that spans show, and those that go through stores.
///
/// Names count in any case. Headers that are lineage's own are in neither list.
public struct HeaderPolicy: Sendable, Hashable {
    /// Those that spans show as attributes `tributary.header.<name>`.
    public var captured: [String]
    /// Those that are stored with the values that a record led to, and go on with records that such a value led to.
    public var propagated: [String]

    /// How many bytes of names and values of the propagated ones are stored with a row, or go on with a record: one that doesn't fit is
    /// left out whole, and counted.
    public var propagatedBytes: Int

    /// Names headers; none by default.
    public init(
        captured: [String] = [], propagated: [String] = [], propagatedBytes: Int = HeaderPolicy.defaultPropagatedBytes
    ) {
        self.captured = captured
        self.propagated = propagated
        self.propagatedBytes = propagatedBytes
    }

    /// 8192 bytes, as much as W3C lets baggage have.
    public static let defaultPropagatedBytes = 8192

    /// A list's names as bytes in lower case.
    static func names(_ list: [String]) -> [[UInt8]] {
        let own = [HeaderNames.traceparent, HeaderNames.tracestate]
        return list.map { $0.lowercased() }
            .filter { !$0.isEmpty && !own.contains($0) && !$0.hasPrefix(HeaderNames.prefix) }
            .map { Array($0.utf8) }
    }
}
