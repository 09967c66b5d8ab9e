internal import TributaryCore
internal import TributaryLineage

/// Why a line is not an OTLP trace request.
public struct OTLPJSONError: Error, Sendable, Equatable {
    /// Where in the line, where that is known.
    public let offset: Int?
    /// What is wrong, in words.
    public let reason: String
}

extension OTLPJSON {
    /// Reads the spans of one line, whoever wrote it.
    ///
    /// Unknown fields are ignored, missing ones are empty, as protobuf's JSON has it. Array, bytes and map attributes are
    /// left out.
    ///
    /// - Throws: ``OTLPJSONError`` for what is not JSON, and for a span whose ids or times are not what OTLP says.
    public static func spans(ofLine line: RawSpan) throws(OTLPJSONError) -> [FinishedSpan] {
        try spans(of: try json(line))
    }

    /// Reads the spans of an answer of Jaeger's: `{"result": request}`, one or several.
    static func spans(ofAnswer bytes: RawSpan) throws(OTLPJSONError) -> [FinishedSpan] {
        var spans: [FinishedSpan] = []
        var start = 0
        // A stream has a value a line.
        for end in 0...bytes.byteCount where end == bytes.byteCount || bytes.byte(at: end) == 0x0a {
            let line = bytes.extracting(start..<end)
            start = end + 1
            guard !line.isEmpty else { continue }
            let answer = try json(line)
            guard let result = answer["result"] else {
                throw OTLPJSONError(offset: nil, reason: answer["error"]?["message"]?.string ?? "there is no result")
            }
            spans += try self.spans(of: result)
        }
        return spans
    }

    private static func json(_ bytes: RawSpan) throws(OTLPJSONError) -> JSONValue {
        do throws(JSONError) {
            return try JSONReader.read(bytes)
        } catch {
            throw OTLPJSONError(offset: error.offset, reason: error.reason)
        }
    }

    private static func spans(of request: JSONValue) throws(OTLPJSONError) -> [FinishedSpan] {
        guard case .object = request else { throw OTLPJSONError(offset: 0, reason: "not an object") }
        var spans: [FinishedSpan] = []
        for resource in try list(request["resourceSpans"]) {
            var service: String?
            if case .string(let name)? = try attributes(resource["resource"]?["attributes"])[AttributeNames.serviceName]
            {
                service = name
            }
            for scope in try list(resource["scopeSpans"]) {
                for value in try list(scope["spans"]) {
                    var span = try self.span(value)
                    span.service = service
                    spans.append(span)
                }
            }
        }
        return spans
    }

    private static func span(_ value: JSONValue) throws(OTLPJSONError) -> FinishedSpan {
        guard case .object = value else { throw OTLPJSONError(offset: nil, reason: "a span is not an object") }
        let context = try ids(of: value)
        guard context.isValid else { throw OTLPJSONError(offset: nil, reason: "a span without ids") }
        var span = FinishedSpan(
            context: context, name: value["name"]?.string ?? "",
            kind: UInt8(exactly: value["kind"]?.int64 ?? 0) ?? 0,
            start: try time(value["startTimeUnixNano"]), end: try time(value["endTimeUnixNano"]))
        if let parent = value["parentSpanId"]?.string, !parent.isEmpty {
            guard let id = hexadecimal(parent, digits: 16) else {
                throw OTLPJSONError(offset: nil, reason: "a parent span id is not 16 hexadecimal digits")
            }
            span.parent = id
        }
        span.parentIsRemote = (value["flags"]?.int64 ?? 0) & 0x200 != 0
        span.attributes = try attributes(value["attributes"])
        for link in try list(value["links"]) { span.links.append(try self.link(link)) }
        for event in try list(value["events"]) {
            span.events.append(
                SpanEvent(
                    event["name"]?.string ?? "", time: try time(event["timeUnixNano"]),
                    attributes: try attributes(event["attributes"])))
        }
        span.tracestate = value["traceState"]?.string ?? ""
        span.droppedLinks = Int(clamping: max(value["droppedLinksCount"]?.int64 ?? 0, 0))
        span.failed = value["status"]?["code"]?.int64 == 2
        span.errorMessage = value["status"]?["message"]?.string
        return span
    }

    private static func link(_ value: JSONValue) throws(OTLPJSONError) -> FinishedSpan.Link {
        var attributes = try attributes(value["attributes"])
        var type: LinkType?
        if case .string(let name)? = attributes[AttributeNames.link] {
            type = LinkType.allCases.first { $0.name == name }
            if type != nil { attributes[AttributeNames.link] = nil }
        }
        var link = FinishedSpan.Link(context: try ids(of: value), type: type)
        link.coordinate = FinishedSpan.coordinate(of: attributes)
        if link.coordinate != nil {
            for name in [
                AttributeNames.messagingDestinationName, AttributeNames.messagingDestinationPartition,
                AttributeNames.messagingKafkaOffset,
            ] { attributes[name] = nil }
        }
        link.attributes = attributes
        return link
    }

    private static func ids(of value: JSONValue) throws(OTLPJSONError) -> TraceContext {
        let trace = value["traceId"]?.string ?? ""
        let span = value["spanId"]?.string ?? ""
        guard trace.utf8.count == 32, let high = hexadecimal(String(trace.prefix(16)), digits: 16),
            let low = hexadecimal(String(trace.suffix(16)), digits: 16)
        else { throw OTLPJSONError(offset: nil, reason: "a trace id is not 32 hexadecimal digits") }
        guard let id = hexadecimal(span, digits: 16) else {
            throw OTLPJSONError(offset: nil, reason: "a span id is not 16 hexadecimal digits")
        }
        let flags = UInt8(truncatingIfNeeded: value["flags"]?.int64 ?? 0) & TraceContext.standardFlags
        return TraceContext(traceHigh: high, traceLow: low, span: id, flags: flags)
    }

    private static func hexadecimal(_ text: String, digits: Int) -> UInt64? {
        guard text.utf8.count == digits, text.utf8.allSatisfy({ hexadecimalDigit($0) != nil }) else { return nil }
        return UInt64(text, radix: 16)
    }

    private static func time(_ value: JSONValue?) throws(OTLPJSONError) -> Int64 {
        guard let value else { return 0 }
        guard let time = value.int64, time >= 0 else {
            throw OTLPJSONError(offset: nil, reason: "a time is not a number of nanoseconds")
        }
        return time
    }

    private static func list(_ value: JSONValue?) throws(OTLPJSONError) -> [JSONValue] {
        guard let value, value != .null else { return [] }
        guard let list = value.array else { throw OTLPJSONError(offset: nil, reason: "a list is not an array") }
        return list
    }

    private static func attributes(_ value: JSONValue?) throws(OTLPJSONError) -> [String: AttributeValue] {
        var attributes: [String: AttributeValue] = [:]
        for pair in try list(value) {
            guard let key = pair["key"]?.string else {
                throw OTLPJSONError(offset: nil, reason: "an attribute without a key")
            }
            guard let value = pair["value"] else { continue }
            if let text = value["stringValue"]?.string {
                attributes[key] = .string(text)
            } else if let number = value["intValue"] {
                guard let number = number.int64 else {
                    throw OTLPJSONError(offset: nil, reason: "an attribute is not a 64-bit integer")
                }
                attributes[key] = .int(number)
            } else if case .bool(let flag)? = value["boolValue"] {
                attributes[key] = .bool(flag)
            } else if let number = value["doubleValue"] {
                switch number {
                case .number(let number): attributes[key] = .double(number)
                case .integer(let number): attributes[key] = .double(Double(number))
                case .string(let text): attributes[key] = Double(text).map { .double($0) }
                default: break
                }
            }
        }
        return attributes
    }
}
