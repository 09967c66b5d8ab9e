internal import TributaryCore
internal import TributaryLineage

/// A log line with the time it was said.
struct TimedLine: Sendable {
    var line: LogMessage
    /// Nanoseconds since the epoch.
    var time: Int64

    /// About how many bytes it takes.
    var size: Int {
        160 + line.message.utf8.count + line.metadata.reduce(0) { $0 + 48 + $1.key.utf8.count + $1.value.utf8.count }
    }
}

/// Log lines as OTLP log records: the message is the body, the data are attributes, the source is the scope.
enum OTLPLogs {
    /// OTLP's number of a level.
    static func severity(_ level: LogLevel) -> UInt64 {
        switch level {
        case .trace: 1
        case .debug: 5
        case .info: 9
        case .notice: 10
        case .warning: 13
        case .error: 17
        case .critical: 21
        }
    }

    /// Writes a request with all lines, those of one source together.
    static func append(
        _ lines: [TimedLine], encoding: OTLPEncoding, resource: TelemetryResource, to writer: inout ByteWriter
    ) {
        var sources: [String] = []
        for line in lines where !sources.contains(line.line.source) { sources.append(line.line.source) }
        var frame = OTLPFrame(.logs, encoding, resource: resource, scope: sources.first ?? "", to: &writer)
        for (index, source) in sources.enumerated() {
            if index > 0 { frame.nextScope(source, to: &writer) }
            for line in lines where line.line.source == source {
                frame.beginItem(&writer)
                switch encoding {
                case .protobuf: appendProtobuf(line, to: &writer)
                case .json: appendJSON(line, to: &writer)
                }
                frame.endItem(&writer)
            }
        }
        frame.close(&writer)
    }

    private static func appendProtobuf(_ timed: TimedLine, to writer: inout ByteWriter) {
        let line = timed.line
        writer.append(field: 1, fixed64: UInt64(clamping: timed.time))
        writer.append(field: 2, varint: severity(line.level))
        writer.append(field: 3, string: line.level.rawValue)
        let size = line.message.utf8.count
        writer.append(field: 5, wireType: 2)
        writer.append(varint: UInt64(1 + varintSize(UInt64(size)) + size))
        writer.append(field: 1, string: line.message)
        for (key, value) in unique(line.metadata) { writer.append(field: 6, key, .string(value)) }
        if line.context.isValid {
            writer.append(field: 8, fixed32: UInt32(line.context.flags & TraceContext.standardFlags))
            writer.append(field: 9, traceOf: line.context)
            writer.append(field: 10, span: line.context.span)
        }
        writer.append(field: 11, fixed64: UInt64(clamping: timed.time))
    }

    private static func appendJSON(_ timed: TimedLine, to writer: inout ByteWriter) {
        let line = timed.line
        writer.append(ascii: #"{"timeUnixNano":""#)
        writer.append(decimal: timed.time)
        writer.append(ascii: #"","observedTimeUnixNano":""#)
        writer.append(decimal: timed.time)
        writer.append(ascii: #"","severityNumber":"#)
        writer.append(decimal: severity(line.level))
        writer.append(ascii: #","severityText":"#)
        writer.append(json: line.level.rawValue)
        writer.append(ascii: #","body":{"stringValue":"#)
        writer.append(json: line.message)
        writer.append(ascii: #"},"attributes":["#)
        for (index, (key, value)) in unique(line.metadata).enumerated() {
            if index > 0 { writer.append(0x2c) }
            OTLPJSON.append(key, .string(value), to: &writer)
        }
        writer.append(0x5d)
        if line.context.isValid {
            writer.append(ascii: #","flags":"#)
            writer.append(decimal: UInt64(line.context.flags & TraceContext.standardFlags))
            writer.append(0x2c)
            OTLPJSON.append(ids: line.context, to: &writer)
        }
        writer.append(0x7d)
    }

    /// The data with each key once, as it came last: OTLP wants keys to be unique.
    private static func unique(_ metadata: [(key: String, value: String)]) -> [(key: String, value: String)] {
        var unique: [(key: String, value: String)] = []
        for pair in metadata {
            if let known = unique.firstIndex(where: { $0.key == pair.key }) {
                unique[known].value = pair.value
            } else {
                unique.append(pair)
            }
        }
        return unique
    }
}
