/// Says yes or no to a key and a value.
public struct PredicateFunction: Sendable {
    private let body: @Sendable (any CaseKeyProtocol, String?) -> Bool

    /// The predicate of that name, or an error that says there is none.
    public init(_ text: String) throws(CaseError) {
        let function = FunctionName(text)
        switch function.name {
        case "true": body = { _, _ in true }
        case "false": body = { _, _ in false }
        case "notNull": body = { _, value in value != nil }
        case "keyNotNull": body = { key, _ in !key.isNull }
        case "starts":
            let prefix = try function.text()
            body = { _, value in value?.hasPrefix(prefix) == true }
        case "is":
            let match = try function.text()
            body = { _, value in value == match }
        case "keyIs":
            let match = try function.text()
            body = { key, _ in key.innerKey == match }
        case "lenOver":
            let count = try function.number()
            body = { _, value in value != nil && length(value) > count }
        case "lenEven": body = { _, value in value != nil && length(value) % 2 == 0 }
        default: throw function.unknown("predicate")
        }
    }

    /// Its answer.
    public func callAsFunction(_ key: some CaseKeyProtocol, _ value: CaseValue) -> Bool { body(key, value.text) }
}
