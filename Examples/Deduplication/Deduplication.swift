// Each event once: `events` in, `unique-events` out, without those whose id, the key, was seen less than ten minutes before.
//
//     tributary topics create events unique-events --log ./events
//     for id in a a b; do echo "{\"key\":\"$id\",\"value\":\"event $id\"}"; done | tributary topics produce events --log ./events
//     Deduplication ./events &
//     tributary topics consume unique-events --follow --max 2 --log ./events
//     kill $!
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
