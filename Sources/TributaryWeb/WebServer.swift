public import Tributary
internal import TributaryCore
internal import TributaryDSL
internal import TributaryTelemetry

/// Shows a running application over HTTP: `/metrics`, `/health/live`, `/health/ready`, `/topology`, and pages of the user's own.
///
/// Listens from `init` until ``stop()`` or until nobody holds it any more; on this host only, unless the configuration says otherwise. It answers on a thread of
/// its own, the user's pages on tasks, and never stops a record. All methods may be called from any thread.
///
/// ```swift
/// let application = try StreamsApplication(topology, configuration: configuration)
/// let counts = try application.store("counts", of: Int64.self)
/// let web = try WebServer(
///     application,
///     pages: ["/counts/": { request in try .json(await counts.get(request.rest)?.value) }])
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
    /// The paths that no page of the user's may have.
    static let ownPaths = ["/", "/metrics", "/health/live", "/health/ready", "/topology"]

    private let server: HTTPServer

    /// Starts to listen.
    ///
    /// - Parameters:
    ///   - application: what is shown.
    ///   - configuration: where it listens, and within which limits.
    ///   - pages: pages of the user's own by their paths, which begin with `/`; one that ends with `/` is asked for all paths below it, too.
    /// - Throws: ``WebError`` if a setting or a page's path can't be, or the address can't be listened on.
    public init(
        _ application: StreamsApplication, _ configuration: WebConfiguration = WebConfiguration(),
        pages: [String: WebPage] = [:]
    ) throws(WebError) {
        try configuration.check()
        let pages = try WebPages(pages)
        application.metricsRegistry.willBeRead()
        server = try HTTPServer(configuration) { Self.answer($0, application, pages) }
    }

    /// The port that is listened on.
    public var port: UInt16 { server.port }

    /// Stops listening; what is being answered is finished first, if that takes no longer than a second.
    public func stop() { server.stop() }

    private static func answer(
        _ request: HTTPRequest, _ application: StreamsApplication, _ pages: WebPages
    ) -> HTTPAnswer {
        switch request.path {
        case "/": .now(.text((ownPaths.dropFirst() + pages.paths).map { $0 + "\n" }.joined()))
        case "/metrics": .now(metrics(request, application))
        case "/health/live":
            .now(health(application, isGood: ![.error, .pendingError, .notRunning].contains(application.state)))
        case "/health/ready": .now(health(application, isGood: application.state == .running))
        case "/topology": .now(topology(request, application))
        default: page(request, application, pages)
        }
    }

    private static func page(
        _ request: HTTPRequest, _ application: StreamsApplication, _ pages: WebPages
    ) -> HTTPAnswer {
        guard let (page, rest) = pages.page(request.path) else { return .now(.notFound) }
        return .later {
            do {
                return try await page(WebRequest(path: request.path, rest: rest, query: request.query))
            } catch let error as StoreError where error.code == .closed {
                return .text("the application doesn't run\n", status: 503)
            } catch {
                application.configuration.runtime.log(
                    .error, "a page failed", [("page", request.path), ("error", ErrorText.of(error))],
                    source: "TributaryWeb")
                return .text("the page failed\n", status: 500)
            }
        }
    }

    private static func metrics(_ request: HTTPRequest, _ application: StreamsApplication) -> WebResponse {
        let format = PrometheusText.Format(accept: request.accept)
        var response = WebResponse.text(
            PrometheusText.encode(application.metricsRegistry.snapshot(), format))
        response.contentType = format.contentType
        return response
    }

    private static func health(_ application: StreamsApplication, isGood: Bool) -> WebResponse {
        json(
            "{\"status\":\"\(isGood ? "UP" : "DOWN")\",\"state\":\"\(application.state.rawValue)\"}\n",
            status: isGood ? 200 : 503)
    }

    private static func topology(_ request: HTTPRequest, _ application: StreamsApplication) -> WebResponse {
        let topology = application.topology
        return switch request.query["format"] ?? "json" {
        case "json": json(topology.json())
        case "mermaid": .text(topology.mermaid())
        case "dot": .text(topology.dot())
        case "text": .text(topology.describe())
        case let other: .text("no format '\(other)': json, mermaid, dot or text\n", status: 400)
        }
    }

    private static func json(_ text: String, status: Int = 200) -> WebResponse {
        WebResponse(status: status, contentType: "application/json", body: Array(text.utf8))
    }
}
