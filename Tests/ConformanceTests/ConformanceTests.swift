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

    @Test(arguments: 1...UInt64(4), LineageGenerator.Caches.allCases)
    func `the tokens of random topologies agree with cells and spans`(
        seed: UInt64, caches: LineageGenerator.Caches
    ) throws {
        let outcome = TruthRun.judge(try LineageGenerator.makeCase(seed: seed, caches: caches))
        #expect(outcome.problems == [])
        #expect(outcome.checkedValues > 0)
    }
}
