#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Where a command's lines go: the process's own streams, or a test's closures.
public struct Console: Sendable {
    private let output: @Sendable (String) -> Void
    private let errors: @Sendable (String) -> Void
    private let screen: @Sendable (String) -> Void
    private let standard: StandardOutput?
    /// Whether a person watches standard error: only then are there progress bars.
    let isTerminal: Bool

    /// Makes a console of closures that take lines without their ends.
    ///
    /// - Parameter screen: takes what a terminal is sent to show progress; never called without a terminal.
    public init(
        isTerminal: Bool = false, output: @escaping @Sendable (String) -> Void,
        errors: @escaping @Sendable (String) -> Void, screen: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.isTerminal = isTerminal
        self.screen = screen
        self.output = output
        self.errors = errors
        standard = nil
    }

    /// The process's standard output and standard error.
    public static var standard: Console { Console(StandardOutput()) }

    private init(_ standard: StandardOutput) {
        isTerminal = isatty(2) == 1
        self.standard = standard
        output = { standard.line($0) }
        errors = { text in
            standard.flush()
            _ = StandardOutput.writeAll(Array("\(text)\n".utf8), to: 2)
        }
        screen = { _ = StandardOutput.writeAll(Array($0.utf8), to: 2) }
    }

    /// A line of the result.
    func line(_ text: String) { output(text) }

    /// A line of a result of many lines; throws if nobody reads them any more.
    func row(_ text: String) throws(ClosedOutput) {
        if standard?.isClosed == true { throw ClosedOutput() }
        output(text)
    }

    /// A line about what goes on or wrong.
    func note(_ text: String) { errors(text) }

    /// Hands on what was printed so far: for those who wait on the other end of a pipe.
    func flush() { standard?.flush() }

    /// Replaces the line that a terminal shows; nothing elsewhere.
    func status(_ text: String) {
        guard isTerminal else { return }
        flush()
        screen("\r\u{1b}[K\(text)")
    }

    /// Takes the status line away.
    func clearStatus() { status("") }
}

/// Nobody reads the output any more (`| head`): the command ends without a word.
struct ClosedOutput: Error {}

/// A progress bar on a terminal; silent elsewhere.
struct ProgressBar {
    private let console: Console
    private let label: String
    private let total: Int64
    private var shown: Int64 = -1

    init(_ console: Console, _ label: String, total: Int64) {
        self.console = console
        self.label = label
        self.total = max(total, 1)
    }

    mutating func update(_ done: Int64) {
        guard console.isTerminal else { return }
        let percent = min(max(done, 0), total) * 100 / total
        guard percent != shown else { return }
        shown = percent
        console.status(ProgressBar.text(label, percent: Int(percent)))
    }

    func finish() { console.clearStatus() }

    static func text(_ label: String, percent: Int) -> String {
        let filled = min(max(percent, 0), 100) * 30 / 100
        return
            "\(label) [\(String(repeating: "#", count: filled))\(String(repeating: "-", count: 30 - filled))] \(percent)%"
    }
}
