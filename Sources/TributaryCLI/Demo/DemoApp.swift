internal import Tributary
internal import TributaryCore
internal import TributaryLineage
internal import TributaryRuntime
internal import TributaryTelemetry

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The child process of the demo: runs the bank until it is told to stop or killed, and says what it does in lines.
enum DemoApp {
    /// - Parameter end: at which transaction the process kills itself, since it may be through before anybody outside can.
    static func run(_ directory: String, sampling ratio: Double, killedAt end: Int64?, console: Console) async throws
        -> Int32
    {
        try Files.makeFolder("\(directory)/traces")
        let exporter = try OTLPFileExporter(
            .init(path: "\(directory)/traces/bank.jsonl", queueBytes: 64 << 20),
            resource: TelemetryResource(serviceName: DemoBank.application))
        // By key: the traces of some accounts are complete, those of the others cost nothing.
        let lineage = LineageConfiguration(sampler: .byKey(ratio: ratio), exporter: exporter)
        let processed = Guarded<Int64>(0)
        let topology = try DemoBank.topology {
            guard let end else { return }
            processed.withLock { processed in
                processed += 1
                if processed >= end { kill(getpid(), SIGKILL) }
            }
        }
        // Commits are frequent, so that there are some before the end.
        let app = try StreamsApplication(
            topology,
            configuration: StreamsConfiguration(
                applicationID: DemoBank.application, log: .embedded(at: directory),
                commitInterval: end == nil ? nil : .milliseconds(5),
                threads: 2, lineage: lineage,
                logs: .text(level: .warning)))
        app.onStateChange { new, _ in
            console.line("state \(new.rawValue)")
            console.flush()
        }
        app.onRestore { progress in
            guard progress.isDone, progress.records > 0 else { return }
            console.line("restored \(progress.records) \(progress.store) \(progress.changelog)")
            console.flush()
        }
        defer { exporter.shutdown(timeout: .seconds(5)) }
        // Whoever watches may be killed, too: nobody would ever stop this process then.
        let parent = getppid()
        let watch = Task {
            while getppid() == parent { try await Task.sleep(for: .seconds(1)) }
            app.shutdown()
        }
        defer { watch.cancel() }
        try await app.run()
        return 0
    }
}
