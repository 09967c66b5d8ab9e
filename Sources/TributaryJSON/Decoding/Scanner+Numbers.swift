extension DecodingState {
    /// Reads the number at `start`; it ends where its token does.
    @inline(__always)
    func scanNumber(_ input: ScanInput, _ start: Int) throws(JSONFault) -> Token {
        var position = start
        var flags: Token.Flags = []
        if input[position] == UInt8(ascii: "-") {
            flags = .negative
            position &+= 1
        }
        let first = position
        // Wraps beyond 19 digits, which are then read again from the text.
        var digits: UInt64 = 0
        scanDigits(input, &position, &digits)
        var count = position &- first
        if count == 0 { throw unexpected(input, position, "in a number") }
        if count > 1, input[first] == 48 { throw JSONFault(message: "a number with a zero in front", offset: first) }
        var exponent = 0
        if input[position] == UInt8(ascii: ".") {
            position &+= 1
            let point = position
            scanDigits(input, &position, &digits)
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

    /// Reads digits into `digits`, eight at a time.
    @inline(__always)
    private func scanDigits(_ input: ScanInput, _ position: inout Int, _ digits: inout UInt64) {
        while true {
            // Each digit's byte is its value; the high bit of the sum is set for all others.
            let word = input.word(at: position) ^ 0x3030_3030_3030_3030
            let others = ((word &+ 0x7676_7676_7676_7676) | word) & 0x8080_8080_8080_8080
            if others != 0 {
                let count = others.trailingZeroBitCount &>> 3
                if count > 0 {
                    // Zeros move in front of the digits.
                    digits = digits &* wholePowersOfTen[count] &+ number(word &<< UInt64(64 &- 8 &* count))
                    position &+= count
                }
                return
            }
            digits = digits &* 100_000_000 &+ number(word)
            position &+= 8
        }
    }

    /// The number whose eight digits are the bytes of `word`, the first in the lowest.
    @inline(__always)
    private func number(_ word: UInt64) -> UInt64 {
        // Eight digits to four numbers of two, to two of four, to one.
        let pairs = word &* 10 &+ (word &>> 8)
        let low = (pairs & 0x0000_00FF_0000_00FF) &* 0x000F_4240_0000_0064
        let high = (pairs &>> 16 & 0x0000_00FF_0000_00FF) &* 0x0000_2710_0000_0001
        return (low &+ high) &>> 32
    }
}

private let wholePowersOfTen: [UInt64] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000]
