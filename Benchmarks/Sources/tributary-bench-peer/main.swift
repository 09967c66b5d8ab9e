import Foundation
import Tributary

// One workload as one process, under the harness of the comparison: settings in BENCH_* variables, READY when it owns its
// partitions and its state is restored, until SIGTERM. BENCH_LINEAGE (ours) is one of `LineageMode`. What was exported is told on
// stderr at the end.

let environment = ProcessInfo.processInfo.environment

struct PeerError: Error, CustomStringConvertible {
    let description: String
}

func setting(_ name: String) throws -> String {
    guard let value = environment[name] else { throw PeerError(description: "\(name) is not set") }
    return value
}

func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

func tell(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }

func now() -> Int64 { TimeSource.system.wall.milliseconds }

/// What BENCH_LINEAGE says: a mode of lineage, or headers of the same size without lineage.
enum LineageMode: String, CaseIterable {
    case off
    /// Off, with the headers of `context` or `cells` added by hand.
    case offWithContext = "off+context"
    case offWithCells = "off+cells"
    case context
    case cells
    /// Cells, every trace sampled: spans kept in memory, sent to where OpenTelemetry's variables say.
    case sampled
    case otlp

    /// What a cell of a count of one partition takes in a header.
    static let cellBytes = 61

    func configuration(_ exporter: (any SpanExporter)?) -> LineageConfiguration {
        switch self {
        case .off, .offWithContext, .offWithCells: LineageConfiguration(mode: .off)
        case .context: LineageConfiguration(mode: .context, sampler: .alwaysOff)
        case .cells: LineageConfiguration(mode: .cells, sampler: .alwaysOff)
        case .sampled, .otlp: LineageConfiguration(sampler: .alwaysOn, exporter: exporter)
        }
    }

    func location(_ log: KafkaConfiguration) throws -> LogLocation {
        switch self {
        case .offWithContext: .open(HandMadeHeaders(try KafkaLog.connect(to: log), cellBytes: 0))
        case .offWithCells: .open(HandMadeHeaders(try KafkaLog.connect(to: log), cellBytes: Self.cellBytes))
        default: .kafka(log)
        }
    }
}

func configuration(_ mode: LineageMode, _ exporter: (any SpanExporter)?) throws -> StreamsConfiguration {
    var properties: [String: String] = [:]
    for pair in (environment["BENCH_EXTRA"] ?? "").split(separator: ";") {
        guard let equals = pair.firstIndex(of: "=") else { continue }
        properties[String(pair[..<equals])] = String(pair[pair.index(after: equals)...])
    }
    let commit = try setting("BENCH_COMMIT_MS")
    guard let guarantee = ProcessingGuarantee(rawValue: try setting("BENCH_GUARANTEE")),
        let threads = Int(try setting("BENCH_THREADS")), let cache = Int(try setting("BENCH_CACHE"))
    else { throw PeerError(description: "BENCH_GUARANTEE, BENCH_THREADS or BENCH_CACHE makes no sense") }
    return StreamsConfiguration(
        applicationID: try setting("BENCH_GROUP"),
        log: try mode.location(KafkaConfiguration(bootstrap: try setting("BENCH_BOOTSTRAP"), properties: properties)),
        stateDirectory: try setting("BENCH_STATE_DIR"), guarantee: guarantee,
        commitInterval: Int64(commit).map { .milliseconds($0) }, threads: threads, cacheBytes: cache,
        lineage: mode.configuration(exporter), logs: .text(level: .warning))
}

do {
    let name = try setting("BENCH_WORKLOAD")
    guard let workload = Workload(rawValue: name) else { throw PeerError(description: "no workload '\(name)'") }
    let given = environment["BENCH_LINEAGE"] ?? "off"
    guard let mode = LineageMode(rawValue: given) else {
        let all = LineageMode.allCases.map(\.rawValue).joined(separator: ", ")
        throw PeerError(description: "BENCH_LINEAGE '\(given)' is none of \(all)")
    }
    let telemetry = TelemetryEnvironment()
    let collector =
        mode == .otlp
        ? try OTLPExporter(
            telemetry.otlp, resource: telemetry.resource(applicationID: try setting("BENCH_GROUP")),
            log: .text(level: .warning)) : nil
    let exporter: (any SpanExporter)? = mode == .sampled ? InMemorySpanExporter(capacity: 100_000) : collector
    let inputs = try setting("BENCH_INPUT").split(separator: ",").map(String.init)
    let application = try StreamsApplication(
        workload.topology(from: inputs, to: try setting("BENCH_OUTPUT")),
        configuration: try configuration(mode, exporter))
    application.onStateChange { new, _ in if new == .running { say("READY \(now())") } }
    application.onRestore { progress in
        if progress.records == 0 && !progress.isDone {
            say("RESTORE_START \(now()) \(progress.end - progress.start)")
        } else if progress.isDone {
            say("RESTORE_END \(now()) \(progress.records)")
        }
    }
    try await application.run()
    if let collector {
        let start = now()
        collector.shutdown(timeout: .seconds(10))
        let all = collector.counters(.traces)
        tell(
            "exported: \(all.sent) spans sent in \(all.requests) requests, \(all.lost) lost, \(all.skipped) records "
                + "without spans; \(now() - start) ms to send what was left at the end")
    }
} catch {
    tell("\(error)")
    exit(1)
}
