/// A topology that cannot be built, or that doesn't fit the topics it is to run on, and what to change.
public struct TopologyError: Error, Sendable, CustomStringConvertible, Equatable {
    /// What kind of mistake it is.
    public enum Code: String, Sendable, CaseIterable {
        /// A name of a node, a store or a topic that can't be one, or the lack of a name where names are required.
        case invalidName
        /// Two nodes, stores, topics or sources have one name, or one topic is read in two ways.
        case conflict
        /// A serde is needed that neither a type nor the operator names, or one that can't be.
        case missingSerde
        /// A size, grace, retention, start or pattern that makes no sense.
        case invalidSetting
        /// A source, a store or a branch that isn't there, or a store that no node uses.
        case notConnected
        /// Topics that are joined have different numbers of partitions.
        case notCopartitioned
        /// Topics that the topology reads or writes don't exist.
        case unknownTopic
        /// An internal topic that exists is not as the topology needs it.
        case changedTopic
    }

    /// What kind of mistake it is.
    public let code: Code
    /// What is wrong, and what to change.
    public let message: String

    /// Makes an error.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The message.
    public var description: String { message }
}
