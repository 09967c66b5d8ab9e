import Glibc
import TestSupport
import Tributary

@testable import TributaryTelemetry

/// Whether there is a real collector to test with: the script that `TRIBUTARY_OTEL_SCRIPT` names.
let otelScript = environment("TRIBUTARY_OTEL_SCRIPT")

/// A real OpenTelemetry Collector, with Jaeger behind it if asked for; both end with the value.
final class Backend {
    let folder: TemporaryFolder
    let settings: [String: String]

    init(jaeger: Bool = false) throws {
        guard let script = otelScript else { throw TestFailure("TRIBUTARY_OTEL_SCRIPT is not set") }
        folder = try TemporaryFolder()
        let line = try Program.run([script, "start", folder.path, "--ttl", "900"] + (jaeger ? ["--jaeger"] : []))
        var settings: [String: String] = [:]
        for word in line.split(whereSeparator: \.isWhitespace) {
            let parts = word.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { settings[String(parts[0])] = String(parts[1]) }
        }
        self.settings = settings
    }

    deinit { if let script = otelScript { _ = try? Program.run([script, "stop", folder.path]) } }

    /// Where OTLP over HTTP goes.
    var endpoint: String { settings["otlp_http"] ?? "" }

    /// Where Jaeger answers.
    var jaeger: String { settings["jaeger_query"] ?? "" }

    /// What the collector has written: one JSON object a span, record or point.
    func objects(_ kind: String) throws -> [JSONValue] {
        guard let script = otelScript else { return [] }
        return try Program.run([script, kind, folder.path]).split(separator: "\n").map { line in
            try JSONReader.read(Array(line.utf8).span.bytes)
        }
    }
}

/// A server that answers as it is told; it ends with the value.
final class FaultServer {
    let endpoint: String
    let folder: TemporaryFolder
    private let program: Program

    init(_ answers: String, port: Int = 0) throws {
        guard let script = otelScript else { throw TestFailure("TRIBUTARY_OTEL_SCRIPT is not set") }
        folder = try TemporaryFolder()
        program = try Program([script, "fault", folder.path, answers, "--port", "\(port)", "--ttl", "600"])
        let line = program.read(milliseconds: 20_000)
        guard let word = line.split(whereSeparator: \.isWhitespace).first(where: { $0.hasPrefix("otlp_http=") }) else {
            throw TestFailure("the server did not start: \(line)")
        }
        endpoint = String(word.dropFirst("otlp_http=".count))
    }

    func stop() {
        program.signal(SIGTERM)
        program.wait()
    }
}
