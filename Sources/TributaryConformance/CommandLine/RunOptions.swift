/// What the command line asks for.
public struct RunOptions: Sendable, Hashable {
    /// The commands.
    public enum Command: String, Sendable {
        /// Runs cases and compares.
        case run
        /// Runs cases and judges their lineage by the tokens in the values.
        case truth
        /// Writes random cases for `truth`.
        case generate
    }

    /// Which random cases are meant.
    public struct Seeds: Sendable, Hashable {
        /// The first case's seed; the others follow.
        public var first: UInt64
        /// How many.
        public var count: Int
    }

    /// Kinds of random cases.
    public enum Kind: String, Sendable, CaseIterable {
        /// Values that name the records that they are made of, and operators that a model knows.
        case lineage
        /// The whole DSL.
        case topology
    }

    /// The command.
    public var command = Command.run
    /// Files and folders with cases; for `generate` the file to write.
    public var paths: [String] = []
    /// Random cases.
    public var seeds: Seeds?
    /// Of which kinds they are.
    public var kinds = Set(Kind.allCases)
    /// Where the outcome of each case goes, as JSON lines.
    public var jsonOutput: String?
    /// Where the lineage of outputs and stored values goes, as JSON lines.
    public var lineageOutput: String?
    /// Where the spans go, as OTLP JSON lines.
    public var spansOutput: String?
    /// Whether traces are sampled.
    public var sampler = true
    /// Whether persistent stores are on LMDB, or a memory engine stands for it; nil for one run on each.
    public var usesLMDB: Bool?
    /// Whether cases run as applications on the embedded log, rather than on the test driver.
    public var asApplication = false

    /// The command's usage.
    public static let usage = """
        usage: tributary-conformance run PATH... [--application] [--json OUT] [--lineage OUT] [--spans OUT]
                                         [--sampler on|off] [--store lmdb|memory]
               tributary-conformance truth [PATH...] [--random SEED COUNT] [--kind lineage|topology] [--application]
               tributary-conformance generate SEED COUNT OUT [--kind lineage|topology]

        run       run conformance cases (.json, .jsonl, .jsonl.gz, or folders of them) and compare what happens with what
                  they expect
        truth     run cases and judge them by themselves: cells and spans by the tokens that values carry, or by each other;
                  runs of all settings of lineage, engines and caches, restarted, restored and crashed, by the first
        generate  write random cases of that kind

          --application        run cases (those that expect no error) as applications on an embedded log
          --json OUT           write the outcome of each case as JSON lines
          --lineage OUT        write the lineage of outputs and stored values as JSON lines
          --spans OUT          write the spans as OTLP JSON lines
          --sampler on|off     whether traces are sampled (on)
          --store lmdb|memory  what persistent stores are kept in (one run on LMDB, and one in memory with lineage off)
          --random SEED COUNT  the random cases of COUNT seeds from SEED on
          --kind KIND          lineage: of values with tokens; topology: of the whole DSL (both)
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
        guard let word = arguments.first else { throw UsageError("a command is missing") }
        guard let command = Command(rawValue: word) else { throw UsageError("there is no command '\(word)'") }
        var options = RunOptions()
        options.command = command
        var rest = arguments.dropFirst()
        var onlyPaths = false
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("-"), argument != "-", !onlyPaths else {
                options.paths.append(argument)
                continue
            }
            if argument == "--" {
                onlyPaths = true
            } else {
                try options.read(argument, &rest)
            }
        }
        try options.check()
        return options
    }

    private static let options: [Command: Set<String>] = [
        .run: ["--application", "--json", "--lineage", "--spans", "--sampler", "--store"],
        .truth: ["--application", "--random", "--kind"],
        .generate: ["--kind"],
    ]

    private mutating func read(_ argument: String, _ rest: inout ArraySlice<String>) throws(UsageError) {
        let parts = argument.split(separator: "=", maxSplits: 1).map { String($0) }
        guard let name = parts.first, Self.options[command]?.contains(name) == true else {
            throw UsageError("there is no option '\(argument)'")
        }
        if argument == "--application" {
            asApplication = true
            return
        }
        guard let value = parts.count > 1 ? parts[1] : rest.popFirst() else {
            throw UsageError("\(name) needs a value")
        }
        switch name {
        case "--json": jsonOutput = value
        case "--lineage": lineageOutput = value
        case "--spans": spansOutput = value
        case "--random":
            guard let count = rest.popFirst() else { throw UsageError("--random needs a seed and a count") }
            seeds = try Self.seeds(value, count)
        case "--kind":
            guard let kind = Kind(rawValue: value) else { throw UsageError("--kind is lineage or topology") }
            kinds = [kind]
        case "--store":
            guard value == "lmdb" || value == "memory" else { throw UsageError("--store is lmdb or memory") }
            usesLMDB = value == "lmdb"
        default:
            guard value == "on" || value == "off" else { throw UsageError("--sampler is on or off") }
            sampler = value == "on"
        }
    }

    private mutating func check() throws(UsageError) {
        switch command {
        case .run:
            if paths.isEmpty { throw UsageError("a file or folder with cases is missing") }
            if asApplication && usesLMDB == false { throw UsageError("applications keep persistent stores in LMDB") }
        case .truth: if paths.isEmpty && seeds == nil { throw UsageError("a file with cases or --random is missing") }
        case .generate:
            guard paths.count == 3 else { throw UsageError("generate needs a seed, a count and a file") }
            seeds = try Self.seeds(paths[0], paths[1])
            paths = [paths[2]]
        }
    }

    private static func seeds(_ first: String, _ count: String) throws(UsageError) -> Seeds {
        guard let first = UInt64(first), let count = Int(count), count >= 0 else {
            throw UsageError("a seed and a count are whole numbers, not '\(first)' and '\(count)'")
        }
        return Seeds(first: first, count: count)
    }
}
