internal import TributaryCore
internal import TributaryLineage

/// How keys and values are shown and typed.
enum BytesFormat: String, Sendable, CaseIterable {
    /// Text where the bytes are text, hexadecimal with `0x` where not.
    case auto
    case text
    case hex
    case int64
    case json

    static let names = allCases.map(\.rawValue)
    /// Those that a key can be typed in.
    static let keyNames = ["text", "hex", "int64"]

    init(_ name: String?) { self = name.flatMap { BytesFormat(rawValue: $0) } ?? .auto }

    /// Bytes as text of one line.
    func text(_ bytes: [UInt8]?) -> String {
        guard let bytes else { return "null" }
        switch self {
        case .int64: return BytesFormat.integer(bytes).map { "\($0)" } ?? BytesFormat.hexadecimal(bytes)
        case .hex: return BytesFormat.hexadecimal(bytes)
        case .auto, .text, .json:
            guard let text = String(strictUTF8: bytes.span.bytes) else { return BytesFormat.hexadecimal(bytes) }
            if self == .auto && text.unicodeScalars.contains(where: { $0.value < 0x20 && $0 != "\n" && $0 != "\t" }) {
                return BytesFormat.hexadecimal(bytes)
            }
            return Printable.line(text)
        }
    }

    /// Writes bytes as JSON: text as a string, other bytes as `{"hex": "..."}`.
    func appendJSON(_ bytes: [UInt8]?, to writer: inout ByteWriter) {
        guard let bytes else { return writer.append(utf8: "null") }
        switch self {
        case .int64:
            if let number = BytesFormat.integer(bytes) { return writer.append(decimal: number) }
        case .json:
            if BytesFormat.isJSON(bytes) { return writer.append(bytes) }
        case .auto, .text, .hex: break
        }
        if self != .hex, let text = String(strictUTF8: bytes.span.bytes) { return writer.append(json: text) }
        writer.append(utf8: "{\"hex\":\"\(bytes.span.bytes.hexadecimal)\"}")
    }

    /// The bytes of a key that was typed.
    func bytes(_ text: String) throws(UsageError) -> [UInt8] {
        switch self {
        case .auto, .text, .json: return Array(text.utf8)
        case .hex:
            let digits = text.hasPrefix("0x") ? String(text.dropFirst(2)) : text
            guard let bytes = [UInt8](hexadecimal: digits) else { throw UsageError("'\(text)' is not hexadecimal") }
            return bytes
        case .int64:
            guard let number = Int64(text) else { throw UsageError("'\(text)' is not a 64-bit integer") }
            var writer = ByteWriter(capacity: 8)
            writer.append(bigEndian: number)
            return writer.copy()
        }
    }

    private static func integer(_ bytes: [UInt8]) -> Int64? {
        bytes.count == 8 ? bytes.span.bytes.integer(at: 0, as: Int64.self) : nil
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String { "0x" + bytes.span.bytes.hexadecimal }
}

/// Text from outside on its way to a terminal.
enum Printable {
    /// The text without control characters, which could rewrite the screen or begin a line.
    static func line(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return text }
        var clean = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": clean.append(contentsOf: "\\n".unicodeScalars)
            case "\t": clean.append(contentsOf: "\\t".unicodeScalars)
            case "\r": clean.append(contentsOf: "\\r".unicodeScalars)
            default: clean.append(scalar.properties.generalCategory == .control ? "\u{fffd}" : scalar)
            }
        }
        return String(clean)
    }
}
