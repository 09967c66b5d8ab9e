/// Where one kind of telemetry goes, and how.
public struct OTLPEndpoint: Sendable, Equatable {
    /// The whole URL, for example `http://127.0.0.1:4318/v1/traces`.
    public var url: String
    /// How requests are written.
    public var encoding: OTLPEncoding
    /// Whether they are compressed with gzip.
    public var isCompressed: Bool
    /// HTTP headers, for example for authentication.
    public var headers: [String: String]
    /// How long one request may take.
    public var timeout: Duration
    /// Files for TLS.
    public var tls: TLSFiles
    /// How long a request is tried again before it is dropped; nil for ``OTLPConfiguration/retryTime``.
    public var retryTime: Duration?
    /// How many items a request may have; nil for ``OTLPConfiguration/requestItems``.
    public var requestItems: Int?

    /// Describes an endpoint: protobuf, compressed, 10 seconds.
    public init(
        url: String, encoding: OTLPEncoding = .protobuf, isCompressed: Bool = true, headers: [String: String] = [:],
        timeout: Duration = .seconds(10), tls: TLSFiles = TLSFiles()
    ) {
        self.url = url
        self.encoding = encoding
        self.isCompressed = isCompressed
        self.headers = headers
        self.timeout = timeout
        self.tls = tls
    }
}

/// Settings of an ``OTLPExporter``.
public struct OTLPConfiguration: Sendable, Equatable {
    /// Where each kind of telemetry goes; what has no endpoint isn't exported.
    public var endpoints: [OTLPSignal: OTLPEndpoint]
    /// How many bytes of spans may wait; beyond that whole traces are dropped.
    public var queueBytes: Int
    /// How many bytes of log records may wait; beyond that new ones are dropped.
    public var logQueueBytes: Int
    /// How large a request may be before compression, in bytes.
    public var requestBytes: Int
    /// How many spans, log records or points of metrics a request may have.
    public var requestItems: Int
    /// How long spans wait for others before they are sent.
    public var spanDelay: Duration
    /// How long log records wait for others before they are sent.
    public var logDelay: Duration
    /// How often ``PeriodicMetrics`` reads and sends metrics.
    public var metricInterval: Duration
    /// Whether points of metrics are sent with the measurements that stand for the others, and their traces.
    public var sendsExemplars: Bool
    /// How long a request is tried again before it is dropped.
    public var retryTime: Duration

    /// Settings for one server and all that it can take.
    ///
    /// Requests of at most 4 MiB and 8192 items, a queue of 16 MB, a second of delay, metrics each minute, five minutes of retries.
    ///
    /// - Parameters:
    ///   - endpoint: the server's URL, to which `v1/traces` and the others are appended.
    ///   - signals: what is exported.
    public init(endpoint: String = "http://127.0.0.1:4318", signals: [OTLPSignal] = OTLPSignal.allCases) {
        endpoints = [:]
        queueBytes = 16 << 20
        logQueueBytes = 4 << 20
        requestBytes = 4 << 20
        requestItems = 8192
        spanDelay = .seconds(1)
        logDelay = .seconds(1)
        metricInterval = .seconds(60)
        sendsExemplars = true
        retryTime = .seconds(300)
        for signal in signals {
            endpoints[signal] = OTLPEndpoint(url: OTLPConfiguration.join(endpoint, signal.path))
        }
    }

    /// A base URL and a path with one slash between them; a query stays behind the path.
    static func join(_ base: String, _ path: String) -> String {
        let front = base.prefix { $0 != "?" && $0 != "#" }
        let query = base[front.endIndex...].prefix { $0 != "#" }
        return "\(front)\(front.hasSuffix("/") ? "" : "/")\(path)\(query)"
    }

    func requestItems(_ signal: OTLPSignal) -> Int { endpoints[signal]?.requestItems ?? requestItems }

    func retryTime(_ signal: OTLPSignal) -> Duration { endpoints[signal]?.retryTime ?? retryTime }

    /// Changes all endpoints alike.
    public mutating func updateEndpoints(_ change: (inout OTLPEndpoint) -> Void) {
        for signal in endpoints.keys {
            if var endpoint = endpoints[signal] {
                change(&endpoint)
                endpoints[signal] = endpoint
            }
        }
    }

    /// Refuses what could never work.
    func check() throws(OTLPConfigurationError) {
        for (signal, endpoint) in endpoints {
            let url = endpoint.url.lowercased()
            guard url.hasPrefix("http://") || url.hasPrefix("https://"), !url.contains(where: \.isWhitespace) else {
                throw OTLPConfigurationError(
                    setting: "endpoints[.\(signal)].url", reason: "'\(endpoint.url)' is not an http or https URL")
            }
            for (name, value) in endpoint.headers {
                let isName = !name.isEmpty && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != 0x3a }
                guard isName, value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }) else {
                    throw OTLPConfigurationError(
                        setting: "endpoints[.\(signal)].headers", reason: "'\(name)' is not a header's name and text")
                }
            }
            guard endpoint.timeout > .zero else {
                throw OTLPConfigurationError(setting: "endpoints[.\(signal)].timeout", reason: "must be above 0")
            }
            guard endpoint.requestItems ?? 1 > 0 else {
                throw OTLPConfigurationError(setting: "endpoints[.\(signal)].requestItems", reason: "must be above 0")
            }
            for file in [endpoint.tls.certificate, endpoint.tls.clientCertificate, endpoint.tls.clientKey] {
                guard let file, !SystemFile.isReadable(file) else { continue }
                throw OTLPConfigurationError(
                    setting: "endpoints[.\(signal)].tls", reason: "the file \(file) can't be read")
            }
        }
        for signal in OTLPSignal.allCases {
            let retryTime = endpoints[signal]?.retryTime ?? .zero
            try OTLPConfiguration.check("endpoints[.\(signal)].retryTime", retryTime, from: .zero)
        }
        try OTLPConfiguration.check("requestBytes", requestBytes, from: 4096)
        try OTLPConfiguration.check("requestItems", requestItems, from: 1)
        try OTLPConfiguration.check("queueBytes", queueBytes, from: 1)
        try OTLPConfiguration.check("logQueueBytes", logQueueBytes, from: 1)
        try OTLPConfiguration.check("spanDelay", spanDelay, from: .zero)
        try OTLPConfiguration.check("logDelay", logDelay, from: .zero)
        try OTLPConfiguration.check("metricInterval", metricInterval, from: .milliseconds(1))
        try OTLPConfiguration.check("retryTime", retryTime, from: .zero)
    }

    private static func check<Value: Comparable>(
        _ setting: String, _ value: Value, from least: Value
    ) throws(OTLPConfigurationError) {
        guard value < least else { return }
        throw OTLPConfigurationError(setting: setting, reason: "is \(value), but has to be \(least) or more")
    }
}

/// A setting of an ``OTLPExporter`` that can't work.
public struct OTLPConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The setting.
    public let setting: String
    /// What is wrong with it.
    public let reason: String

    /// `setting: reason`.
    public var description: String { "\(setting): \(reason)" }
}
