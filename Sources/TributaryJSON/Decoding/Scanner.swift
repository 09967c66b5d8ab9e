extension DecodingState {
    /// Arrays and objects may be this many deep, as with Foundation.
    static let maximumDepth = 512

    /// Fills the tape with the tokens of the input, one JSON text (RFC 8259) in UTF-8.
    ///
    /// - Throws: What is wrong, and at which byte.
    func scan() throws(JSONFault) {
        let input = self.input.value
        let end = try scanValue(input, try begin(input), depth: 0)
        try finish(input, end)
    }

    /// Forgets the last text, and answers where the value of this one begins.
    @inline(__always)
    func begin(_ input: RawInput) throws(JSONFault) -> Int {
        tape.removeAll()
        arena.removeAll()
        guard input.count < Int(UInt32.max) - 16 else { throw JSONFault(message: "longer than 4 GB", offset: 0) }
        // A byte order mark is skipped, as Foundation does.
        return input[0] == 0xEF && input[1] == 0xBB && input[2] == 0xBF ? 3 : 0
    }

    /// Refuses anything but white space from `position` on.
    @inline(__always)
    func finish(_ input: RawInput, _ position: Int) throws(JSONFault) {
        let end = skipSpace(input, position)
        if end < input.count { throw unexpected(input, end, "after the value") }
    }

    /// Appends the tokens of the value that begins at `start` or after white space, and answers the position after it.
    func scanValue(_ input: RawInput, _ start: Int, depth outer: Int) throws(JSONFault) -> Int {
        var position = start
        // The innermost open container, -1 outside of all.
        var open = -1
        var depth = outer
        while true {
            position = skipSpace(input, position)
            let byte = input[position]
            switch byte {
            case UInt8(ascii: "\""):
                let (token, end) = try scanString(input, position &+ 1, kind: .string)
                tape.append(token)
                position = end
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                let token = try scanNumber(input, position)
                tape.append(token)
                position &+= Int(token.size)
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                guard depth <= Self.maximumDepth else {
                    throw tooDeep(position)
                }
                let isObject = byte == UInt8(ascii: "{")
                let around = UInt32(truncatingIfNeeded: open &+ 1)
                let start = UInt32(truncatingIfNeeded: position)
                open = tape.count
                tape.append(Token(kind: isObject ? .object : .array, next: around, start: start))
                position = skipSpace(input, position &+ 1)
                if isObject {
                    if input[position] != UInt8(ascii: "}") {
                        position = try scanKey(input, position, of: open)
                        continue
                    }
                } else if input[position] != UInt8(ascii: "]") {
                    tape[open].size = 1
                    continue
                }
            default:
                let (kind, end) = try scanWord(input, position)
                tape.append(Token(kind: kind, start: UInt32(truncatingIfNeeded: position)))
                position = end
            }
            // After a value: a comma leads to the next one, a bracket ends the container, which is a value again.
            while true {
                guard open >= 0 else { return position }
                position = skipSpace(input, position)
                let isObject = tape[open].kind == .object
                let next = input[position]
                if next == UInt8(ascii: ",") {
                    position = skipSpace(input, position &+ 1)
                    if isObject { position = try scanKey(input, position, of: open) } else { tape[open].size &+= 1 }
                    break
                }
                guard next == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
                    throw unexpected(input, position, isObject ? "in an object" : "in an array")
                }
                open = close(open)
                depth -= 1
                position &+= 1
            }
        }
    }

    /// Ends the container at `open`, and answers the one around it.
    private func close(_ open: Int) -> Int {
        let around = Int(tape[open].next) &- 1
        tape[open].next = UInt32(truncatingIfNeeded: tape.count)
        if tape[open].kind == .object {
            if tape[open].flags.contains(.suspect) { hideRepeatedKeys(of: open) }
            tape[open].extra = UInt64(truncatingIfNeeded: open &+ 1)
        }
        return around
    }

    private func scanKey(_ input: RawInput, _ start: Int, of object: Int) throws(JSONFault) -> Int {
        guard input[start] == UInt8(ascii: "\"") else { throw unexpected(input, start, "where a key should begin") }
        var (token, position) = try scanString(input, start &+ 1, kind: .key)
        let hash = mark(of: token)
        token.next = UInt32(truncatingIfNeeded: hash &>> 32)
        tape.append(token)
        let bit: UInt64 = 1 &<< (hash &>> 58)
        if tape[object].extra & bit != 0 { tape[object].flags.insert(.suspect) }
        tape[object].extra |= bit
        tape[object].size &+= 1
        position = skipSpace(input, position)
        guard input[position] == UInt8(ascii: ":") else { throw unexpected(input, position, "after a key") }
        return position &+ 1
    }

    func scanWord(_ input: RawInput, _ start: Int) throws(JSONFault) -> (Token.Kind, end: Int) {
        let word = input.word(at: start)
        // "null", "true", "fals" and "e", the first letter in the lowest byte.
        switch word & 0xFFFF_FFFF {
        case 0x6C6C_756E: return (.null, start &+ 4)
        case 0x6575_7274: return (.yes, start &+ 4)
        case 0x736C_6166 where word &>> 32 & 0xFF == 0x65: return (.no, start &+ 5)
        default: throw unexpected(input, start, "where a value should begin")
        }
    }

    /// The first position from `start` on that holds no white space.
    @inline(__always)
    func skipSpace(_ input: RawInput, _ start: Int) -> Int {
        var position = start
        while true {
            let byte = input[position]
            if byte > 0x20 { return position }
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return position }
            position &+= 1
        }
    }

    @inline(never)
    func tooDeep(_ offset: Int) -> JSONFault {
        JSONFault(message: "arrays and objects nested more than 512 deep", offset: offset)
    }

    @inline(never)
    func unexpected(_ input: RawInput, _ offset: Int, _ place: String) -> JSONFault {
        guard offset < input.count else { return JSONFault(message: "unexpected end", offset: input.count) }
        let byte = input[offset]
        let shown = byte > 0x20 && byte < 0x7F ? "'\(Character(Unicode.Scalar(byte)))'" : "byte value \(byte)"
        return JSONFault(message: "unexpected \(shown) \(place)", offset: offset)
    }
}
