/// Makes a value of a key and the values of both sides.
public struct JoinerFunction: Sendable {
    private let body: @Sendable (any CaseKeyProtocol, String?, String?) -> String?

    /// The joiner of that name, or an error that says there is none.
    public init(_ text: String) throws(CaseError) {
        let function = FunctionName(text)
        switch function.name {
        case "plus": body = { _, left, right in shown(left) + "+" + shown(right) }
        case "left": body = { _, left, _ in left }
        case "right": body = { _, _, right in right }
        case "short":
            body = { _, left, right in lastCharacters(shown(left), 3) + "|" + lastCharacters(shown(right), 3) }
        case "keyed": body = { key, left, right in shown(key.keyText) + ":" + shown(left) + "/" + shown(right) }
        case "null": body = { _, _, _ in nil }
        case "nullIfNoRight": body = { _, left, right in right.map { shown(left) + "+" + $0 } }
        default: throw function.unknown("joiner")
        }
    }

    /// The joined value.
    public func callAsFunction(_ key: some CaseKeyProtocol, _ left: CaseValue, _ right: CaseValue) -> CaseValue {
        CaseValue(body(key, left.text, right.text))
    }
}
