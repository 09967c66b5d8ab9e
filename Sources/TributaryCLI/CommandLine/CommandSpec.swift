/// One option of a command, as help prints it and the parser checks it.
struct OptionSpec: Sendable {
    /// What follows the option's name.
    enum Kind: Sendable, Equatable {
        case flag
        case text
        case integer
        case number
        case choice([String])
        /// How bytes are shown or typed; of keys, windowed ones, too.
        case format(windows: Bool)
    }

    var name: String
    var kind: Kind
    /// The placeholder in help: `DIR` in `--log DIR`.
    var placeholder: String
    var summary: String
    var isRequired = false
    var isRepeated = false
    /// The name of an option that may stand in the place of this required one.
    var alternative: String?

    static func flag(_ name: String, _ summary: String) -> OptionSpec {
        OptionSpec(name: name, kind: .flag, placeholder: "", summary: summary)
    }

    static func text(
        _ name: String, _ placeholder: String, _ summary: String, required: Bool = false, repeated: Bool = false
    ) -> OptionSpec {
        OptionSpec(
            name: name, kind: .text, placeholder: placeholder, summary: summary, isRequired: required,
            isRepeated: repeated)
    }

    static func integer(_ name: String, _ placeholder: String, _ summary: String) -> OptionSpec {
        OptionSpec(name: name, kind: .integer, placeholder: placeholder, summary: summary)
    }

    static func number(_ name: String, _ placeholder: String, _ summary: String) -> OptionSpec {
        OptionSpec(name: name, kind: .number, placeholder: placeholder, summary: summary)
    }

    static func format(_ name: String, windows: Bool = false, _ summary: String) -> OptionSpec {
        OptionSpec(name: name, kind: .format(windows: windows), placeholder: "FORMAT", summary: summary)
    }

    static func choice(_ name: String, _ choices: [String], _ summary: String) -> OptionSpec {
        OptionSpec(
            name: name, kind: .choice(choices), placeholder: choices.joined(separator: "|"), summary: summary)
    }
}

/// One operand of a command.
struct OperandSpec: Sendable {
    enum Arity: Sendable {
        case one
        case optional
        case any
        case some
    }

    var name: String
    var summary: String
    var arity = Arity.one

    /// How it stands in a usage line.
    var usage: String {
        switch arity {
        case .one: name
        case .optional: "[\(name)]"
        case .any: "[\(name)...]"
        case .some: "\(name)..."
        }
    }
}

/// One command: what the parser accepts, what help teaches, what is done.
struct CommandSpec: Sendable {
    /// The words that call it: `["topics", "create"]`.
    var words: [String]
    /// One line.
    var summary: String
    /// What else must be known, as paragraphs.
    var details = ""
    var operands: [OperandSpec] = []
    var options: [OptionSpec] = []
    /// Lines that can be typed as they are.
    var examples: [String] = []
    /// Not in help: for child processes of our own.
    var isHidden = false
    /// Does it and returns the exit status.
    var run: @Sendable (Arguments, Console) async throws -> Int32

    var name: String { words.joined(separator: " ") }
}

/// Commands that share their first word.
struct CommandGroup: Sendable {
    var word: String
    var summary: String
}

/// A command line that can't be understood; exit status 2.
struct UsageError: Error, Sendable, Equatable, CustomStringConvertible {
    var description: String
    /// The command that it is about, for the hint.
    var command: String

    init(_ description: String, command: String = "") {
        self.description = description
        self.command = command
    }
}

/// What a command could not do; exit status 1.
struct CommandError: Error, Sendable, Equatable, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}
