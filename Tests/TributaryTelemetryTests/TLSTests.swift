import TestSupport
import Testing
import TributaryCore
import TributaryLineage

@testable import TributaryTelemetry

@Suite(
    .enabled(if: Certificate.isPossible, "openssl or python3 is not installed"), .timeLimit(.minutes(10)), .serialized)
struct TLSTests {
    /// What came of five spans sent by what the environment says.
    struct Outcome {
        var requests: [TLSServer.Request]
        var counters: OTLPCounters
        var lines: [LogMessage]

        func reason(_ level: LogLevel) -> String? {
            lines.first { $0.level == level }?.metadata.first { $0.key == "reason" }?.value
        }
    }

    func send(
        to server: TLSServer, url: String? = nil, _ variables: [String: String]
    ) throws -> Outcome {
        // The first wait for another try is longer: one try only.
        var variables = variables.merging(["OTEL_BSP_SCHEDULE_DELAY": "0", "OTEL_BSP_EXPORT_TIMEOUT": "500"]) { $1 }
        variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = url ?? server.url
        let environment = TelemetryEnvironment { [variables] in variables[$0] }
        #expect(environment.warnings.isEmpty)
        let said = Guarded<[LogMessage]>([])
        let exporter = try OTLPExporter(
            environment.otlp, resource: Sample.resource, log: LogSink { line in said.withLock { $0.append(line) } })
        exporter.export(Sample.count())
        exporter.flush(timeout: .seconds(30))
        let counters = exporter.counters(.traces)
        exporter.shutdown(timeout: .seconds(1))
        return Outcome(requests: server.stop(), counters: counters, lines: said.withLock { $0 })
    }

    func failure(_ url: String, _ tls: TLSFiles) throws -> HTTPFailure? {
        let transfer = try #require(HTTPTransfer())
        do throws(HTTPFailure) {
            _ = try transfer.perform(HTTPTarget(url: url, tls: tls), isPost: true)
            return nil
        } catch {
            return error
        }
    }

    @Test func `spans arrive at a server whose certificate the environment names`() throws {
        let folder = try TemporaryFolder()
        let own = try Certificate("server", in: folder)
        let server = try TLSServer(own)
        let outcome = try send(to: server, ["OTEL_EXPORTER_OTLP_CERTIFICATE": own.path])
        #expect(outcome.requests.map(\.path) == ["/v1/traces"] && outcome.requests.first?.client == "-")
        #expect(outcome.requests.first?.bytes == outcome.counters.sentBytes)
        #expect(outcome.counters.sent == 5 && outcome.counters.lost == 0 && outcome.lines.isEmpty)
    }

    @Test func `a server that nobody vouches for gets nothing, which is counted and said`() throws {
        let folder = try TemporaryFolder()
        let own = try Certificate("server", in: folder)
        let other = try Certificate("other", in: folder)
        for variables in [[:], ["OTEL_EXPORTER_OTLP_CERTIFICATE": other.path]] {
            let server = try TLSServer(own)
            let failure = try failure("\(server.url)/", TLSFiles(certificate: variables.values.first))
            #expect(failure?.code == .untrusted && failure?.reason.isEmpty == false)
            let outcome = try send(to: server, variables)
            #expect(outcome.requests.isEmpty)
            #expect(outcome.counters.sent == 0 && outcome.counters.expired == 5 && outcome.counters.lost == 5)
            #expect(outcome.lines.map(\.message) == ["telemetry could not be sent in time and is lost"])
            let reason = try #require(outcome.reason(.error))
            #expect(reason.hasPrefix("TLS: ") && reason.contains("certificate"))
            #expect(outcome.lines.first?.metadata.contains { $0 == ("url", "\(server.url)/v1/traces") } == true)
        }
    }

    @Test func `a certificate of another host is not taken`() throws {
        let folder = try TemporaryFolder()
        let own = try Certificate("server", in: folder)
        let server = try TLSServer(own)
        let outcome = try send(
            to: server, url: "https://127.0.0.1:\(server.port)",
            ["OTEL_EXPORTER_OTLP_CERTIFICATE": own.path])
        #expect(outcome.requests.isEmpty && outcome.counters.expired == 5)
        #expect(outcome.reason(.error)?.hasPrefix("TLS: ") == true)
    }

    @Test func `a server that wants a client's certificate gets spans only from one that has it`() throws {
        let folder = try TemporaryFolder()
        let own = try Certificate("server", in: folder)
        let client = try Certificate("client", in: folder)
        let trusted = ["OTEL_EXPORTER_OTLP_CERTIFICATE": own.path]
        let known = trusted.merging([
            "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE": client.path,
            "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY": client.key,
        ]) { $1 }
        let arrived = try send(to: TLSServer(own, clients: client.path), known)
        #expect(arrived.requests.map(\.client) == ["client"] && arrived.counters.sent == 5)
        let unknown = try send(to: TLSServer(own, clients: client.path), trusted)
        #expect(unknown.requests.isEmpty && unknown.counters.expired == 5 && unknown.counters.sent == 0)
        #expect(unknown.reason(.error)?.isEmpty == false)
    }

    @Test func `a key that is not the certificate's is refused at once`() throws {
        let folder = try TemporaryFolder()
        let own = try Certificate("server", in: folder)
        let client = try Certificate("client", in: folder)
        let server = try TLSServer(own)
        let files = TLSFiles(
            certificate: own.path, clientCertificate: client.path, clientKey: own.key)
        #expect(try failure("\(server.url)/", files)?.code == .invalid)
        let outcome = try send(
            to: server,
            [
                "OTEL_EXPORTER_OTLP_CERTIFICATE": own.path,
                "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": client.path,
                "OTEL_EXPORTER_OTLP_CLIENT_KEY": own.key,
            ])
        #expect(outcome.requests.isEmpty && outcome.counters.refused == 5 && outcome.counters.retries == 0)
        #expect(outcome.lines.map(\.message) == ["telemetry is refused and lost"])
    }
}
