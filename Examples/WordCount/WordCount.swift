// How often each word occurs: the topic `lines` in, `word-counts` out.
//
//     WordCount LOG
import Tributary

@main struct WordCount: TributaryApp {
    let configuration = StreamsConfiguration(
        applicationID: "word-count", log: .embedded(at: CommandLine.arguments.dropFirst().first ?? "./data"))

    func build(_ builder: StreamsBuilder) throws {
        builder.stream("lines", key: Serde<String>.string.optional, value: .string)
            .flatMapValues(value: .string) { _, line in
                line.lowercased().split { !$0.isLetter }.map { String($0) }
            }
            .groupBy(key: .string) { _, word in word }
            .count(as: "counts")
            .toStream()
            .to("word-counts")
    }
}
