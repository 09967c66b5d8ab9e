import Glibc
import TestSupport
import Testing
import Tributary

/// Reading a log in a folder that can't be written to, as people do with a backup or another user's log.
@Suite(.timeLimit(.minutes(10))) struct ReadOnlyTests {
    let folder: TemporaryFolder
    var log: String { "\(folder.path)/log" }

    init() async throws {
        folder = try TemporaryFolder()
        _ = await CommandRun("topics", "create", "t", "--log", log)
        let lines = try folder.file("lines", #"{"key":"k","value":"v","timestamp":1}"#)
        #expect(await CommandRun("topics", "produce", "t", lines, "--log", log).status == 0)
    }

    /// Runs the program as somebody who may only read, with the log's files as `keepsLock` says.
    private func run(_ arguments: String...) throws -> (status: Int32, output: String) {
        for path in ["\(log)/log.mdb", "\(log)/log.mdb-lock", "\(log)/wake"] { chmod(path, 0o444) }
        chmod(folder.path, 0o755)
        chmod(log, 0o555)
        defer { chmod(log, 0o755) }
        var words = [try Program.own("tributary")]
        // Root may write everywhere.
        if getuid() == 0 { words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] + words }
        let program = try Program(
            words + arguments + ["--log", log], environment: ["TMPDIR": "/tmp"], withErrors: true)
        let output = program.readToEnd()
        return (program.wait(), output)
    }

    private var names: [String] {
        get throws {
            try Program.run(["find", log, "-printf", "%P %s %T@\n"]).split(separator: "\n").map { String($0) }.sorted()
        }
    }

    @Test(.enabled(if: getuid() != 0 || Program.exists("setpriv")))
    func `a folder for reading only is read, and nothing in it changes`() throws {
        let before = try names
        let consumed = try run("topics", "consume", "t")
        #expect(consumed.status == 0 && consumed.output.contains("k = v"), "\(consumed.output)")
        #expect(try run("topics", "list").output.contains("t  1 partition"))
        #expect(try run("topics", "describe", "t").status == 0)
        #expect(try run("groups", "list").status == 0)
        #expect(try names == before)
    }

    @Test(.enabled(if: getuid() != 0 || Program.exists("setpriv")))
    func `state and changelogs for reading only are read`() async throws {
        let builder = StreamsBuilder()
        builder.stream("t", key: .string, value: .string).groupByKey().count(as: "counts").toStream().forEach { _, _ in
        }
        let app = try StreamsApplication(
            builder.build(),
            configuration: StreamsConfiguration(applicationID: "a", log: .embedded(at: log), handlesSignals: false))
        async let running: Void = app.run()
        while app.metrics.records < 1 && app.state != .error { try await Task.sleep(for: .milliseconds(2)) }
        app.shutdown()
        try await running
        let task = "\(log)/state/a/0_0"
        for name in try Program.run(["ls", task]).split(separator: "\n") { chmod("\(task)/\(name)", 0o444) }
        for path in [task, "\(log)/state/a", "\(log)/state"] { chmod(path, 0o555) }
        defer { for path in ["\(log)/state", "\(log)/state/a", task] { chmod(path, 0o755) } }
        let before = try names
        let row = try run(
            "store", "get", "k", "--state", "\(log)/state/a", "--store", "counts", "--value-format", "int64")
        #expect(row.status == 0 && row.output.contains("k = 1"), "\(row.output)")
        let replay = try run("changelog", "replay", "--topic", "a-counts-changelog", "--to", "-")
        #expect(replay.status == 0 && replay.output.contains("1 rows from 1"), "\(replay.output)")
        let verified = try run("topics", "verify")
        #expect(verified.status == 0 && verified.output.contains("all is well"), "\(verified.output)")
        #expect(try names == before)
    }

    @Test(.enabled(if: getuid() != 0 || Program.exists("setpriv")))
    func `who may not write is told so`() throws {
        let produced = try run("topics", "produce", "t", "/dev/null")
        #expect(produced.status == 1 && produced.output.contains("Permission denied"), "\(produced.output)")
        let deleted = try run("topics", "delete", "t", "--yes")
        #expect(deleted.status == 1 && deleted.output.contains("Permission denied"), "\(deleted.output)")
    }
}
