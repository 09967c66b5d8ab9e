/// The operands and options of one call, checked against the command's table.
struct Arguments: Sendable, Equatable {
    var operands: [String] = []
    var values: [String: [String]] = [:]

    func has(_ name: String) -> Bool { values[name] != nil }

    subscript(name: String) -> String? { values[name]?.last }

    func all(_ name: String) -> [String] { values[name] ?? [] }

    /// A required option; the parser has seen to it.
    func required(_ name: String) throws(UsageError) -> String {
        guard let value = self[name] else { throw UsageError("--\(name) is missing") }
        return value
    }

    func integer(_ name: String) -> Int64? { self[name].flatMap { Int64($0) } }

    func number(_ name: String) -> Double? { self[name].flatMap { Double($0) } }

    /// An operand by its place.
    func operand(_ index: Int) throws(UsageError) -> String {
        guard operands.indices.contains(index) else { throw UsageError("an operand is missing") }
        return operands[index]
    }
}
