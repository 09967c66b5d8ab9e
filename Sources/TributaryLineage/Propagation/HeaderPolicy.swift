/// Which record headers of the user's lineage uses by name: those that spans show, and those that go through stores.
///
/// Names count in any case. Headers that are lineage's own are in neither list.
public struct HeaderPolicy: Sendable, Hashable {
    /// Those that spans show as attributes `tributary.header.<name>`.
    public var captured: [String]
    /// Those that are stored with the values that a record led to, and go on with records that such a value led to.
    public var propagated: [String]

    /// Names headers; none by default.
    public init(captured: [String] = [], propagated: [String] = []) {
        self.captured = captured
        self.propagated = propagated
    }

    /// A list's names as bytes in lower case.
    static func names(_ list: [String]) -> [[UInt8]] {
        let own = [HeaderNames.traceparent, HeaderNames.tracestate]
        return list.map { $0.lowercased() }
            .filter { !$0.isEmpty && !own.contains($0) && !$0.hasPrefix(HeaderNames.prefix) }
            .map { Array($0.utf8) }
    }
}
