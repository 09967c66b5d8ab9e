public import TributaryLineage

/// Who emits telemetry: the resource attributes of OTLP.
public struct TelemetryResource: Sendable, Equatable {
    /// The version that `telemetry.sdk.version` and the scope say.
    public static let libraryVersion = "0.1.0"

    /// Where the names of attributes are described.
    public static let schemaURL = "https://opentelemetry.io/schemas/1.44.0"

    /// The attributes by name.
    public var attributes: [String: AttributeValue]

    /// A resource of a service, with the attributes of the library and more; later ones win.
    public init(serviceName: String, attributes more: [String: AttributeValue] = [:]) {
        attributes = [
            AttributeNames.serviceName: .string(serviceName),
            AttributeNames.telemetrySDKName: .string("tributary"),
            AttributeNames.telemetrySDKLanguage: .string("swift"),
            AttributeNames.telemetrySDKVersion: .string(TelemetryResource.libraryVersion),
        ]
        attributes.merge(more) { $1 }
    }
}
