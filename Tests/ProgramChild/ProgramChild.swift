import Tributary

/// An application as users write it: `program-test-process LOG [MODE]`.
@main struct ProgramChild: TributaryApp {
    let log = CommandLine.arguments.dropFirst().first ?? "."
    let mode = CommandLine.arguments.dropFirst(2).first ?? ""

    var reportInterval: Duration? { mode == "silent" ? nil : .milliseconds(20) }

    var configuration: StreamsConfiguration {
        var configuration = StreamsConfiguration(applicationID: "child", log: .embedded(at: log))
        if mode == "no-warnings" { configuration.runtime.log = .none }
        return configuration
    }

    func build(_ builder: StreamsBuilder) throws {
        if mode == "bad-topology" { _ = builder.table("numbers", key: .string, value: .int64, as: "not a name") }
        builder.table("numbers", key: .string, value: .int64, as: "numbers").toStream().to("out")
        builder.stream("words", key: .string, value: .string).groupByKey().count(as: "counts").toStream().to("counts")
    }

    func prepare(_ application: StreamsApplication) throws {
        if mode == "lines" { throw Problem() }
    }
}

private struct Problem: Error, CustomStringConvertible {
    var description: String { "the first line\nthe second\u{1b}[2J" }
}
