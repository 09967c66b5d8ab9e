extension DecodingState {
    /// Arrays and objects may be this many deep, as with Foundation.
    static let maximumDepth = 512

    /// Fills the tape with the tokens of the input, one JSON text (RFC 8259) in UTF-8.
    ///
    /// - Throws: What is wrong, and at which byte.
    func scan() throws(JSONFault) {
        let input = self.input.value
        let end = try scanValue(input, begin(input), depth: 0)
        try finish(input, end)
    }

    /// Forgets the last text, and answers where the value of this one begins.
    @inline(__always)
    func begin(_ input: ScanInput) -> Int {
        tape.removeAll()
        arena.removeAll()
        if isUnlucky.value {
            isUnlucky.value = false
            multiplier.value = multiplier.value &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_408
        }
        // A byte order mark is skipped, as Foundation does.
        return input[0] == 0xEF && input[1] == 0xBB && input[2] == 0xBF ? 3 : 0
    }

    /// Refuses anything but white space from `position` on.
    @inline(__always)
    func finish(_ input: ScanInput, _ position: Int) throws(JSONFault) {
        let end = skipSpace(input, position)
        if end < input.count { throw unexpected(input, end, "after the value") }
    }

    /// Appends the tokens of the value that begins at `start` or after white space, and answers the position after it.
    func scanValue(_ input: ScanInput, _ start: Int, depth outer: Int) throws(JSONFault) -> Int {
        var position = start
        // The innermost open container; its token has what is here only while another one is open in it.
        var open = OpenContainer()
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
                guard depth <= Self.maximumDepth else { throw tooDeep(position) }
                let isObject = byte == UInt8(ascii: "{")
                begin(&open, isObject: isObject, position)
                position = skipSpace(input, position &+ 1)
                if isObject {
                    if input[position] != UInt8(ascii: "}") {
                        position = try scanKey(input, position, of: &open)
                        continue
                    }
                } else if input[position] != UInt8(ascii: "]") {
                    open.count = 1
                    continue
                }
            default:
                let (kind, end) = try scanWord(input, position)
                tape.append(Token(kind: kind, start: UInt32(truncatingIfNeeded: position)))
                position = end
            }
            // After a value: a comma leads to the next one, a bracket ends the container, which is a value again.
            while true {
                guard open.index >= 0 else { return position }
                position = skipSpace(input, position)
                let next = input[position]
                if next == UInt8(ascii: ",") {
                    position = skipSpace(input, position &+ 1)
                    if open.isObject { position = try scanKey(input, position, of: &open) } else { open.count &+= 1 }
                    break
                }
                guard next == (open.isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
                    throw unexpected(input, position, open.isObject ? "in an object" : "in an array")
                }
                end(&open)
                depth -= 1
                position &+= 1
            }
        }
    }

    /// What the scanner knows of a container that has not ended.
    struct OpenContainer {
        /// Its token, -1 outside of all.
        var index = -1
        var isObject = false
        /// Members or elements so far.
        var count: UInt32 = 0
        /// A bit for each key.
        var filter: UInt64 = 0
    }

    /// Puts `open` aside and begins a container in it.
    @inline(__always)
    private func begin(_ open: inout OpenContainer, isObject: Bool, _ position: Int) {
        if open.index >= 0 {
            tape[open.index].size = open.count
            tape[open.index].extra = open.filter
        }
        let around = UInt32(truncatingIfNeeded: open.index &+ 1)
        open = OpenContainer(index: tape.count, isObject: isObject)
        let start = UInt32(truncatingIfNeeded: position)
        tape.append(Token(kind: isObject ? .object : .array, next: around, start: start))
    }

    /// Ends the container at `open`, and goes on with the one around it.
    @inline(__always)
    private func end(_ open: inout OpenContainer) {
        var token = tape[open.index]
        let around = Int(token.next) &- 1
        if open.isObject {
            if token.flags.contains(.suspect) { hideRepeatedKeys(of: open.index, open.count) }
            token.extra = UInt64(truncatingIfNeeded: open.index &+ 1)
            token.filter = open.filter
        }
        token.next = UInt32(truncatingIfNeeded: tape.count)
        token.size = open.count
        tape[open.index] = token
        open.index = around
        if around >= 0 {
            let token = tape[around]
            open = OpenContainer(
                index: around, isObject: token.kind == .object, count: token.size, filter: token.extra)
        }
    }

    @inline(__always)
    private func scanKey(
        _ input: ScanInput, _ start: Int, of open: inout OpenContainer
    ) throws(JSONFault) -> Int {
        guard input[start] == UInt8(ascii: "\"") else { throw unexpected(input, start, "where a key should begin") }
        var position = start &+ 1
        let head = input.word(at: position)
        let marks = marks(head)
        // A short key ends in its first word.
        let size = marks.trailingZeroBitCount &>> 3
        if marks != 0, head &>> UInt64(8 &* size) & 0xFF == 0x22 {
            let below = (marks & (0 &- marks)) &>> 7 &- 1
            let begin = UInt32(truncatingIfNeeded: position)
            add(Token(kind: .key, start: begin, size: UInt32(size), extra: head & below), head & below, &open)
            position &+= size &+ 1
        } else {
            position = try scanLongKey(input, position, of: &open)
        }
        if input[position] != UInt8(ascii: ":") {
            position = skipSpace(input, position)
            guard input[position] == UInt8(ascii: ":") else { throw unexpected(input, position, "after a key") }
        }
        return position &+ 1
    }

    @inline(never)
    private func scanLongKey(
        _ input: ScanInput, _ start: Int, of open: inout OpenContainer
    ) throws(JSONFault) -> Int {
        var (token, position) = try scanString(input, start, kind: .key)
        let size = Int(token.size)
        token.extra = word(of: token, at: 0) & mask(of: size)
        add(token, size > 8 ? word(of: token, at: size &- 8) : token.extra, &open)
        return position
    }

    /// Adds a key, whose last eight bytes are `last`, to the innermost object.
    @inline(__always)
    private func add(_ key: Token, _ last: UInt64, _ open: inout OpenContainer) {
        var token = key
        token.next = UInt32(truncatingIfNeeded: open.index)
        tape.append(token)
        let bit = filterBit(token.extra, last, Int(token.size))
        if open.filter & bit != 0 { tape[open.index].flags.insert(.suspect) }
        open.filter |= bit
        open.count &+= 1
    }

    func scanWord(_ input: ScanInput, _ start: Int) throws(JSONFault) -> (Token.Kind, end: Int) {
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
    func skipSpace(_ input: ScanInput, _ start: Int) -> Int {
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
    func unexpected(_ input: ScanInput, _ offset: Int, _ place: String) -> JSONFault {
        guard offset < input.count else { return JSONFault(message: "unexpected end", offset: input.count) }
        let byte = input[offset]
        let shown = byte > 0x20 && byte < 0x7F ? "'\(Character(Unicode.Scalar(byte)))'" : "byte value \(byte)"
        return JSONFault(message: "unexpected \(shown) \(place)", offset: offset)
    }
}
