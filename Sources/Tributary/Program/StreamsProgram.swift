internal import TributaryCore
public import TributaryDSL
internal import TributaryTelemetry

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The entry point of a program that runs an application.
///
/// An error is one line on the standard error and exit status 1; one that leaves the program's top level by itself would be a crash with a
/// report of registers and stacks, as Swift treats it.
///
/// ```swift
/// let builder = StreamsBuilder()
/// builder.stream("lines", key: .string, value: .string).to("copies")
/// await StreamsProgram.run(builder, .init(applicationID: "copier", log: .embedded(at: "./data")))
/// ```
public enum StreamsProgram {
    /// Builds an application, runs it until SIGTERM, SIGINT or an error, and ends the process.
    ///
    /// What is restored, and a line of summary (records/s, lag, state), is shown on the standard error: on a terminal in one line that is
    /// always the newest, elsewhere each 30 s. At the end the exporter of spans has 5 s for what waits.
    ///
    /// - Parameters:
    ///   - builder: the topology's; what is wrong with it is said like any other error.
    ///   - configuration: the settings.
    ///   - reportInterval: how often the summary is shown where no terminal is; nil shows none of it anywhere.
    ///   - prepare: is given the application before it runs, to add listeners or to open a server.
    public static func run(
        _ builder: StreamsBuilder, _ configuration: StreamsConfiguration, reportInterval: Duration? = .seconds(30),
        prepare: (StreamsApplication) async throws -> Void = { _ in }
    ) async -> Never {
        await main {
            let application = try StreamsApplication(builder.build(), configuration: configuration)
            try await prepare(application)
            try await run(application, reportInterval)
        }
    }

    /// Runs an application, and sees to it that its last spans leave before the process ends.
    package static func run(_ application: StreamsApplication, _ reportInterval: Duration?) async throws {
        defer { application.configuration.runtime.lineage.exporter?.flush(timeout: .seconds(5)) }
        try await application.run(reportingEach: reportInterval)
    }

    /// Does something and ends the process: with status 0, or after an error, which is one line on the standard error, with 1.
    public static func main(_ body: () async throws -> Void) async -> Never {
        do {
            try await body()
        } catch {
            StandardErrorLine.shared.write("\(name): \(line(error))")
            exit(1)
        }
        exit(0)
    }

    /// An error in one line of words.
    package static func line(_ error: any Error) -> String {
        let text = ErrorText.of(error).split { $0.isNewline }.joined(separator: " ")
        var clean = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            clean.append(scalar.properties.generalCategory == .control ? " " : scalar)
        }
        return String(clean)
    }

    /// The program's name.
    private static var name: String {
        CommandLine.arguments.first?.split(separator: "/").last.map { String($0) } ?? "tributary"
    }
}

/// A program that is one application: a type that says what it does, marked `@main`.
///
/// ```swift
/// @main struct WordCount: TributaryApp {
///     let configuration = StreamsConfiguration(applicationID: "word-count", log: .embedded(at: "./data"))
///
///     func build(_ builder: StreamsBuilder) throws {
///         builder.stream("lines", key: .string, value: .string).to("copies")
///     }
/// }
/// ```
///
/// It runs as ``StreamsProgram/run(_:_:reportInterval:prepare:)`` does.
public protocol TributaryApp {
    /// Makes it, as the program starts.
    init() throws

    /// The settings.
    var configuration: StreamsConfiguration { get throws }

    /// How often a line of summary is shown where no terminal is; nil shows none of it anywhere.
    var reportInterval: Duration? { get }

    /// Makes the topology.
    func build(_ builder: StreamsBuilder) throws

    /// Is called before the application runs, to add listeners or to open a server.
    func prepare(_ application: StreamsApplication) async throws
}

extension TributaryApp {
    /// Each 30 s.
    public var reportInterval: Duration? { .seconds(30) }

    /// Does nothing.
    public func prepare(_ application: StreamsApplication) async throws {}

    /// Runs the application and ends the process.
    @concurrent
    public static func main() async {
        await StreamsProgram.main {
            let program = try Self()
            let builder = StreamsBuilder()
            try program.build(builder)
            let application = try StreamsApplication(builder.build(), configuration: program.configuration)
            try await program.prepare(application)
            try await StreamsProgram.run(application, program.reportInterval)
        }
    }
}
