import Tributary

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

extension Bank {
    /// Runs the bank until SIGTERM or SIGINT.
    static func run(_ directory: String, on log: any Log, sampling ratio: Double) async throws {
        try BankTopology.makeTopics(in: log)

        let exporter = try makeExporter(directory)
        defer { exporter.end() }

        let app = try StreamsApplication(
            BankTopology.build(),
            configuration: StreamsConfiguration(
                applicationID: "bank", log: .open(log), stateDirectory: "\(directory)/state/bank",
                lineage: LineageConfiguration(sampler: .parentBased(root: .ratio(ratio)), exporter: exporter.spans),
                logs: exporter.logs))
        try await app.run()
    }

    /// Spans go to `DIR/traces`, or, with log lines, to the collector that `OTEL_EXPORTER_OTLP_ENDPOINT` names.
    private static func makeExporter(
        _ directory: String
    ) throws -> (spans: any SpanExporter, logs: LogSink, end: () -> Void) {
        guard getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != nil else {
            try makeFolder("\(directory)/traces")
            let file = try OTLPFileExporter(
                .init(path: "\(directory)/traces/bank.jsonl"), resource: TelemetryResource(serviceName: "bank"))
            return (file, .text(), { file.shutdown(timeout: .seconds(5)) })
        }
        let environment = TelemetryEnvironment()
        environment.report(to: .text())
        let server = try OTLPExporter(
            environment.otlp, resource: environment.resource(applicationID: "bank"), log: .text())
        return (server, LogSink.text().and(server.logSink()), { server.shutdown(timeout: .seconds(5)) })
    }
}
