internal import TributaryCore
internal import TributaryLineage

/// Reads variables by OpenTelemetry's rules for their types.
struct EnvironmentReader {
    private(set) var warnings: [String] = []
    private let lookup: (String) -> String?

    init(_ lookup: @escaping (String) -> String?) { self.lookup = lookup }

    /// A value; nil if it is unset or empty.
    subscript(name: String) -> String? { lookup(name).flatMap { $0.isEmpty ? nil : $0 } }

    /// The value of the first of several names that is set, and its name.
    private func first(_ names: [String]) -> (name: String, value: String)? {
        for name in names { if let value = self[name] { return (name, value) } }
        return nil
    }

    /// Says once what is wrong with a variable.
    mutating func warn(_ name: String, _ reason: String) {
        let warning = "\(name) \(reason)"
        if !warnings.contains(warning) { warnings.append(warning) }
    }

    /// Only `true`, in any case, is true.
    mutating func flag(_ name: String) -> Bool {
        guard let value = self[name]?.lowercased() else { return false }
        if value != "true" && value != "false" { warn(name, "is neither true nor false") }
        return value == "true"
    }

    /// A number that isn't negative.
    mutating func number(_ names: String...) -> Int64? {
        guard let (name, value) = first(names) else { return nil }
        guard let number = Int64(value), number >= 0 else {
            warn(name, "is not a number that is at least 0")
            return nil
        }
        return number
    }

    /// One of some words, in any case.
    mutating func choice(_ names: [String], _ words: [String]) -> String? {
        guard let (name, value) = first(names) else { return nil }
        guard words.contains(value.lowercased()) else {
            warn(name, "is none of \(words.joined(separator: ", ")), or not supported")
            return nil
        }
        return value.lowercased()
    }

    /// `k=v,k2=v2` with percent-encoding; nil if it is unset or malformed, which discards the whole.
    mutating func pairs(_ names: String...) -> [String: String]? {
        guard let (name, value) = first(names) else { return nil }
        var pairs: [String: String] = [:]
        for member in value.split(separator: ",") where !member.allSatisfy(\.isWhitespace) {
            let parts = member.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let key = PercentEncoding.decode(trimmed(parts[0])), !key.isEmpty,
                let text = PercentEncoding.decode(trimmed(parts[1]))
            else {
                warn(name, "is not a list of key=value with percent-encoding")
                return nil
            }
            pairs[key] = text
        }
        return pairs
    }

    private func trimmed(_ text: Substring) -> String {
        let front = text.drop { $0 == " " || $0 == "\t" }
        return String(String(front.reversed().drop { $0 == " " || $0 == "\t" }).reversed())
    }

    // MARK: Sampler

    mutating func sampler() -> Sampler? {
        let names = [
            "always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off",
            "parentbased_traceidratio",
        ]
        guard let name = choice(["OTEL_TRACES_SAMPLER"], names) else { return nil }
        switch name {
        case "always_on": return .alwaysOn
        case "always_off": return .alwaysOff
        case "traceidratio": return .ratio(ratio())
        case "parentbased_always_off": return .parentBased(root: .alwaysOff)
        case "parentbased_traceidratio": return .parentBased(root: .ratio(ratio()))
        default: return .parentBased(root: .alwaysOn)
        }
    }

    private mutating func ratio() -> Double {
        guard let text = self["OTEL_TRACES_SAMPLER_ARG"] else { return 1 }
        guard let ratio = Double(text), (0...1).contains(ratio) else {
            warn("OTEL_TRACES_SAMPLER_ARG", "is not a number from 0 to 1")
            return 1
        }
        return ratio
    }

    // MARK: Propagation and limits

    mutating func propagators() -> Propagators {
        let name = "OTEL_PROPAGATORS"
        guard let value = self[name] else { return .all }
        var propagators: Propagators = []
        var isNone = false
        for word in value.lowercased().split(separator: ",").map({ trimmed($0) }) where !word.isEmpty {
            switch word {
            case "tracecontext": propagators.insert(.traceContext)
            case "baggage": propagators.insert(.baggage)
            case "none": isNone = true
            default: warn(name, "has a name other than tracecontext, baggage, none, or not supported")
            }
        }
        if isNone && !propagators.isEmpty { warn(name, "has none beside others; none is left out") }
        return propagators.isEmpty && !isNone ? .all : propagators
    }

    mutating func spanLimits() -> SpanLimits {
        var limits = SpanLimits()
        func limit(_ value: Int64?, _ otherwise: Int) -> Int { value.map { Int(clamping: $0) } ?? otherwise }
        limits.attributes = limit(
            number("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"), limits.attributes)
        limits.events = limit(number("OTEL_SPAN_EVENT_COUNT_LIMIT"), limits.events)
        limits.links = limit(number("OTEL_SPAN_LINK_COUNT_LIMIT"), limits.links)
        limits.eventAttributes = limit(number("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT"), limits.eventAttributes)
        limits.linkAttributes = limit(number("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT"), limits.linkAttributes)
        limits.valueLength = number(
            "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"
        ).map { Int(clamping: $0) }
        return limits
    }

    // MARK: OTLP

    mutating func otlp() -> OTLPConfiguration {
        var configuration = OTLPConfiguration()
        for signal in OTLPSignal.allCases {
            let exporter = "OTEL_\("\(signal)".uppercased())_EXPORTER"
            let isOff = choice([exporter], ["otlp", "none"]) == "none"
            configuration.endpoints[signal] = isOff ? nil : endpoint(signal)
        }
        configuration.spanDelay = time("OTEL_BSP_SCHEDULE_DELAY") ?? configuration.spanDelay
        configuration.logDelay = time("OTEL_BLRP_SCHEDULE_DELAY") ?? configuration.logDelay
        if let interval = positive("OTEL_METRIC_EXPORT_INTERVAL") {
            configuration.metricInterval = .milliseconds(interval)
        }
        configuration.endpoints[.traces]?.retryTime = time("OTEL_BSP_EXPORT_TIMEOUT")
        configuration.endpoints[.logs]?.retryTime = time("OTEL_BLRP_EXPORT_TIMEOUT")
        configuration.endpoints[.metrics]?.retryTime = time("OTEL_METRIC_EXPORT_TIMEOUT")
        configuration.endpoints[.traces]?.requestItems =
            positive("OTEL_BSP_MAX_EXPORT_BATCH_SIZE").map { Int(clamping: $0) }
        configuration.endpoints[.logs]?.requestItems =
            positive("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE").map { Int(clamping: $0) }
        // The queues count bytes: a span with a link or two, a line with some data.
        if let spans = positive("OTEL_BSP_MAX_QUEUE_SIZE") { configuration.queueBytes = queueBytes(spans) }
        if let lines = positive("OTEL_BLRP_MAX_QUEUE_SIZE") { configuration.logQueueBytes = queueBytes(lines) }
        // The measurements that are kept are those of sampled spans, so that "always_on" has no more to send.
        configuration.sendsExemplars =
            choice(["OTEL_METRICS_EXEMPLAR_FILTER"], ["trace_based", "always_on", "always_off"]) != "always_off"
        // What is sent has one form; a wish for another is told.
        let metrics = "OTEL_EXPORTER_OTLP_METRICS_"
        _ = choice(["\(metrics)TEMPORALITY_PREFERENCE"], ["cumulative"])
        _ = choice(["\(metrics)DEFAULT_HISTOGRAM_AGGREGATION"], ["explicit_bucket_histogram"])
        return configuration
    }

    private mutating func positive(_ name: String) -> Int64? {
        let value = number(name)
        guard value == 0 else { return value }
        warn(name, "must be above 0")
        return nil
    }

    private mutating func time(_ name: String) -> Duration? { number(name).map { .milliseconds($0) } }

    private func queueBytes(_ items: Int64) -> Int { Int(clamping: min(items, 1 << 32) * 256) }

    private mutating func endpoint(_ signal: OTLPSignal) -> OTLPEndpoint {
        let own = "OTEL_EXPORTER_OTLP_\("\(signal)".uppercased())_"
        let all = "OTEL_EXPORTER_OTLP_"
        var url = OTLPConfiguration.join("http://localhost:4318", signal.path)
        if let base = self["\(all)ENDPOINT"] { url = OTLPConfiguration.join(base, signal.path) }
        // A signal's own one is used as it is.
        if let exact = self["\(own)ENDPOINT"] { url = exact }
        var endpoint = OTLPEndpoint(url: url)
        let protocols = ["\(own)PROTOCOL", "\(all)PROTOCOL"]
        endpoint.encoding =
            choice(protocols, ["http/protobuf", "http/json"]).flatMap { OTLPEncoding(rawValue: $0) } ?? .protobuf
        endpoint.isCompressed =
            choice(["\(own)COMPRESSION", "\(all)COMPRESSION"], ["gzip", "none"]) == "gzip"
        endpoint.headers = pairs("\(own)HEADERS", "\(all)HEADERS") ?? [:]
        if let timeout = number("\(own)TIMEOUT", "\(all)TIMEOUT") {
            // The specification leaves 0 open; SDKs take it for no limit.
            endpoint.timeout = timeout == 0 ? .seconds(86_400) : .milliseconds(timeout)
        }
        endpoint.tls = TLSFiles(
            certificate: first(["\(own)CERTIFICATE", "\(all)CERTIFICATE"])?.value,
            clientCertificate: first(["\(own)CLIENT_CERTIFICATE", "\(all)CLIENT_CERTIFICATE"])?.value,
            clientKey: first(["\(own)CLIENT_KEY", "\(all)CLIENT_KEY"])?.value)
        return endpoint
    }
}

/// Percent-encoding (RFC 3986, section 2.1).
enum PercentEncoding {
    /// The text; nil where a `%` isn't followed by two digits, or the result is not UTF-8.
    static func decode(_ text: String) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == 0x25 else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(hexadecimalDigit),
                let low = rest.popFirst().flatMap(hexadecimalDigit)
            else { return nil }
            bytes.append(high << 4 | low)
        }
        return unsafe String(strictUTF8: bytes.span.bytes)
    }
}
