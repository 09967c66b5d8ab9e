import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A child process with its output to read; it ends with the value.
package final class Program {
    package let id: Int32
    private let output: Int32
    private var ending: Int32?
    /// Held from the making of a pipe to the start: no child of another test may keep a pipe open that isn't its own.
    private static let starting = Mutex(())

    /// Starts a program, found by its path or `PATH`, with more variables than the tests have.
    ///
    /// What it writes to its standard error goes to that of the tests, or to the output if `withErrors`.
    package init(_ words: [String], environment: [String: String] = [:], withErrors: Bool = false) throws(SystemFailure)
    {
        (id, output) = try Program.starting.withLock { _ throws(SystemFailure) in
            var ends: [Int32] = [0, 0]
            guard pipe(&ends) == 0 else { throw SystemFailure("pipe") }
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            defer { close(ends[1]) }
            do throws(SystemFailure) {
                let files: [Int32] = withErrors ? [1, 2] : [1]
                return (try Program.spawn(words, environment, files: files, to: ends[1]), ends[0])
            } catch {
                close(ends[0])
                throw error
            }
        }
    }

    /// Starts a process some of whose files are another one.
    private static func spawn(
        _ words: [String], _ environment: [String: String] = [:], files: [Int32] = [], to output: Int32 = -1
    ) throws(SystemFailure) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for file in files { posix_spawn_file_actions_adddup2(&actions, output, file) }
        // Threads of a test block all signals, which a child would inherit.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var variables: [UnsafeMutablePointer<CChar>?] = []
        var next = environ
        while let variable = next.pointee {
            let text = String(cString: variable)
            if !environment.keys.contains(String(text.prefix { $0 != "=" })) { variables.append(strdup(text)) }
            next += 1
        }
        variables += environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for pointer in arguments + variables { free(pointer) } }
        let name = words.first ?? ""
        var id = pid_t()
        let code = posix_spawnp(&id, name, &actions, &attributes, &arguments, &variables)
        guard code == 0 else { throw SystemFailure(name, code: code) }
        return id
    }

    deinit {
        kill()
        close(output)
    }

    // MARK: Its output

    /// The next output, waiting at most that long; empty if there was none.
    package func read(milliseconds: Int) -> String {
        String(decoding: bytes(milliseconds: milliseconds), as: UTF8.self)
    }

    /// All output up to its end.
    package func readToEnd() -> String {
        var all: [UInt8] = []
        while true {
            let more = bytes(milliseconds: -1)
            if more.isEmpty { return String(decoding: all, as: UTF8.self) }
            all += more
        }
    }

    private func bytes(milliseconds: Int) -> [UInt8] {
        var waiting = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
        guard uninterrupted({ Int(poll(&waiting, 1, Int32(milliseconds))) }) > 0 else { return [] }
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        let count = uninterrupted { readSome(output, &chunk) }
        return Array(chunk.prefix(max(count, 0)))
    }

    // MARK: Its end

    package func signal(_ number: Int32) { if ending == nil { send(number, to: id) } }

    /// Whether it has ended.
    package var hasEnded: Bool {
        if ending != nil { return true }
        var status: Int32 = 0
        guard uninterrupted({ Int(waitpid(id, &status, WNOHANG)) }) > 0 else { return false }
        note(status)
        return true
    }

    /// Waits for the end; the exit code, or the signal as a negative number.
    @discardableResult
    package func wait() -> Int32 {
        if let ending { return ending }
        var status: Int32 = 0
        _ = uninterrupted { Int(waitpid(id, &status, 0)) }
        return note(status)
    }

    @discardableResult
    private func note(_ status: Int32) -> Int32 {
        let signal = status & 0x7f
        let code = signal == 0 ? (status >> 8) & 0xff : -signal
        ending = code
        return code
    }

    /// Ends it at once, whatever it does.
    package func kill() {
        signal(SIGKILL)
        wait()
    }

    // MARK: Programs that are there

    /// Runs a program to its end; its output.
    @discardableResult
    package static func run(_ words: [String]) throws -> String {
        let program = try Program(words)
        let text = program.readToEnd()
        let code = program.wait()
        guard code == 0 else { throw TestFailure("\(words.joined(separator: " ")) ended with \(code)") }
        return text
    }

    /// Has a shell run a command when this process has ended, however it ends.
    package static func atEnd(_ command: String) throws(SystemFailure) {
        let script = "exec </dev/null >/dev/null 2>&1; while kill -0 \(getpid()); do sleep 2; done; \(command)"
        _ = try starting.withLock { _ throws(SystemFailure) in try spawn(["sh", "-c", script]) }
    }

    /// A program of this package, which lies beside the tests' own, or beside their bundle.
    package static func own(_ name: String) throws(TestFailure) -> String {
        var own = [UInt8](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &own, own.count)
        // The program that runs the tests may be none of this package's.
        var places = [String(decoding: own.prefix(max(count, 0)), as: UTF8.self)]
        places += CommandLine.arguments.filter { $0.contains(".xctest") }
        for place in places {
            var parts = place.split(separator: "/")
            for _ in 0..<4 where !parts.isEmpty {
                parts.removeLast()
                let path = parts.map { "/" + $0 }.joined() + "/" + name
                if access(path, X_OK) == 0 { return path }
            }
        }
        throw TestFailure("\(name) is not there")
    }

    /// Whether a program is there to be run.
    package static func exists(_ name: String) -> Bool {
        (environment("PATH") ?? "").split(separator: ":").contains { access("\($0)/\(name)", X_OK) == 0 }
    }
}

/// Calls again what a signal interrupted.
private func uninterrupted(_ call: () -> Int) -> Int {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}

// Calls whose names the methods above would hide.
private func readSome(_ file: Int32, _ chunk: inout [UInt8]) -> Int { read(file, &chunk, chunk.count) }
private func send(_ signal: Int32, to id: pid_t) { kill(id, signal) }
