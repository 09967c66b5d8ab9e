import TestSupport
import Testing
import TributaryConformance

@Suite struct CommandTests {
    /// Gives what the case expects, but for cases that are to differ or to fail.
    private struct Parrot: CaseRunner {
        func run(_ conformanceCase: ConformanceCase) throws -> CaseRun {
            if conformanceCase.id == "broken" { throw CaseError("no idea") }
            var result = conformanceCase.expected
            if conformanceCase.id == "different" { result.droppedRecords = 9 }
            return CaseRun(result, lineage: [.fields([("case", .string(conformanceCase.id))])])
        }

        func reasonToSkip(_ conformanceCase: ConformanceCase) -> String? {
            conformanceCase.id == "outside" ? "no time" : nil
        }
    }

    private final class Report {
        var lines: [String] = []
    }

    private func run(_ arguments: [String]) async -> (status: Int32, lines: [String]) {
        let report = Report()
        let command = ConformanceCommand(output: { report.lines.append($0) }, makeRunner: { _ in Parrot() })
        return (await command.run(arguments), report.lines)
    }

    private func files(_ texts: [String: String]) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        for (name, text) in texts { try folder.file(name, text) }
        return folder
    }

    private func text(_ id: String, _ topology: String = "") -> String {
        #"{"id": "\#(id)", "topology": [\#(topology)], "steps": [], "expected": {"droppedRecords": 1}}"#
    }

    @Test func `a folder of cases is run, and the last line counts`() async throws {
        let folder = try files([
            "a.json": text("good"), "b.jsonl": text("different") + "\n\n" + text("broken") + "\n",
            "c.json": text("outside"), "notes.txt": "no case",
        ])
        let (status, lines) = await run([
            "run", folder.path, "--json", "\(folder.path)/out.json", "--lineage=\(folder.path)/lineage",
        ])
        #expect(status == 1)
        #expect(
            lines == [
                "failed different", "  droppedRecords: expected 1, got 9", "failed broken", "  runner: no idea",
                "skipped outside: no time", "1 passed, 2 failed, 1 skipped",
            ])
        let (passed, second) = await run(["run", "\(folder.path)/a.json"])
        #expect(passed == 0)
        #expect(second == ["1 passed, 0 failed, 0 skipped"])
    }

    @Test func `the outcome goes to a file as JSON lines`() async throws {
        let folder = try files(["a.jsonl": text("good") + "\n" + text("different")])
        _ = await run(["run", "\(folder.path)/a.jsonl", "--json", "\(folder.path)/out"])
        let lines = try contents("\(folder.path)/out").split(separator: UInt8(ascii: "\n")).map {
            try JSONValue(parsing: Array($0))
        }
        #expect(lines.count == 2)
        #expect(lines[0] == .fields([("case", .string("good")), ("outcome", .string("passed"))]))
        #expect(lines[1].object?["outcome"]?.string == "failed")
        #expect(lines[1].object?["actual"] == .fields([("droppedRecords", .integer(9))]))
    }

    @Test func `files that can't be read are named`() async throws {
        let folder = try files(["bad.json": "{", "half.jsonl": text("x") + "\n{\"id\": \"y\"}", "z.jsonl.gz": ""])
        #expect(await run(["run", "\(folder.path)/none.json"]).status == 2)
        #expect(
            await run(["run", "\(folder.path)/bad.json"]).lines == [
                "error: \(folder.path)/bad.json: not JSON at byte 1: a field's name expected"
            ])
        #expect(
            await run(["run", "\(folder.path)/half.jsonl"]).lines == [
                "error: \(folder.path)/half.jsonl: case y: expected: the field is missing"
            ])
        let (status, lines) = await run(["run", "\(folder.path)/z.jsonl.gz"])
        #expect(status == 2)
        #expect(lines.first?.contains("not unpacked") == true)
    }

    @Test func `the command line is read`() async throws {
        let options = try RunOptions.parse(["run", "a", "--sampler", "off", "--spans", "s", "--", "--b"])
        #expect(options?.paths == ["a", "--b"])
        #expect(try RunOptions.parse(["run", "a", "--application"])?.asApplication == true)
        #expect(options?.asApplication == false)
        #expect(options?.sampler == false && options?.spansOutput == "s")
        #expect(try RunOptions.parse(["--help"]) == nil)
        #expect(await run(["help"]).status == 0)
        for arguments in [
            [], ["walk"], ["run"], ["run", "--json"], ["run", "a", "--all"], ["run", "a", "--sampler", "x"],
        ] {
            #expect(throws: RunOptions.UsageError.self, "\(arguments)") { try RunOptions.parse(arguments) }
            #expect(await run(arguments).status == 2)
        }
    }
}
