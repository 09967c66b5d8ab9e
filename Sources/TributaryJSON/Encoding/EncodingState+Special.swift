#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A dictionary with texts as keys, which key strategies leave alone.
protocol StringKeyedDictionary {
    /// Encodes the members into the node at `index`.
    func encode(to state: EncodingState, at index: Int) throws
}

extension Dictionary: StringKeyedDictionary where Key == String, Value: Encodable {
    func encode(to state: EncodingState, at index: Int) throws {
        state.open(index, as: .object)
        for (key, value) in self { try state.encode(value, at: state.member(named: key, of: index)) }
    }
}

extension EncodingState {
    /// Encodes any value into the node at `index`, those types first that JSON or an option treats in a way of their own.
    func encode<Value: Encodable>(_ value: Value, at index: Int) throws {
        let type = Value.self
        if type == String.self { return set(identity(value, as: String.self), index) }
        if type == Int.self { return set(identity(value, as: Int.self), index) }
        if type == Double.self { return try encode(double: identity(value, as: Double.self), at: index) }
        do {
            if type == Date.self { return try encode(date: identity(value, as: Date.self), at: index) }
            if type == Data.self { return try encode(data: identity(value, as: Data.self), at: index) }
            if type == URL.self { return set(identity(value, as: URL.self).absoluteString, index) }
            if type == Decimal.self { return set(number: identity(value, as: Decimal.self).description, index) }
            if !hasDefaultKeys, let dictionary = value as? any StringKeyedDictionary {
                return try dictionary.encode(to: self, at: index)
            }
            guard nodes[index].depth <= 512 else { throw JSONLimit() }
            try value.encode(to: ValueWriter(state: self, index: index))
        } catch {
            // Whoever catches the error goes on as if the value had not been there.
            if index > 0 { nodes[index].kind = .dropped }
            throw error
        }
    }

    @inline(__always)
    func encode(double value: Double, at index: Int) throws {
        if value.isFinite { set(value, index) } else { try encodeSpecial(value, at: index) }
    }

    @inline(__always)
    func encode(float value: Float, at index: Int) throws {
        if value.isFinite { set(value, index) } else { try encodeSpecial(value, at: index) }
    }

    @inline(never)
    private func encodeSpecial<Value: JSONFloat>(_ value: Value, at index: Int, strictly: Bool = false) throws {
        if !strictly,
            case .convertToString(let positive, let negative, let nan) = options.nonConformingFloatEncodingStrategy
        {
            return set(value.isNaN ? nan : value > 0 ? positive : negative, index)
        }
        let path = path(of: index)
        nodes[index].kind = index > 0 ? .dropped : .open
        throw EncodingError.invalidValue(
            value,
            .init(codingPath: path, debugDescription: "JSON has no number for \(value)"))
    }

    private func encode(date: Date, at index: Int) throws {
        switch options.dateEncodingStrategy {
        case .deferredToDate: try date.encode(to: ValueWriter(state: self, index: index))
        case .secondsSince1970: try encode(seconds: date.timeIntervalSince1970, at: index)
        case .millisecondsSince1970: try encode(seconds: 1000 * date.timeIntervalSince1970, at: index)
        case .iso8601: set(date.formatted(.iso8601), index)
        case .custom(let encode): try encode(date, ValueWriter(state: self, index: index))
        }
    }

    private func encode(seconds: Double, at index: Int) throws {
        if seconds.isFinite { set(seconds, index) } else { try encodeSpecial(seconds, at: index, strictly: true) }
    }

    private func encode(data: Data, at index: Int) throws {
        switch options.dataEncodingStrategy {
        case .deferredToData: try data.encode(to: ValueWriter(state: self, index: index))
        case .base64: set(data.base64EncodedString(), index)
        case .custom(let encode): try encode(data, ValueWriter(state: self, index: index))
        }
    }
}
