extension EncodingState {
    /// The first position from `start` on of a byte that must be escaped, or a position from the end on.
    @inline(__always)
    func firstSpecial(_ bytes: RawInput, _ start: Int) -> Int {
        // Slashes look like quotes below if they count.
        let slashes: UInt64 = escapesSlash ? 0x2F2F_2F2F_2F2F_2F2F : 0x2222_2222_2222_2222
        var position = start
        while position < bytes.count {
            let word = bytes.word(at: position)
            let quote = word ^ 0x2222_2222_2222_2222
            let backslash = word ^ 0x5C5C_5C5C_5C5C_5C5C
            let slash = word ^ slashes
            // The high bit of a byte is set where one is zero or the byte is below 0x20; see the scanner.
            let zeros =
                ((quote &- 0x0101_0101_0101_0101) & ~quote) | ((backslash &- 0x0101_0101_0101_0101) & ~backslash)
                | ((slash &- 0x0101_0101_0101_0101) & ~slash) | ((word &- 0x2020_2020_2020_2020) & ~word)
            let marks = zeros & 0x8080_8080_8080_8080
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
