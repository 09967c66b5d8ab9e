/// A type that a JSON number can be read as with its fraction.
protocol JSONFloat: BinaryFloatingPoint {
    /// The greatest integer up to which each one is a value of the type.
    static var exactLimit: UInt64 { get }
    /// The greatest power of ten that is a value of the type.
    static var exactPower: Int { get }
    init?(_ text: Substring)
}

extension Double: JSONFloat {
    static var exactLimit: UInt64 { 1 << 53 }
    static var exactPower: Int { 22 }
}

extension Float: JSONFloat {
    static var exactLimit: UInt64 { 1 << 24 }
    static var exactPower: Int { 10 }
}

extension Token {
    /// The number, if it is an integer of few digits and in range.
    @inline(__always)
    func integer<Value: FixedWidthInteger>(_ type: Value.Type) -> Value? {
        guard exponent == 0, !flags.contains(.long) else { return nil }
        if !flags.contains(.negative) { return Value(exactly: extra) }
        return extra <= UInt64(Int64.max) ? Value(exactly: 0 &- Int64(truncatingIfNeeded: extra)) : nil
    }

    /// The number, if one operation on exact values makes it, which then rounds it right.
    @inline(__always)
    func float<Value: JSONFloat>(_ type: Value.Type) -> Value? {
        let power = Int(exponent)
        guard !flags.contains(.long), extra <= Value.exactLimit, power.magnitude <= Value.exactPower else { return nil }
        let digits = Value(extra)
        let scale = Value(powersOfTen[Int(power.magnitude)])
        let value = power < 0 ? digits / scale : digits * scale
        return flags.contains(.negative) ? -value : value
    }
}

let powersOfTen: [Double] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
]

// Each reader takes the index of a value, and the path to it for errors.
extension DecodingState {
    @inline(__always)
    func bool(at index: Int, _ path: @autoclosure () -> [any CodingKey]) throws -> Bool {
        switch tape[index].kind {
        case .yes: return true
        case .no: return false
        // Foundation calls a null a wrong type here.
        default: throw mismatch(Bool.self, index, path())
        }
    }

    @inline(__always)
    func string(at index: Int, _ path: @autoclosure () -> [any CodingKey]) throws -> String {
        guard tape[index].kind == .string else { throw wrongType(String.self, index, path()) }
        return text(at: index).string
    }

    @inline(__always)
    func integer<Value: FixedWidthInteger>(
        _ type: Value.Type, at index: Int, _ path: @autoclosure () -> [any CodingKey]
    ) throws -> Value {
        let token = tape[index]
        guard token.kind == .number else { throw wrongType(type, index, path()) }
        if let value = token.integer(type) { return value }
        return try hardInteger(type, token)
    }

    /// An integer of many digits, or written with a fraction or exponent, as `3.0` or `1e3`.
    @inline(never)
    func hardInteger<Value: FixedWidthInteger>(_ type: Value.Type, _ token: Token) throws -> Value {
        let text = text(of: token).string
        if let value = Value(text) { return value }
        guard text.contains(where: { $0 == "." || $0 == "e" || $0 == "E" }) else { throw outOfRange(type, token) }
        if let double = Double(text), double.magnitude < 0x1p53 {
            guard let value = Value(exactly: double) else { throw outOfRange(type, token) }
            return value
        }
        guard let value: Value = wholeNumber(text) else { throw outOfRange(type, token) }
        return value
    }

    /// The number in `text` digit by digit, if it is whole and in range.
    private func wholeNumber<Value: FixedWidthInteger>(_ text: String) -> Value? {
        let parts = text.split(whereSeparator: { $0 == "e" || $0 == "E" })
        guard let mantissa = parts.first, var power = parts.count > 1 ? Int(parts[1]) : 0 else { return nil }
        var digits = mantissa.filter(\.isNumber)
        if let point = mantissa.firstIndex(of: ".") {
            power -= mantissa.distance(from: point, to: mantissa.endIndex) - 1
        }
        while power < 0, digits.last == "0" {
            digits.removeLast()
            power += 1
        }
        guard power >= 0, power < 40 else { return nil }
        let sign = mantissa.hasPrefix("-") ? "-" : ""
        return Value(sign + digits + String(repeating: "0", count: power))
    }

    @inline(__always)
    func float<Value: JSONFloat>(
        _ type: Value.Type, at index: Int, _ path: @autoclosure () -> [any CodingKey]
    ) throws -> Value {
        let token = tape[index]
        guard token.kind == .number else { return try specialFloat(type, index, path()) }
        if let value = token.float(type) { return value }
        return try hardFloat(type, token)
    }

    @inline(never)
    func hardFloat<Value: JSONFloat>(_ type: Value.Type, _ token: Token) throws -> Value {
        let text = text(of: token).string
        guard let value = Value(text[...]), value.isFinite else { throw outOfRange(type, token) }
        // Digits that vanish are refused as those that are too great.
        if value == 0, text.prefix(while: { $0 != "e" && $0 != "E" }).contains(where: { "1"..."9" ~= $0 }) {
            throw outOfRange(type, token)
        }
        return value
    }

    @inline(never)
    private func specialFloat<Value: JSONFloat>(
        _ type: Value.Type, _ index: Int, _ path: [any CodingKey]
    ) throws -> Value {
        if tape[index].kind == .string,
            case .convertFromString(let positive, let negative, let nan) = options.nonConformingFloatDecodingStrategy
        {
            switch text(at: index).string {
            case positive: return .infinity
            case negative: return -.infinity
            case nan: return .nan
            default: break
            }
        }
        throw wrongType(type, index, path)
    }

    /// The error of a value that is null or of another type than `type`.
    @inline(never)
    func wrongType(_ type: Any.Type, _ index: Int, _ path: [any CodingKey]) -> DecodingError {
        guard tape[index].kind == .null else { return mismatch(type, index, path) }
        return .valueNotFound(type, .init(codingPath: path, debugDescription: wrongTypeText(type, index)))
    }

    @inline(never)
    func mismatch(_ type: Any.Type, _ index: Int, _ path: [any CodingKey]) -> DecodingError {
        .typeMismatch(type, .init(codingPath: path, debugDescription: wrongTypeText(type, index)))
    }

    private func wrongTypeText(_ type: Any.Type, _ index: Int) -> String {
        let token = tape[index]
        if token.flags.contains(.absent) { return "\(type) needed where the member is missing" }
        return "\(type) needed at byte \(token.start), which begins \(token.name)"
    }

    /// Without a path, as with Foundation: the text counts as malformed.
    @inline(never)
    func outOfRange(_ type: Any.Type, _ token: Token) -> DecodingError {
        let text = text(of: token).string.prefix(40)
        return .dataCorrupted(
            .init(
                codingPath: [],
                debugDescription: "\(type) cannot hold the number \(text) at byte \(token.start)"))
    }
}
