internal import TributaryCore

/// A JSON value as it was read.
package enum JSONValue: Equatable {
    case null
    case bool(Bool)
    /// A number without fraction or exponent that fits.
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    package subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members[name]
    }

    package var array: [JSONValue]? {
        guard case .array(let elements) = self else { return nil }
        return elements
    }

    package var string: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    /// An integer, also one that is written as a string, as OTLP writes 64 bits.
    package var int64: Int64? {
        switch self {
        case .integer(let number): number
        case .string(let text): Int64(text)
        default: nil
        }
    }
}

/// Where and why text is not JSON.
package struct JSONError: Error, Equatable {
    package let offset: Int
    package let reason: String
}

/// Reads JSON (RFC 8259): strict, nothing repaired, depth bounded so that no input can use up the stack.
package struct JSONReader: ~Escapable {
    /// How deep arrays and objects may lie in one another.
    static let maximumDepth = 64

    private let bytes: RawSpan
    private var offset = 0

    @_lifetime(copy bytes)
    private init(_ bytes: RawSpan) { self.bytes = bytes }

    /// The value that `bytes` are, blanks around it aside.
    package static func read(_ bytes: RawSpan) throws(JSONError) -> JSONValue {
        var reader = JSONReader(bytes)
        let value = try reader.value(depth: 0)
        reader.skipBlanks()
        guard reader.offset == bytes.byteCount else { throw reader.error("text after the end of the value") }
        return value
    }

    private func error(_ reason: String) -> JSONError { JSONError(offset: offset, reason: reason) }

    private var current: UInt8? { bytes.byte(at: offset) }

    @_lifetime(self: copy self)
    private mutating func skipBlanks() {
        while let byte = current, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { offset += 1 }
    }

    @_lifetime(self: copy self)
    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        skipBlanks()
        guard depth <= JSONReader.maximumDepth else { throw error("nested too deeply") }
        guard let first = current else { throw error("the text ends where a value should be") }
        switch first {
        case 0x7b: return try object(depth: depth)
        case 0x5b: return try array(depth: depth)
        case 0x22: return .string(try string())
        case 0x74: return try word("true", .bool(true))
        case 0x66: return try word("false", .bool(false))
        case 0x6e: return try word("null", .null)
        case 0x2d, 0x30...0x39: return try number()
        default: throw error("no value begins like this")
        }
    }

    @_lifetime(self: copy self)
    private mutating func word(_ text: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
        for byte in text.utf8 {
            guard current == byte else { throw error("no value is written like this") }
            offset += 1
        }
        return value
    }

    @_lifetime(self: copy self)
    private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        var members: [String: JSONValue] = [:]
        offset += 1
        skipBlanks()
        if current == 0x7d {
            offset += 1
            return .object(members)
        }
        while true {
            skipBlanks()
            guard current == 0x22 else { throw error("a name is missing") }
            let name = try string()
            skipBlanks()
            guard current == 0x3a else { throw error("a colon is missing") }
            offset += 1
            members[name] = try value(depth: depth + 1)
            skipBlanks()
            switch current {
            case 0x2c: offset += 1
            case 0x7d:
                offset += 1
                return .object(members)
            default: throw error("an object is not closed")
            }
        }
    }

    @_lifetime(self: copy self)
    private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
        var elements: [JSONValue] = []
        offset += 1
        skipBlanks()
        if current == 0x5d {
            offset += 1
            return .array(elements)
        }
        while true {
            elements.append(try value(depth: depth + 1))
            skipBlanks()
            switch current {
            case 0x2c: offset += 1
            case 0x5d:
                offset += 1
                return .array(elements)
            default: throw error("an array is not closed")
            }
        }
    }

    @_lifetime(self: copy self)
    private mutating func number() throws(JSONError) -> JSONValue {
        let start = offset
        var integral = true
        if current == 0x2d { offset += 1 }
        let firstDigit = current
        let digits = skipDigits()
        guard digits > 0, digits == 1 || firstDigit != 0x30 else { throw error("not a number") }
        if current == 0x2e {
            integral = false
            offset += 1
            guard skipDigits() > 0 else { throw error("not a number") }
        }
        if current == 0x65 || current == 0x45 {
            integral = false
            offset += 1
            if current == 0x2b || current == 0x2d { offset += 1 }
            guard skipDigits() > 0 else { throw error("not a number") }
        }
        let text = String(strictUTF8: bytes.extracting(start..<offset)) ?? ""
        if integral, let number = Int64(text) { return .integer(number) }
        guard let number = Double(text) else { throw error("not a number") }
        return .number(number)
    }

    @_lifetime(self: copy self)
    private mutating func skipDigits() -> Int {
        let start = offset
        while let byte = current, 0x30...0x39 ~= byte { offset += 1 }
        return offset - start
    }

    @_lifetime(self: copy self)
    private mutating func string() throws(JSONError) -> String {
        offset += 1
        let start = offset
        while let byte = current, byte != 0x22, byte != 0x5c, byte >= 0x20 { offset += 1 }
        if current == 0x22 {
            guard let text = String(strictUTF8: bytes.extracting(start..<offset)) else { throw error("not UTF-8") }
            offset += 1
            return text
        }
        var text = [UInt8](copying: bytes.extracting(start..<offset))
        while true {
            guard let byte = current else { throw error("a string is not closed") }
            offset += 1
            switch byte {
            case 0x22:
                guard let text = unsafe String(strictUTF8: text.span.bytes) else { throw error("not UTF-8") }
                return text
            case 0x5c: try escape(into: &text)
            case 0..<0x20: throw error("a control character in a string")
            default: text.append(byte)
            }
        }
    }

    @_lifetime(self: copy self)
    private mutating func escape(into text: inout [UInt8]) throws(JSONError) {
        guard let byte = current else { throw error("a string is not closed") }
        offset += 1
        switch byte {
        case 0x22, 0x5c, 0x2f: text.append(byte)
        case 0x62: text.append(0x08)
        case 0x66: text.append(0x0c)
        case 0x6e: text.append(0x0a)
        case 0x72: text.append(0x0d)
        case 0x74: text.append(0x09)
        case 0x75:
            var scalar = try fourDigits()
            if 0xd800..<0xdc00 ~= scalar {
                guard current == 0x5c, bytes.byte(at: offset + 1) == 0x75 else { throw error("half a surrogate pair") }
                offset += 2
                let low = try fourDigits()
                guard 0xdc00..<0xe000 ~= low else { throw error("half a surrogate pair") }
                scalar = 0x10000 + (scalar - 0xd800) << 10 + (low - 0xdc00)
            }
            guard let character = Unicode.Scalar(scalar) else { throw error("half a surrogate pair") }
            text.append(contentsOf: Array(String(Character(character)).utf8))
        default: throw error("an unknown escape")
        }
    }

    @_lifetime(self: copy self)
    private mutating func fourDigits() throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = current, let digit = hexadecimalDigit(byte) else { throw error("not a hexadecimal digit") }
            value = value << 4 | UInt32(digit)
            offset += 1
        }
        return value
    }
}
