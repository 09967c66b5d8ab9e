public import TributaryCore

/// A value as the cases know it: null, text, or the result of a count.
public enum CaseValue: Sendable, Hashable, NullableValue {
    /// The null value.
    case null
    /// Text.
    case text(String)
    /// A count.
    case integer(Int64)

    /// The null value.
    public static var nullValue: CaseValue { .null }
    /// Whether this is the null value.
    public var isNullValue: Bool { self == .null }

    /// Text, or null.
    public init(_ text: String?) { self = text.map { .text($0) } ?? .null }

    /// What functions see: a count as decimal digits; nil for null.
    public var text: String? {
        switch self {
        case .null: nil
        case .text(let text): text
        case .integer(let value): String(value)
        }
    }

    /// The value as cases write it.
    public var json: JSONValue {
        switch self {
        case .null: .null
        case .text(let text): .string(text)
        case .integer(let value): .integer(value)
        }
    }

    /// The value that a case writes; nil if it is none.
    public init?(json: JSONValue) {
        switch json {
        case .null: self = .null
        case .string(let text): self = .text(text)
        case .integer(let value): self = .integer(value)
        default: return nil
        }
    }
}
