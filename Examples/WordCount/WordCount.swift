// How often each word occurs: the topic `lines` in, `word-counts` out.
//
//     WordCount LOG
import Tributary

@main struct WordCount: TributaryApp {
    let configuration = StreamsConfiguration(
        applicationID: "word-count", log: .embedded(at: CommandLine.arguments.dropFirst().first ?? "./data"))

    func build(_ builder: StreamsBuilder) throws {
        // Lines have no key.
        builder.stream("lines", keyedBy: String?.self, of: String.self)
            .flatMapValues { line in line.lowercased().split { !$0.isLetter } }
            .groupBy { _, word in word }
            .count(as: "counts")
            .toStream()
            .to("word-counts")
    }
}
