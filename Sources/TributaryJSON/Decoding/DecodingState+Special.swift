#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension DecodingState {
    /// Decodes any value, those types first that JSON or an option treats in a way of their own.
    func decode<Value: Decodable>(_ type: Value.Type, at index: Int) throws -> Value {
        if type == String.self { return identity(try string(at: index, path(of: index)), as: type) }
        if type == Int.self { return identity(try integer(Int.self, at: index, path(of: index)), as: type) }
        if type == Double.self { return identity(try float(Double.self, at: index, path(of: index)), as: type) }
        if type == Date.self { return identity(try date(at: index), as: type) }
        if type == Data.self { return identity(try data(at: index), as: type) }
        if type == URL.self { return identity(try url(at: index), as: type) }
        if type == Decimal.self { return identity(try decimal(at: index), as: type) }
        if !hasDefaultKeys { return try decodeWithOwnKeys(type, at: index) }
        return try Value(from: ValueReader(state: self, index: index))
    }

    // Apart, as the metadata of the optional would be looked up for each value.
    @inline(never)
    private func decodeWithOwnKeys<Value: Decodable>(_ type: Value.Type, at index: Int) throws -> Value {
        if let dictionary = type as? any StringDictionary.Type {
            if let value = try dictionary.make(from: self, at: index) as? Value { return value }
        }
        return try Value(from: ValueReader(state: self, index: index))
    }

    private func date(at index: Int) throws -> Date {
        guard tape[index].kind != .null else { throw wrongType(Date.self, index, path(of: index)) }
        switch options.dateDecodingStrategy {
        case .deferredToDate: return try Date(from: ValueReader(state: self, index: index))
        case .secondsSince1970:
            return Date(timeIntervalSince1970: try float(Double.self, at: index, path(of: index)))
        case .millisecondsSince1970:
            return Date(timeIntervalSince1970: try float(Double.self, at: index, path(of: index)) / 1000)
        case .iso8601:
            let text = try string(at: index, path(of: index))
            do { return try Date.ISO8601FormatStyle().parse(text) } catch {
                throw corrupted("a date of ISO 8601", index)
            }
        case .custom(let decode): return try decode(ValueReader(state: self, index: index))
        }
    }

    private func data(at index: Int) throws -> Data {
        guard tape[index].kind != .null else { throw wrongType(Data.self, index, path(of: index)) }
        switch options.dataDecodingStrategy {
        case .deferredToData: return try Data(from: ValueReader(state: self, index: index))
        case .base64:
            let text = try string(at: index, path(of: index))
            guard let data = Data(base64Encoded: text) else {
                throw corrupted("Base64", index)
            }
            return data
        case .custom(let decode): return try decode(ValueReader(state: self, index: index))
        }
    }

    private func url(at index: Int) throws -> URL {
        guard tape[index].kind != .null else { throw wrongType(URL.self, index, path(of: index)) }
        guard let url = URL(string: try string(at: index, path(of: index))) else {
            throw corrupted("a URL", index)
        }
        return url
    }

    private func decimal(at index: Int) throws -> Decimal {
        let token = tape[index]
        guard token.kind == .number else { throw wrongType(Decimal.self, index, path(of: index)) }
        guard let value = Decimal(string: text(of: token).string), value.isFinite else {
            throw outOfRange(Decimal.self, token)
        }
        return value
    }

    private func corrupted(_ expected: String, _ index: Int) -> DecodingError {
        .dataCorrupted(
            .init(
                codingPath: path(of: index),
                debugDescription: "the string at byte \(tape[index].start) is not \(expected)"))
    }
}
