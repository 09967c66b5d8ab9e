import Tributary

extension Bank {
    /// Runs the bank until SIGTERM or SIGINT.
    static func run(_ directory: String, on log: any Log, sampling ratio: Double) async throws {
        try BankTopology.makeTopics(in: log)

        try makeFolder("\(directory)/traces")
        let exporter = try OTLPFileExporter(
            .init(path: "\(directory)/traces/bank.jsonl"), resource: TelemetryResource(serviceName: "bank"))
        defer { exporter.shutdown(timeout: 5000) }

        let app = try StreamsApplication(
            BankTopology.build(),
            configuration: StreamsConfiguration(
                applicationID: "bank", log: .open(log), stateDirectory: "\(directory)/state/bank",
                lineage: LineageConfiguration(sampler: .parentBased(root: .ratio(ratio)), exporter: exporter),
                logs: .text()))
        try await app.run()
    }
}
