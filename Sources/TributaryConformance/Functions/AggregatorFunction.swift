/// Makes an aggregate of a key, a value and the aggregate before.
///
/// Reducers call it with a null key, and subtractors and session mergers are functions of this kind too.
public struct AggregatorFunction: Sendable {
    private let body: @Sendable (any CaseKeyProtocol, String?, String?) throws(FunctionFailure) -> String?

    /// The aggregator of that name, or an error that says there is none.
    public init(_ text: String) throws(CaseError) {
        let function = FunctionName(text)
        switch function.name {
        case "concat": body = { _, value, aggregate in shown(aggregate) + shown(value) }
        case "concatDel":
            let match = try function.text()
            body = { _, value, aggregate in value == match ? nil : shown(aggregate) + shown(value) }
        case "cat":
            let count = try function.number()
            body = { _, value, aggregate in lastCharacters(shown(aggregate) + shown(value), count) }
        case "catDel":
            let count = try function.number()
            body = { _, value, aggregate in
                value?.hasPrefix("d") == true ? nil : lastCharacters(shown(aggregate) + shown(value), count)
            }
        case "plus": body = { _, value, aggregate in shown(aggregate) + "+" + shown(value) }
        case "minus": body = { _, value, aggregate in shown(aggregate) + "-" + shown(value) }
        case "tag":
            let tag = try function.text()
            body = { _, value, aggregate in shown(aggregate) + tag + shown(value) }
        case "keyed": body = { key, value, aggregate in shown(aggregate) + shown(key.keyText) + shown(value) }
        case "last": body = { _, value, _ in value }
        case "max":
            body = { _, value, aggregate in
                guard let aggregate else { return value }
                return value.map { $0 > aggregate ? $0 : aggregate } ?? aggregate
            }
        case "addLen":
            body = { (_, value, aggregate) throws(FunctionFailure) in
                String(try decimal(aggregate) &+ Int64(length(value)))
            }
        case "subLen":
            body = { (_, value, aggregate) throws(FunctionFailure) in
                String(try decimal(aggregate) &- Int64(length(value)))
            }
        case "sum":
            body = { (_, value, aggregate) throws(FunctionFailure) in
                String(try decimal(aggregate) &+ (try decimal(value)))
            }
        case "remove": body = { (_, value, aggregate) throws(FunctionFailure) in try remove(value, from: aggregate) }
        case "removeDel":
            body = { (_, value, aggregate) throws(FunctionFailure) in
                let left = try remove(value, from: aggregate)
                return left?.isEmpty == true ? nil : left
            }
        default: throw function.unknown("aggregator")
        }
    }

    /// The new aggregate.
    public func callAsFunction(
        _ key: some CaseKeyProtocol, _ value: CaseValue, _ aggregate: CaseValue
    ) throws(FunctionFailure) -> CaseValue {
        CaseValue(try body(key, value.text, aggregate.text))
    }
}

/// The number that text stands for; 0 for null and empty.
private func decimal(_ text: String?) throws(FunctionFailure) -> Int64 {
    guard let text, !text.isEmpty else { return 0 }
    guard let number = Int64(text) else { throw FunctionFailure("'\(text)' is not a number") }
    return number
}

/// An aggregate without the first occurrence of a value, or as it is if the value is null or does not occur.
private func remove(_ value: String?, from aggregate: String?) throws(FunctionFailure) -> String? {
    guard let value else { return aggregate }
    // Null is searched as `~`, and can't be cut.
    let text = Array(shown(aggregate).utf8)
    let part = Array(value.utf8)
    guard part.count <= text.count else { return aggregate }
    for start in 0...(text.count - part.count) where text[start..<(start + part.count)] == part[...] {
        guard aggregate != nil else { throw FunctionFailure("nothing can be removed from null") }
        return String(decoding: text[..<start] + text[(start + part.count)...], as: UTF8.self)
    }
    return aggregate
}
