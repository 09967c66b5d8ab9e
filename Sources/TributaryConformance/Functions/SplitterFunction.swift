/// Makes several values of one.
public struct SplitterFunction: Sendable {
    private let body: @Sendable (String?) -> [String?]?

    /// The splitter of that name, or an error that says there is none.
    public init(_ text: String) throws(CaseError) {
        let function = FunctionName(text)
        switch function.name {
        case "chars": body = { value in value?.unicodeScalars.map { String($0) } ?? [] }
        case "comma":
            body = { value in
                guard let value, !value.isEmpty else { return [] }
                return value.split(separator: ",", omittingEmptySubsequences: false).map { String($0) }
            }
        case "twice": body = { value in [value, value] }
        case "none": body = { _ in [] }
        case "nullListIf":
            let match = try function.text()
            body = { value in value == match ? nil : [value] }
        default: throw function.unknown("splitter")
        }
    }

    /// The values; nil where the function gives no list, which is an error.
    public func callAsFunction(_ value: CaseValue) -> [CaseValue]? { body(value.text)?.map { CaseValue($0) } }
}
