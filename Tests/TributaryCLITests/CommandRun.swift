import Synchronization
import TributaryCLI

/// What one call of the program did.
struct CommandRun {
    var status: Int32
    var output: [String]
    var errors: [String]
    var screen: String

    /// Calls the program in this process.
    init(_ arguments: String..., isTerminal: Bool = false) async {
        await self.init(arguments, isTerminal: isTerminal)
    }

    init(_ arguments: [String], isTerminal: Bool = false) async {
        final class Lines: Sendable {
            let all = Mutex<(out: [String], err: [String], screen: String)>(([], [], ""))
        }
        let lines = Lines()
        let console = Console(
            isTerminal: isTerminal, output: { line in lines.all.withLock { $0.out.append(line) } },
            errors: { line in lines.all.withLock { $0.err.append(line) } },
            screen: { text in lines.all.withLock { $0.screen += text } })
        status = await TributaryCommand(console: console).run(arguments)
        (output, errors, screen) = lines.all.withLock { $0 }
    }

    /// The whole output.
    var text: String { output.joined(separator: "\n") }
    /// All complaints.
    var complaint: String { errors.joined(separator: "\n") }
}
