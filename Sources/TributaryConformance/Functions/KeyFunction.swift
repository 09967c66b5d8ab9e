/// Makes a key of a key and a value.
public struct KeyFunction: Sendable {
    private let body: @Sendable (any CaseKeyProtocol, String?) -> String?

    /// The function of that name, or an error that says there is none.
    public init(_ text: String) throws(CaseError) {
        let function = FunctionName(text)
        switch function.name {
        case "key": body = { key, _ in key.keyText }
        case "innerKey": body = { key, _ in key.innerKey }
        case "keyFirst": body = { key, _ in firstCharacter(key.innerKey) }
        case "value": body = { _, value in value }
        case "first": body = { _, value in firstCharacter(value) }
        case "fk": body = { _, value in value?.hasPrefix("!") == true ? nil : firstCharacter(value) }
        case "fkOrKey": body = { key, value in value?.hasPrefix("!") == true ? key.keyText : firstCharacter(value) }
        case "const":
            let constant = try function.text()
            body = { _, _ in constant }
        case "valueUnless":
            let match = try function.text()
            body = { _, value in value == match ? nil : value }
        case "keyUnless":
            let match = try function.text()
            body = { key, value in value == match ? nil : key.keyText }
        case "constUnless":
            let match = try function.text()
            body = { _, value in value == match ? nil : "g" }
        case "firstUnless":
            let match = try function.text()
            body = { _, value in
                let first = firstCharacter(value)
                return first == match ? nil : first
            }
        default: throw function.unknown("key function")
        }
    }

    /// The key that it gives.
    public func callAsFunction(_ key: some CaseKeyProtocol, _ value: CaseValue) -> CaseKey {
        CaseKey(body(key, value.text))
    }
}
