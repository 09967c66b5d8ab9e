import Testing
import TributaryConformance

/// The folder with the cases that the runner must pass.
let dataFolder =
    #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/") + "/Data"

@Suite struct CaseDataTests {
    @Test func `all designed cases that the runner knows are here and can be read`() throws {
        let cases = try CaseFile().cases(at: dataFolder + "/designed")
        #expect(cases.count == 230)
        for item in cases { #expect(try item.missingFeatures() == [], "\(item.id)") }
    }

    @Test func `the lineage cases that the runner knows are here and can be read`() throws {
        let cases = try CaseFile().cases(at: dataFolder + "/lineage.jsonl")
        #expect(
            cases.map(\.id) == [
                "lineage-22", "lineage-30", "lineage-49", "lineage-57", "lineage-32", "lineage-54", "lineage-8",
                "lineage-15", "lineage-17", "lineage-56", "lineage-7", "lineage-21", "lineage-4", "lineage-50",
                "lineage-46", "lineage-33", "lineage-14",
            ])
        for item in cases { #expect(try item.missingFeatures() == [], "\(item.id)") }
    }

    @Test func `every function, shape and processor of the cases is known`() throws {
        for item in try CaseFile().cases(at: dataFolder + "/designed") {
            for statement in item.topology { try check(statement) }
        }
    }

    /// Reads every part of a statement that names something.
    private func check(_ statement: Statement) throws {
        _ = try statement.materialized
        for field in ["keyFn", "topicFn"] where statement.fields.has(field) { _ = try statement.keyFunction(field) }
        for field in ["sub", "merger"] where statement.fields.has(field) { _ = try statement.aggregator(field) }
        switch statement.operation {
        case .filter, .filterNot: _ = try statement.predicate
        case .mapValues, .transformValues, .map: _ = try statement.valueFunction
        case .flatMap, .flatMapValues: _ = try statement.splitter
        case .selectKey: _ = try statement.keyFunction()
        case .groupBy where statement.fields.has("keyFn"): _ = try statement.valueFunction
        case .toStream, .groupBy: if statement.fields.has("fn") { _ = try statement.keyFunction() }
        case .reduce, .aggregate: if statement.fields.has("fn") { _ = try statement.aggregator() }
        case .join: _ = try statement.joiner
        case .process, .processValues: _ = try statement.processor.clock
        case .windowedBy: _ = try statement.window
        case .split: for branch in try statement.branches { _ = try branch.predicate.map { try PredicateFunction($0) } }
        default: break
        }
    }

    @Test func `what a case expects is equal to itself, and is written as it was read`() throws {
        let paths = ["/designed", "/lineage.jsonl"].map { dataFolder + $0 }
        for item in try paths.flatMap({ try CaseFile().cases(at: $0) }) {
            #expect(CaseComparison.differences(expected: item.expected, actual: item.expected) == [], "\(item.id)")
            let again = try JSONValue(parsing: "\(item.expected.json)")
            #expect(again == item.expected.json, "\(item.id)")
        }
    }
}
