public import TributaryCore

/// A key as the cases know it: null, text, or text with a window.
public enum CaseKey: Sendable, Hashable, NullableValue {
    /// The null key.
    case null
    /// A plain key.
    case text(String)
    /// A key with its window; the end of sessions is inclusive.
    case windowed(String?, start: Int64, end: Int64)

    /// The null key.
    public static var nullValue: CaseKey { .null }
    /// Whether this is the null key.
    public var isNullValue: Bool { self == .null }

    /// A plain key, or null.
    public init(_ text: String?) { self = text.map { .text($0) } ?? .null }
}

/// What the functions ask of a key, so that a windowed key may also be the DSL's own type.
public protocol CaseKeyProtocol {
    /// The key as text, with its window if it has one (`a@0-10`); nil for null.
    var keyText: String? { get }
    /// The key without its window; nil for null.
    var innerKey: String? { get }
    /// Whether the key is null.
    var isNull: Bool { get }
}

extension CaseKey: CaseKeyProtocol {
    /// The key as text, with its window if it has one; nil for null.
    public var keyText: String? {
        switch self {
        case .null: nil
        case .text(let text): text
        case .windowed(let inner, let start, let end): "\(inner ?? "null")@\(start)-\(end)"
        }
    }

    /// The key without its window; nil for null.
    public var innerKey: String? {
        switch self {
        case .null: nil
        case .text(let text): text
        case .windowed(let inner, _, _): inner
        }
    }

    /// Whether the key is null.
    public var isNull: Bool { self == .null }
}

extension CaseKey {
    /// The key as cases write it.
    public var json: JSONValue {
        switch self {
        case .null: .null
        case .text(let text): .string(text)
        case .windowed(let inner, let start, let end):
            .fields([("key", JSONValue(inner)), ("start", .integer(start)), ("end", .integer(end))])
        }
    }

    /// The key that a case writes; nil if it is none.
    public init?(json: JSONValue) {
        switch json {
        case .null: self = .null
        case .string(let text): self = .text(text)
        case .object(let object):
            guard let start = object["start"]?.integer, let end = object["end"]?.integer else { return nil }
            self = .windowed(object["key"]?.string, start: start, end: end)
        default: return nil
        }
    }
}
