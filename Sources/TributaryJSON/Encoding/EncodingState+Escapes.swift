extension EncodingState {
    /// A high bit for bytes that must be escaped; only the lowest one is sure to be right.
    @inline(__always)
    private func marks(_ word: UInt64) -> UInt64 {
        // Slashes look like quotes if they count.
        let slashes: UInt64 = escapesSlash ? 0x2F2F_2F2F_2F2F_2F2F : 0x2222_2222_2222_2222
        let quote = word ^ 0x2222_2222_2222_2222
        let backslash = word ^ 0x5C5C_5C5C_5C5C_5C5C
        let slash = word ^ slashes
        // The high bit of a byte is set where one is zero or the byte is below 0x20; see the scanner.
        let zeros =
            ((quote &- 0x0101_0101_0101_0101) & ~quote) | ((backslash &- 0x0101_0101_0101_0101) & ~backslash)
            | ((slash &- 0x0101_0101_0101_0101) & ~slash) | ((word &- 0x2020_2020_2020_2020) & ~word)
        return zeros & 0x8080_8080_8080_8080
    }

    /// True if a byte of the text must be escaped.
    @inline(__always)
    func hasSpecial(_ text: ShortText) -> Bool {
        // Letters stand where no bytes are.
        if text.count < 8 { return marks(text.head | 0x4141_4141_4141_4141 &<< UInt64(8 &* text.count)) != 0 }
        let rest = UInt64(truncatingIfNeeded: 8 &* (text.count &- 8))
        return marks(text.head) | marks(text.tail | 0x4141_4141_4141_4141 &<< rest) != 0
    }

    /// The first position from `start` on of a byte that must be escaped, or a position from the end on.
    @inline(__always)
    func firstSpecial(_ bytes: RawInput, _ start: Int) -> Int {
        var position = start
        while position < bytes.count {
            let marks = marks(bytes.word(at: position))
            // Beyond the end there are zeros, which count as control characters.
            if marks != 0 { return position &+ marks.trailingZeroBitCount &>> 3 }
            position &+= 8
        }
        return position
    }

    /// Appends a text with its escapes to `target`, in which it does not lie.
    @inline(__always)
    func appendEscaped(_ bytes: RawInput, to target: borrowing Table<UInt8>) {
        let special = firstSpecial(bytes, 0)
        if special >= bytes.count {
            target.append(bytes)
        } else {
            appendSpecial(bytes, special, to: target)
        }
    }

    @inline(never)
    private func appendSpecial(_ bytes: RawInput, _ first: Int, to target: borrowing Table<UInt8>) {
        var copied = 0
        var position = first
        while position < bytes.count {
            target.append(bytes.slice(copied, position &- copied))
            let byte = bytes[position]
            target.append(UInt8(ascii: "\\"))
            switch byte {
            case 0x22, 0x5C, 0x2F: target.append(byte)
            case 0x08: target.append(UInt8(ascii: "b"))
            case 0x09: target.append(UInt8(ascii: "t"))
            case 0x0A: target.append(UInt8(ascii: "n"))
            case 0x0C: target.append(UInt8(ascii: "f"))
            case 0x0D: target.append(UInt8(ascii: "r"))
            default:
                target.append(literal: "u00")
                target.append(48 &+ byte &>> 4)
                target.append(byte & 15 < 10 ? 48 &+ byte & 15 : 87 &+ byte & 15)
            }
            position &+= 1
            copied = position
            position = firstSpecial(bytes, position)
        }
        target.append(bytes.slice(copied, bytes.count &- copied))
    }
}
