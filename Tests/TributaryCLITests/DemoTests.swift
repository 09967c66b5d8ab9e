import TestSupport
import Testing

/// The demo starts itself as a child process, so it runs as the real program.
@Suite(.timeLimit(.minutes(10))) struct DemoTests {
    /// Runs the program and returns its exit status and output.
    private func tributary(_ arguments: [String]) throws -> (status: Int32, output: String) {
        let program = try Program([Program.own("tributary")] + arguments, withErrors: true)
        let output = program.readToEnd()
        return (program.wait(), output)
    }

    @Test func `the demo proves everything, and what it keeps can be looked into`() async throws {
        let folder = try TemporaryFolder()
        let kept = "\(folder.path)/kept"
        let run = try tributary(["demo", "--keep", kept, "--accounts", "100", "--transactions", "40000"])
        #expect(run.status == 0, "\(run.output)")
        for words in [
            "Killed with SIGKILL in the middle", "all 100 balances are exact", "the cells of all 100 balances",
            "accounts: 100 rows",
            "balances: 100 rows", "All of it is as it must be",
        ] { #expect(run.output.contains(words), "\(run.output)") }
        let verified = try tributary(["topics", "verify", "--log", kept])
        #expect(verified.status == 0 && verified.output.contains("all is well"), "\(verified.output)")
        let again = await CommandRun("demo", "--keep", kept)
        #expect(again.status == 1 && again.complaint.contains("is not empty"))
    }
}
