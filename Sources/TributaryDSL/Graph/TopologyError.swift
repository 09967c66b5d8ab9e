/// A topology that cannot be built, and what to change.
public struct TopologyError: Error, Sendable, CustomStringConvertible, Equatable {
    /// What is wrong, and what to change.
    public let message: String

    /// Makes an error.
    public init(_ message: String) { self.message = message }

    /// The message.
    public var description: String { message }
}
