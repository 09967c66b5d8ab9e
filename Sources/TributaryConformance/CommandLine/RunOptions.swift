/// What the command line asks for.
public struct RunOptions: Sendable, Hashable {
    /// Files and folders with cases.
    public var paths: [String] = []
    /// Where the outcome of each case goes, as JSON lines.
    public var jsonOutput: String?
    /// Where the lineage of outputs and stored values goes, as JSON lines.
    public var lineageOutput: String?
    /// Where the spans go, as OTLP JSON lines.
    public var spansOutput: String?
    /// Whether traces are sampled.
    public var sampler = true

    /// The command's usage.
    public static let usage = """
        usage: tributary-conformance run PATH... [--json OUT] [--lineage OUT] [--spans OUT] [--sampler on|off]

        Runs conformance cases (.json, .jsonl, .jsonl.gz, or folders of them) and compares what happens with what they expect.

          --json OUT        write the outcome of each case as JSON lines
          --lineage OUT     write the lineage of outputs and stored values as JSON lines
          --spans OUT       write the spans as OTLP JSON lines
          --sampler on|off  whether traces are sampled (on)
        """

    /// A command line that can't be understood.
    public struct UsageError: Error, Sendable, Hashable, CustomStringConvertible {
        /// What is wrong with it.
        public var description: String

        init(_ description: String) { self.description = description }
    }

    /// No options.
    public init() {}

    /// Reads the arguments after the program's name; nil if they ask for help.
    public static func parse(_ arguments: [String]) throws(UsageError) -> RunOptions? {
        if arguments.contains("--help") || arguments.contains("-h") || arguments.first == "help" { return nil }
        guard let command = arguments.first else { throw UsageError("a command is missing") }
        guard command == "run" else { throw UsageError("there is no command '\(command)'") }
        var options = RunOptions()
        var rest = arguments.dropFirst()
        var onlyPaths = false
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("-"), argument != "-", !onlyPaths else {
                options.paths.append(argument)
                continue
            }
            if argument == "--" {
                onlyPaths = true
                continue
            }
            let parts = argument.split(separator: "=", maxSplits: 1).map { String($0) }
            guard ["--json", "--lineage", "--spans", "--sampler"].contains(parts[0]) else {
                throw UsageError("there is no option '\(argument)'")
            }
            guard let value = parts.count > 1 ? parts[1] : rest.popFirst() else {
                throw UsageError("\(parts[0]) needs a value")
            }
            switch parts[0] {
            case "--json": options.jsonOutput = value
            case "--lineage": options.lineageOutput = value
            case "--spans": options.spansOutput = value
            default:
                guard value == "on" || value == "off" else { throw UsageError("--sampler is on or off") }
                options.sampler = value == "on"
            }
        }
        guard !options.paths.isEmpty else { throw UsageError("a file or folder with cases is missing") }
        return options
    }
}
