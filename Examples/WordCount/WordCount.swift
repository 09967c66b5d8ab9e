// How often each word occurs: the topic `lines` in, `word-counts` out.
//
//     tributary topics create lines word-counts --log ./words
//     echo "to be or not to be" | tributary topics produce lines --format value --log ./words
//     WordCount ./words &
//     tributary topics consume word-counts --value-format int64 --follow --max 4 --log ./words
//     kill $!
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
