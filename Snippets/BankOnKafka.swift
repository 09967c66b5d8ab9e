// The bank of GettingStarted.swift on Apache Kafka: the same topology, another log.
import Tributary

func run(_ builder: StreamsBuilder, on brokers: String) async throws {
    // snippet.application
    let app = try StreamsApplication(
        builder.build(),
        configuration: .init(
            applicationID: "bank", log: .kafka(brokers, stateDirectory: "./bank-state"),
            commitInterval: .milliseconds(200)))
    try await app.run()
    // snippet.end
}
