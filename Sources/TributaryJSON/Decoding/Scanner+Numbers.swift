extension DecodingState {
    /// Reads the number at `start`; it ends where its token does.
    @inline(__always)
    func scanNumber(_ input: RawInput, _ start: Int) throws(JSONFault) -> Token {
        var position = start
        var flags: Token.Flags = []
        if input[position] == UInt8(ascii: "-") {
            flags = .negative
            position &+= 1
        }
        let first = position
        // Wraps beyond 19 digits, which are then read again from the text.
        var digits: UInt64 = 0
        while true {
            let digit = input[position] &- 48
            if digit > 9 { break }
            digits = digits &* 10 &+ UInt64(digit)
            position &+= 1
        }
        var count = position &- first
        if count == 0 { throw unexpected(input, position, "in a number") }
        if count > 1, input[first] == 48 { throw JSONFault(message: "a number with a zero in front", offset: first) }
        var exponent = 0
        if input[position] == UInt8(ascii: ".") {
            position &+= 1
            let point = position
            while true {
                let digit = input[position] &- 48
                if digit > 9 { break }
                digits = digits &* 10 &+ UInt64(digit)
                position &+= 1
            }
            if position == point { throw unexpected(input, position, "in a number") }
            exponent = point &- position
            count &-= exponent
        }
        if input[position] | 0x20 == UInt8(ascii: "e") {
            position &+= 1
            let sign = input[position]
            if sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { position &+= 1 }
            let begin = position
            var power = 0
            while true {
                let digit = input[position] &- 48
                if digit > 9 { break }
                if power < 100_000 { power = power &* 10 &+ Int(digit) }
                position &+= 1
            }
            if position == begin { throw unexpected(input, position, "in a number") }
            exponent &+= sign == UInt8(ascii: "-") ? 0 &- power : power
        }
        if count > 19 || exponent < -30_000 || exponent > 30_000 {
            flags.insert(.long)
            exponent = 0
        }
        return Token(
            kind: .number, flags: flags, exponent: Int16(truncatingIfNeeded: exponent),
            start: UInt32(truncatingIfNeeded: start), size: UInt32(truncatingIfNeeded: position &- start),
            extra: digits)
    }
}
