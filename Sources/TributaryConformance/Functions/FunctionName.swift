/// A function of a case that fails, as user code would.
public struct FunctionFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// What failed.
    public var message: String

    /// What failed.
    public var description: String { message }

    init(_ message: String) { self.message = message }
}

/// A function as cases write it, `name` or `name:argument`, before it is known to exist.
struct FunctionName {
    let name: String
    let argument: String?

    init(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        name = String(parts[0])
        argument = parts.count > 1 ? String(parts[1]) : nil
    }

    /// The argument of a function that must have one.
    func text() throws(CaseError) -> String {
        guard let argument else { throw CaseError("the function '\(name)' needs an argument") }
        return argument
    }

    /// The argument of a function that must have a number.
    func number() throws(CaseError) -> Int {
        guard let number = Int(try text()), number >= 0 else {
            throw CaseError("the function '\(name)' needs a number, not '\(argument ?? "")'")
        }
        return number
    }

    func unknown(_ family: String) -> CaseError { CaseError("there is no \(family) '\(name)'") }
}

/// `~` stands for null inside of text.
func shown(_ text: String?) -> String { text ?? "~" }

/// The first character; nil if there is none.
func firstCharacter(_ text: String?) -> String? { text?.unicodeScalars.first.map { String($0) } }

/// The last `count` characters.
func lastCharacters(_ text: String, _ count: Int) -> String { String(text.unicodeScalars.suffix(count)) }

/// The number of characters; 0 for null.
func length(_ text: String?) -> Int { text?.unicodeScalars.count ?? 0 }
