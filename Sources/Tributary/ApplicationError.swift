/// Something that can't be asked of an application in the state that it is in.
public struct ApplicationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What can't be done.
    public enum Code: String, Sendable, CaseIterable {
        /// It was run before; an application runs once.
        case alreadyRun
    }

    /// What can't be done.
    public let code: Code
    /// One sentence.
    public let description: String

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
