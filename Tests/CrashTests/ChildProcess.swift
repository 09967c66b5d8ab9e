import Glibc

/// A failure of the system's.
struct SystemFailure: Error {
    var call: String
    var code: Int32
}

/// A running `tributary-crash-child`.
final class ChildProcess {
    let id: pid_t
    private let output: Int32
    private var isEnded = false

    init(folder: String, guarantee: String, threads: Int) throws {
        let path = try ChildProcess.program()
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw SystemFailure(call: "pipe", code: errno) }
        output = ends[0]
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        defer { posix_spawn_file_actions_destroy(&actions) }
        var words: [UnsafeMutablePointer<CChar>?] = [
            strdup(path), strdup(folder), strdup(guarantee), strdup("\(threads)"), nil,
        ]
        defer { for word in words { free(word) } }
        var id: pid_t = 0
        let status = posix_spawn(&id, path, &actions, nil, &words, environ)
        close(ends[1])
        self.id = id
        guard status == 0 else { throw SystemFailure(call: "posix_spawn", code: status) }
    }

    /// The child's program lies beside the tests' own, whoever runs them.
    private static func program() throws -> String {
        var own = [UInt8](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &own, own.count)
        var places = [String(decoding: own.prefix(max(count, 0)), as: UTF8.self)]
        places += CommandLine.arguments.filter { $0.contains(".xctest") }
        for place in places {
            var parts = place.split(separator: "/")
            for _ in 0..<4 where !parts.isEmpty {
                parts.removeLast()
                let path = parts.map { "/" + $0 }.joined() + "/tributary-crash-child"
                if access(path, X_OK) == 0 { return path }
            }
        }
        throw SystemFailure(call: "find tributary-crash-child", code: ENOENT)
    }

    /// Waits for output, at most that long; empty if there was none.
    func read(milliseconds: Int) -> String {
        var waiting = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, Int32(milliseconds)) > 0 else { return "" }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(output, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
    }

    func signal(_ number: Int32) { if !isEnded { _ = Glibc.kill(id, number) } }

    /// Waits for the end; returns the exit code, or the signal as a negative number.
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
        _ = wait()
        close(output)
    }
}
