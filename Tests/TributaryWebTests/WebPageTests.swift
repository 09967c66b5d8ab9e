import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryLMDB
import TributaryWeb

@Suite(.timeLimit(.minutes(10))) struct WebPageTests {
    struct Broken: Error {}
    struct Count: Encodable { var count: Int64 }

    @Test func `pages ask stores, see what is asked, and fail with a status`() async throws {
        try await WebServerTests.Part().run(
            pages: { application in
                let counts = try application.store("counts", of: Int64.self)
                return [
                    "/counts/": { request in
                        guard let row = try await counts.get(request.rest) else { return .notFound }
                        return try .json(Count(count: row.value))
                    },
                    "/counts/all": { _ in .text("\(try await counts.all().count)") },
                    "/echo": { request in .text("\(request.path) \(request.query["q"] ?? "-")", status: 202) },
                    "/broken": { _ in throw Broken() },
                ]
            }
        ) { (_, server) async throws in
            let port = server.port
            let found = try await getAsync(port, "/counts/key-3")
            #expect(found.status == 200)
            #expect(found.headers["content-type"] == "application/json")
            #expect(found.body == "{\"count\":71}\n")
            #expect(try await getAsync(port, "/counts/nobody").status == 404)
            // The page with the longest path is asked.
            #expect(try await getAsync(port, "/counts/all").body == "7")
            #expect(try await getAsync(port, "/counts/all/further").status == 404)
            let echo = try await getAsync(port, "/echo?q=a%20b+c")
            #expect(echo.status == 202)
            #expect(echo.body == "/echo a b c")
            #expect(try await getAsync(port, "/broken").status == 500)
            #expect(try get(port, "/nothing").status == 404)
            #expect(try get(port, "/").body.hasSuffix("/topology\n/broken\n/counts/\n/counts/all\n/echo\n"))
            #expect(try get(port, "/metrics").status == 200)
        }
    }

    @Test func `a page waits for the application, and for nothing once the server stops`() async throws {
        let folder = try TemporaryFolder()
        let log = try EmbeddedLog.open(at: folder.path)
        defer { log.close() }
        let builder = StreamsBuilder()
        _ = builder.table("in", of: String.self, as: "rows")
        let application = try StreamsApplication(
            builder.build(), configuration: StreamsConfiguration(applicationID: "web", log: .open(log)))
        let rows = try application.store("rows", of: String.self)
        let (asked, begun) = AsyncStream.makeStream(of: Void.self)
        let cancelled = Guarded(false)
        let server = try WebServer(
            application, WebConfiguration(port: 0),
            pages: [
                "/row": { _ in .text(try await rows.get("a")?.value ?? "none") },
                "/slow": { _ in
                    begun.yield()
                    do { try await Task.sleep(for: .seconds(3600)) } catch { cancelled.withLock { $0 = true } }
                    return .text("late")
                },
            ])
        let port = server.port
        // The application was not started.
        #expect(try await getAsync(port, "/row").status == 503)
        async let slow = getAsync(port, "/slow")
        for await _ in asked { break }
        #expect(try await getAsync(port, "/row").status == 503)
        #expect(try get(port, "/health/live").status == 200)
        server.stop()
        #expect(try await slow.status == 503)
        while !cancelled.withLock({ $0 }) { await Task.yield() }
    }

    @Test(arguments: ["/metrics", "/", "counts"]) func `paths that can't be a page's are refused`(path: String) throws {
        let builder = StreamsBuilder()
        _ = builder.table("in", of: String.self, as: "rows")
        let application = try StreamsApplication(
            builder.build(),
            configuration: StreamsConfiguration(applicationID: "web", log: .embedded(at: "/nowhere")))
        let error = #expect(throws: WebError.self) {
            _ = try WebServer(application, WebConfiguration(port: 0), pages: [path: { _ in .notFound }])
        }
        #expect(error?.code == .invalidSetting)
        #expect(error?.message.contains("'\(path)'") == true)
    }
}
