internal import TributaryCore
internal import TributaryTelemetry

/// JSON taken apart at its top level, each value as it is written: numbers keep their digits, objects the order of their members.
enum JSONLine {
    /// The members of an object, in order.
    static func members(_ json: [UInt8]) throws(CommandError) -> [(name: String, value: [UInt8])] {
        guard case .object = try read(json) else { throw CommandError("not a JSON object") }
        var members: [(name: String, value: [UInt8])] = []
        for part in parts(json) {
            let end = endOfString(part, from: 0)
            guard let name = try read(Array(part[..<end])).string,
                let colon = part[end...].firstIndex(of: UInt8(ascii: ":"))
            else { throw CommandError("not a JSON object") }
            guard !members.contains(where: { $0.name == name }) else { throw CommandError("'\(name)' is given twice") }
            members.append((name, trimmed(part[(colon + 1)...])))
        }
        return members
    }

    /// The elements of an array, in order; nil if it is none.
    static func elements(_ json: [UInt8]) throws(CommandError) -> [[UInt8]]? {
        guard case .array = try read(json) else { return nil }
        return parts(json)
    }

    static func read(_ json: [UInt8]) throws(CommandError) -> JSONValue {
        do throws(JSONError) { return try JSONReader.read(json.span.bytes) } catch {
            throw CommandError("not JSON at byte \(error.offset): \(error.reason)")
        }
    }

    /// What lies between the commas of a valid object or array.
    private static func parts(_ json: [UInt8]) -> [[UInt8]] {
        var parts: [[UInt8]] = []
        var depth = 0
        var start = 0
        var at = 0
        while at < json.count {
            switch json[at] {
            case UInt8(ascii: "\""):
                at = endOfString(json, from: at)
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                if depth == 1 { start = at + 1 }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                let last = trimmed(json[start..<at])
                if depth == 0 && !last.isEmpty { parts.append(last) }
            case UInt8(ascii: ",") where depth == 1:
                parts.append(trimmed(json[start..<at]))
                start = at + 1
            default: break
            }
            at += 1
        }
        return parts
    }

    /// The place behind the string that begins at one.
    private static func endOfString(_ json: [UInt8], from start: Int) -> Int {
        var at = start + 1
        while at < json.count, json[at] != UInt8(ascii: "\"") { at += json[at] == UInt8(ascii: "\\") ? 2 : 1 }
        return min(at + 1, json.count)
    }

    private static func trimmed(_ part: ArraySlice<UInt8>) -> [UInt8] {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d }
        return Array(part.drop(while: isBlank).reversed().drop(while: isBlank).reversed())
    }
}
