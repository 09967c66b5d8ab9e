/// The fields of an object of a case, read by kind; errors name the field.
///
/// For text, numbers and truth values null and missing mean the same, as the format says of statements.
public struct CaseFields: Sendable, Hashable {
    /// The fields as they were read.
    public let object: JSONObject

    /// Reads the fields of `object`.
    public init(_ object: JSONObject) { self.object = object }

    init(_ value: JSONValue) throws(CaseError) {
        guard let object = value.object else { throw CaseError("an object expected, not \(value.kind)") }
        self.object = object
    }

    /// Whether the field is there and not null.
    public func has(_ name: String) -> Bool { optional(name) != nil }

    /// Text, or nil if there is none.
    public func text(_ name: String) throws(CaseError) -> String? {
        try read(name, "text") { $0.string }
    }

    /// A whole number, or nil if there is none.
    public func integer(_ name: String) throws(CaseError) -> Int64? {
        try read(name, "an integer") { $0.integer }
    }

    /// A truth value, or nil if there is none.
    public func bool(_ name: String) throws(CaseError) -> Bool? {
        try read(name, "a truth value") { $0.bool }
    }

    /// A list, or nil if there is none.
    public func list(_ name: String) throws(CaseError) -> [JSONValue]? {
        try read(name, "a list") { $0.array }
    }

    /// A list of text, or nil if there is none.
    public func texts(_ name: String) throws(CaseError) -> [String]? {
        guard let list = try list(name) else { return nil }
        var texts: [String] = []
        for value in list {
            guard let text = value.string else {
                throw CaseError("a list of text expected, \(value.kind) found").inside(name)
            }
            texts.append(text)
        }
        return texts
    }

    /// The fields of an object, or nil if there is none.
    public func fields(_ name: String) throws(CaseError) -> CaseFields? {
        try read(name, "an object") { $0.object }.map { CaseFields($0) }
    }

    /// Text that must be there.
    public func requiredText(_ name: String) throws(CaseError) -> String {
        try required(name, try text(name))
    }

    /// A whole number that must be there.
    public func requiredInteger(_ name: String) throws(CaseError) -> Int64 {
        try required(name, try integer(name))
    }

    /// An object that must be there.
    public func requiredFields(_ name: String) throws(CaseError) -> CaseFields {
        try required(name, try fields(name))
    }

    /// Refuses fields of other names: what a reader doesn't know it would silently leave out.
    func allowOnly(_ names: Set<String>) throws(CaseError) {
        for name in object.names where !names.contains(name) { throw CaseError("an unknown field").inside(name) }
    }

    private func optional(_ name: String) -> JSONValue? {
        guard let value = object[name], value != .null else { return nil }
        return value
    }

    private func read<Value>(
        _ name: String, _ kind: String, _ body: (JSONValue) -> Value?
    ) throws(CaseError) -> Value? {
        guard let value = optional(name) else { return nil }
        guard let result = body(value) else { throw CaseError("\(kind) expected, not \(value.kind)").inside(name) }
        return result
    }

    private func required<Value>(_ name: String, _ value: Value?) throws(CaseError) -> Value {
        guard let value else { throw CaseError("the field is missing").inside(name) }
        return value
    }
}
