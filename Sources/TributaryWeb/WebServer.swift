public import Tributary
internal import TributaryCore
internal import TributaryDSL
internal import TributaryTelemetry

/// Shows a running application over HTTP: `/metrics`, `/health/live`, `/health/ready`, `/topology`.
///
/// Listens from `init` until ``stop()``; on this host only, unless the configuration says otherwise. It answers on a thread of
/// its own and never stops a record. All methods may be called from any thread.
///
/// ```swift
/// let application = try StreamsApplication(topology, configuration: configuration)
/// let web = try WebServer(application)
/// defer { web.stop() }
/// try await application.run()
/// ```
///
/// | Path | Answer |
/// |---|---|
/// | `/metrics` | Prometheus text; OpenMetrics with exemplars for clients that accept it |
/// | `/health/live` | 200, or 503 after an error or the end |
/// | `/health/ready` | 200 while records are processed, else 503 |
/// | `/topology` | JSON; `?format=mermaid`, `?format=dot` or `?format=text` |
public final class WebServer: Sendable {
    private let server: HTTPServer

    /// Starts to listen.
    ///
    /// - Throws: ``WebError`` if a setting can't be, or the address can't be listened on.
    public init(_ application: StreamsApplication, _ configuration: WebConfiguration = WebConfiguration())
        throws(WebError)
    {
        try configuration.check()
        application.metricsRegistry.willBeRead()
        server = try HTTPServer(configuration) { Self.answer($0, application) }
    }

    /// The port that is listened on.
    public var port: UInt16 { server.port }

    /// Stops listening; what is being answered is finished first.
    public func stop() { server.stop() }

    private static func answer(_ request: HTTPRequest, _ application: StreamsApplication) -> HTTPResponse {
        switch request.path {
        case "/":
            HTTPResponse(body: "/metrics\n/health/live\n/health/ready\n/topology\n")
        case "/metrics": metrics(request, application)
        case "/health/live":
            health(application, isGood: ![.error, .pendingError, .notRunning].contains(application.state))
        case "/health/ready": health(application, isGood: application.state == .running)
        case "/topology": topology(request, application)
        default: HTTPResponse(status: 404, body: "no such page\n")
        }
    }

    private static func metrics(_ request: HTTPRequest, _ application: StreamsApplication) -> HTTPResponse {
        let format = PrometheusText.Format(accept: request.accept)
        return HTTPResponse(
            contentType: format.contentType,
            body: PrometheusText.encode(application.metricsRegistry.snapshot(), format))
    }

    private static func health(_ application: StreamsApplication, isGood: Bool) -> HTTPResponse {
        HTTPResponse(
            status: isGood ? 200 : 503, contentType: "application/json",
            body: "{\"status\":\"\(isGood ? "UP" : "DOWN")\",\"state\":\"\(application.state.rawValue)\"}\n")
    }

    private static func topology(_ request: HTTPRequest, _ application: StreamsApplication) -> HTTPResponse {
        let topology = application.topology
        return switch request.format ?? "json" {
        case "json": HTTPResponse(contentType: "application/json", body: topology.json())
        case "mermaid": HTTPResponse(body: topology.mermaid())
        case "dot": HTTPResponse(body: topology.dot())
        case "text": HTTPResponse(body: topology.describe())
        case let other: HTTPResponse(status: 400, body: "no format '\(other)': json, mermaid, dot or text\n")
        }
    }
}
