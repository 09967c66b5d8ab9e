internal import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// This program, started once more with other arguments; its output comes back as lines.
final class ChildProcess {
    /// How a process ended.
    enum Ending: Equatable, CustomStringConvertible {
        case exited(Int32)
        case killed(Int32)

        var description: String {
            switch self {
            case .exited(let status): "exit status \(status)"
            case .killed(let number): "signal \(number)"
            }
        }
    }

    let id: pid_t
    private var output: Int32
    /// The end of the child's standard input that keeps it alive; -1 if it has ours.
    private let life: Int32
    private var pending: [UInt8] = []
    private var ending: Ending?

    /// Starts the program's own file.
    ///
    /// The standard input of a child that `isTied` ends when this process does, however that ends, and not before: see
    /// ``endWithStandardInput()``.
    init(_ arguments: [String], isTied: Bool = false) throws(CommandError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw Files.failure("pipe") }
        var tie: [Int32] = [-1, -1]
        guard !isTied || pipe(&tie) == 0 else {
            for end in ends { close(end) }
            throw Files.failure("pipe")
        }
        life = tie[1]
        if isTied { for end in tie { _ = fcntl(end, F_SETFD, FD_CLOEXEC) } }
        defer { if isTied { close(tie[0]) } }
        output = ends[0]
        // Else a later child would hold this one's pipe open.
        _ = fcntl(ends[0], F_SETFD, FD_CLOEXEC)
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_addclose(&actions, ends[1])
        if isTied { posix_spawn_file_actions_adddup2(&actions, tie[0], 0) }
        let path = ChildProcess.ownPath
        var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var id = pid_t()
        // A child that may crash ends with its signal, and without registers on the screen.
        setenv("SWIFT_BACKTRACE", "enable=no", 0)
        let status = posix_spawn(&id, path, &actions, nil, &words, environ)
        close(ends[1])
        guard status == 0 else {
            close(output)
            if isTied { close(tie[1]) }
            throw CommandError("\(path) can't be started: \(String(cString: strerror(status)))")
        }
        self.id = id
    }

    deinit {
        // A child never outlives what watches it.
        if poll() == nil {
            kill(id, SIGKILL)
            _ = wait()
        }
        close(output)
        if life >= 0 { close(life) }
    }

    /// Ends this process at once when its standard input ends: when the one that started it, tied, is gone.
    static func endWithStandardInput() {
        _ = OSThread("tributary-tie") {
            var byte: UInt8 = 0
            while true {
                let count = read(0, &byte, 1)
                if count == 0 || (count < 0 && errno != EINTR) { _exit(VerifyCommand.Status.unfinished) }
            }
        }
    }

    private static var ownPath: String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        guard count > 0 else { return CommandLine.arguments.first ?? "tributary" }
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func send(_ signal: Int32) { if ending == nil { kill(id, signal) } }

    /// How it ended; nil while it runs.
    func poll() -> Ending? { collect(WNOHANG) }

    /// Waits for its end.
    func wait() -> Ending {
        while true { if let ending = collect(0) { return ending } }
    }

    private func collect(_ flags: Int32) -> Ending? {
        if let ending { return ending }
        var status: Int32 = 0
        guard waitpid(id, &status, flags) == id else { return nil }
        let signal = status & 0x7f
        ending = signal == 0 ? .exited((status >> 8) & 0xff) : .killed(signal)
        return ending
    }

    /// Whole lines that it wrote since the last call; waits up to `milliseconds` for the first.
    func lines(wait milliseconds: Int32) -> [String] {
        var request = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
        waitForInput(&request, milliseconds)
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = readBytes(output, &chunk)
            guard count > 0 else { break }
            pending += chunk[..<count]
        }
        guard let last = pending.lastIndex(of: 0x0a) else { return [] }
        let whole = pending[..<last].split(separator: 0x0a).map { String(decoding: $0, as: UTF8.self) }
        pending.removeSubrange(...last)
        return whole
    }
}

// Calls whose names the methods above would hide.
private func waitForInput(_ request: inout pollfd, _ milliseconds: Int32) { poll(&request, 1, milliseconds) }
private func readBytes(_ file: Int32, _ chunk: inout [UInt8]) -> Int { read(file, &chunk, chunk.count) }
