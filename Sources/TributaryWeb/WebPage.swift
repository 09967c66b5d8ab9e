internal import TributaryJSON

/// A page of the user's own: what a ``WebServer`` answers to GET and HEAD of a path.
///
/// Called on a task of its own, also several times at once, so it may ask stores and wait; its connection waits with it. An error that it throws is
/// answered with 503 if the application doesn't run, else with 500 and logged.
public typealias WebPage = @Sendable (WebRequest) async throws -> WebResponse

/// What a client asked for.
public struct WebRequest: Sendable {
    /// The path, decoded: `/fans/ada`.
    public let path: String
    /// What the path has behind that of the page: `ada` for the page `/fans/`; else empty.
    public let rest: String
    /// The query's values by name, decoded; of one that is given twice the last, of one without value the empty string.
    public let query: [String: String]
}

/// An answer.
public struct WebResponse: Sendable {
    /// The HTTP status.
    public var status: Int
    /// What the body is, as `Content-Type` says it.
    public var contentType: String
    /// The body.
    public var body: [UInt8]

    /// Makes an answer.
    public init(status: Int = 200, contentType: String, body: [UInt8]) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    /// A value as JSON.
    ///
    /// - Throws: what encoding throws.
    public static func json(_ value: some Encodable, status: Int = 200) throws -> WebResponse {
        var body = try FastJSONEncoder().encode(value)
        body.append(UInt8(ascii: "\n"))
        return WebResponse(status: status, contentType: "application/json", body: body)
    }

    /// Words.
    public static func text(_ text: String, status: Int = 200) -> WebResponse {
        WebResponse(status: status, contentType: "text/plain; charset=utf-8", body: Array(text.utf8))
    }

    /// There is no such thing: 404.
    public static var notFound: WebResponse { text("no such page\n", status: 404) }
}

/// The user's pages by their paths.
struct WebPages: Sendable {
    private let pages: [String: WebPage]

    init(_ pages: [String: WebPage]) throws(WebError) {
        for path in pages.keys.sorted() where !path.hasPrefix("/") || WebServer.ownPaths.contains(path) {
            throw WebError(
                .invalidSetting,
                path.hasPrefix("/")
                    ? "the page '\(path)' is the server's own" : "the page '\(path)' must begin with '/'")
        }
        self.pages = pages
    }

    var paths: [String] { pages.keys.sorted() }

    /// The page of a path, the one with the longest path if several fit, and what is behind the page's path.
    func page(_ path: String) -> (page: WebPage, rest: String)? {
        if let page = pages[path] { return (page, "") }
        // A page whose path ends with a slash has all that is below it.
        var end = path.endIndex
        while let slash = path[..<end].lastIndex(of: "/") {
            if let page = pages[String(path[...slash])] { return (page, String(path[path.index(after: slash)...])) }
            end = slash
        }
        return nil
    }
}
