internal import TributaryCore
internal import TributaryLineage
internal import TributaryTelemetry

/// How the lines of `topics produce` are read.
struct LineFormat: Sendable {
    /// What a line is.
    enum Kind: String, CaseIterable, Sendable {
        /// One JSON object a line.
        case json
        /// Key, separator, value.
        case text
        /// The whole line is the value, without a key.
        case value
    }

    var kind = Kind.json
    var key = BytesFormat.auto
    var value = BytesFormat.auto
    var separator = Array(":".utf8)
    /// Keys and values of text that are null.
    var null: [UInt8]?

    /// The record of a line.
    func record(_ line: [UInt8]) throws(CommandError) -> RecordInput {
        switch kind {
        case .json: try RecordInput(json: line, self)
        case .text: try RecordInput(text: line, self)
        case .value: RecordInput(key: nil, value: try typed(line, value))
        }
    }

    func typed(_ bytes: [UInt8], _ format: BytesFormat) throws(CommandError) -> [UInt8]? {
        if bytes == null { return nil }
        // Text is the line's own bytes, whatever they are.
        if format.keys == .plain, [.auto, .text, .json].contains(format.kind) { return bytes }
        guard let text = String(strictUTF8: bytes.span.bytes) else { throw CommandError("not UTF-8") }
        do throws(UsageError) { return try format.bytes(text) } catch { throw CommandError(error.description) }
    }
}

/// A record to be written, as it was read from a line.
struct RecordInput: Sendable, Equatable {
    var key: [UInt8]?
    var value: [UInt8]?
    var headers = Headers()
    var timestamp: Int64?
    var partition: Int32?
    var context = TraceContext.none

    /// What a line may say.
    static let members = ["key", "value", "headers", "timestamp", "partition", "traceparent"]
    /// What `topics consume` says besides, which a log gives to each record itself.
    static let coordinates = ["topic", "offset", "cell"]

    init(key: [UInt8]?, value: [UInt8]?) {
        self.key = key
        self.value = value
    }

    /// Reads a line of key, separator, value.
    init(text line: [UInt8], _ format: LineFormat) throws(CommandError) {
        let line = line.last == 0x0d ? Array(line.dropLast()) : line
        let separator = format.separator
        guard !separator.isEmpty, line.count >= separator.count,
            let at = (0...(line.count - separator.count)).first(where: {
                line[$0..<($0 + separator.count)].elementsEqual(separator)
            })
        else {
            let text = Printable.line(String(decoding: separator, as: UTF8.self))
            throw CommandError(
                "there is no '\(text)' between a key and a value; --format value takes whole lines as values")
        }
        self.init(
            key: try format.typed(Array(line[..<at]), format.key),
            value: try format.typed(Array(line[(at + separator.count)...]), format.value))
    }

    /// Reads a JSON object; what it says must be known, and it must say a value.
    init(json line: [UInt8], _ format: LineFormat) throws(CommandError) {
        self.init(key: nil, value: nil)
        var hasValue = false
        for (name, json) in try JSONLine.members(line) {
            switch name {
            case "key": key = try Self.named(name) { () throws(CommandError) in try format.key.bytes(json: json) }
            case "value":
                value = try Self.named(name) { () throws(CommandError) in try format.value.bytes(json: json) }
                hasValue = true
            case "headers": headers = try Self.headers(json)
            case "timestamp": timestamp = try Self.number(json, "'timestamp' must be whole milliseconds")
            case "partition":
                let problem = "'partition' must be a number from 0"
                guard let number = Int32(exactly: try Self.number(json, problem)), number >= 0 else {
                    throw CommandError(problem)
                }
                partition = number
            case "traceparent":
                let bytes = (try JSONLine.read(json).string ?? "").utf8
                guard let parsed = TraceContext(traceparent: Array(bytes).span.bytes) else {
                    throw CommandError("'traceparent' is not a W3C trace context")
                }
                context = parsed
            default: try Self.check(name)
            }
        }
        guard hasValue else { throw CommandError("there is no 'value'; a tombstone says \"value\":null") }
    }

    private static func check(_ name: String) throws(CommandError) {
        guard !coordinates.contains(name) else { return }
        let near = members.min { distance($0, name) < distance($1, name) }.flatMap { distance($0, name) < 3 ? $0 : nil }
        let hint = near.map { "; did you mean '\($0)'?" } ?? ", only: \(members.joined(separator: ", "))"
        throw CommandError("a record has no '\(Printable.line(name))'\(hint)")
    }

    private static func named<Result>(
        _ name: String, _ body: () throws(CommandError) -> Result
    ) throws(CommandError) -> Result {
        do throws(CommandError) { return try body() } catch { throw CommandError("'\(name)': \(error)") }
    }

    private static func number(_ json: [UInt8], _ problem: String) throws(CommandError) -> Int64 {
        guard case .integer(let number) = try JSONLine.read(json) else { throw CommandError(problem) }
        return number
    }

    /// Pairs of name and value in order, or an object.
    private static func headers(_ json: [UInt8]) throws(CommandError) -> Headers {
        var list: [(name: String, value: [UInt8]?)] = []
        let wrong = CommandError("'headers' must be an object or a list of [name, value]")
        switch try JSONLine.read(json) {
        case .null: break
        case .object:
            for (name, value) in try JSONLine.members(json) { list.append((name, try bytes(value, name))) }
        case .array:
            for pair in try JSONLine.elements(json) ?? [] {
                guard let parts = try JSONLine.elements(pair), parts.count == 2,
                    let name = try JSONLine.read(parts[0]).string
                else { throw wrong }
                list.append((name, try bytes(parts[1], name)))
            }
        default: throw wrong
        }
        // Lineage is the log's to write: copied topics keep their trace, but not a cell of other coordinates.
        return Headers(
            list.filter {
                $0.name != HeaderNames.traceparent && $0.name != HeaderNames.tracestate
                    && !$0.name.hasPrefix(HeaderNames.prefix)
            })
    }

    private static func bytes(_ json: [UInt8], _ name: String) throws(CommandError) -> [UInt8]? {
        try named(name) { () throws(CommandError) in try BytesFormat.auto.bytes(json: json) }
    }
}
