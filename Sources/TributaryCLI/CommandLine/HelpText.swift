/// Help, made from the same table that the parser reads.
struct HelpText: Sendable {
    let commands: [CommandSpec]
    let groups: [CommandGroup]
    private static let width = 100

    /// Help for a command, for a group of commands, or for all.
    func text(for words: [String]) throws(UsageError) -> String {
        if words.isEmpty { return overview() }
        if let command = commands.first(where: { $0.words == words }) { return text(for: command) }
        let members = commands.filter { !$0.isHidden && $0.words.starts(with: words) }
        guard !members.isEmpty else {
            throw UsageError("there is no command '\(words.joined(separator: " "))'")
        }
        let summary = groups.first { [$0.word] == words }?.summary ?? ""
        var lines = ["usage: tributary \(words.joined(separator: " ")) COMMAND ...", ""]
        if !summary.isEmpty { lines += [summary, ""] }
        lines += HelpText.table(members.map { ($0.name, $0.summary) })
        lines += ["", "'tributary help \(words.joined(separator: " ")) COMMAND' says more about one of them."]
        return lines.joined(separator: "\n")
    }

    private func overview() -> String {
        var lines = [
            "usage: tributary COMMAND ...", "",
            "Kafka Streams for Swift, with lineage: look into logs, stores and traces.",
            "",
        ]
        let visible = commands.filter { !$0.isHidden }
        lines += HelpText.table(visible.map { ($0.name, $0.summary) })
        lines += [
            "", "Start with:",
            "  tributary demo                    see everything work, in seconds, in a folder that is deleted afterwards",
            "  tributary help topics create      what a command does, with examples",
            "", "Exit status: 0 done; 1 failed, or something differs; 2 the command line can't be understood.",
        ]
        return lines.joined(separator: "\n")
    }

    private func text(for command: CommandSpec) -> String {
        var usage = "usage: tributary \(command.name)"
        for operand in command.operands { usage += " \(operand.usage)" }
        for option in command.options where option.isRequired {
            usage += " --\(option.name) \(option.placeholder)"
            if let other = option.alternative { usage += "|--\(other) ..." }
        }
        if command.options.contains(where: { !$0.isRequired }) { usage += " [options]" }
        var lines = [usage, ""]
        lines += HelpText.wrap(command.summary, indent: 0)
        for paragraph in command.details.split(separator: "\n") {
            lines += [""] + HelpText.wrap(String(paragraph), indent: 0)
        }
        if !command.operands.isEmpty {
            lines += [""] + HelpText.table(command.operands.map { ($0.name, $0.summary) })
        }
        if !command.options.isEmpty {
            lines += [""]
            lines += HelpText.table(
                command.options.map { option in
                    let name = "--\(option.name)" + (option.placeholder.isEmpty ? "" : " \(option.placeholder)")
                    return (name, option.summary + (option.isRequired ? " (required)" : ""))
                })
        }
        if !command.examples.isEmpty {
            lines += ["", "Examples:"] + command.examples.map { "  \($0)" }
        }
        return lines.joined(separator: "\n")
    }

    /// Two columns; a long left side has a line of its own.
    private static func table(_ rows: [(String, String)]) -> [String] {
        let column = min(rows.map(\.0.count).max() ?? 0, 30) + 4
        return rows.flatMap { left, right in
            let wrapped = wrap(right, indent: column)
            guard left.count + 4 <= column, let first = wrapped.first else { return ["  \(left)"] + wrapped }
            let pad = String(repeating: " ", count: column - 2 - left.count)
            return ["  \(left)\(pad)\(first.dropFirst(column))"] + wrapped.dropFirst()
        }
    }

    private static func wrap(_ text: String, indent: Int) -> [String] {
        let pad = String(repeating: " ", count: indent)
        var lines: [String] = []
        var line = pad
        for word in text.split(separator: " ") {
            if line.count > indent && line.count + 1 + word.count > width {
                lines.append(line)
                line = pad
            }
            line += (line.count > indent ? " " : "") + word
        }
        return lines + [line]
    }
}
