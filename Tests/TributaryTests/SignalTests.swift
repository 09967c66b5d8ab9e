import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite(.timeLimit(.minutes(10))) struct SignalTests {
    /// What a child with two applications says that is told to end after its first line.
    func lines(_ arguments: [String], ends end: Int32 = 0) throws -> [String] {
        let child = try Program([Program.own("signal-test-process")] + arguments)
        var text = ""
        while !text.contains("\n") {
            let more = child.read(milliseconds: 30_000)
            guard !more.isEmpty else { throw TestFailure("the child says nothing: '\(text)'") }
            text += more
        }
        child.signal(SIGTERM)
        text += child.readToEnd()
        #expect(child.wait() == end)
        return text.split(separator: "\n").map(String.init)
    }

    // The user's handler is called with them, and is there again when both have ended.
    @Test func `a signal stops all applications of a process, and the user's handler is kept`() throws {
        let lines = try lines([])
        // The applications may have ended before the thread that took the signal comes to the user's handler.
        #expect(lines.sorted() == ["both ended", "over", "running", "the user's", "the user's"])
        #expect(lines.first == "running" && lines.last == "over")
    }

    @Test func `once the applications have ended a signal does what it did before`() throws {
        #expect(try lines(["interrupted"], ends: -SIGINT).last == "over")
    }

    @Test func `the first application to end doesn't take the handler from the other`() throws {
        let lines = try lines(["one-ends"])
        #expect(lines.sorted() == ["both ended", "first ended", "over", "the user's", "the user's"])
        #expect(lines.first == "first ended" && lines.last == "over")
    }
}
