import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The demo starts itself as a child process, so it runs as the real program.
@Suite(.timeLimit(.minutes(2))) struct DemoTests {
    /// Runs the program and returns its exit status and output.
    private func tributary(_ arguments: [String]) throws -> (status: Int32, output: String) {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        var places = [String(decoding: buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)]
        places += CommandLine.arguments.filter { $0.contains(".xctest") }
        // The program lies beside the tests' own, or beside their bundle.
        let folders = places.flatMap { place in
            [1, 3].map { place.split(separator: "/").dropLast($0).map { "/\($0)" }.joined() }
        }
        let program = folders.map { "\($0)/tributary" }.first { (file: String) in access(file, X_OK) == 0 }
        let path = try #require(program)
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
        posix_spawn_file_actions_addclose(&actions, ends[0])
        posix_spawn_file_actions_addclose(&actions, ends[1])
        var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var id = pid_t()
        #expect(posix_spawn(&id, path, &actions, nil, &words, environ) == 0)
        close(ends[1])
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(ends[0], &chunk, chunk.count)
            guard count > 0 else { break }
            output += chunk[..<count]
        }
        close(ends[0])
        var status: Int32 = 0
        waitpid(id, &status, 0)
        return (status & 0x7f == 0 ? status >> 8 & 0xff : -status, String(decoding: output, as: UTF8.self))
    }

    @Test func `the demo proves everything, and what it keeps can be looked into`() async throws {
        let folder = TemporaryFolder()
        let kept = "\(folder.path)/kept"
        let run = try tributary(["demo", "--keep", kept, "--accounts", "100", "--transactions", "40000"])
        #expect(run.status == 0, "\(run.output)")
        for words in [
            "Killing it with SIGKILL", "all 100 balances are exact", "the cells of all 100 balances",
            "accounts: 100 rows",
            "balances: 100 rows", "All of it is as it must be",
        ] { #expect(run.output.contains(words), "\(run.output)") }
        let verified = try tributary(["topics", "verify", "--log", kept])
        #expect(verified.status == 0 && verified.output.contains("all is well"), "\(verified.output)")
        let again = await CommandRun("demo", "--keep", kept)
        #expect(again.status == 1 && again.complaint.contains("is not empty"))
    }
}
