import TestSupport
import Testing

/// The exit status of the program itself: 0 done, 1 failed or something found, 2 not understood.
@Suite(.timeLimit(.minutes(10))) struct ExitTests {
    let folder: TemporaryFolder
    var log: String { "\(folder.path)/log" }

    init() throws { folder = try TemporaryFolder() }

    func exit(_ arguments: String...) throws -> (status: Int32, text: String) {
        let program = try Program([Program.own("tributary")] + arguments, withErrors: true)
        let text = program.readToEnd()
        return (program.wait(), text)
    }

    @Test func `the program's exit status says whether it is done, failed or was not understood`() throws {
        #expect(try exit("topics", "create", "t", "--log", log).status == 0)
        #expect(try exit("topics", "list", "--log", log).status == 0)
        #expect(try exit("topics", "create", "t", "--log", log).status == 1)
        #expect(try exit("topics", "consume", "none", "--log", log).status == 1)
        #expect(try exit("topics", "consume", "--log", log).status == 2)
        #expect(try exit("nonsense").status == 2)
        #expect(try exit("--version").status == 0)
        #expect(try exit("store", "list", "--state", "\(folder.path)/none").status != 0)
        #expect(try exit("trace", "00000000000000000000000000000001", "--file", "\(folder.path)/none").status != 0)
    }

    @Test func `records of the least and the greatest time are shown`() throws {
        #expect(try exit("topics", "create", "t", "--log", log).status == 0)
        let lines = [Int64.min, .min + 1, -1, 0, .max].map { #"{"value":"v","timestamp":\#($0)}"# + "\n" }.joined()
        let produced = try exit("topics", "produce", "t", folder.file("lines", lines), "--log", log)
        let consumed = try exit("topics", "consume", "t", "--log", log)
        #expect(produced.status >= 0 && consumed.status == 0, "\(produced.text) \(consumed.text)")
        #expect(consumed.text.contains("1970-01-01T00:00:00.000Z") || produced.status != 0)
    }
}
