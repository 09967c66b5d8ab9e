internal import TributaryCore
internal import TributaryLineage
internal import TributaryTelemetry

/// A record to be written, as it was read from a line.
struct RecordInput: Sendable, Equatable {
    var key: [UInt8]?
    var value: [UInt8]?
    var headers = Headers()
    var timestamp: Int64?
    var partition: Int32?
    var context = TraceContext.none

    /// How lines are read.
    enum Format: String, CaseIterable {
        /// One JSON object a line.
        case json
        /// Key, separator, value; a line without separator is a value without key.
        case text
        /// The whole line is the value.
        case value
    }

    init(key: [UInt8]?, value: [UInt8]?) {
        self.key = key
        self.value = value
    }

    /// Reads a line of `key:value`.
    init(text line: [UInt8], separator: [UInt8]) {
        let line = line.last == 0x0d ? Array(line.dropLast()) : line
        guard !separator.isEmpty, line.count >= separator.count,
            let at = (0...(line.count - separator.count)).first(where: {
                line[$0..<($0 + separator.count)].elementsEqual(separator)
            })
        else {
            self.init(key: nil, value: line)
            return
        }
        self.init(key: Array(line[..<at]), value: Array(line[(at + separator.count)...]))
    }

    /// Reads a JSON object with `key`, `value`, `headers`, `timestamp`, `partition`, `traceparent`; others are ignored.
    init(json line: [UInt8]) throws(CommandError) {
        let object: JSONValue
        do throws(JSONError) { object = try JSONReader.read(line.span.bytes) } catch {
            throw CommandError("not JSON at byte \(error.offset): \(error.reason)")
        }
        guard case .object(let members) = object else { throw CommandError("not a JSON object") }
        self.init(key: try Self.bytes(members["key"], "key"), value: try Self.bytes(members["value"], "value"))
        if let time = members["timestamp"] {
            guard let number = time.int64 else { throw CommandError("'timestamp' must be whole milliseconds") }
            timestamp = number
        }
        if let value = members["partition"] {
            guard let number = value.int64.flatMap({ Int32(exactly: $0) }), number >= 0 else {
                throw CommandError("'partition' must be a number from 0")
            }
            partition = number
        }
        if let text = members["traceparent"]?.string {
            let bytes = Array(text.utf8)
            guard let parsed = TraceContext(traceparent: bytes.span.bytes) else {
                throw CommandError("'traceparent' is not a W3C trace context")
            }
            context = parsed
        }
        if let list = members["headers"] { headers = try Self.headers(list) }
    }

    /// Pairs of name and value in order, or an object.
    private static func headers(_ value: JSONValue) throws(CommandError) -> Headers {
        var list: [(name: String, value: [UInt8]?)] = []
        switch value {
        case .null: break
        case .object(let members):
            for (name, value) in members.sorted(by: { $0.key < $1.key }) { list.append((name, try bytes(value, name))) }
        case .array(let pairs):
            for pair in pairs {
                guard let parts = pair.array, parts.count == 2, let name = parts[0].string else {
                    throw CommandError("'headers' must be an object or a list of [name, value]")
                }
                list.append((name, try bytes(parts[1], name)))
            }
        default: throw CommandError("'headers' must be an object or a list of [name, value]")
        }
        // Lineage is the log's to write: copied topics keep their trace, but not a cell of other coordinates.
        return Headers(
            list.filter {
                $0.name != HeaderNames.traceparent && $0.name != HeaderNames.tracestate
                    && !$0.name.hasPrefix(HeaderNames.prefix)
            })
    }

    /// A string is its text, null is null, `{"hex": "00ff"}` is those bytes, anything else is its JSON text.
    private static func bytes(_ value: JSONValue?, _ name: String) throws(CommandError) -> [UInt8]? {
        switch value {
        case nil, .null?: return nil
        case .string(let text)?: return Array(text.utf8)
        case .object(let members)? where members.count == 1 && members["hex"] != nil:
            guard let text = members["hex"]?.string, let bytes = [UInt8](hexadecimal: text) else {
                throw CommandError("'\(name)': hex needs an even number of hexadecimal digits")
            }
            return bytes
        case .some(let other):
            var writer = ByteWriter()
            other.append(to: &writer)
            return writer.copy()
        }
    }
}
