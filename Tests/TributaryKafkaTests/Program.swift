import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A program that ran to its end.
struct Program {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    var status: Int32
    var output: String

    /// Runs a program found by its path or `PATH`, and waits for its end; its complaints go to the tests' own.
    @discardableResult
    init(_ words: String...) throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw Failure(description: "pipe: \(errno)") }
        defer { close(ends[0]) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        defer { posix_spawn_file_actions_destroy(&actions) }
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var id: pid_t = 0
        let failure = posix_spawnp(&id, words[0], &actions, nil, &arguments, environ)
        close(ends[1])
        guard failure == 0 else { throw Failure(description: "\(words[0]): error \(failure)") }
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(ends[0], &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            text += chunk.prefix(count)
        }
        var end: Int32 = 0
        while waitpid(id, &end, 0) < 0 && errno == EINTR {}
        status = end & 0x7f == 0 ? (end >> 8) & 0xff : -(end & 0x7f)
        output = String(decoding: text, as: UTF8.self)
        guard status == 0 else { throw Failure(description: "\(words.joined(separator: " ")) ended with \(status)") }
    }

    /// Has a shell run a command when this process has ended, however it ends.
    static func atEnd(_ command: String) throws {
        let script = "exec </dev/null >/dev/null 2>&1; while kill -0 \(getpid()); do sleep 2; done; \(command)"
        var arguments: [UnsafeMutablePointer<CChar>?] = (["sh", "-c", script] as [String]).map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var id: pid_t = 0
        let failure = posix_spawnp(&id, "sh", nil, nil, &arguments, environ)
        guard failure == 0 else { throw Failure(description: "sh: error \(failure)") }
    }

    /// Whether a program is there to be run.
    static func exists(_ name: String) -> Bool {
        let path = getenv("PATH").map { String(cString: $0) } ?? ""
        return path.split(separator: ":").contains { access("\($0)/\(name)", X_OK) == 0 }
    }
}

/// A variable of the environment; nil if it is missing or empty.
func environment(_ name: String) -> String? {
    guard let value = getenv(name).map({ String(cString: $0) }), !value.isEmpty else { return nil }
    return value
}
