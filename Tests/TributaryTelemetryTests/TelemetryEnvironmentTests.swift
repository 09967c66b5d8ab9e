import Testing
import TributaryCore
import TributaryLineage
import TributaryTelemetry

@Suite struct TelemetryEnvironmentTests {
    func read(_ variables: [String: String]) -> TelemetryEnvironment { TelemetryEnvironment { variables[$0] } }

    @Test func `without variables everything has OpenTelemetry's defaults`() {
        let environment = read(["OTEL_EXPORTER_OTLP_ENDPOINT": ""])
        #expect(environment.warnings.isEmpty && !environment.isDisabled && environment.sampler == nil)
        let traces = environment.otlp.endpoints[.traces]
        #expect(traces?.url == "http://localhost:4318/v1/traces" && traces?.encoding == .protobuf)
        #expect(traces?.isCompressed == false && traces?.timeout == .milliseconds(10_000) && traces?.headers == [:])
        #expect(environment.otlp.endpoints[.metrics]?.url == "http://localhost:4318/v1/metrics")
        #expect(environment.otlp.endpoints[.logs]?.url == "http://localhost:4318/v1/logs")
    }

    @Test func `a signal's own variable wins over the one for all`() {
        let environment = read([
            "OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector:4318/base/",
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://logs",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "GZIP", "OTEL_EXPORTER_OTLP_LOGS_COMPRESSION": "none",
            "OTEL_EXPORTER_OTLP_HEADERS": "api-key=a%20b%3D, x = y",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "only=this",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "5000", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "0",
            "OTEL_EXPORTER_OTLP_CERTIFICATE": "/ca", "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY": "/key",
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "/cert",
            "OTEL_METRICS_EXPORTER": "none", "OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_BLRP_SCHEDULE_DELAY": "60",
            "OTEL_BSP_EXPORT_TIMEOUT": "7000", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "100",
            "OTEL_BSP_MAX_QUEUE_SIZE": "1000",
        ])
        #expect(environment.warnings.isEmpty)
        let traces = environment.otlp.endpoints[.traces]
        #expect(traces?.url == "https://collector:4318/base/v1/traces" && traces?.encoding == .json)
        #expect(traces?.isCompressed == true && traces?.headers == ["only": "this"])
        #expect(traces?.timeout == .milliseconds(86_400_000))
        #expect(traces?.tls == TLSFiles(certificate: "/ca", clientCertificate: "/cert"))
        let logs = environment.otlp.endpoints[.logs]
        #expect(logs?.url == "http://logs" && logs?.isCompressed == false && logs?.timeout == .milliseconds(5000))
        #expect(logs?.headers == ["api-key": "a b=", "x": "y"] && logs?.tls.clientKey == "/key")
        #expect(environment.otlp.endpoints[.metrics] == nil)
        #expect(environment.otlp.spanDelay == .milliseconds(50) && environment.otlp.logDelay == .milliseconds(60))
        #expect(traces?.retryTime == .milliseconds(7000) && traces?.requestItems == 100)
        #expect(
            logs?.retryTime == nil && logs?.requestItems == nil && environment.otlp.retryTime == .milliseconds(300_000))
        #expect(environment.otlp.queueBytes == 256_000)
    }

    @Test func `what can't be understood is left out and named, without its value`() {
        let environment = read([
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_HEADERS": "secret",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "-1", "OTEL_TRACES_SAMPLER": "jaeger_remote", "OTEL_SDK_DISABLED": "1",
            "OTEL_TRACES_EXPORTER": "console", "OTEL_RESOURCE_ATTRIBUTES": "a=1,b=%zz",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "0",
        ])
        #expect(environment.otlp.endpoints[.traces]?.encoding == .protobuf)
        #expect(environment.otlp.endpoints[.traces]?.headers == [:])
        #expect(environment.otlp.endpoints[.traces]?.timeout == .milliseconds(10_000))
        #expect(environment.sampler == nil && !environment.isDisabled)
        #expect(environment.resource(applicationID: "app").attributes["a"] == nil)
        #expect(environment.warnings.count == 8 && !environment.warnings.contains { $0.contains("secret") })
    }

    @Test func `intervals and limits of metrics and log records`() {
        let environment = read([
            "OTEL_METRIC_EXPORT_INTERVAL": "5000", "OTEL_METRIC_EXPORT_TIMEOUT": "4000",
            "OTEL_BLRP_EXPORT_TIMEOUT": "3000", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "20",
            "OTEL_BLRP_MAX_QUEUE_SIZE": "200",
        ])
        #expect(environment.warnings.isEmpty && environment.otlp.metricInterval == .milliseconds(5000))
        #expect(environment.otlp.endpoints[.metrics]?.retryTime == .milliseconds(4000))
        #expect(environment.otlp.endpoints[.logs]?.retryTime == .milliseconds(3000))
        #expect(environment.otlp.endpoints[.logs]?.requestItems == 20 && environment.otlp.logQueueBytes == 51_200)
        #expect(environment.otlp.endpoints[.traces] == OTLPEndpointSample.traces)
        let other = read(["OTEL_METRIC_EXPORT_INTERVAL": "0", "OTEL_METRIC_EXPORT_TIMEOUT": "soon"])
        #expect(other.otlp.metricInterval == .milliseconds(60_000) && other.otlp.endpoints[.metrics]?.retryTime == nil)
        #expect(other.warnings.count == 2)
    }

    private enum OTLPEndpointSample {
        static let traces = OTLPEndpoint(url: "http://localhost:4318/v1/traces", isCompressed: false)
    }

    @Test(
        arguments: [
            ("", .all, 0), ("tracecontext,baggage", .all, 0), ("TraceContext", .traceContext, 0),
            (" baggage , baggage,", .baggage, 0), ("none", [], 0), ("tracecontext,b3,jaeger", .traceContext, 1),
            ("b3multi", .all, 1), ("none,baggage", .baggage, 1),
        ] as [(String, Propagators, Int)])
    func `propagators`(_ value: String, _ propagators: Propagators, _ warnings: Int) {
        let environment = read(["OTEL_PROPAGATORS": value])
        #expect(environment.propagators == propagators && environment.warnings.count == warnings)
        // A disabled SDK passes contexts on all the same.
        let disabled = read(["OTEL_PROPAGATORS": value, "OTEL_SDK_DISABLED": "true"])
        #expect(disabled.propagators == propagators)
    }

    @Test func `limits of spans`() {
        #expect(read([:]).spanLimits == SpanLimits())
        var limits = SpanLimits()
        limits.attributes = 10
        limits.events = 11
        limits.links = 0
        limits.eventAttributes = 13
        limits.linkAttributes = 14
        limits.valueLength = 15
        let all = [
            "OTEL_SPAN_EVENT_COUNT_LIMIT": "11", "OTEL_SPAN_LINK_COUNT_LIMIT": "0",
            "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": "13", "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": "14",
        ]
        let general = all.merging(["OTEL_ATTRIBUTE_COUNT_LIMIT": "10", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "15"]) {
            $1
        }
        #expect(read(general).spanLimits == limits)
        // A span's own wins over the general one.
        let own = general.merging([
            "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "1", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "2",
        ]) { $1 }
        #expect(read(own).spanLimits.attributes == 1 && read(own).spanLimits.valueLength == 2)
        let bad = read(["OTEL_SPAN_LINK_COUNT_LIMIT": "-1", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "long"])
        #expect(bad.spanLimits == SpanLimits() && bad.warnings.count == 2)
    }

    @Test func `what metrics are sent with`() {
        #expect(read([:]).otlp.sendsExemplars)
        #expect(read(["OTEL_METRICS_EXEMPLAR_FILTER": "always_on"]).otlp.sendsExemplars)
        let off = read([
            "OTEL_METRICS_EXEMPLAR_FILTER": "always_off",
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "Cumulative",
            "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "explicit_bucket_histogram",
        ])
        #expect(!off.otlp.sendsExemplars && off.warnings.isEmpty)
        let unknown = read([
            "OTEL_METRICS_EXEMPLAR_FILTER": "sometimes",
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta",
            "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "base2_exponential_bucket_histogram",
        ])
        #expect(unknown.otlp.sendsExemplars && unknown.warnings.count == 3)
    }

    @Test(arguments: ["console", "prometheus", "zipkin", "otlp,console"])
    func `exporters that aren't there are named, and OTLP stays`(_ name: String) {
        for signal in ["TRACES", "METRICS", "LOGS"] {
            let environment = read(["OTEL_\(signal)_EXPORTER": name])
            #expect(environment.otlp.endpoints.count == 3 && environment.warnings.count == 1)
            #expect(environment.warnings.first?.hasPrefix("OTEL_\(signal)_EXPORTER ") == true)
            #expect(read(["OTEL_\(signal)_EXPORTER": "none"]).otlp.endpoints.count == 2)
        }
    }

    @Test func `a disabled SDK exports nothing`() {
        #expect(read(["OTEL_SDK_DISABLED": "TRUE"]).otlp.endpoints.isEmpty)
        #expect(read(["OTEL_SDK_DISABLED": "TRUE"]).isDisabled)
    }

    @Test(
        arguments: [
            ("always_on", nil, .alwaysOn), ("always_off", nil, .alwaysOff), ("traceidratio", "0.25", .ratio(0.25)),
            ("parentbased_always_on", nil, .parentBased(root: .alwaysOn)),
            ("parentbased_always_off", nil, .parentBased(root: .alwaysOff)),
            ("parentbased_traceidratio", "0.1", .parentBased(root: .ratio(0.1))),
            ("traceidratio", nil, .ratio(1)), ("traceidratio", "2", .ratio(1)),
        ] as [(String, String?, Sampler)])
    func `samplers`(_ name: String, _ argument: String?, _ sampler: Sampler) {
        let environment = read(["OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": argument ?? ""])
        #expect(environment.sampler == sampler)
        #expect(environment.warnings.count == (argument == "2" ? 1 : 0))
    }

    @Test func `the resource`() throws {
        let environment = read([
            "OTEL_RESOURCE_ATTRIBUTES":
                "service.name=fromlist,deployment.environment.name=te%2Cst,telemetry.sdk.name=opentelemetry"
        ])
        let resource = environment.resource(applicationID: "app", attributes: ["x": .int(1)])
        #expect(resource.attributes["service.name"] == .string("fromlist"))
        #expect(resource.attributes["deployment.environment.name"] == .string("te,st"))
        #expect(
            resource.attributes["telemetry.sdk.name"] == .string("tributary") && resource.attributes["x"] == .int(1))
        guard case .string(let id)? = resource.attributes["service.instance.id"] else {
            Issue.record("no instance")
            return
        }
        let digits = id.split(separator: "-").map(\.utf8.count)
        #expect(digits == [8, 4, 4, 4, 12] && Array(id)[14] == "4" && "89ab".contains(Array(id)[19]))
        let other = environment.resource(applicationID: "app")
        #expect(other.attributes["service.instance.id"] != .string(id))
        #expect(
            read(["OTEL_SERVICE_NAME": "named", "OTEL_RESOURCE_ATTRIBUTES": "service.name=no"])
                .resource(applicationID: "app").attributes["service.name"] == .string("named"))
        #expect(read([:]).resource(applicationID: "app").attributes["service.name"] == .string("app"))
    }

    @Test(arguments: [
        ("http://h:1", "http://h:1/v1/traces"), ("http://h:1/", "http://h:1/v1/traces"),
        ("http://h:1/x?key=a&b=c", "http://h:1/x/v1/traces?key=a&b=c"),
        ("http://h:1?key=/", "http://h:1/v1/traces?key=/"),
        ("http://h:1/x/#part", "http://h:1/x/v1/traces"),
    ])
    func `the query of an endpoint stays behind the path`(_ base: String, _ url: String) {
        #expect(OTLPConfiguration(endpoint: base).endpoints[.traces]?.url == url)
        let environment = read(["OTEL_EXPORTER_OTLP_ENDPOINT": base])
        #expect(environment.otlp.endpoints[.traces]?.url == url)
    }

    @Test func `delays and time-outs without end don't trap`() throws {
        let most = String(Int64.max)
        let environment = read([
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_BSP_SCHEDULE_DELAY": most,
            "OTEL_BLRP_SCHEDULE_DELAY": most, "OTEL_METRIC_EXPORT_INTERVAL": most, "OTEL_BSP_EXPORT_TIMEOUT": most,
            "OTEL_EXPORTER_OTLP_TIMEOUT": most, "OTEL_BSP_MAX_QUEUE_SIZE": most, "OTEL_BLRP_MAX_QUEUE_SIZE": most,
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": most, "OTEL_SPAN_LINK_COUNT_LIMIT": most,
        ])
        #expect(environment.otlp.spanDelay == .milliseconds(Int64.max))
        let server = try ScriptedServer([.ok])
        defer { server.stop() }
        var configuration = environment.otlp
        configuration.updateEndpoints { $0.url = server.url }
        let exporter = try OTLPExporter(configuration, resource: Sample.resource)
        let metrics = PeriodicMetrics(MetricsRegistry(), to: exporter)
        exporter.export(Sample.count())
        exporter.flush(timeout: .seconds(10))
        #expect(exporter.counters(.traces).sent == 5)
        metrics.stop()
        exporter.shutdown(timeout: .seconds(Int64.max))
    }
}
