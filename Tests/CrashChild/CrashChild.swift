import CrashApplication
import Glibc
import Tributary

/// The process that the crash tests kill: `tributary-crash-child <folder of the log> <guarantee> <threads> [unchecked]`.
///
/// `unchecked`: state that was closed is not read through at the start, as if it were too large for that.
/// Runs the bank app, or the one that `TRIBUTARY_CRASH_APP` names (`shop`, `depot`), until SIGTERM; says `running` on its output when it does. Spans and log records go where
/// `OTEL_EXPORTER_OTLP_ENDPOINT` says, if it is set.
@main struct CrashChild {
    static func main() async {
        let arguments = CommandLine.arguments
        guard (4...5).contains(arguments.count), let guarantee = ProcessingGuarantee(rawValue: arguments[2]),
            let threads = Int(arguments[3])
        else { exit(64) }
        do {
            var logConfiguration = BankApplication.logConfiguration
            let clock = JumpingClock()
            if let clock { logConfiguration.time = clock.source }
            let log = LogLocation.embedded(at: arguments[1], configuration: logConfiguration)
            let name = getenv("TRIBUTARY_CRASH_APP").map { String(cString: $0) }
            var configuration =
                switch name {
                case ShopApplication.id: ShopApplication.configuration(log, guarantee, threads: threads)
                case DepotApplication.id: DepotApplication.configuration(log, guarantee, threads: threads)
                default: BankApplication.configuration(log, guarantee, threads: threads)
                }
            if arguments.last == "unchecked" { configuration.stateCheckedBytes = 0 }
            if let clock { configuration.runtime.time = clock.source }
            if let order = KillOrder() { configuration.runtime.killPoint = { order.reached($0) } }
            var exporter: OTLPExporter?
            if getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != nil {
                let environment = TelemetryEnvironment()
                let made = try OTLPExporter(
                    environment.otlp, resource: environment.resource(applicationID: configuration.applicationID))
                configuration.runtime.lineage.exporter = made
                configuration.runtime.lineage.sampler = environment.sampler ?? .parentBased(root: .alwaysOn)
                configuration.runtime.log = made.logSink()
                exporter = made
            }
            defer { exporter?.shutdown(timeout: .seconds(5)) }
            let topology =
                switch name {
                case ShopApplication.id: try ShopApplication.topology()
                case DepotApplication.id: try DepotApplication.topology()
                default: try BankApplication.topology()
                }
            let app = try StreamsApplication(topology, configuration: configuration)
            app.onStateChange { new, _ in if new == .running { say("running") } }
            try await app.run()
        } catch {
            say("\(error)")
            exit(1)
        }
    }
}

private func say(_ text: String) {
    let line = Array((text + "\n").utf8)
    _ = write(1, line, line.count)
}
