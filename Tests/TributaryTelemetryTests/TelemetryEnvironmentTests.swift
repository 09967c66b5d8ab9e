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
        #expect(traces?.isCompressed == false && traces?.timeout == 10_000 && traces?.headers == [:])
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
        #expect(traces?.timeout == 86_400_000)
        #expect(traces?.tls == TLSFiles(certificate: "/ca", clientCertificate: "/cert"))
        let logs = environment.otlp.endpoints[.logs]
        #expect(logs?.url == "http://logs" && logs?.isCompressed == false && logs?.timeout == 5000)
        #expect(logs?.headers == ["api-key": "a b=", "x": "y"] && logs?.tls.clientKey == "/key")
        #expect(environment.otlp.endpoints[.metrics] == nil)
        #expect(environment.otlp.spanDelay == 50 && environment.otlp.logDelay == 60)
        #expect(environment.otlp.retryTime == 7000 && environment.otlp.requestItems == 100)
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
        #expect(environment.otlp.endpoints[.traces]?.timeout == 10_000)
        #expect(environment.sampler == nil && !environment.isDisabled)
        #expect(environment.resource(applicationID: "app").attributes["a"] == nil)
        #expect(environment.warnings.count == 8 && !environment.warnings.contains { $0.contains("secret") })
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
}
