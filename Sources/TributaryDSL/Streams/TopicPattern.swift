internal import TributaryCore

/// Names of topics, to read all topics that have such a one: Kafka Streams' `stream(Pattern)`.
///
/// Two patterns are the same if their descriptions are: streams of the same pattern share one source, and the description stands in the
/// topology's text and fingerprint. What is to count as another topology needs another description.
public struct TopicPattern: Sendable, Hashable, CustomStringConvertible {
    /// The pattern, for people and for comparing.
    public let description: String
    /// Whether a topic of a name is read; asked on several threads.
    public let matches: @Sendable (_ topic: String) -> Bool

    /// Makes a pattern of a closure, for names that ``prefix(_:)`` and ``suffix(_:)`` don't describe.
    ///
    /// - Parameters:
    ///   - description: says which names are meant, for example `orders-<two letters>`; not empty, on one line.
    ///   - matches: whether a topic of a name is read; gives the same answer each time.
    public init(_ description: String, _ matches: @escaping @Sendable (_ topic: String) -> Bool) {
        self.description = description
        self.matches = matches
    }

    /// All topics whose names begin with a text.
    public static func prefix(_ text: String) -> TopicPattern { TopicPattern("\(text)*") { $0.hasPrefix(text) } }

    /// All topics whose names end with a text.
    public static func suffix(_ text: String) -> TopicPattern { TopicPattern("*\(text)") { $0.hasSuffix(text) } }

    /// Whether two have the same description.
    public static func == (one: TopicPattern, other: TopicPattern) -> Bool { one.description == other.description }

    /// Hashes the description.
    public func hash(into hasher: inout Hasher) { hasher.combine(description) }

    /// Why it can't be; nil if it can.
    var problem: String? {
        guard description.isEmpty || description.contains(where: \.isNewline) else { return nil }
        return "a pattern of topics needs a description of one line, not '\(description)'"
    }
}
