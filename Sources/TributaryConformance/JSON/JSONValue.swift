/// A JSON value that keeps what conformance cases need: the order of fields, integers as integers, null apart from missing.
public enum JSONValue: Sendable, Hashable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A number without fraction and exponent that fits.
    case integer(Int64)
    /// Any other number.
    case number(Double)
    /// Text.
    case string(String)
    /// A list.
    case array([JSONValue])
    /// Named values.
    case object(JSONObject)

    /// The text, or nil for any other kind.
    public var string: String? { if case .string(let text) = self { text } else { nil } }

    /// The integer, or nil for any other kind.
    public var integer: Int64? { if case .integer(let value) = self { value } else { nil } }

    /// The truth value, or nil for any other kind.
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }

    /// The list, or nil for any other kind.
    public var array: [JSONValue]? { if case .array(let values) = self { values } else { nil } }

    /// The named values, or nil for any other kind.
    public var object: JSONObject? { if case .object(let object) = self { object } else { nil } }

    /// The kind in a word, for messages.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a truth value"
        case .integer: "an integer"
        case .number: "a number"
        case .string: "text"
        case .array: "a list"
        case .object: "an object"
        }
    }
}

/// The fields of a JSON object in the order of the text; equal to another with the same fields in any order.
public struct JSONObject: Sendable, Hashable {
    /// Names and values, in order.
    public private(set) var fields: [(name: String, value: JSONValue)]

    /// An object of fields.
    public init(_ fields: [(name: String, value: JSONValue)] = []) { self.fields = fields }

    /// The value of a field; nil if it is missing, which is not null.
    ///
    /// Of two fields of one name the last counts.
    public subscript(_ name: String) -> JSONValue? { fields.last { $0.name == name }?.value }

    /// Appends a field.
    public mutating func append(_ name: String, _ value: JSONValue) { fields.append((name, value)) }

    /// The fields' names, in order.
    public var names: [String] { fields.map(\.name) }

    private var dictionary: [String: JSONValue] {
        Dictionary(fields.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
    }

    /// Whether both have the same fields, in whatever order.
    public static func == (left: JSONObject, right: JSONObject) -> Bool { left.dictionary == right.dictionary }

    /// Hashes the fields without their order.
    public func hash(into hasher: inout Hasher) { hasher.combine(dictionary) }
}
