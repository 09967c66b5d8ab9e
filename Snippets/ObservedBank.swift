// The bank with everything that can be seen of it from outside: traces, log lines, metrics, health.
import Tributary
import TributaryWeb

struct Account: JSONRecordable {
    var owner: String
    var feeCents: Int64
}

struct Transaction: JSONRecordable {
    var cents: Int64
}

struct Balance: JSONRecordable {
    var owner = ""
    var cents: Int64 = 0
}

let builder = StreamsBuilder()
let accounts = builder.table("accounts", of: Account.self, as: "accounts")
builder.stream("transactions", of: Transaction.self)
    .join(accounts) { Balance(owner: $1.owner, cents: $0.cents - $1.feeCents) }
    .groupByKey()
    .aggregate(into: Balance(), as: "balances") { balance, posting in
        balance = Balance(owner: posting.owner, cents: balance.cents + posting.cents)
    }
    .toStream()
    .to("balance-updates")
let topology = try builder.build()

// snippet.file
let file = try OTLPFileExporter(.init(path: "./bank-traces.jsonl"), resource: TelemetryResource(serviceName: "bank"))
// snippet.end

// snippet.collector
let environment = TelemetryEnvironment()  // OTEL_EXPORTER_OTLP_ENDPOINT and the others
environment.report(to: .text())
let collector = try OTLPExporter(
    environment.otlp, resource: environment.resource(applicationID: "bank"), log: .text())
// snippet.end

// snippet.logs
let warnings = LogSink(level: .warning) { line in
    let data = line.metadata.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
    print("\(line.source): \(line.message) \(data) \(line.context.traceID)")
}
// snippet.end

let exporter: any SpanExporter = CommandLine.arguments.contains("--collector") ? collector : file
// snippet.application
let app = try StreamsApplication(
    topology,
    configuration: StreamsConfiguration(
        applicationID: "bank", log: .embedded(at: "./bank-data"),
        lineage: LineageConfiguration(
            sampler: environment.sampler ?? .alwaysOn, exporter: exporter, propagators: environment.propagators,
            limits: environment.spanLimits),
        logs: .text().and(collector.logSink()).and(warnings)))
let web = try WebServer(app, WebConfiguration(port: 9464))
try await app.run()
web.stop()
collector.shutdown(timeout: .seconds(5))  // sends what waits
file.shutdown(timeout: .seconds(5))
// snippet.end
