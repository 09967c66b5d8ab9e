/// The program: reads cases, runs those it can, compares, reports.
///
/// Ends with 0 if no case failed, 1 if some did, 2 for a command line or file that can't be used.
public struct ConformanceCommand {
    private let makeRunner: (RunOptions) throws -> any CaseRunner
    private let files: CaseFile
    private let missing: Set<Feature>
    private let output: (String) -> Void

    /// Makes the program.
    ///
    /// - Parameters:
    ///   - files: reads the cases.
    ///   - missing: the features whose cases are skipped.
    ///   - output: takes each line of the report.
    ///   - makeRunner: makes the runner that all cases share.
    public init(
        files: CaseFile = CaseFile(), missing: Set<Feature> = Feature.missing,
        output: @escaping (String) -> Void = { print($0) },
        makeRunner: @escaping (RunOptions) throws -> any CaseRunner
    ) {
        self.files = files
        self.missing = missing
        self.output = output
        self.makeRunner = makeRunner
    }

    /// Runs the program with the arguments after its name and returns its exit status.
    public func run(_ arguments: [String]) -> Int32 {
        do {
            guard let options = try RunOptions.parse(arguments) else {
                output(RunOptions.usage)
                return 0
            }
            return try run(options)
        } catch let error as RunOptions.UsageError {
            output("\(error)\n\n\(RunOptions.usage)")
        } catch {
            output("error: \(error)")
        }
        return 2
    }

    private func run(_ options: RunOptions) throws -> Int32 {
        var cases: [ConformanceCase] = []
        for path in options.paths { cases += try files.cases(at: path) }
        let json = try LineFile(options.jsonOutput)
        let lineage = try LineFile(options.lineageOutput)
        let spans = try LineFile(options.spansOutput)
        let runner = try makeRunner(options)
        var report = RunReport()
        for item in cases {
            let outcome = try outcome(of: item, runner) { run in
                for line in run.lineage { try lineage.write("\(line)") }
                for line in run.spans { try spans.write("\(line)") }
            }
            report.add(outcome)
            try json.write("\(outcome.json(id: item.id))")
            for line in outcome.lines(id: item.id) { output(line) }
        }
        for file in [json, lineage, spans] { try file.close() }
        output(report.summary)
        return report.failed == 0 ? 0 : 1
    }

    private func outcome(
        of item: ConformanceCase, _ runner: any CaseRunner, _ keep: (CaseRun) throws -> Void
    ) throws -> CaseOutcome {
        let features = try item.missingFeatures(missing)
        guard features.isEmpty else { return .skipped(features) }
        let run: CaseRun
        do { run = try runner.run(item) } catch { return .failed(["runner: \(error)"], nil) }
        try keep(run)
        let differences = CaseComparison.differences(expected: item.expected, actual: run.result)
        return differences.isEmpty ? .passed : .failed(differences, run.result)
    }
}

/// What became of a case.
enum CaseOutcome {
    case passed
    case failed([String], ActualResult?)
    case skipped([Feature])

    /// More differences than these help nobody; all of them are in the JSON.
    private static let shownDifferences = 20

    func lines(id: String) -> [String] {
        switch self {
        case .passed: return []
        case .skipped(let features): return ["skipped \(id): \(features.map(\.rawValue).joined(separator: ", "))"]
        case .failed(let differences, _):
            var lines = ["failed \(id)"]
            lines += differences.prefix(Self.shownDifferences).map { "  \($0)" }
            let more = differences.count - Self.shownDifferences
            if more > 0 { lines.append("  and \(more) more") }
            return lines
        }
    }

    func json(id: String) -> JSONValue {
        var fields: [(name: String, value: JSONValue)] = [("case", .string(id))]
        switch self {
        case .passed: fields.append(("outcome", .string("passed")))
        case .skipped(let features):
            fields.append(("outcome", .string("skipped")))
            fields.append(("missing", .array(features.map { .string($0.rawValue) })))
        case .failed(let differences, let actual):
            fields.append(("outcome", .string("failed")))
            fields.append(("differences", .array(differences.map { .string($0) })))
            if let actual { fields.append(("actual", actual.json)) }
        }
        return .fields(fields)
    }
}

/// The counts of a run.
struct RunReport {
    private(set) var passed = 0
    private(set) var failed = 0
    private(set) var skipped = 0

    mutating func add(_ outcome: CaseOutcome) {
        switch outcome {
        case .passed: passed += 1
        case .failed: failed += 1
        case .skipped: skipped += 1
        }
    }

    var summary: String { "\(passed) passed, \(failed) failed, \(skipped) skipped" }
}
