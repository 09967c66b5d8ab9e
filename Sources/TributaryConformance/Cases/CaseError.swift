/// A case or file that can't be used, and where in it.
public struct CaseError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong.
    public var message: String
    /// The field or statement, from the outside in.
    public var path: [String] = []
    /// The case's id, or its line if it has none; nil if the file itself is meant.
    public var caseID: String?
    /// The file.
    public var file: String?

    /// Makes an error without a place.
    public init(_ message: String) { self.message = message }

    /// The place and what is wrong there.
    public var description: String {
        var text = ""
        if let file { text += "\(file): " }
        if let caseID { text += "case \(caseID): " }
        if !path.isEmpty { text += path.joined(separator: ".") + ": " }
        return text + message
    }

    /// The same error, one place further out.
    func inside(_ name: String) -> CaseError {
        var error = self
        error.path.insert(name, at: 0)
        return error
    }
}

/// Runs `body` and adds a place to what it throws.
func inside<Result>(_ name: String, _ body: () throws(CaseError) -> Result) throws(CaseError) -> Result {
    do throws(CaseError) {
        return try body()
    } catch {
        throw error.inside(name)
    }
}
