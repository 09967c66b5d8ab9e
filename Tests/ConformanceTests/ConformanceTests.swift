import Testing
import TributaryConformance

/// A case under its name, so that each is a test of its own.
struct NamedCase: Sendable, CustomTestStringConvertible {
    let item: ConformanceCase
    var testDescription: String { item.id }

    /// The cases of a file or folder; a file that can't be read is a failure of ``CaseDataTests``.
    static func all(_ path: String) -> [NamedCase] {
        ((try? CaseFile.unpacking.cases(at: dataFolder + path)) ?? []).map { NamedCase(item: $0) }
    }
}

@Suite struct ConformanceTests {
    @Test(arguments: NamedCase.all("/designed"))
    func `a designed case gives what Kafka Streams gave`(_ named: NamedCase) throws {
        let run = try DriverRunner().run(named.item)
        #expect(CaseComparison.differences(expected: named.item.expected, actual: run.result) == [])
    }

    @Test(arguments: NamedCase.all("/lineage.jsonl"))
    func `a lineage case gives what Kafka Streams gave, and its tokens agree`(_ named: NamedCase) throws {
        let run = try DriverRunner().run(named.item)
        #expect(CaseComparison.differences(expected: named.item.expected, actual: run.result) == [])
        let outcome = TruthRun.judge(named.item)
        #expect(outcome.problems == [])
        #expect(outcome.checkedValues > 0)
    }
}

@Suite(.timeLimit(.minutes(10))) struct ApplicationConformanceTests {
    private static let runner = ApplicationRunner()

    @Test(arguments: NamedCase.all("/designed").filter { runner.reasonToSkip($0.item) == nil })
    func `a designed case gives the same as an application on the embedded log`(_ named: NamedCase) async throws {
        let run = try await Self.runner.run(named.item)
        #expect(CaseComparison.differences(expected: named.item.expected, actual: run.result) == [])
    }

    @Test(arguments: NamedCase.all("/designed").filter { runner.reasonToSkip($0.item) == nil })
    func `an application stopped halfway goes on as the test driver does`(_ named: NamedCase) async throws {
        #expect(try await Self.runner.differencesAfterRestart(named.item) == [])
    }

    @Test(arguments: NamedCase.all("/designed").filter { (try? runner.canRunAtOnce($0.item)) == true })
    func `an application that finds all records at once gives the same`(_ named: NamedCase) async throws {
        #expect(try await Self.runner.differencesAtOnce(named.item) == [])
    }

    @Test(arguments: NamedCase.all("/lineage.jsonl"))
    func `a lineage case gives the same as an application on the embedded log, and its tokens agree`(_ named: NamedCase)
        async throws
    {
        let run = try await Self.runner.run(named.item)
        #expect(CaseComparison.differences(expected: named.item.expected, actual: run.result) == [])
        let outcome = await TruthRun.judgeApplication(named.item)
        #expect(outcome.problems == [])
        #expect(outcome.checkedValues > 0)
    }

    @Test func `few designed cases are left out, each for a reason`() throws {
        var reasons: [String: Int] = [:]
        for named in NamedCase.all("/designed") {
            if let reason = Self.runner.reasonToSkip(named.item) { reasons[reason, default: 0] += 1 }
        }
        #expect(reasons.removeValue(forKey: "expects an error") == 24)
        #expect(reasons.values.sorted() == [2])
    }
}
