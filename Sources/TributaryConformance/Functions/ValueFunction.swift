/// Makes a value of a key and a value.
public struct ValueFunction: Sendable {
    private let body: @Sendable (any CaseKeyProtocol, String?) throws(FunctionFailure) -> String?

    /// The function of that name, or an error that says there is none.
    public init(_ text: String) throws(CaseError) {
        let function = FunctionName(text)
        switch function.name {
        case "id": body = { _, value in value }
        case "upper": body = { _, value in value.map(upper) }
        case "append":
            let suffix = try function.text()
            body = { _, value in value.map { $0 + suffix } }
        case "last":
            let count = try function.number()
            body = { _, value in value.map { lastCharacters($0, count) } }
        case "withKey": body = { key, value in shown(key.keyText) + ":" + shown(value) }
        case "len": body = { _, value in String(length(value)) }
        case "const":
            let constant = try function.text()
            body = { _, _ in constant }
        case "nullIf":
            let match = try function.text()
            body = { _, value in value == match ? nil : value }
        case "nullIfStarts":
            let prefix = try function.text()
            body = { _, value in value?.hasPrefix(prefix) == true ? nil : value }
        case "orElse":
            let other = try function.text()
            body = { _, value in value ?? other }
        case "tagNull": body = { _, value in value ?? "null!" }
        case "failIf":
            let match = try function.text()
            body = { (_, value) throws(FunctionFailure) in
                if value == match { throw FunctionFailure("failIf \(match)") }
                return value
            }
        default: throw function.unknown("value function")
        }
    }

    /// The value that it gives.
    public func callAsFunction(
        _ key: some CaseKeyProtocol, _ value: CaseValue
    ) throws(FunctionFailure) -> CaseValue {
        CaseValue(try body(key, value.text))
    }
}

/// ASCII letters in upper case, all else as it is.
private func upper(_ text: String) -> String {
    String(decoding: text.utf8.map { (0x61...0x7a).contains($0) ? $0 - 0x20 : $0 }, as: UTF8.self)
}
