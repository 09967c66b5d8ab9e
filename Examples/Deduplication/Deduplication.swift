// Each event once: `events` in, `unique-events` out, without those whose id, the key, was seen less than ten minutes before.
//
//     Deduplication LOG
import Tributary

@main struct Deduplication: TributaryApp {
    let configuration = StreamsConfiguration(
        applicationID: "deduplication", log: .embedded(at: CommandLine.arguments.dropFirst().first ?? "./data"))

    func build(_ builder: StreamsBuilder) throws {
        builder.stream("events", of: String.self)
            .deduplicate(within: .seconds(600), as: "seen")
            .to("unique-events")
    }
}
