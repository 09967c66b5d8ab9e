extension JSONInput {
    @inline(__always)
    mutating func string() throws -> String {
        end = state.skipSpace(input, end)
        guard input[end] == UInt8(ascii: "\"") else { throw wrongType("a string") }
        do throws(JSONFault) {
            let (token, position) = try state.scanString(input, end &+ 1, kind: .string)
            end = position
            return state.text(of: token).string
        } catch { throw error.error }
    }

    mutating func bool() throws -> Bool {
        end = state.skipSpace(input, end)
        let first = input[end]
        guard first == UInt8(ascii: "t") || first == UInt8(ascii: "f") else { throw wrongType("a truth value") }
        do throws(JSONFault) { (_, end) = try state.scanWord(input, end) } catch { throw error.error }
        return first == UInt8(ascii: "t")
    }

    @inline(__always)
    mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type) throws -> Value {
        let token = try number()
        if let value = token.integer(type) { return value }
        return try state.hardInteger(type, token)
    }

    @inline(__always)
    mutating func float<Value: JSONFloat>(_ type: Value.Type) throws -> Value {
        let token = try number()
        if let value = token.float(type) { return value }
        return try state.hardFloat(type, token)
    }

    @inline(__always)
    private mutating func number() throws -> Token {
        end = state.skipSpace(input, end)
        let byte = input[end]
        guard byte == UInt8(ascii: "-") || byte &- 48 < 10 else { throw wrongType("a number") }
        do throws(JSONFault) {
            let token = try state.scanNumber(input, end)
            end &+= Int(token.size)
            return token
        } catch { throw error.error }
    }

    @inline(never)
    func wrongType(_ expected: StaticString) -> any Error {
        let fault = state.unexpected(input, end, "where \(expected) should begin")
        // The error of a value of another type, unless there is no value at all.
        switch input[end] {
        case UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "\""), UInt8(ascii: "-"), UInt8(ascii: "t"),
            UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            return DecodingError.typeMismatch(
                Any.self, .init(codingPath: [], debugDescription: "\(fault.message) at byte \(fault.offset)"))
        default: return fault.error
        }
    }
}

extension Bool: JSONReadable {
    /// Reads true or false.
    public init(json: inout JSONInput) throws { self = try json.bool() }
}

extension String: JSONReadable {
    /// Reads a string.
    public init(json: inout JSONInput) throws { self = try json.string() }
}

extension Double: JSONReadable {
    /// Reads a number, rounded once.
    public init(json: inout JSONInput) throws { self = try json.float(Self.self) }
}

extension Float: JSONReadable {
    /// Reads a number, rounded once.
    public init(json: inout JSONInput) throws { self = try json.float(Self.self) }
}

extension Int: JSONReadable {
    /// Reads a whole number in range.
    public init(json: inout JSONInput) throws { self = try json.integer(Self.self) }
}

extension Int8: JSONReadable {
    /// Reads a whole number in range.
    public init(json: inout JSONInput) throws { self = try json.integer(Self.self) }
}

extension Int16: JSONReadable {
    /// Reads a whole number in range.
    public init(json: inout JSONInput) throws { self = try json.integer(Self.self) }
}

extension Int32: JSONReadable {
    /// Reads a whole number in range.
    public init(json: inout JSONInput) throws { self = try json.integer(Self.self) }
}

extension Int64: JSONReadable {
    /// Reads a whole number in range.
    public init(json: inout JSONInput) throws { self = try json.integer(Self.self) }
}

extension UInt: JSONReadable {
    /// Reads a whole number in range.
    public init(json: inout JSONInput) throws { self = try json.integer(Self.self) }
}

extension UInt8: JSONReadable {
    /// Reads a whole number in range.
    public init(json: inout JSONInput) throws { self = try json.integer(Self.self) }
}

extension UInt16: JSONReadable {
    /// Reads a whole number in range.
    public init(json: inout JSONInput) throws { self = try json.integer(Self.self) }
}

extension UInt32: JSONReadable {
    /// Reads a whole number in range.
    public init(json: inout JSONInput) throws { self = try json.integer(Self.self) }
}

extension UInt64: JSONReadable {
    /// Reads a whole number in range.
    public init(json: inout JSONInput) throws { self = try json.integer(Self.self) }
}

@available(macOS 15.0, *)
extension Int128: JSONReadable {
    /// Reads a whole number in range.
    public init(json: inout JSONInput) throws { self = try json.integer(Self.self) }
}

@available(macOS 15.0, *)
extension UInt128: JSONReadable {
    /// Reads a whole number in range.
    public init(json: inout JSONInput) throws { self = try json.integer(Self.self) }
}

extension Optional: JSONReadable where Wrapped: JSONReadable {
    /// Reads a value, or null as nothing.
    @inlinable
    public init(json: inout JSONInput) throws {
        if try json.readNull() { self = nil } else { self = try Wrapped(json: &json) }
    }
}

extension Array: JSONReadable where Element: JSONReadable {
    /// Reads an array.
    @inlinable
    public init(json: inout JSONInput) throws {
        self = []
        try json.beginArray()
        while try json.nextElement() { append(try Element(json: &json)) }
    }
}

extension Dictionary: JSONReadable where Key == String, Value: JSONReadable {
    /// Reads an object; of members with one key the last counts.
    @inlinable
    public init(json: inout JSONInput) throws {
        self = [:]
        try json.beginObject()
        while try json.nextMember() {
            let key = json.key
            self[key] = try Value(json: &json)
        }
    }
}
