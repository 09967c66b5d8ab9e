internal import TributaryCore
internal import TributaryLineage
internal import TributaryTelemetry

extension BytesFormat {
    /// Writes bytes as JSON from which ``bytes(json:)`` makes the same bytes: what the kind has no form for as `{"hex": "..."}`.
    func appendJSON(_ bytes: [UInt8]?, to writer: inout ByteWriter) {
        guard let bytes else { return writer.append(utf8: "null") }
        guard keys != .plain else { return appendPlain(bytes, to: &writer) }
        guard let suffix = WindowSuffix(bytes, keys) else { return Self.appendHex(bytes, to: &writer) }
        writer.appendObject { writer, members in
            members.name("key", &writer)
            appendPlain(Array(bytes.dropLast(keys.suffixSize)), to: &writer)
            members.integer("start", suffix.start, &writer)
            if let end = suffix.end { members.integer("end", end, &writer) }
            if suffix.sequence != 0 { members.integer("sequence", Int64(suffix.sequence), &writer) }
        }
    }

    /// A key's own JSON, without its window.
    func appendKey(_ key: [UInt8], to writer: inout ByteWriter) {
        if WindowSuffix(key, keys) == nil { return appendJSON(key, to: &writer) }
        appendPlain(Array(key.dropLast(keys.suffixSize)), to: &writer)
    }

    private func appendPlain(_ bytes: [UInt8], to writer: inout ByteWriter) {
        switch kind {
        case .hex: break
        case .auto, .text:
            if let text = String(strictUTF8: bytes.span.bytes) { return writer.append(json: text) }
        case .json:
            // As they are, but for what reads as no value or as bytes.
            if let value = try? JSONReader.read(bytes.span.bytes), value != .null, Self.hex(value) == nil {
                return writer.append(bytes)
            }
        case .int16: if let number: Int16 = Self.integer(bytes) { return writer.append(decimal: Int64(number)) }
        case .int32: if let number: Int32 = Self.integer(bytes) { return writer.append(decimal: Int64(number)) }
        case .int64: if let number: Int64 = Self.integer(bytes) { return writer.append(decimal: number) }
        case .float:
            if let bits: UInt32 = Self.integer(bytes), Float(bitPattern: bits).isFinite {
                return writer.append(utf8: text(bytes))
            }
        case .double:
            if let bits: UInt64 = Self.integer(bytes), Double(bitPattern: bits).isFinite {
                return writer.append(utf8: text(bytes))
            }
        case .bool: if bytes == [0] || bytes == [1] { return writer.append(utf8: text(bytes)) }
        case .uuid:
            // Only as it is written here: in capitals it would not come back.
            if (try? plainBytes(text(bytes))) == bytes { return writer.append(json: text(bytes)) }
        case .base64: return writer.append(json: Base64.text(bytes))
        case .date: if bytes.count == 8 { return writer.append(json: text(bytes)) }
        }
        Self.appendHex(bytes, to: &writer)
    }

    private static func appendHex(_ bytes: [UInt8], to writer: inout ByteWriter) {
        writer.append(utf8: "{\"hex\":\"\(bytes.span.bytes.hexadecimal)\"}")
    }

    /// The digits of `{"hex": "..."}`.
    private static func hex(_ value: JSONValue) -> JSONValue? {
        guard case .object(let members) = value, members.count == 1 else { return nil }
        return members["hex"]
    }

    /// The bytes of a key or value in a line of JSON; nil for null.
    ///
    /// - Parameter json: the value as it is written, known to be JSON.
    func bytes(json: [UInt8]) throws(CommandError) -> [UInt8]? {
        let value: JSONValue
        do throws(JSONError) { value = try JSONReader.read(json.span.bytes) } catch {
            throw CommandError("not JSON at byte \(error.offset): \(error.reason)")
        }
        if value == .null { return nil }
        if let digits = Self.hex(value) {
            guard let bytes = digits.string.flatMap({ [UInt8](hexadecimal: $0) }) else {
                throw CommandError("hex needs an even number of hexadecimal digits")
            }
            return bytes
        }
        guard keys != .plain else { return try plainBytes(json, value) }
        return try windowedBytes(json)
    }

    private func windowedBytes(_ json: [UInt8]) throws(CommandError) -> [UInt8] {
        var own: [UInt8]?
        var times: [String: Int64] = [:]
        for member in try JSONLine.members(json) {
            switch member.name {
            case "key": own = try BytesFormat(kind: kind).bytes(json: member.value)
            case "start", "end", "sequence":
                guard let number = Int64(String(decoding: member.value, as: UTF8.self)) else {
                    throw CommandError("'\(member.name)' of a window must be a whole number")
                }
                times[member.name] = number
            default: throw CommandError("a windowed key has no member '\(member.name)'")
            }
        }
        let hasEnd = keys == .session
        guard let own, let start = times["start"], hasEnd == (times["end"] != nil) else {
            throw CommandError("a windowed key has the members key, start\(hasEnd ? ", end" : "")")
        }
        guard let sequence = UInt32(exactly: times["sequence"] ?? 0) else {
            throw CommandError("'sequence' of a window must be a 32-bit number")
        }
        var writer = ByteWriter()
        writer.append(own)
        WindowSuffix(start: start, end: times["end"], sequence: sequence).append(keys, to: &writer)
        return writer.copy()
    }

    private func plainBytes(_ json: [UInt8], _ value: JSONValue) throws(CommandError) -> [UInt8] {
        if kind == .json { return json }
        if kind == .auto, value.string == nil { return json }
        if kind == .text, value.string == nil { throw CommandError("a string expected, for --...-format text") }
        do throws(UsageError) {
            // Digits as they are written: no number type could hold all of them.
            return try plainBytes(value.string ?? String(decoding: json, as: UTF8.self))
        } catch { throw CommandError(error.description) }
    }
}
