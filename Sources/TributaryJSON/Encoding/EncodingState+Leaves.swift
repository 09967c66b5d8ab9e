// Texts of values without children; `set` makes them the node at an index.
extension EncodingState {
    @inline(__always)
    private func leaf(_ index: Int, _ start: Int) {
        nodes[index].kind = .leaf
        nodes[index].start = UInt32(truncatingIfNeeded: start)
        nodes[index].size = UInt32(truncatingIfNeeded: texts.count &- start)
    }

    @inline(__always)
    func setNull(_ index: Int) {
        let start = texts.count
        appendNull()
        leaf(index, start)
    }

    @inline(__always)
    func set(_ value: Bool, _ index: Int) {
        let start = texts.count
        append(value)
        leaf(index, start)
    }

    @inline(__always)
    func set(_ value: String, _ index: Int) {
        let start = texts.count
        append(value)
        leaf(index, start)
    }

    @inline(__always)
    func set<Value: FixedWidthInteger>(_ value: Value, _ index: Int) {
        let start = texts.count
        append(integer: value)
        leaf(index, start)
    }

    @inline(__always)
    func set(_ value: Double, _ index: Int) {
        let start = texts.count
        append(value)
        leaf(index, start)
    }

    func set(_ value: Float, _ index: Int) {
        let start = texts.count
        append(value)
        leaf(index, start)
    }

    /// The text of a number as it is.
    func set(number: String, _ index: Int) {
        let start = texts.count
        appendDescription(number)
        leaf(index, start)
    }

    @inline(__always)
    func appendNull() { texts.append(word: 0x6C6C_756E, size: 4) }

    @inline(__always)
    func append(_ value: Bool) {
        if value { texts.append(word: 0x6575_7274, size: 4) } else { texts.append(word: 0x65_736C_6166, size: 5) }
    }

    @inline(__always)
    func append(_ value: String) {
        if knowsShortTexts, let text = ShortText(value), !hasSpecial(text) {
            return texts.append(quoted: text, before: (0, 0), behind: (0, 0))
        }
        texts.append(UInt8(ascii: "\""))
        RawInput.withUTF8(of: value) { appendEscaped($0, to: texts) }
        texts.append(UInt8(ascii: "\""))
    }

    /// Appends a key with its quotes and the colon.
    @inline(__always)
    func appendKey(_ key: RawInput) {
        texts.append(UInt8(ascii: "\""))
        appendEscaped(key, to: texts)
        texts.append(word: 0x3A22, size: 2)
    }

    @inline(__always)
    func append<Value: FixedWidthInteger>(integer value: Value) {
        if value.magnitude <= UInt64.max {
            appendDigits(UInt64(truncatingIfNeeded: value.magnitude), isNegative: value < 0, point: 0)
        } else {
            appendDescription(String(value))
        }
    }

    /// A finite number in the fewest digits that are read as the same number, as Foundation writes it.
    @inline(__always)
    func append(_ value: Double) {
        let magnitude = value.magnitude
        if magnitude < 0x1p53, magnitude == magnitude.rounded(.towardZero) {
            appendDigits(UInt64(magnitude), isNegative: value.sign == .minus, point: 0)
        } else if magnitude >= 0.01, magnitude < 1e9, let (digits, point) = shortDecimal(magnitude) {
            appendDigits(digits, isNegative: value < 0, point: point)
        } else {
            appendNumber(value.description)
        }
    }

    /// A finite number, as Foundation writes it.
    func append(_ value: Float) { appendNumber(value.description) }

    /// The number as digits with up to 5 behind the point.
    ///
    /// Fewer than 16 digits name each number once, so that the first that divides back to it is the shortest.
    @inline(__always)
    private func shortDecimal(_ value: Double) -> (UInt64, Int)? {
        var scale = 10.0
        for point in 1...5 {
            // Where this rounds another way than to the nearest, neither is the number.
            let digits = Double(UInt64(value * scale + 0.5))
            if digits / scale == value { return digits < 1e15 ? (UInt64(digits), point) : nil }
            scale *= 10
        }
        return nil
    }

    @inline(never)
    private func appendDescription(_ text: String) { RawInput.withUTF8(of: text) { texts.append($0) } }

    @inline(never)
    private func appendNumber(_ text: String) {
        RawInput.withUTF8(of: text) { bytes in
            let isWhole = bytes[bytes.count &- 2] == UInt8(ascii: ".") && bytes[bytes.count &- 1] == UInt8(ascii: "0")
            texts.append(bytes.slice(0, isWhole ? bytes.count &- 2 : bytes.count))
        }
    }

    /// Appends `value` with its last `point` digits behind a point, at most 8.
    @inline(__always)
    private func appendDigits(_ value: UInt64, isNegative: Bool, point: Int) {
        if isNegative { texts.append(UInt8(ascii: "-")) }
        if value < 10, point == 0 {
            texts.append(UInt8(truncatingIfNeeded: value) &+ 48)
            return
        }
        // Eight digits at a time, the first in the lowest byte: at most 20 digits are three words.
        if point > 0 {
            let scale = UInt64(powersOfTen[point])
            let (whole, fraction) = value.quotientAndRemainder(dividingBy: scale)
            appendWhole(whole)
            texts.append(UInt8(ascii: "."))
            let word = eightDigits(UInt32(truncatingIfNeeded: fraction))
            texts.append(word: word &>> UInt64(8 &* (8 &- point)), size: point)
        } else {
            appendWhole(value)
        }
    }

    @inline(__always)
    private func appendWhole(_ value: UInt64) {
        guard value >= 100_000_000 else { return appendHead(UInt32(truncatingIfNeeded: value)) }
        let (high, low) = value.quotientAndRemainder(dividingBy: 100_000_000)
        if high < 100_000_000 {
            appendHead(UInt32(truncatingIfNeeded: high))
        } else {
            let (top, middle) = high.quotientAndRemainder(dividingBy: 100_000_000)
            appendHead(UInt32(truncatingIfNeeded: top))
            texts.append(word: eightDigits(UInt32(truncatingIfNeeded: middle)), size: 8)
        }
        texts.append(word: eightDigits(UInt32(truncatingIfNeeded: low)), size: 8)
    }

    /// Appends up to eight digits, without zeros before the first.
    @inline(__always)
    private func appendHead(_ value: UInt32) {
        let digits = eightDigits(value)
        // A digit's byte less 48 is zero only for "0"; the last digit is always written.
        let significant = digits ^ 0x3030_3030_3030_3030 | 1 &<< 56
        let zeros = significant.trailingZeroBitCount &>> 3
        texts.append(word: digits &>> UInt64(8 &* zeros), size: 8 &- zeros)
    }

    /// The eight digits of a number below 10^8, the first in the lowest byte.
    @inline(__always)
    private func eightDigits(_ value: UInt32) -> UInt64 {
        let high = UInt64(value / 10_000)
        let low = UInt64(value % 10_000)
        // Two numbers of four digits, then four of two, then eight of one, each division a multiplication for all at once.
        let fours = high | low &<< 32
        let hundreds = ((fours &* 10_486) &>> 20) & 0x0000_007F_0000_007F
        let twos = hundreds | (fours &- hundreds &* 100) &<< 16
        let tens = ((twos &* 103) &>> 10) & 0x000F_000F_000F_000F
        return (tens | (twos &- tens &* 10) &<< 8) | 0x3030_3030_3030_3030
    }
}
