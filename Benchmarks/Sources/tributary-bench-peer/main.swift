import Foundation
import Tributary

// One workload as one process, under the harness of the comparison: settings in BENCH_* variables, READY when it owns its
// partitions and its state is restored, until SIGTERM. BENCH_LINEAGE (ours) is off, context, cells, sampled or otlp.

let environment = ProcessInfo.processInfo.environment

struct PeerError: Error, CustomStringConvertible {
    let description: String
}

func setting(_ name: String) throws -> String {
    guard let value = environment[name] else { throw PeerError(description: "\(name) is not set") }
    return value
}

func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

func now() -> Int64 { TimeSource.system.milliseconds }

func lineage() throws -> LineageConfiguration {
    switch environment["BENCH_LINEAGE"] ?? "off" {
    case "off": return LineageConfiguration(mode: .off)
    case "context": return LineageConfiguration(mode: .context, sampler: .alwaysOff)
    case "cells": return LineageConfiguration(mode: .cells, sampler: .alwaysOff)
    case "sampled": return LineageConfiguration(exporter: InMemorySpanExporter(capacity: 100_000))
    case let other: throw PeerError(description: "BENCH_LINEAGE '\(other)' is none of off, context, cells, sampled")
    }
}

func configuration() throws -> StreamsConfiguration {
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
        log: .kafka(try setting("BENCH_BOOTSTRAP"), properties: properties),
        stateDirectory: try setting("BENCH_STATE_DIR"), guarantee: guarantee,
        commitInterval: Int64(commit).map { .milliseconds($0) }, threads: threads, cacheBytes: cache,
        lineage: try lineage(), logs: .text(level: .warning))
}

do {
    let name = try setting("BENCH_WORKLOAD")
    guard let workload = Workload(rawValue: name) else { throw PeerError(description: "no workload '\(name)'") }
    let inputs = try setting("BENCH_INPUT").split(separator: ",").map(String.init)
    let application = try StreamsApplication(
        workload.topology(from: inputs, to: try setting("BENCH_OUTPUT")), configuration: try configuration())
    application.onStateChange { new, _ in if new == .running { say("READY \(now())") } }
    application.onRestore { progress in
        if progress.records == 0 && !progress.isDone {
            say("RESTORE_START \(now()) \(progress.end - progress.start)")
        } else if progress.isDone {
            say("RESTORE_END \(now()) \(progress.records)")
        }
    }
    try await application.run()
} catch {
    FileHandle.standardError.write(Data("\(error)\n".utf8))
    exit(1)
}
