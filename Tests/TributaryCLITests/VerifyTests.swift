import Glibc
import TestSupport
import Testing

/// `topics verify` as people run it: a program, and the child that it has walk.
@Suite(.timeLimit(.minutes(10))) struct VerifyTests {
    let folder: TemporaryFolder
    var log: String { "\(folder.path)/log" }

    init() async throws {
        folder = try TemporaryFolder()
        let made = await CommandRun("topics", "create", "t", "--log", log)
        #expect(made.status == 0, "\(made.complaint)")
    }

    private func start(_ arguments: String...) throws -> Program {
        try Program([Program.own("tributary"), "topics", "verify", "--log", log] + arguments, withErrors: true)
    }

    private func verify(_ arguments: String...) throws -> (status: Int32, output: String) {
        let program = try Program(
            [Program.own("tributary"), "topics", "verify", "--log", log] + arguments, withErrors: true)
        let output = program.readToEnd()
        return (program.wait(), output)
    }

    /// Writes enough batches of their own that their tree has a branch, and one that has its own pages.
    private func fill() async throws -> LMDBFileMap {
        for index in 0..<40 {
            let text = "\(index) " + String(repeating: "x", count: index == 0 ? 6000 : 1600)
            let run = try await CommandRun(
                "topics", "produce", "t", folder.file("lines", text), "--format", "value", "--log", log)
            #expect(run.status == 0, "\(run.complaint)")
        }
        return try LMDBFileMap("\(log)/log.mdb")
    }

    @Test func `a sound log is verified, in a child and without`() async throws {
        _ = try await fill()
        for arguments in [[], ["--in-process"], ["--time-limit", "60", "--memory-limit", "200"]] {
            let program = try Program(
                [Program.own("tributary"), "topics", "verify", "--log", log] + arguments, withErrors: true)
            #expect(program.readToEnd() == "40 batches, 40 records: all is well\n")
            #expect(program.wait() == 0)
        }
    }

    @Test(arguments: [FlipPlace.branch, .leafHead, .overflowHead, .overflowBody, .meta, .freeList])
    func `a flipped bit is a finding and status 1, and the walk always ends`(_ place: FlipPlace) async throws {
        let map = try await fill()
        #expect(!map.bytes(place).isEmpty)
        var found = 0
        for flip in map.flips(place, count: 6, seed: 11) {
            try flip.apply(to: "\(log)/log.mdb")
            let (status, output) = try verify("--time-limit", "60")
            try flip.apply(to: "\(log)/log.mdb")
            #expect(status == 0 || status == 1, "\(flip): \(status) \(output)")
            #expect((status == 0) == output.contains("all is well"), "\(output)")
            if status == 1 { found += 1 }
        }
        // Few bits are without meaning: the padding of a page's head, and what LMDB keeps in a meta page and doesn't use.
        #expect(found >= (place == .meta ? 2 : 4))
        #expect(try verify().status == 0)
    }

    @Test func `a damaged batch is named with its coordinates`() async throws {
        let map = try await fill()
        let place = try #require(map.bytes(.overflowBody).first)
        try BitFlip(offset: place.lowerBound + 3000, bit: 2).apply(to: "\(log)/log.mdb")
        let (status, output) = try verify()
        #expect(status == 1)
        #expect(output.contains("t-0@0") || output.contains("t") && output.contains("checksum"), "\(output)")
        #expect(output.contains("1 findings"))
        #expect(await CommandRun("topics", "consume", "t", "--log", log).status == 1)
    }

    /// Holds the log so that whoever opens it waits.
    private func hold() throws -> Int32 {
        let file = open("\(log)/open.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard file >= 0, flock(file, LOCK_EX) == 0 else { throw SystemFailure("flock") }
        return file
    }

    /// The child that a program has started, once there is one.
    private func child(of program: Program) throws -> Int32 {
        for _ in 0..<1000 {
            let text = String(decoding: try contents("/proc/\(program.id)/task/\(program.id)/children"), as: UTF8.self)
            if let id = text.split(separator: " ").first.flatMap({ Int32($0) }),
                try contents("/proc/\(id)/cmdline").contains(Array("--tied".utf8))
            {
                return id
            }
            usleep(10_000)
        }
        throw TestFailure("no child")
    }

    private func isGone(_ id: Int32) -> Bool {
        guard let status = try? contents("/proc/\(id)/stat") else { return true }
        return String(decoding: status, as: UTF8.self).contains(") Z ")
    }

    private func waitForEnd(of id: Int32) -> Bool {
        for _ in 0..<1000 {
            if isGone(id) { return true }
            usleep(10_000)
        }
        return false
    }

    @Test func `a walk that crashes is status 3`() throws {
        let lock = try hold()
        defer { close(lock) }
        let program = try start()
        kill(try child(of: program), SIGSEGV)
        let output = program.readToEnd()
        #expect(program.wait() == 3)
        #expect(output.contains("crashed (signal 11)"), "\(output)")
    }

    @Test func `a walk that does not end is stopped at its limit, with its child`() throws {
        let lock = try hold()
        defer { close(lock) }
        let program = try start("--time-limit", "1")
        let child = try child(of: program)
        let output = program.readToEnd()
        #expect(program.wait() == 3)
        #expect(output.contains("did not end within 1 s"), "\(output)")
        #expect(waitForEnd(of: child))
    }

    @Test func `a child does not outlive a parent that is killed`() throws {
        let lock = try hold()
        defer { close(lock) }
        let program = try start()
        let child = try child(of: program)
        #expect(!isGone(child))
        program.kill()
        #expect(waitForEnd(of: child))
    }

    @Test func `a walk without memory is status 3`() async throws {
        _ = try await fill()
        let (status, output) = try verify("--memory-limit", "1")
        #expect(status == 3, "\(output)")
    }
}
