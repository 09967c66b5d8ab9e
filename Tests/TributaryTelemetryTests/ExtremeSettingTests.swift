import Testing
import TributaryCore
import TributaryTelemetry

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite(.timeLimit(.minutes(10)), .serialized) struct ExtremeSettingTests {
    private static let variables = [
        "OTEL_BSP_SCHEDULE_DELAY", "OTEL_BLRP_SCHEDULE_DELAY", "OTEL_METRIC_EXPORT_INTERVAL", "OTEL_BSP_EXPORT_TIMEOUT",
        "OTEL_BLRP_EXPORT_TIMEOUT", "OTEL_METRIC_EXPORT_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "OTEL_BSP_MAX_QUEUE_SIZE",
        "OTEL_BLRP_MAX_QUEUE_SIZE", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    ]

    @Test func `the greatest numbers of the environment mean never, and what is flushed is sent`() throws {
        let server = try ScriptedServer([.ok])
        defer { server.stop() }
        let url = server.url
        let environment = TelemetryEnvironment { name in
            name == "OTEL_EXPORTER_OTLP_ENDPOINT" ? url : Self.variables.contains(name) ? "\(Int64.max)" : nil
        }
        #expect(environment.warnings.isEmpty)
        let exporter = try OTLPExporter(environment.otlp, resource: Sample.resource)
        let metrics = PeriodicMetrics(MetricsRegistry(), to: exporter)
        exporter.export(Sample.count())
        exporter.logSink()(.warning, "said", source: "test")
        // Long enough for the worker to look at its delays.
        usleep(50_000)
        #expect(server.requests.isEmpty)
        exporter.flush(timeout: .seconds(10))
        #expect(server.requests.count >= 2)
        metrics.stop()
        exporter.shutdown(timeout: .seconds(Int64.max))
    }

    @Test func `numbers that can't be are refused by name and value`() {
        let changes: [(String, (inout OTLPConfiguration) -> Void)] = [
            ("spanDelay", { $0.spanDelay = .milliseconds(-1) }), ("logDelay", { $0.logDelay = .milliseconds(-1) }),
            ("metricInterval", { $0.metricInterval = .zero }), ("retryTime", { $0.retryTime = .milliseconds(-1) }),
            ("queueBytes", { $0.queueBytes = 0 }), ("logQueueBytes", { $0.logQueueBytes = -1 }),
            ("requestItems", { $0.requestItems = 0 }), ("requestBytes", { $0.requestBytes = 1 }),
            ("endpoints[.traces].retryTime", { $0.endpoints[.traces]?.retryTime = .milliseconds(-1) }),
        ]
        for (name, change) in changes {
            var configuration = OTLPConfiguration()
            change(&configuration)
            #expect { _ = try OTLPExporter(configuration, resource: Sample.resource) } throws: { error in
                (error as? OTLPConfigurationError)?.setting == name && "\(error)".contains("has to be")
            }
        }
    }
}
