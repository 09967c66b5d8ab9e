import Glibc

/// A failure of the system's, or of a program that was started.
struct ProgramFailure: Error, CustomStringConvertible {
    var description: String
}

/// A program that was started, with its output to read; it ends with the value.
final class Program {
    private let id: pid_t
    private let output: Int32
    private var isEnded = false

    /// Starts a program with more variables than the tests have.
    init(_ words: [String], environment: [String: String] = [:]) throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw ProgramFailure(description: "pipe failed") }
        output = ends[0]
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        defer { posix_spawn_file_actions_destroy(&actions) }
        var variables: [UnsafeMutablePointer<CChar>?] = []
        var next = environ
        while let variable = next.pointee {
            let text = String(cString: variable)
            if !environment.keys.contains(String(text.prefix { $0 != "=" })) { variables.append(strdup(text)) }
            next += 1
        }
        variables += environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for pointer in pointers + variables { free(pointer) } }
        // Threads of a test block all signals, which a child would inherit.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var id: pid_t = 0
        let status = posix_spawn(&id, words[0], &actions, &attributes, &pointers, &variables)
        close(ends[1])
        self.id = id
        guard status == 0 else {
            isEnded = true
            throw ProgramFailure(description: "\(words[0]): \(String(cString: strerror(status)))")
        }
    }

    /// The next output, waiting at most that long; empty if there was none.
    func read(milliseconds: Int32) -> String {
        var waiting = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, milliseconds) > 0 else { return "" }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = Glibc.read(output, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
    }

    func signal(_ number: Int32) { if !isEnded { _ = Glibc.kill(id, number) } }

    /// Waits for the end; the exit code, or the signal as a negative number.
    @discardableResult
    func wait() -> Int32 {
        guard !isEnded else { return 0 }
        isEnded = true
        var status: Int32 = 0
        while waitpid(id, &status, 0) < 0 && errno == EINTR {}
        let signal = status & 0x7f
        return signal == 0 ? (status >> 8) & 0xff : -signal
    }

    deinit {
        signal(SIGKILL)
        wait()
        close(output)
    }

    /// Runs a program to its end; its output.
    static func run(_ words: [String]) throws -> String {
        let program = try Program(words)
        var text = ""
        while true {
            let more = program.read(milliseconds: 60_000)
            if more.isEmpty { break }
            text += more
        }
        let code = program.wait()
        guard code == 0 else { throw ProgramFailure(description: "\(words.joined(separator: " ")) ended with \(code)") }
        return text
    }

    /// A program of this package, which lies beside the tests' own.
    static func own(_ name: String) throws -> String {
        var own = [UInt8](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &own, own.count)
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
        throw ProgramFailure(description: "\(name) is not there")
    }
}

/// A fresh folder that goes with the value, content and all.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/tributary-telemetry-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw ProgramFailure(description: "mkdtemp failed") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { removeTree(path) }
}

private func removeTree(_ path: String) {
    if let folder = opendir(path) {
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        closedir(folder)
        for name in names { removeTree(path + "/" + name) }
        _ = rmdir(path)
    } else {
        _ = unlink(path)
    }
}
