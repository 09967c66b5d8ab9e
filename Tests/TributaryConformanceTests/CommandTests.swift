import Testing
import TributaryConformance

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite struct CommandTests {
    /// Gives what the case expects, but for cases that are to differ or to fail.
    private struct Parrot: CaseRunner {
        func run(_ conformanceCase: ConformanceCase) throws -> CaseRun {
            if conformanceCase.id == "broken" { throw CaseError("no idea") }
            var result = conformanceCase.expected
            if conformanceCase.id == "different" { result.droppedRecords = 9 }
            return CaseRun(result, lineage: [.fields([("case", .string(conformanceCase.id))])])
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

    private func folder(_ files: [String: String]) throws -> String {
        var template = Array("/tmp/tributary-conformance-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw CaseError("no folder") }
        let path = template.withUnsafeBytes { bytes in String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }
        for (name, text) in files {
            guard let file = fopen("\(path)/\(name)", "wb") else { throw CaseError("no file") }
            fputs(text, file)
            fclose(file)
        }
        return path
    }

    private func text(_ id: String, _ topology: String = "") -> String {
        #"{"id": "\#(id)", "topology": [\#(topology)], "steps": [], "expected": {"droppedRecords": 1}}"#
    }

    @Test func `a folder of cases is run, and the last line counts`() async throws {
        let session = #"{"op": "globalTable", "topic": "t"}, {"op": "fkJoin"}"#
        let path = try folder([
            "a.json": text("good"), "b.jsonl": text("different") + "\n\n" + text("broken") + "\n",
            "c.json": text("outside", session), "notes.txt": "no case",
        ])
        let (status, lines) = await run(["run", path, "--json", "\(path)/out.json", "--lineage=\(path)/lineage"])
        #expect(status == 1)
        #expect(
            lines == [
                "failed different", "  droppedRecords: expected 1, got 9", "failed broken", "  runner: no idea",
                "skipped outside: global tables, foreign-key joins", "1 passed, 2 failed, 1 skipped",
            ])
        let (passed, second) = await run(["run", "\(path)/a.json"])
        #expect(passed == 0)
        #expect(second == ["1 passed, 0 failed, 0 skipped"])
    }

    @Test func `the outcome goes to a file as JSON lines`() async throws {
        let path = try folder(["a.jsonl": text("good") + "\n" + text("different")])
        _ = await run(["run", "\(path)/a.jsonl", "--json", "\(path)/out"])
        guard let file = fopen("\(path)/out", "rb") else {
            Issue.record("no file")
            return
        }
        var buffer = [UInt8](repeating: 0, count: 10_000)
        let count = fread(&buffer, 1, buffer.count, file)
        fclose(file)
        let lines = try buffer[..<count].split(separator: UInt8(ascii: "\n")).map { try JSONValue(parsing: Array($0)) }
        #expect(lines.count == 2)
        #expect(lines[0] == .fields([("case", .string("good")), ("outcome", .string("passed"))]))
        #expect(lines[1].object?["outcome"]?.string == "failed")
        #expect(lines[1].object?["actual"] == .fields([("droppedRecords", .integer(9))]))
    }

    @Test func `files that can't be read are named`() async throws {
        let path = try folder(["bad.json": "{", "half.jsonl": text("x") + "\n{\"id\": \"y\"}", "z.jsonl.gz": ""])
        #expect(await run(["run", "\(path)/none.json"]).status == 2)
        #expect(
            await run(["run", "\(path)/bad.json"]).lines == [
                "error: \(path)/bad.json: not JSON at byte 1: a field's name expected"
            ])
        #expect(
            await run(["run", "\(path)/half.jsonl"]).lines == [
                "error: \(path)/half.jsonl: case y: expected: the field is missing"
            ])
        let (status, lines) = await run(["run", "\(path)/z.jsonl.gz"])
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
