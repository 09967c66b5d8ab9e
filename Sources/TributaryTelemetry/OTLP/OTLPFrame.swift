internal import TributaryCore
internal import TributaryLineage

/// The kinds of telemetry, each with requests of its own.
public enum OTLPSignal: Int, Sendable, CaseIterable {
    /// Spans.
    case traces
    /// Log records.
    case logs
    /// Metrics.
    case metrics

    /// The last part of the path of a server.
    public var path: String { "v1/\(self)" }
}

/// How a request is written.
public enum OTLPEncoding: String, Sendable {
    /// Protocol Buffers.
    case protobuf = "http/protobuf"
    /// JSON, with OTLP's own rules: ids as hexadecimal, enums as integers.
    case json = "http/json"

    var contentType: String { self == .json ? "application/json" : "application/x-protobuf" }
}

/// What is around the spans, records or metrics of a request: one resource, one or more scopes.
///
/// The three signals have the same numbers and shapes here (opentelemetry-proto 1.11).
struct OTLPFrame {
    let signal: OTLPSignal
    let encoding: OTLPEncoding
    private var request = 0
    private var scope = 0
    private var item = 0
    private var isFirst = true

    /// Begins a request with the first scope.
    init(
        _ signal: OTLPSignal, _ encoding: OTLPEncoding, resource: TelemetryResource,
        scope name: String = OTLPFrame.libraryScope, to writer: inout ByteWriter
    ) {
        self.signal = signal
        self.encoding = encoding
        switch encoding {
        case .protobuf:
            request = writer.beginMessage(1)
            let start = writer.beginMessage(1)
            writer.append(field: 1, sorted: resource.attributes)
            writer.endMessage(start)
            writer.append(field: 3, string: TelemetryResource.schemaURL)
        case .json:
            writer.append(ascii: #"{""#)
            writer.append(utf8: "resource\(plural)")
            writer.append(ascii: #"":[{"resource":{"attributes":["#)
            OTLPJSON.append(sorted: resource.attributes, to: &writer)
            writer.append(ascii: #"]},"schemaUrl":"#)
            writer.append(json: TelemetryResource.schemaURL)
            writer.append(ascii: ",\"")
            writer.append(utf8: "scope\(plural)")
            writer.append(ascii: "\":[")
        }
        openScope(name, to: &writer)
    }

    /// The scope of what this library says.
    static let libraryScope = "tributary"

    private var plural: String {
        switch signal {
        case .traces: "Spans"
        case .logs: "Logs"
        case .metrics: "Metrics"
        }
    }

    private var items: String {
        switch signal {
        case .traces: "spans"
        case .logs: "logRecords"
        case .metrics: "metrics"
        }
    }

    private mutating func openScope(_ name: String, to writer: inout ByteWriter) {
        isFirst = true
        switch encoding {
        case .protobuf:
            scope = writer.beginMessage(2)
            let start = writer.beginMessage(1)
            writer.append(field: 1, string: name)
            writer.append(field: 2, string: TelemetryResource.libraryVersion)
            writer.endMessage(start)
            // What others say is in their words.
            if name == OTLPFrame.libraryScope { writer.append(field: 3, string: TelemetryResource.schemaURL) }
        case .json:
            writer.append(ascii: #"{"scope":{"name":"#)
            writer.append(json: name)
            writer.append(ascii: #","version":"#)
            writer.append(json: TelemetryResource.libraryVersion)
            if name == OTLPFrame.libraryScope {
                writer.append(ascii: #"},"schemaUrl":"#)
                writer.append(json: TelemetryResource.schemaURL)
                writer.append(ascii: ",\"")
            } else {
                writer.append(ascii: #"},""#)
            }
            writer.append(utf8: items)
            writer.append(ascii: "\":[")
        }
    }

    /// Ends a scope and begins the next.
    mutating func nextScope(_ name: String, to writer: inout ByteWriter) {
        switch encoding {
        case .protobuf: writer.endMessage(scope)
        case .json: writer.append(ascii: "]},")
        }
        openScope(name, to: &writer)
    }

    /// Begins a span, record or metric.
    mutating func beginItem(_ writer: inout ByteWriter) {
        switch encoding {
        case .protobuf: item = writer.beginMessage(2)
        case .json: if !isFirst { writer.append(0x2c) }
        }
        isFirst = false
    }

    /// Ends it.
    func endItem(_ writer: inout ByteWriter) { if encoding == .protobuf { writer.endMessage(item) } }

    /// Ends the request.
    func close(_ writer: inout ByteWriter) {
        switch encoding {
        case .protobuf:
            writer.endMessage(scope)
            writer.endMessage(request)
        case .json: writer.append(ascii: "]}]}]}")
        }
    }
}
