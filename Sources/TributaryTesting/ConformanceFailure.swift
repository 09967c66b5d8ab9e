/// What an implementation did that its protocol does not allow.
public struct ConformanceFailure: Error, Sendable, CustomStringConvertible {
    /// The check that failed.
    public let check: String
    /// What was expected and what happened.
    public let message: String

    /// Makes a failure.
    public init(check: String, message: String) {
        self.check = check
        self.message = message
    }

    /// The check, then what happened.
    public var description: String { "\(check): \(message)" }
}

/// What a check throws when something is not as it should be; becomes a ``ConformanceFailure`` with the check's name.
struct Unexpected: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Throws unless the condition holds.
func expect(_ condition: Bool, _ message: @autoclosure () throws -> String) throws {
    if !condition { throw Unexpected(try message()) }
}
