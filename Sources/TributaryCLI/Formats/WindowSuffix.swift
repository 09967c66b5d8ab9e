internal import TributaryCore

/// What stands behind a record's key in the key of a windowed record or row.
struct WindowSuffix: Equatable {
    /// The window's start, ms.
    var start: Int64
    /// A session's end, ms; other keys don't say when their window ends.
    var end: Int64?
    /// Which of several rows of one key and window it is.
    var sequence: UInt32 = 0

    init(start: Int64, end: Int64? = nil, sequence: UInt32 = 0) {
        self.start = start
        self.end = end
        self.sequence = sequence
    }

    /// Takes the end of a key apart; nil if the key is too short for it, or has none.
    init?(_ key: [UInt8], _ keys: KeySchema) {
        guard keys != .plain, key.count >= keys.suffixSize else { return nil }
        let at = key.count - keys.suffixSize
        let bytes = key.span.bytes
        let first = bytes.integer(at: at, as: Int64.self) ?? 0
        switch keys {
        case .plain, .windowed: self.init(start: first)
        case .window: self.init(start: first, sequence: bytes.integer(at: at + 8, as: UInt32.self) ?? 0)
        // The end comes first, so that sessions of a key are in the order of their ends.
        case .session: self.init(start: bytes.integer(at: at + 8, as: Int64.self) ?? 0, end: first)
        }
    }

    func append(_ keys: KeySchema, to writer: inout ByteWriter) {
        switch keys {
        case .plain: break
        case .windowed: writer.append(bigEndian: start)
        case .window:
            writer.append(bigEndian: start)
            writer.append(bigEndian: sequence)
        case .session:
            writer.append(bigEndian: end ?? start)
            writer.append(bigEndian: start)
        }
    }

    /// `@START`, `@START/END`, `@START#SEQUENCE`: what is shown behind a key, and can be typed there.
    var text: String {
        var text = "@\(TimeText.text(start))"
        if let end { text += "/\(TimeText.text(end))" }
        if sequence != 0 { text += "#\(sequence)" }
        return text
    }

    /// Reads what is typed behind a key's last `@`.
    init(typed text: Substring, _ keys: KeySchema) throws(UsageError) {
        let parts = text.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        var sequence: UInt32 = 0
        if parts.count > 1 {
            guard keys == .window, let number = UInt32(parts[1]) else {
                throw UsageError("'#\(parts[1])' is no number of a row")
            }
            sequence = number
        }
        let times = parts[0].split(separator: "/", omittingEmptySubsequences: false)
        guard times.count == (keys == .session ? 2 : 1) else {
            throw UsageError(
                keys == .session
                    ? "the key of a session is typed as KEY@START/END" : "a windowed key is typed as KEY@START")
        }
        self.init(
            start: try TimeText.milliseconds(String(times[0])),
            end: times.count > 1 ? try TimeText.milliseconds(String(times[1])) : nil, sequence: sequence)
    }
}
