/// What an error says, in words for people, without contents of records.
///
/// Swift prints the errors of its own coders, and enumerations without a description, as their memory looks.
package enum ErrorText {
    /// The words of an error.
    package static func of(_ error: any Error) -> String {
        switch error {
        case let error as DecodingError: decoding(error)
        case let error as EncodingError: encoding(error)
        case let error as any CustomStringConvertible: error.description
        default: plain(error)
        }
    }

    // `Failure.outOfStock` rather than `outOfStock`.
    private static func plain(_ error: any Error) -> String {
        let text = String(describing: error)
        return Mirror(reflecting: error).displayStyle == .enum ? "\(type(of: error)).\(text)" : text
    }

    private static func decoding(_ error: DecodingError) -> String {
        switch error {
        case .keyNotFound(let key, let context): "no '\(key.stringValue)' at \(path(context.codingPath))"
        case .typeMismatch(let type, let context): "no \(type) at \(path(context.codingPath))"
        case .valueNotFound(let type, let context): "null instead of \(type) at \(path(context.codingPath))"
        case .dataCorrupted(let context): "malformed at \(path(context.codingPath))"
        @unknown default: "\(type(of: error))"
        }
    }

    private static func encoding(_ error: EncodingError) -> String {
        guard case .invalidValue(let value, let context) = error else { return "\(type(of: error))" }
        let place = path(context.codingPath)
        if let number = value as? any BinaryFloatingPoint, !number.isFinite {
            return "\(number.isNaN ? "NaN" : "an infinite number") at \(place): the format has none"
        }
        return "a value of \(type(of: value)) that the format has no form for at \(place)"
    }

    private static func path(_ keys: [any CodingKey]) -> String {
        keys.isEmpty ? "the top" : "'\(keys.map(\.stringValue).joined(separator: "."))'"
    }
}
