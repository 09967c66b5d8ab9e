extension DecodingState {
    /// Reads the string or key whose first byte after the quote is at `start`, and answers its token.
    @inline(__always)
    func scanString(_ input: ScanInput, _ start: Int, kind: Token.Kind) throws(JSONFault) -> (Token, end: Int) {
        var position = start
        while true {
            position = plainEnd(input, position)
            let byte = input[position]
            if byte == UInt8(ascii: "\"") {
                let size = UInt32(truncatingIfNeeded: position &- start)
                return (Token(kind: kind, start: UInt32(truncatingIfNeeded: start), size: size), position &+ 1)
            }
            if byte >= 0x80 {
                position = try scanScalar(input, position)
            } else {
                return try scanEscaped(input, start, position, kind: kind)
            }
        }
    }

    /// The first position from `start` on with a quote, a backslash, a control character or a byte that isn't ASCII.
    @inline(__always)
    private func plainEnd(_ input: ScanInput, _ start: Int) -> Int {
        var position = start
        while true {
            let marks = marks(input.word(at: position))
            if marks != 0 { return position &+ marks.trailingZeroBitCount &>> 3 }
            position &+= 8
        }
    }

    /// A high bit for bytes that end a plain text; only the lowest one is sure to be right.
    @inline(__always)
    func marks(_ word: UInt64) -> UInt64 {
        let quote = word ^ 0x2222_2222_2222_2222
        let backslash = word ^ 0x5C5C_5C5C_5C5C_5C5C
        // The high bit of a byte is set where one of these is zero, or the byte itself below 0x20 or above 0x7F. A
        // borrow can set it wrongly only above a byte where it is right. Bytes above 0x7F need no correction, as they count.
        let found =
            (quote &- 0x0101_0101_0101_0101) | (backslash &- 0x0101_0101_0101_0101)
            | (word &- 0x2020_2020_2020_2020) | word
        return found & 0x8080_8080_8080_8080
    }

    /// Checks one scalar beyond ASCII (RFC 3629), and answers the position after it.
    @inline(never)
    private func scanScalar(_ input: ScanInput, _ start: Int) throws(JSONFault) -> Int {
        let first = input[start]
        let second = input[start &+ 1]
        let isSecond: Bool
        let size: Int
        switch first {
        case 0xC2...0xDF: (size, isSecond) = (2, second & 0xC0 == 0x80)
        case 0xE0: (size, isSecond) = (3, second >= 0xA0 && second <= 0xBF)
        case 0xED: (size, isSecond) = (3, second >= 0x80 && second <= 0x9F)
        case 0xE1...0xEF: (size, isSecond) = (3, second & 0xC0 == 0x80)
        case 0xF0: (size, isSecond) = (4, second >= 0x90 && second <= 0xBF)
        case 0xF1...0xF3: (size, isSecond) = (4, second & 0xC0 == 0x80)
        case 0xF4: (size, isSecond) = (4, second >= 0x80 && second <= 0x8F)
        default: (size, isSecond) = (1, false)
        }
        let isRest =
            (size < 3 || input[start &+ 2] & 0xC0 == 0x80) && (size < 4 || input[start &+ 3] & 0xC0 == 0x80)
        guard isSecond, isRest else { throw JSONFault(message: "bytes that are not UTF-8", offset: start) }
        return start &+ size
    }

    /// Reads the rest of a string from the first backslash on, into the arena.
    @inline(never)
    private func scanEscaped(
        _ input: ScanInput, _ start: Int, _ first: Int, kind: Token.Kind
    ) throws(JSONFault) -> (Token, end: Int) {
        let begin = arena.count
        var copied = start
        var position = first
        while true {
            position = plainEnd(input, position)
            let byte = input[position]
            if byte >= 0x80 {
                position = try scanScalar(input, position)
                continue
            }
            guard byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else {
                if position >= input.count { throw unexpected(input, position, "in a string") }
                throw JSONFault(message: "control character \(byte) in a string", offset: position)
            }
            arena.append(input.slice(copied, position &- copied))
            position &+= 1
            if byte == UInt8(ascii: "\"") { break }
            position = try scanEscape(input, position)
            copied = position
        }
        // The text is shorter than 4 GB, and unescaping makes nothing longer.
        let size = UInt32(truncatingIfNeeded: arena.count &- begin)
        return (Token(kind: kind, flags: .inArena, start: UInt32(truncatingIfNeeded: begin), size: size), position)
    }

    /// Reads one escape, from the byte after the backslash on.
    private func scanEscape(_ input: ScanInput, _ start: Int) throws(JSONFault) -> Int {
        switch input[start] {
        case UInt8(ascii: "\""): arena.append(0x22)
        case UInt8(ascii: "\\"): arena.append(0x5C)
        case UInt8(ascii: "/"): arena.append(0x2F)
        case UInt8(ascii: "b"): arena.append(0x08)
        case UInt8(ascii: "f"): arena.append(0x0C)
        case UInt8(ascii: "n"): arena.append(0x0A)
        case UInt8(ascii: "r"): arena.append(0x0D)
        case UInt8(ascii: "t"): arena.append(0x09)
        case UInt8(ascii: "u"): return try scanUnicodeEscape(input, start &+ 1)
        default: throw unexpected(input, start, "after a backslash")
        }
        return start &+ 1
    }

    private func scanUnicodeEscape(_ input: ScanInput, _ start: Int) throws(JSONFault) -> Int {
        var code = try scanHex(input, start)
        var position = start &+ 4
        if code & 0xFC00 == 0xD800 {
            guard input[position] == UInt8(ascii: "\\"), input[position &+ 1] == UInt8(ascii: "u") else {
                throw JSONFault(message: "half of a surrogate pair", offset: start)
            }
            let low = try scanHex(input, position &+ 2)
            guard low & 0xFC00 == 0xDC00 else {
                throw JSONFault(message: "half of a surrogate pair", offset: start)
            }
            code = 0x10000 &+ (code & 0x3FF) &<< 10 &+ (low & 0x3FF)
            position &+= 6
        }
        guard let scalar = Unicode.Scalar(code) else {
            throw JSONFault(message: "half of a surrogate pair", offset: start)
        }
        for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter { arena.append(byte) }
        return position
    }

    private func scanHex(_ input: ScanInput, _ start: Int) throws(JSONFault) -> UInt32 {
        var code: UInt32 = 0
        for offset in 0..<4 {
            let byte = input[start &+ offset]
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte &- 48
            case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"):
                digit = (byte | 0x20) &- 87
            default: throw unexpected(input, start &+ offset, "in a Unicode escape")
            }
            code = code &<< 4 | UInt32(digit)
        }
        return code
    }
}
