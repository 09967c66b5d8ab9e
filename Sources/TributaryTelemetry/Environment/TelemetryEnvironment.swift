public import TributaryCore
public import TributaryLineage

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// OpenTelemetry's environment variables, as far as they apply here (specification 1.60).
///
/// An empty value is an unset one. What can't be understood is left at its default and named in ``warnings``, which the caller
/// logs. Variables are read when this is made.
///
/// ```swift
/// let environment = TelemetryEnvironment()
/// let exporter = try OTLPExporter(environment.otlp, resource: environment.resource(applicationID: "bank"))
/// ```
public struct TelemetryEnvironment: Sendable {
    /// What could not be understood, a sentence each; without values, which may be secret.
    public private(set) var warnings: [String] = []
    /// `OTEL_SDK_DISABLED`: nothing is exported, contexts travel all the same.
    public let isDisabled: Bool
    /// `OTEL_TRACES_SAMPLER` and `_ARG`; nil if they aren't set.
    public private(set) var sampler: Sampler?
    /// `OTEL_PROPAGATORS`: `tracecontext`, `baggage`, `none`.
    public private(set) var propagators = Propagators.all
    /// `OTEL_SPAN_*_LIMIT`, `OTEL_EVENT_*_LIMIT`, `OTEL_LINK_*_LIMIT`, `OTEL_ATTRIBUTE_*_LIMIT`.
    public private(set) var spanLimits = SpanLimits()
    /// `OTEL_EXPORTER_OTLP_*`, `OTEL_*_EXPORTER`, `OTEL_BSP_*`, `OTEL_BLRP_*`, `OTEL_METRIC_EXPORT_*`,
    /// `OTEL_METRICS_EXEMPLAR_FILTER`.
    public private(set) var otlp = OTLPConfiguration()
    private var resourceAttributes: [String: String] = [:]
    private let serviceName: String?

    /// Reads the environment of the process.
    public init() {
        self.init { name in unsafe getenv(name).map { unsafe String(cString: $0) } }
    }

    /// Reads variables from elsewhere.
    ///
    /// - Parameter lookup: gives the value of a name; nil if it isn't set.
    public init(_ lookup: @escaping (String) -> String?) {
        var reader = EnvironmentReader(lookup)
        isDisabled = reader.flag("OTEL_SDK_DISABLED")
        serviceName = reader["OTEL_SERVICE_NAME"]
        resourceAttributes = reader.pairs("OTEL_RESOURCE_ATTRIBUTES") ?? [:]
        sampler = reader.sampler()
        propagators = reader.propagators()
        spanLimits = reader.spanLimits()
        otlp = reader.otlp()
        if isDisabled { otlp.endpoints = [:] }
        warnings = reader.warnings
    }

    /// Who emits telemetry: the service's name from the environment, or else the application's id.
    ///
    /// `service.instance.id` is a new random UUID, so make one resource for each application of a process.
    public func resource(
        applicationID: String, attributes more: [String: AttributeValue] = [:]
    ) -> TelemetryResource {
        var attributes = resourceAttributes.mapValues { AttributeValue.string($0) }
        attributes[AttributeNames.serviceInstanceID] =
            attributes[AttributeNames.serviceInstanceID] ?? .string(TelemetryEnvironment.uuid())
        attributes.merge(more) { $1 }
        var name = serviceName ?? applicationID
        if serviceName == nil, case .string(let named)? = attributes[AttributeNames.serviceName] { name = named }
        attributes[AttributeNames.serviceName] = .string(name)
        // What says who made the telemetry is not the environment's to say.
        for name in [
            AttributeNames.telemetrySDKName, AttributeNames.telemetrySDKLanguage, AttributeNames.telemetrySDKVersion,
        ] { attributes[name] = nil }
        return TelemetryResource(serviceName: name, attributes: attributes)
    }

    /// Tells the log what could not be understood.
    public func report(to log: LogSink) {
        for warning in warnings {
            log(
                .warning, "a variable of the environment is left out", [("reason", warning)],
                source: "TributaryTelemetry")
        }
    }

    /// A random UUID (RFC 9562, version 4).
    private static func uuid() -> String {
        var random = SystemRandomNumberGenerator()
        var writer = ByteWriter(capacity: 48)
        let high = random.next() & 0xffff_ffff_ffff_0fff | 0x4000
        let low = random.next() & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000
        writer.append(hex: high >> 32, digits: 8)
        writer.append(0x2d)
        writer.append(hex: high >> 16, digits: 4)
        writer.append(0x2d)
        writer.append(hex: high, digits: 4)
        writer.append(0x2d)
        writer.append(hex: low >> 48, digits: 4)
        writer.append(0x2d)
        writer.append(hex: low, digits: 12)
        return writer.text
    }
}
