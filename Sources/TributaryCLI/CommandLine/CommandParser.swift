/// What a command line asks for.
enum Invocation: Sendable {
    case help([String])
    case version
    case run(CommandSpec, Arguments)
}

/// Reads command lines by a table of commands.
struct CommandParser: Sendable {
    let commands: [CommandSpec]

    /// Reads the arguments after the program's name.
    func parse(_ arguments: [String]) throws(UsageError) -> Invocation {
        guard let first = arguments.first else { return .help([]) }
        if first == "--help" || first == "-h" { return .help([]) }
        if first == "--version" { return .version }
        if first == "help" { return .help(Array(arguments.dropFirst())) }
        let words = arguments.prefix { !$0.hasPrefix("-") }
        guard
            let command = commands.filter({ words.starts(with: $0.words) }).max(by: { $0.words.count < $1.words.count })
        else {
            if arguments.contains("--help") || arguments.contains("-h") { return .help(Array(words)) }
            throw unknown(Array(words))
        }
        let rest = arguments.dropFirst(command.words.count)
        let ownArguments = rest.prefix { $0 != "--" }
        if ownArguments.contains("--help") || ownArguments.contains("-h") { return .help(command.words) }
        return .run(command, try read(rest, for: command))
    }

    private func read(_ list: ArraySlice<String>, for command: CommandSpec) throws(UsageError) -> Arguments {
        var result = Arguments()
        var rest = list
        var onlyOperands = false
        while let argument = rest.popFirst() {
            // A lone `-` is standard input, a negative number an operand.
            guard argument.hasPrefix("-"), argument != "-", !onlyOperands, Int64(argument) == nil else {
                result.operands.append(argument)
                continue
            }
            if argument == "--" {
                onlyOperands = true
                continue
            }
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map {
                String($0)
            }
            let option = try option(parts[0], of: command)
            if option.kind == .flag {
                guard parts.count == 1 else { throw fault("--\(option.name) takes no value", command) }
                result.values[option.name] = [""]
                continue
            }
            guard let value = parts.count > 1 ? parts[1] : rest.popFirst() else {
                throw fault("--\(option.name) needs a value: --\(option.name) \(option.placeholder)", command)
            }
            try check(value, option, command)
            if result.values[option.name] != nil && !option.isRepeated {
                throw fault("--\(option.name) is given twice", command)
            }
            result.values[option.name, default: []].append(value)
        }
        for option in command.options where option.isRequired {
            let other = command.options.first { $0.name == option.alternative }
            let isThere = result.values[option.name] != nil
            if let other, isThere, result.values[other.name] != nil {
                throw fault("--\(option.name) and --\(other.name) exclude each other", command)
            }
            guard isThere || other.map({ result.values[$0.name] != nil }) == true else {
                let names = [option, other].compactMap { $0 }.map { "--\($0.name) \($0.placeholder)" }
                throw fault("\(names.joined(separator: " or ")) is missing", command)
            }
        }
        try checkOperands(result.operands, command)
        return result
    }

    private func option(_ argument: String, of command: CommandSpec) throws(UsageError) -> OptionSpec {
        let name = argument.hasPrefix("--") ? String(argument.dropFirst(2)) : argument
        if argument.hasPrefix("--"), let option = command.options.first(where: { $0.name == name }) { return option }
        let near = command.options.map(\.name).min { distance($0, name) < distance($1, name) }
        if let near, distance(near, name) <= 2 {
            throw fault("there is no option '\(argument)'; did you mean '--\(near)'?", command)
        }
        throw fault("there is no option '\(argument)'", command)
    }

    private func check(_ value: String, _ option: OptionSpec, _ command: CommandSpec) throws(UsageError) {
        switch option.kind {
        case .flag, .text: return
        case .integer:
            guard Int64(value) != nil else {
                throw fault("--\(option.name) needs a whole number, not '\(value)'", command)
            }
        case .number:
            guard let number = Double(value), number.isFinite else {
                throw fault("--\(option.name) needs a number, not '\(value)'", command)
            }
        case .format(let windows):
            guard BytesFormat(named: value, windows: windows) != nil else {
                let kinds = BytesFormat.names.joined(separator: ", ")
                let prefixes = BytesFormat.prefixes.map { "\($0.name):" }.joined(separator: ", ")
                let more = windows ? "; before one of them may stand \(prefixes)" : ""
                throw fault("--\(option.name) is one of \(kinds), not '\(value)'\(more)", command)
            }
        case .choice(let choices):
            guard choices.contains(value) else {
                throw fault("--\(option.name) is one of \(choices.joined(separator: ", ")), not '\(value)'", command)
            }
        }
    }

    private func checkOperands(_ operands: [String], _ command: CommandSpec) throws(UsageError) {
        let least = command.operands.count { $0.arity == .one || $0.arity == .some }
        guard operands.count >= least else {
            let missing = command.operands.filter { $0.arity == .one || $0.arity == .some }[operands.count]
            throw fault("\(missing.name) is missing: \(missing.summary)", command)
        }
        let isOpen = command.operands.contains { $0.arity == .any || $0.arity == .some }
        guard isOpen || operands.count <= command.operands.count else {
            throw fault("'\(operands[command.operands.count])' is one operand too many", command)
        }
    }

    private func fault(_ text: String, _ command: CommandSpec) -> UsageError {
        UsageError(text, command: command.name)
    }

    private func unknown(_ words: [String]) -> UsageError {
        guard let first = words.first else { return UsageError("a command is missing") }
        let inGroup = commands.filter { $0.words.first == first && !$0.isHidden }
        if !inGroup.isEmpty {
            let list = inGroup.map { $0.words.dropFirst().joined(separator: " ") }.joined(separator: ", ")
            guard words.count > 1 else { return UsageError("'\(first)' needs one of: \(list)", command: first) }
            return UsageError("there is no '\(first) \(words[1])', only: \(list)", command: first)
        }
        let names = Set(commands.filter { !$0.isHidden }.compactMap(\.words.first)).sorted()
        if let near = names.min(by: { distance($0, first) < distance($1, first) }), distance(near, first) <= 2 {
            return UsageError("there is no command '\(first)'; did you mean '\(near)'?")
        }
        return UsageError("there is no command '\(first)'")
    }
}

/// How many letters differ between two words (Levenshtein).
func distance(_ left: String, _ right: String) -> Int {
    let left = Array(left.utf8)
    let right = Array(right.utf8)
    var row = Array(0...right.count)
    for (place, letter) in left.enumerated() {
        var diagonal = row[0]
        row[0] = place + 1
        for (index, other) in right.enumerated() {
            let best = min(row[index] + 1, row[index + 1] + 1, diagonal + (letter == other ? 0 : 1))
            diagonal = row[index + 1]
            row[index + 1] = best
        }
    }
    return row[right.count]
}
