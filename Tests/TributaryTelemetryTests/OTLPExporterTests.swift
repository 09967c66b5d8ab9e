import Testing
import TributaryCore
import TributaryLineage

@testable import TributaryTelemetry

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite(.timeLimit(.minutes(10)), .serialized) struct OTLPExporterTests {
    typealias Answer = ScriptedServer.Answer

    func exporter(
        _ url: String, signals: [OTLPSignal] = [.traces], log: LogSink = .none,
        _ change: (inout OTLPConfiguration) -> Void = { _ in }
    ) throws -> OTLPExporter {
        var configuration = OTLPConfiguration(endpoint: url, signals: signals)
        configuration.spanDelay = .zero
        configuration.logDelay = .zero
        change(&configuration)
        return try OTLPExporter(configuration, resource: Sample.resource, log: log)
    }

    @Test func `a registry's metrics are sent at an interval and a last time at the end`() throws {
        let server = try ScriptedServer([.ok])
        defer { server.stop() }
        let exporter = try exporter(server.url, signals: [.metrics])
        let registry = MetricsRegistry()
        let counter = registry.counter("app.records", unit: "{record}", help: "Records.", labels: [])
        counter.add(3)
        let metrics = PeriodicMetrics(registry, to: exporter, every: .milliseconds(20))
        while server.requests.count < 2 { usleep(1000) }
        counter.add(4)
        metrics.stop()
        exporter.flush(timeout: .seconds(10))
        let values = try server.requests.map { request in
            let metric = try ProtobufMessage(request.plain).messages(1)[0].messages(2)[0].messages(2)[0]
            #expect(metric.texts(1) == ["app.records"])
            return try metric.messages(7)[0].messages(1)[0][6]
        }
        #expect(values.first == [.fixed64(3)] && values.last == [.fixed64(7)])
        exporter.shutdown(timeout: .seconds(1))
    }

    @Test func `spans, log lines and metrics arrive, each at its path`() throws {
        let server = try ScriptedServer([.ok])
        defer { server.stop() }
        let exporter = try exporter(server.url, signals: OTLPSignal.allCases) {
            $0.endpoints[.logs]?.encoding = .json
            $0.endpoints[.logs]?.isCompressed = false
            $0.endpoints[.traces]?.headers = ["X-Token": "secret", "X-Empty": ""]
        }
        exporter.export(Sample.count())
        exporter.logSink()(.warning, "said", [("k", "v")], source: "test", context: Sample.context(1, 2))
        exporter.logSink(level: .error)(.warning, "not said", source: "test")
        exporter.export([Metric("m", .gauge([NumberPoint(PointFrame(time: 1), .int(5))]))])
        exporter.flush(timeout: .seconds(10))
        let requests = Dictionary(grouping: server.requests, by: \.path).mapValues { $0[0] }
        #expect(Set(requests.keys) == ["/v1/traces", "/v1/logs", "/v1/metrics"])
        let traces = try #require(requests["/v1/traces"])
        #expect(traces.headers["content-type"] == "application/x-protobuf")
        #expect(traces.headers["content-encoding"] == "gzip" && traces.headers["x-token"] == "secret")
        #expect(traces.headers["x-empty"] == "" && traces.headers["expect"] == nil)
        #expect(traces.headers["user-agent"]?.hasPrefix("tributary-otlp-swift/") == true)
        let spans = try ProtobufMessage(traces.plain).messages(1)[0].messages(2)[0].messages(2)
        #expect(spans.count == 5)
        let logs = try #require(requests["/v1/logs"])
        #expect(logs.headers["content-type"] == "application/json" && logs.headers["content-encoding"] == nil)
        #expect(String(decoding: logs.body, as: UTF8.self).contains(#""body":{"stringValue":"said"}"#))
        #expect(!String(decoding: logs.body, as: UTF8.self).contains("not said"))
        let metrics = try ProtobufMessage(try #require(requests["/v1/metrics"]).plain)
        #expect(try metrics.messages(1)[0].messages(2)[0].messages(2)[0].texts(1) == ["m"])
        let counters = exporter.counters(.traces)
        #expect(counters.sent == 5 && counters.requests == 1 && counters.lost == 0)
        #expect(counters.sentBytes == traces.body.count && counters.queuedBytes == 0)
        exporter.shutdown(timeout: .seconds(1))
        exporter.export(Sample.count())
        #expect(exporter.counters(.traces).dropped == 5)
    }

    @Test func `one connection carries all requests`() throws {
        let server = try ScriptedServer([.ok])
        defer { server.stop() }
        let exporter = try exporter(server.url)
        for _ in 0..<5 {
            exporter.export(Sample.count())
            exporter.flush(timeout: .seconds(10))
        }
        exporter.shutdown(timeout: .seconds(1))
        #expect(server.requests.count == 5 && Set(server.requests.map(\.connection)) == [1])
    }

    @Test func `batches wait for others and go out together`() throws {
        let server = try ScriptedServer([.ok])
        defer { server.stop() }
        let exporter = try exporter(server.url) { $0.spanDelay = .milliseconds(300) }
        for seed in 0..<10 { exporter.export(Sample.many(10, seed: UInt64(seed))) }
        #expect(server.requests.isEmpty)
        while server.requests.isEmpty { usleep(5000) }
        exporter.shutdown(timeout: .seconds(1))
        #expect(server.requests.count == 1 && exporter.counters(.traces).sent == 100)
    }

    @Test func `requests are split at their limits`() throws {
        let server = try ScriptedServer([.ok])
        defer { server.stop() }
        let exporter = try exporter(server.url) {
            $0.requestBytes = 8192
            $0.updateEndpoints { $0.isCompressed = false }
        }
        exporter.export(Sample.many(1000, seed: 1))
        exporter.flush(timeout: .seconds(10))
        exporter.shutdown(timeout: .seconds(1))
        #expect(server.requests.count > 5 && server.requests.allSatisfy { $0.body.count <= 8192 })
        #expect(exporter.counters(.traces).sent == 1000)
    }

    @Test(arguments: [429, 502, 503, 504])
    func `what may be tried again is tried again with the same bytes`(_ status: Int) throws {
        let server = try ScriptedServer([.status(status), .ok])
        defer { server.stop() }
        let exporter = try exporter(server.url)
        exporter.export(Sample.count())
        exporter.flush(timeout: .seconds(10))
        let requests = server.requests
        #expect(requests.count == 2 && requests[0].body == requests[1].body)
        #expect((700...3000).contains(requests[1].time - requests[0].time))
        let counters = exporter.counters(.traces)
        #expect(counters.sent == 5 && counters.retries == 1 && counters.lost == 0)
        exporter.shutdown(timeout: .seconds(1))
    }

    @Test func `a server's wait is kept to`() throws {
        let server = try ScriptedServer([.status(503, headers: ["Retry-After: 2"]), .ok])
        defer { server.stop() }
        let exporter = try exporter(server.url)
        exporter.export(Sample.count())
        exporter.flush(timeout: .seconds(10))
        let requests = server.requests
        #expect(requests.count == 2 && (1990...4000).contains(requests[1].time - requests[0].time))
        exporter.shutdown(timeout: .seconds(1))
    }

    @Test func `a wait beyond the retry time gives up at once`() throws {
        let server = try ScriptedServer([.status(503, headers: ["Retry-After: 60"]), .ok])
        defer { server.stop() }
        let exporter = try exporter(server.url) { $0.retryTime = .milliseconds(5000) }
        exporter.export(Sample.count())
        exporter.flush(timeout: .seconds(10))
        #expect(server.requests.count == 1 && exporter.counters(.traces).expired == 5)
        exporter.shutdown(timeout: .seconds(1))
    }

    @Test(arguments: [400, 401, 404, 413, 500, 301])
    func `what must not be tried again is dropped and counted`(_ status: Int) throws {
        let server = try ScriptedServer([
            .status(
                status, headers: ["Content-Type: text/plain", "Location: /elsewhere"], body: Array("no\nmore".utf8)),
            .ok,
        ])
        defer { server.stop() }
        let said = Guarded<[LogMessage]>([])
        let exporter = try exporter(server.url, log: LogSink { line in said.withLock { $0.append(line) } })
        exporter.export(Sample.count())
        exporter.flush(timeout: .seconds(10))
        #expect(server.requests.count == 1 && exporter.counters(.traces).refused == 5)
        #expect(
            said.withLock { $0.first?.metadata.contains { $0.value == "HTTP status \(status): no" } ?? false })
        exporter.export(Sample.count())
        exporter.flush(timeout: .seconds(10))
        #expect(exporter.counters(.traces).sent == 5)
        exporter.shutdown(timeout: .seconds(1))
        #expect(said.withLock { $0.map(\.level) } == [.error, .notice])
    }

    @Test func `a partial success is counted, told and not tried again`() throws {
        // partial_success { rejected_spans: 2, error_message: "no room" }
        let body: [UInt8] = [0x0a, 11, 0x08, 2, 0x12, 7] + Array("no room".utf8)
        let server = try ScriptedServer([
            .status(200, headers: ["Content-Type: application/x-protobuf"], body: body),
            .status(200, headers: ["Content-Type: application/x-protobuf"], body: [0x0a, 0]),
        ])
        defer { server.stop() }
        let said = Guarded<[LogMessage]>([])
        let exporter = try exporter(server.url, log: LogSink { line in said.withLock { $0.append(line) } })
        for _ in 0..<2 {
            exporter.export(Sample.count())
            exporter.flush(timeout: .seconds(10))
        }
        exporter.shutdown(timeout: .seconds(1))
        #expect(exporter.counters(.traces).sent == 8 && exporter.counters(.traces).rejected == 2)
        #expect(server.requests.count == 2)
        let lines = said.withLock { $0 }
        #expect(lines.count == 1 && lines[0].level == .warning)
        #expect(lines[0].metadata.contains { $0.value == "no room" })
    }

    func gzip(_ bytes: [UInt8]) -> [UInt8] {
        var writer = ByteWriter()
        _ = GzipWriter()?.compress(bytes.span.bytes, into: &writer)
        return writer.copy()
    }

    @Test func `a partial success that is compressed or long is one, and a page isn't`() throws {
        let type = "Content-Type: application/x-protobuf"
        let small: [UInt8] = [0x0a, 2, 0x08, 2]
        // 5 MiB of words behind the number.
        let long: [UInt8] = [0x0a, 0x87, 0x80, 0xc0, 0x02, 0x08, 3, 0x12, 0x80, 0x80, 0xc0, 0x02]
        let server = try ScriptedServer([
            .status(200, headers: [type, "Content-Encoding: gzip"], body: gzip(small)),
            .status(200, headers: [type], body: long + [UInt8](repeating: 0x61, count: 5 << 20)),
            .status(200, headers: ["Content-Type: text/html"], body: Array("<html>Log in</html>".utf8)),
        ])
        defer { server.stop() }
        let exporter = try exporter(server.url)
        for _ in 0..<3 {
            exporter.export(Sample.count())
            exporter.flush(timeout: .seconds(10))
        }
        let counters = exporter.counters(.traces)
        #expect(counters.sent == 3 + 2 && counters.rejected == 2 + 3 && counters.refused == 5)
        exporter.shutdown(timeout: .seconds(1))
    }

    @Test func `a cut connection is tried again at once, on a new one`() throws {
        let server = try ScriptedServer([.cut, .ok])
        defer { server.stop() }
        let exporter = try exporter(server.url)
        exporter.export(Sample.count())
        exporter.flush(timeout: .seconds(10))
        let requests = server.requests
        #expect(requests.count == 2 && requests[1].time - requests[0].time < 700)
        #expect(requests[0].connection != requests[1].connection)
        #expect(exporter.counters(.traces).sent == 5)
        exporter.shutdown(timeout: .seconds(1))
    }

    @Test func `a server that doesn't answer in time is asked again`() throws {
        let server = try ScriptedServer([.slow(milliseconds: 1500), .ok])
        defer { server.stop() }
        let exporter = try exporter(server.url) { $0.updateEndpoints { $0.timeout = .milliseconds(300) } }
        exporter.export(Sample.count())
        exporter.flush(timeout: .seconds(10))
        #expect(exporter.counters(.traces).sent == 5 && exporter.counters(.traces).retries >= 1)
        exporter.shutdown(timeout: .seconds(1))
    }

    @Test func `a server that is down costs whole traces once the queue is full, and nobody waits`() throws {
        let server = try ScriptedServer([.ok])
        server.stop()
        let exporter = try exporter(server.url) { $0.queueBytes = 100_000 }
        let start = TimeSource.system.monotonic.nanoseconds()
        for seed in 0..<200 { exporter.export(Sample.many(100, seed: UInt64(seed))) }
        #expect(TimeSource.system.monotonic.nanoseconds() - start < 1_000_000_000)
        let counters = exporter.counters(.traces)
        #expect(counters.queuedBytes <= 100_000 && counters.dropped > 0 && counters.keptShare < 1)
        exporter.shutdown(timeout: .milliseconds(300))
        let last = exporter.counters(.traces)
        #expect(last.dropped + last.expired == 20_000 && last.sent == 0 && last.requests >= 1)
    }

    @Test func `the end is kept to, with a request under way`() throws {
        let server = try ScriptedServer([.slow(milliseconds: 5000)])
        defer { server.stop() }
        let exporter = try exporter(server.url)
        exporter.export(Sample.count())
        while server.requests.isEmpty { usleep(1000) }
        let start = MonotonicClock.milliseconds
        exporter.shutdown(timeout: .milliseconds(200))
        #expect(MonotonicClock.milliseconds - start < 2000)
        #expect(exporter.counters(.traces).expired == 5)
    }

    @Test func `settings that can't work are refused`() {
        func refused(_ change: (inout OTLPConfiguration) -> Void) -> String? {
            do {
                _ = try exporter("http://127.0.0.1:1", change)
                return nil
            } catch {
                return (error as? OTLPConfigurationError)?.setting
            }
        }
        #expect(refused { $0.endpoints[.traces]?.url = "file:///etc/passwd" } == "endpoints[.traces].url")
        #expect(refused { $0.endpoints[.traces]?.url = "http://a b" } == "endpoints[.traces].url")
        #expect(refused { $0.endpoints[.traces]?.headers = ["a": "b\r\nc: d"] } == "endpoints[.traces].headers")
        #expect(refused { $0.endpoints[.traces]?.headers = ["a:": "b"] } == "endpoints[.traces].headers")
        #expect(refused { $0.endpoints[.traces]?.tls.certificate = "/not/there" } == "endpoints[.traces].tls")
        #expect(refused { $0.endpoints[.traces]?.timeout = .zero } == "endpoints[.traces].timeout")
        #expect(refused { $0.requestBytes = 10 } == "requestBytes")
        #expect(refused { $0.requestItems = 0 } == "requestItems")
    }

    @Test func `secrets in the URL are not logged`() {
        func printed(_ url: String) -> String { OTLPEndpoint(url: url).printableURL }
        #expect(printed("https://user:pass@host:1/v1/traces?a=@") == "https://host:1/v1/traces?a=@")
        #expect(printed("http://host/v1@2") == "http://host/v1@2")
    }

    @Test func `waits grow, are bounded and are spread`() {
        var random = FastRandom(seed: 1)
        var retry = OTLPRetry(now: 0, limit: 300_000)
        var now: Int64 = 0
        var waits: [Int64] = []
        while let next = retry.next(.retry(after: nil, reason: ""), now: now, random: &random) {
            waits.append(next - now)
            now = next
        }
        #expect(now <= 300_000 && now > 240_000)
        for (wait, full) in zip(waits, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]) {
            #expect((full * 4 / 5...full * 6 / 5).contains(Int(wait)))
        }
        #expect(Set(waits.suffix(4)).count > 1)
    }

    @Test func `damaged answers never decide more than their status does`() {
        // partial_success { rejected_spans: 2, error_message: "no room" }, the same in JSON, and a google.rpc.Status.
        let partial: [UInt8] = [0x0a, 11, 0x08, 2, 0x12, 7] + Array("no room".utf8)
        let json = Array(#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"no room"}}"#.utf8)
        let status: [UInt8] = [0x08, 3, 0x12, 3] + Array("bad".utf8)
        func accepts(_ bytes: [UInt8]) -> Bool { TelemetryFuzzEntries.otlpAnswer(bytes.span.bytes) }
        #expect(accepts([0, 0] + partial) && accepts([0, 1] + json) && !accepts([2, 0] + status))
        #expect(!accepts([]) && !accepts([0]) && !accepts([0, 2] + partial))
        var random = FastRandom(seed: 5)
        for body in [[0, 0] + partial, [0, 1] + json, [2, 0] + status] {
            for count in 0...body.count { _ = accepts(Array(body.prefix(count))) }
            for _ in 0..<3000 {
                var wrong = body
                for _ in 0..<(1 + random.next() % 4) {
                    wrong[Int(random.next() % UInt64(wrong.count))] = UInt8(truncatingIfNeeded: random.next())
                }
                _ = accepts(wrong)
            }
        }
    }

    @Test func `answers are understood, whatever their form`() {
        func verdict(_ status: Int, _ type: String, _ body: [UInt8], cut: Bool = false) -> OTLPVerdict {
            OTLPVerdict(
                .success(HTTPAnswer(status: status, body: body, isCut: cut, contentType: type, retryAfter: nil)),
                encoding: .protobuf)
        }
        let json = "application/json"
        let protobuf = "application/x-protobuf"
        #expect(verdict(200, json, Array(#"{"partialSuccess":{}}"#.utf8)) == .accepted)
        #expect(
            verdict(200, json, Array(#"{"partialSuccess":{"rejectedLogRecords":"3"}}"#.utf8))
                == .partial(rejected: 3, message: ""))
        #expect(verdict(200, protobuf, [0x0a, 2, 0x08, 5]) == .partial(rejected: 5, message: ""))
        // A negative number, bytes that are no message: the request was taken all the same.
        #expect(verdict(200, protobuf, [0x0a, 11, 0x08] + [UInt8](repeating: 0xff, count: 9) + [1]) == .accepted)
        #expect(verdict(200, protobuf, [0x0a, 99, 0x08]) == .accepted)
        // What is too long to be kept has the number in front, in Protocol Buffers.
        #expect(
            verdict(200, protobuf, [0x0a, 0x90, 0x4e, 0x08, 5, 0x12, 0x88, 0x4e, 0x61], cut: true)
                == .partial(rejected: 5, message: "an answer of more than 9 bytes"))
        #expect(
            verdict(200, protobuf, [0x0a, 0x90, 0x4e, 0x12, 0x88, 0x4e, 0x61], cut: true)
                == .refused(status: 200, reason: "HTTP status 200 with an answer of more than 7 bytes"))
        #expect(
            verdict(200, json, Array("{\"p".utf8), cut: true)
                == .refused(status: 200, reason: "HTTP status 200 with an answer of more than 3 bytes"))
        // No OTLP server, but a proxy or a login page; an empty body is the empty message.
        #expect(
            verdict(202, "text/html", Array("<p>".utf8))
                == .refused(status: 202, reason: "HTTP status 202 with a body of type text/html"))
        #expect(verdict(200, "", [0x6f]) == .refused(status: 200, reason: "HTTP status 200 with a body of no type"))
        #expect(verdict(200, "text/html", []) == .accepted && verdict(204, "", []) == .accepted)
        // google.rpc.Status { code: 3, message: "bad" }
        #expect(
            verdict(400, protobuf, [0x08, 3, 0x12, 3, 0x62, 0x61, 0x64])
                == .refused(status: 400, reason: "HTTP status 400: bad"))
        #expect(verdict(413, "text/html", Array("<p>".utf8)) == .refused(status: 413, reason: "HTTP status 413"))
    }
}
