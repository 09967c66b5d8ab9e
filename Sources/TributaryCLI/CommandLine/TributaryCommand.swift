internal import TributaryTelemetry

/// The program `tributary`: looks into logs, stores and traces, and shows all of them in a demo.
public struct TributaryCommand: Sendable {
    static let groups = [
        CommandGroup(
            word: "topics", summary: "Topics of a log, embedded or Kafka's: make them, write into them, read them."),
        CommandGroup(
            word: "groups", summary: "Groups, each of them an application: who is in them, and how far they have read."),
        CommandGroup(word: "changelog", summary: "Changelogs: what a store was rebuilt from."),
        CommandGroup(
            word: "store",
            summary: "Stored values with their lineage, read from a state directory while its app may run."),
    ]

    static let commands: [CommandSpec] =
        DemoCommand.specs + TopicsCommands.specs + [ProduceCommand.spec, ConsumeCommand.spec, VerifyCommand.spec]
        + GroupsCommands.specs + [ResetCommand.spec, ReplayCommand.spec] + StoreCommands.specs + [
            StoreVerify.spec, TraceCommand.spec,
        ]

    private let console: Console

    /// Makes the program.
    public init(console: Console = .standard) { self.console = console }

    /// Runs it with the arguments after its name and returns its exit status: 0 done, 1 failed, 2 not understood.
    public func run(_ arguments: [String]) async -> Int32 {
        defer { console.flush() }
        do {
            return try await perform(arguments)
        } catch let error as UsageError {
            console.note("tributary: \(error)")
            let words = error.command.isEmpty ? "" : " \(error.command)"
            console.note("'tributary help\(words)' explains it.")
            return 2
        } catch is ClosedOutput {
            return 1
        } catch {
            console.note("tributary: \(error)")
            return 1
        }
    }

    private func perform(_ arguments: [String]) async throws -> Int32 {
        switch try CommandParser(commands: Self.commands).parse(arguments) {
        case .help(let words):
            console.line(try HelpText(commands: Self.commands, groups: Self.groups).text(for: words))
            return 0
        case .version:
            console.line("tributary \(TelemetryResource.libraryVersion)")
            return 0
        case .run(let command, let arguments):
            do {
                return try await command.run(arguments, console)
            } catch var error as UsageError {
                if error.command.isEmpty { error.command = command.name }
                throw error
            }
        }
    }
}
