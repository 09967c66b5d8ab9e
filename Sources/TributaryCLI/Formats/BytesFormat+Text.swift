internal import TributaryCore
internal import TributaryLineage

extension BytesFormat {
    /// Bytes as text of one line; null and the text `null` differ.
    func text(_ bytes: [UInt8]?) -> String {
        guard let bytes else { return "null" }
        guard keys != .plain else { return plainText(bytes) }
        guard let suffix = WindowSuffix(bytes, keys) else { return Self.hexadecimal(bytes) }
        return plainText(Array(bytes.dropLast(keys.suffixSize))) + suffix.text
    }

    /// A key's own text, without its window.
    func keyText(_ key: [UInt8]) -> String {
        WindowSuffix(key, keys) == nil ? text(key) : plainText(Array(key.dropLast(keys.suffixSize)))
    }

    private func plainText(_ bytes: [UInt8]) -> String {
        let span = bytes.span.bytes
        switch kind {
        case .hex: break
        case .base64: return Base64.text(bytes)
        case .int16: if let number: Int16 = Self.integer(bytes) { return "\(number)" }
        case .int32: if let number: Int32 = Self.integer(bytes) { return "\(number)" }
        case .int64: if let number: Int64 = Self.integer(bytes) { return "\(number)" }
        case .float: if let bits: UInt32 = Self.integer(bytes) { return "\(Float(bitPattern: bits))" }
        case .double: if let bits: UInt64 = Self.integer(bytes) { return "\(Double(bitPattern: bits))" }
        case .bool: if bytes == [0] || bytes == [1] { return bytes == [1] ? "true" : "false" }
        case .date: if let time: Int64 = Self.integer(bytes) { return TimeText.text(time) }
        case .uuid: if let text = String(strictUTF8: span), UUIDText.isValid(text) { return text.lowercased() }
        case .auto, .text, .json:
            guard let text = String(strictUTF8: span) else { break }
            if kind == .auto && text.unicodeScalars.contains(where: { $0.value < 0x20 && $0 != "\n" && $0 != "\t" }) {
                break
            }
            return Printable.line(kind == .json ? text : Self.quoted(text))
        }
        return Self.hexadecimal(bytes)
    }

    /// Text that would read as null, or as the quotes that tell it from that, stands in quotes.
    private static func quoted(_ text: String) -> String {
        let bare = text.drop { $0 == "\"" || $0 == "\\" }
        guard bare.hasPrefix("null"), bare.dropFirst(4).allSatisfy({ $0 == "\"" || $0 == "\\" }) else { return text }
        var writer = ByteWriter()
        writer.append(json: text)
        return writer.text
    }

    /// The bytes of a key or value that was typed.
    func bytes(_ text: String) throws(UsageError) -> [UInt8] {
        guard keys != .plain else { return try plainBytes(text) }
        guard let at = text.lastIndex(of: "@") else {
            throw UsageError("'\(text)' names no window: type KEY@\(keys == .session ? "START/END" : "START")")
        }
        var writer = ByteWriter()
        writer.append(try plainBytes(String(text[..<at])))
        try WindowSuffix(typed: text[text.index(after: at)...], keys).append(keys, to: &writer)
        return writer.copy()
    }

    /// The bytes of a key that was typed without its window.
    func plainBytes(_ text: String) throws(UsageError) -> [UInt8] {
        var writer = ByteWriter(capacity: 8)
        switch kind {
        case .auto, .text, .json: return Array(text.utf8)
        case .hex:
            let digits = text.hasPrefix("0x") ? String(text.dropFirst(2)) : text
            guard let bytes = [UInt8](hexadecimal: digits) else { throw UsageError("'\(text)' is not hexadecimal") }
            return bytes
        case .base64:
            guard let bytes = Base64.bytes(text) else { throw UsageError("'\(text)' is not base64") }
            return bytes
        case .int16: writer.append(bigEndian: try number(text, Int16.init, "a 16-bit integer"))
        case .int32: writer.append(bigEndian: try number(text, Int32.init, "a 32-bit integer"))
        case .int64: writer.append(bigEndian: try number(text, Int64.init, "a 64-bit integer"))
        case .float: writer.append(bigEndian: try number(text, Float.init, "a number").bitPattern)
        case .double: writer.append(bigEndian: try number(text, Double.init, "a number").bitPattern)
        case .date: writer.append(bigEndian: try TimeText.milliseconds(text))
        case .bool:
            guard text == "true" || text == "false" else { throw UsageError("'\(text)' is neither true nor false") }
            return [text == "true" ? 1 : 0]
        case .uuid:
            guard UUIDText.isValid(text) else { throw UsageError("'\(text)' is not a UUID") }
            return Array(text.lowercased().utf8)
        }
        return writer.copy()
    }

    private func number<Number>(_ text: String, _ read: (String) -> Number?, _ what: String) throws(UsageError)
        -> Number
    {
        guard let number = read(text) else { throw UsageError("'\(text)' is not \(what)") }
        return number
    }

    static func integer<Number: FixedWidthInteger & BitwiseCopyable>(_ bytes: [UInt8]) -> Number? {
        bytes.count == MemoryLayout<Number>.size ? bytes.span.bytes.integer(at: 0, as: Number.self) : nil
    }

    static func hexadecimal(_ bytes: [UInt8]) -> String { "0x" + bytes.span.bytes.hexadecimal }
}

/// The 36 characters of a UUID.
enum UUIDText {
    static func isValid(_ text: String) -> Bool {
        let groups = text.split(separator: "-", omittingEmptySubsequences: false)
        return groups.map(\.utf8.count) == [8, 4, 4, 4, 12]
            && groups.allSatisfy { $0.unicodeScalars.allSatisfy { $0.isASCII && $0.properties.isASCIIHexDigit } }
    }
}

/// Base64 with padding (RFC 4648).
enum Base64 {
    private static let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func text(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let part = bytes[start..<min(start + 3, bytes.count)]
            let bits = part.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - part.count))
            for place in 0..<4 {
                text.append(place <= part.count ? letters[bits >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Nil for what is none, also where bits are left over that no bytes have.
    static func bytes(_ text: String) -> [UInt8]? {
        let characters = Array(text.utf8)
        guard characters.count.isMultiple(of: 4) else { return nil }
        let padding = characters.reversed().prefix { $0 == UInt8(ascii: "=") }.count
        guard padding <= 2 else { return nil }
        var bytes: [UInt8] = []
        var bits = 0
        for (index, character) in characters.dropLast(padding).enumerated() {
            guard let value = letters.firstIndex(of: character) else { return nil }
            bits = bits << 6 | value
            if index % 4 == 3 {
                bytes += [UInt8(bits >> 16 & 255), UInt8(bits >> 8 & 255), UInt8(bits & 255)]
                bits = 0
            }
        }
        switch padding {
        case 1: bytes += [UInt8(bits >> 10 & 255), UInt8(bits >> 2 & 255)]
        case 2: bytes.append(UInt8(bits >> 4 & 255))
        default: break
        }
        return Self.text(bytes) == text ? bytes : nil
    }
}
